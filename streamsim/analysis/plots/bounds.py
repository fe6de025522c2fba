"""Throughput against cores: theory between what no circuit of these stations can exceed, and the measured points."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from streamsim.analysis.curves import Scaling
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, FAINT, INK, WORLDS, byte_scale, legend, new_figure, short, styled
from streamsim.placement import are_cores
from streamsim.result import Result

NAME = "bounds"
TITLE = "Throughput against cores"
CAPTION = (
    "By theory, what more cores would bring. No circuit of these stations can be above the sloping line (all work "
    "spread evenly over the available cores) nor above the level one (its slowest station alone); where theory stays "
    "below both, phases follow each other. Points are what was measured and simulated, at the cores available then."
)


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw theory, its bounds and the points; None under a load of its own, where throughput is the load."""
    curve = inputs.scaling
    if curve is None:
        return None
    results = {world: result for world, result in inputs.results().items() if world != "predicted"}
    rates = [value for result in results.values() if (value := result.circuit.bytes_per_s.value) is not None]
    top = 1.25 * max(*curve.theory, *rates, min(curve.by_station, 2 * max(curve.theory)))
    scale, unit = byte_scale(top)
    figure = new_figure(3.9)
    axes = figure.add_subplot()
    look = WORLDS["predicted"]
    available = np.array(curve.available)
    if curve.by_cores:
        axes.plot(
            [0, *available], [0, *(np.array(curve.by_cores) / scale)], color=FAINT, linestyle=(0, (6, 3)), linewidth=1.4
        )
    axes.axhline(curve.by_station / scale, color=INK, linestyle=(0, (2, 3)), linewidth=1.4)
    axes.plot(
        available, np.array(curve.theory) / scale, color=look.colour, marker=look.marker, markersize=4.5, linewidth=2
    )
    for world, result in results.items():
        _point(axes, world, result, scale)
    axes.set_xlim(0, available[-1] * 1.04)
    axes.set_ylim(0, top / scale)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("cores available")
    axes.set_ylabel(f"throughput ({unit}/s)")
    legend(figure, _handles(inputs, curve, list(results)), columns=3)
    return figure


def _point(axes: Axes, world: str, result: Result, scale: float) -> None:
    rate, look = result.circuit.bytes_per_s, WORLDS[world]
    if rate.value is None:
        return
    place = result.host.available_cores
    if rate.low is not None and rate.high is not None:
        axes.plot([place] * 2, [max(rate.low, 0.0) / scale, rate.high / scale], color=look.colour, linewidth=1.4)
    axes.plot(place, rate.value / scale, look.marker, color=look.colour, markeredgecolor=EDGE, markersize=8, zorder=4)


def _handles(inputs: Inputs, curve: Scaling, worlds: list[str]) -> list[Line2D]:
    look = WORLDS["predicted"]
    first = inputs.diagnosis.first.station if inputs.diagnosis is not None else None
    alone = f"{short(first, 18)} alone" if first is not None and not are_cores(first) else "slowest station alone"
    handles = [Line2D([], [], color=look.colour, marker=look.marker, markersize=4.5, linewidth=2, label="theory")]
    if curve.by_cores:
        handles.append(
            Line2D([], [], color=FAINT, linestyle=(0, (6, 3)), linewidth=1.4, label="bound: all work on the cores")
        )
    handles.append(Line2D([], [], color=INK, linestyle=(0, (2, 3)), linewidth=1.4, label=f"bound: {alone}"))
    for world in worlds:
        one = WORLDS[world]
        handles.append(Line2D([], [], color=one.colour, linestyle="", marker=one.marker, label=world))
    return handles
