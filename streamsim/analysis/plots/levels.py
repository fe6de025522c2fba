"""How full every pipe was over time, simulated beside measured."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import FAINT, WORLDS, byte_scale, legend, panels, short, styled, world_handles
from streamsim.analysis.plots.thinning import binned
from streamsim.trace import PipeTrace
from streamsim.units import format_bytes

NAME = "levels"
TITLE = "Pipe levels"
CAPTION = (
    "How many bytes each pipe held: lines are means over short stretches of time, the bands behind them run from the "
    "lowest to the highest level seen there. A pipe that stays near its capacity (dashed) blocks its writer, one that "
    "stays near zero starves its reader. Short writes fill the pages of a pipe before its bytes reach the capacity."
)
STRETCHES = 120
LOW = 0.2
"""Levels that never reach this part of the capacity get an axis of their own, without the capacity."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw one panel for each pipe; None where no pipe was watched."""
    runs = inputs.typical_runs()
    known = {label for run in runs.values() for label, pipe in run.pipes.items() if len(pipe.time_s) > 1}
    labels = [pipe.label for pipe in inputs.circuit.pipes if pipe.label in known]
    if not labels:
        return None
    figure, axes = panels(len(labels), columns=2, row_height=1.75 if len(labels) <= 4 else 1.5)
    end = max(run.makespan_s for run in runs.values())
    for one, label in zip(axes, labels, strict=True):
        pipes = {world: run.pipes[label] for world, run in runs.items() if label in run.pipes}
        _panel(one, {world: pipe for world, pipe in pipes.items() if len(pipe.time_s) > 1}, end)
        upstream, _, downstream = label.partition("->")
        one.set_title(f"{short(upstream, 15)} → {short(downstream, 15)}", fontweight="bold")
        one.set_xlim(0, end * 1.02)
    figure.supxlabel("time since the start (s)", fontsize=10.5)
    capacity = Line2D([], [], color=FAINT, linestyle=(0, (6, 3)), linewidth=1.2, label="capacity")
    legend(figure, [*world_handles(runs, kind="line"), capacity])
    return figure


def _panel(axes: Axes, pipes: dict[str, PipeTrace], end: float) -> None:
    capacity = max(pipe.capacity_bytes for pipe in pipes.values())
    highest = max(float(pipe.level_bytes.max()) for pipe in pipes.values())
    near = highest > LOW * capacity
    top = capacity if near else max(highest, 1.0)
    scale, unit = byte_scale(top)
    edges = np.linspace(0, end, STRETCHES + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    for world, pipe in pipes.items():
        look = WORLDS[world]
        mean, low, high = binned(pipe.time_s, pipe.level_bytes / scale, edges)
        axes.fill_between(middle, low, high, color=look.colour, alpha=0.16, linewidth=0)
        axes.plot(middle, mean, color=look.colour, linestyle=look.line, linewidth=1.7)
    axes.set_ylim(0, top / scale * (1.08 if near else 1.4))
    axes.set_ylabel(unit)
    if near:
        axes.axhline(capacity / scale, color=FAINT, linestyle=(0, (6, 3)), linewidth=1.2)
        axes.set_yticks([capacity / scale * part for part in (0, 0.5, 1)])
    else:
        axes.annotate(f"capacity {format_bytes(capacity)}, far above", (1, 1), (-4, -3), xycoords="axes fraction",
                      textcoords="offset points", ha="right", va="top", fontsize=8.5)  # fmt: skip
