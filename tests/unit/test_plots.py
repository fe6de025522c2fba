"""Plots: which apply, that they are the same each time, and that nothing written in them lies on anything else."""

from __future__ import annotations

import functools
import itertools
import re
import sys
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import matplotlib
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text

from streamsim.analysis import plots
from streamsim.analysis.compare import compare_results
from streamsim.analysis.plots.style import SETTINGS, STATES, WORLDS, to_svg
from streamsim.analysis.plots.thinning import binned, thinned
from streamsim.result import Estimate
from streamsim.service import Distribution
from tests.unit import traces, worlds

ALWAYS = {"throughput", "errors", "utilisation", "budget", "elasticity", "progress", "levels", "service"}
NEEDED = {"response": "open", "knee": "open", "transient": "changing", "controllers": "steered"}
"""What has those plots that not every circuit has."""


@functools.cache
def _inputs(kind: str) -> plots.Inputs:
    if kind == "changing":
        return worlds.changing_inputs()
    if kind == "steered":
        return worlds.steered_inputs()
    return worlds.open_inputs() if kind == "open" else worlds.example_inputs(int(kind))


def _written(figure: Figure) -> list[tuple[str, Any]]:
    """Return every text that is drawn, with the box that it takes."""
    found: list[tuple[str, Any]] = []
    draw = Text.draw

    def recorded(text: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        draw(text, renderer, *args, **kwargs)
        if text.get_visible() and text.get_text().strip():
            found.append((text.get_text(), text.get_window_extent(renderer)))

    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context(SETTINGS):
        patch.setattr(Text, "draw", recorded)
        figure.canvas.draw()  # which settles the layout before it draws anything
    return found


def _agg(figure: Figure) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    return figure


@pytest.mark.parametrize("kind", ["1", "10", "open", "changing", "steered"])
@pytest.mark.parametrize("name", plots.ALL)
def test_no_text_lies_on_another_or_leaves_the_picture(name: str, kind: str) -> None:
    figure = plots.ALL[name](_inputs(kind))
    if figure is None:
        expected = {"bounds"} if kind in ("open", "changing") else {"response", "knee"}
        expected |= set() if kind == "changing" else {"transient"}
        expected |= set() if kind == "steered" else {"controllers"}
        assert name in expected or (kind == "1" and name in ("levels", "service"))
        return
    texts = _written(_agg(figure))
    assert texts
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in texts:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (one, first), (other, second) in itertools.combinations(texts, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(wide, high) <= 1, f"{one!r} lies on {other!r}"


@pytest.mark.parametrize("name", plots.ALL)
def test_the_same_inputs_give_the_same_bytes(name: str) -> None:
    first, second = (plots.ALL[name](_inputs(NEEDED.get(name, "2"))) for _ in range(2))
    assert first is not None
    assert second is not None
    assert to_svg(first, "title") == to_svg(second, "title")


def test_files_carry_no_date_and_load_nothing() -> None:
    for name, svg in plots.draw_all(_inputs("2")).items():
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg"), name
        assert b"<dc:date>" not in svg
        assert not re.findall(rb'(?:href|src)="(?!#)[^"]*"', svg)
        assert not re.findall(rb"url\((?!#)[^)]*\)", svg)


def _applying(inputs: plots.Inputs) -> set[str]:
    return {name for name, draw in plots.ALL.items() if draw(inputs) is not None}


def test_only_what_applies_is_drawn() -> None:
    assert _applying(_inputs("4")) == ALWAYS | {"bounds"}
    assert _applying(_inputs("open")) == ALWAYS | {"response", "knee"}
    assert _applying(_inputs("changing")) == ALWAYS | {"response", "knee", "transient"}
    assert _applying(_inputs("steered")) == ALWAYS | {"bounds", "controllers"}
    assert _applying(plots.Inputs(circuit=_inputs("4").circuit)) == set()


def test_theory_alone_has_only_its_throughput() -> None:
    known = _inputs("4")
    alone = plots.Inputs(
        circuit=known.circuit, predicted=known.predicted, comparison=compare_results(None, None, known.predicted)
    )
    assert _applying(alone) == {"throughput", "utilisation"}


def test_every_plot_says_what_it_is_and_how_to_read_it() -> None:
    assert set(plots.TITLES) == set(plots.CAPTIONS) == set(plots.ALL)
    assert len(set(plots.TITLES.values())) == len(plots.ALL)
    assert all(len(caption.split()) > 20 for caption in plots.CAPTIONS.values())


def test_drawing_leaves_the_settings_of_others_alone() -> None:
    before = dict(matplotlib.rcParams)
    figure = plots.ALL["budget"](_inputs("4"))
    to_svg(figure)
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_worlds_differ_in_more_than_colour() -> None:
    for field in ("colour", "hatch", "line", "marker"):
        assert len({getattr(look, field) for look in WORLDS.values()}) == len(WORLDS)
    assert not {look.colour for look in WORLDS.values()} & {colour for colour, _ in STATES.values()}


def test_the_typical_run_has_the_median_makespan() -> None:
    stations = [traces.station_trace("only")]
    runs = [traces.run_trace(stations, makespan=makespan) for makespan in (9.0, 1.0, 5.0, 7.0)]
    inputs = plots.Inputs(circuit=traces.chain(["only"]), measured_trace=traces.trace_of(*runs))
    assert inputs.typical_runs()["measured"].makespan_s == 5.0


def test_an_error_beyond_the_axis_is_written_out() -> None:
    known = _inputs("4")
    circuit = msgspec.structs.replace(known.simulated.circuit, makespan=Estimate(value=100.0, unit="s"))
    far = msgspec.structs.replace(known.simulated, circuit=circuit)
    figure = plots.ALL["errors"](replace(known, comparison=compare_results(known.measured, far, None)))
    makespan = known.measured.circuit.makespan.value
    assert f"+{(100 / makespan - 1) * 100:.0f} %" in [text for text, _ in _written(_agg(figure))]


@pytest.mark.parametrize(
    "distribution",
    [
        Distribution(),
        Distribution(family="exponential", scv=1.0),
        Distribution(family="hyperexponential", scv=4.0, parameters=(0.887, 1.775, 0.225)),
        Distribution(family="empirical", scv=0.3, quantiles=(0.1, 0.6, 0.9, 1.3, 3.0)),
    ],
)
def test_every_family_of_distributions_can_be_drawn(distribution: Distribution) -> None:
    known = _inputs("4")
    stations = {
        name: msgspec.structs.replace(
            station, service=msgspec.structs.replace(station.service, distribution=distribution)
        )
        for name, station in known.profile.stations.items()
    }
    figure = plots.ALL["service"](replace(known, profile=msgspec.structs.replace(known.profile, stations=stations)))
    assert distribution.family in " ".join(text for text, _ in _written(_agg(figure)))


def test_histograms_hold_all_chunks_that_the_axis_reaches() -> None:
    figure = plots.ALL["service"](_inputs("4"))
    bars = figure.axes[0].patches
    area = sum(bar.get_height() * bar.get_width() for bar in bars)
    assert 0.99 <= area <= 1.0 + 1e-9


def test_thinning_keeps_the_first_and_the_last_sample() -> None:
    time = np.linspace(0, 1, 10_001)
    thin, values = thinned(time, time**2, 100)
    assert len(thin) == 100
    assert (thin[0], thin[-1], values[-1]) == (0, 1, 1)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 100)), min_size=2, max_size=40),
    st.integers(1, 30),
)
def test_binning_keeps_the_time_integral_of_a_level(steps: list[tuple[float, float]], bins: int) -> None:
    time = np.cumsum([step for step, _ in steps])
    levels = np.array([level for _, level in steps])
    edges = np.linspace(time[0], time[-1], bins + 1)
    mean, low, high = binned(time, levels, edges)
    assert np.nansum(mean * np.diff(edges)) == pytest.approx(float(np.sum(levels[:-1] * np.diff(time))), abs=1e-6)
    assert np.all(low <= mean + 1e-6)
    assert np.all(mean <= high + 1e-6)
