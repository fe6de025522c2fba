"""Plots of a sweep: throughput and the tail of response times against the parameter that varies, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from streamsim.analysis.plots.style import (
    INK,
    WORLDS,
    count_scale,
    legend,
    new_figure,
    short,
    styled,
    time_scale,
    to_svg,
)
from streamsim.result import Estimate

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of the values of a second parameter (Okabe and Ito)."""
BAND = 0.18
SPREAD = 30.0
"""Response times that are so many times each other need a logarithmic axis."""


@dataclass(frozen=True)
class Curve:
    """One line of a plot: an estimate at each value of the parameter on the axis; None where there is no answer."""

    label: str
    world: str
    at: Sequence[Any]
    estimates: Sequence[Estimate | None]


def plots(curves: Mapping[str, Sequence[Curve]], axis: str) -> dict[str, bytes]:
    """Return a standalone SVG for each metric of which any curve has values, by the metric.

    Parameters
    ----------
    curves : by metric: ``records_per_s``, ``response_p99``, ``makespan``.
    axis : what the parameter on the axis is called.
    """
    found = {}
    for metric, lines in curves.items():
        known = [line for line in lines if any(one is not None and one.value is not None for one in line.estimates)]
        if known:
            found[metric] = to_svg(draw(metric, known, axis), f"{TITLES[metric]} against {axis}")
    return found


TITLES = {"records_per_s": "Throughput", "response_p99": "99 % of the response times", "makespan": "Makespan"}


@styled
def draw(metric: str, lines: Sequence[Curve], axis: str) -> Figure:
    """Draw one metric; bands are the intervals, worlds differ in the style of their lines."""
    figure = new_figure(3.6)
    axes = figure.add_subplot()
    largest = max(one.value for line in lines for one in line.estimates if one is not None and one.value is not None)
    scale, unit = count_scale(largest) if metric == "records_per_s" else time_scale(largest)
    labels = list(dict.fromkeys(line.label for line in lines))
    ticks = list(dict.fromkeys(value for line in lines for value in line.at))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in ticks)
    for line in lines:
        places = [float(value) if numbers else float(ticks.index(value)) for value in line.at]
        _draw_line(axes, line, places, COLOURS[labels.index(line.label) % len(COLOURS)], scale)
    if not numbers:
        axes.set_xticks(range(len(ticks)), [short(str(value), 16) for value in ticks])
    smallest = min(one.value for line in lines for one in line.estimates if one is not None and one.value is not None)
    if metric == "response_p99" and 0 < SPREAD * smallest < largest:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(axis)
    axes.set_ylabel(f"{TITLES[metric].lower()} ({unit})")
    _explain(figure, lines, labels)
    return figure


def _draw_line(axes: Axes, line: Curve, places: Sequence[float], colour: str, scale: float) -> None:
    known = [
        (place, one)
        for place, one in zip(places, line.estimates, strict=True)
        if one is not None and one.value is not None
    ]
    at, values = [place for place, _ in known], [(one.value or 0.0) / scale for _, one in known]
    look = WORLDS[line.world]
    axes.plot(at, values, color=colour, linestyle=look.line, marker=look.marker, markersize=4, linewidth=1.8)
    low = [(one.low if one.low is not None else one.value or 0.0) / scale for _, one in known]
    high = [(one.high if one.high is not None else one.value or 0.0) / scale for _, one in known]
    axes.fill_between(at, low, high, color=colour, alpha=BAND, linewidth=0)


def _explain(figure: Figure, lines: Sequence[Curve], labels: Sequence[str]) -> None:
    worlds = list(dict.fromkeys(line.world for line in lines))
    handles = [
        Line2D([], [], color=INK, linestyle=WORLDS[world].line, marker=WORLDS[world].marker, label=world)
        for world in worlds
    ]
    if len(labels) > 1:
        handles += [Line2D([], [], color=COLOURS[k % len(COLOURS)], label=name) for k, name in enumerate(labels)]
    legend(figure, handles, columns=4)
