"""Makespan and throughput of the circuit, one bar for each world."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, INK, WORLDS, byte_scale, count_scale, panels, styled, time_scale
from streamsim.analysis.wording import format_estimate
from streamsim.result import CircuitResult, Estimate

NAME = "throughput"
TITLE = "Makespan and throughput"
CAPTION = (
    "How long the circuit took, and what its sources put in each second. Whiskers are 95 % intervals over the "
    "repetitions; a model whose bar ends inside the measured whiskers cannot be told from the measurement."
)


class _Panel(NamedTuple):
    title: str
    of: Callable[[CircuitResult], Estimate | None]
    scale: Callable[[float], tuple[float, str]]


def _rate_scale(largest: float) -> tuple[float, str]:
    scale, unit = byte_scale(largest)
    return scale, f"{unit}/s"


PANELS = (
    _Panel("Makespan", lambda circuit: circuit.makespan, time_scale),
    _Panel("Bytes put in", lambda circuit: circuit.bytes_per_s, _rate_scale),
    _Panel("Records put in", lambda circuit: circuit.records_per_s, count_scale),
)


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw what exists; None where no result does."""
    chosen = []
    for panel in PANELS:
        estimates = {world: panel.of(result.circuit) for world, result in inputs.results().items()}
        known = {world: found for world, found in estimates.items() if found is not None and found.value is not None}
        if known:
            chosen.append((panel, known))
    if not chosen:
        return None
    bars = max(len(known) for _, known in chosen)
    figure, axes = panels(len(chosen), columns=1, row_height=0.75 + 0.3 * bars, share_x=False, extra=0.1)
    for one, (panel, known) in zip(axes, chosen, strict=True):
        _bars(one, panel, known)
    return figure


def _bars(axes: Axes, panel: _Panel, known: dict[str, Estimate]) -> None:
    ends = {world: max(found.value or 0.0, found.high or 0.0) for world, found in known.items()}
    scale, unit = panel.scale(max(ends.values()))
    for place, (world, found) in enumerate(known.items()):
        look, value = WORLDS[world], found.value or 0.0
        axes.barh(place, value / scale, height=0.66, color=look.colour, hatch=look.hatch, edgecolor=EDGE, linewidth=0.6)
        if found.low is not None and found.high is not None:
            arms = np.array([[value - found.low], [found.high - value]]) / scale
            axes.errorbar(value / scale, place, xerr=np.maximum(arms, 0), color=INK, capsize=4, linewidth=1.4)
        axes.annotate(
            format_estimate(found), (ends[world] / scale, place), (8, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(known)), list(known))
    axes.set_ylim(len(known) - 0.45, -0.55)
    axes.set_xlim(0, max(ends.values()) / scale * 1.32 or 1.0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_title(f"{panel.title} ({unit})")
