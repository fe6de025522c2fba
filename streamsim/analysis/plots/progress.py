"""How the bytes went through every station over time, simulated beside measured."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import FAINT, WORLDS, byte_scale, legend, panels, short, styled, world_handles
from streamsim.analysis.plots.thinning import thinned
from streamsim.trace import StationTrace

NAME = "progress"
TITLE = "Bytes over time"
CAPTION = (
    "Bytes that each station had taken (thick) and given (thin) by each moment, in the repetition with the median "
    "makespan. Where the lines of two worlds lie on each other the model has the course right, not only the end; a "
    "flat piece is a standstill, and a station whose thin line rises only at the end is a barrier."
)


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw one panel for each station; None where there is no trace."""
    runs = inputs.typical_runs()
    names = [name for name in inputs.circuit.order() if any(name in run.stations for run in runs.values())]
    if not names:
        return None
    figure, axes = panels(len(names), columns=2 if len(names) <= 4 else 3, row_height=1.9 if len(names) <= 4 else 1.6)
    for one, name in zip(axes, names, strict=True):
        stations = {world: run.stations[name] for world, run in runs.items() if name in run.stations}
        _panel(one, stations)
        one.set_title(short(name, 34 if len(names) <= 4 else 19), fontweight="bold")
        one.set_xlim(0, max(run.makespan_s for run in runs.values()) * 1.02)
    figure.supxlabel("time since the start (s)", fontsize=10.5)
    widths = [
        Line2D([], [], color=FAINT, linewidth=width, label=label) for width, label in ((2.2, "taken"), (1, "given"))
    ]
    legend(figure, [*world_handles(runs, kind="line"), *widths])
    return figure


def _panel(axes: Axes, stations: dict[str, StationTrace]) -> None:
    largest = max(
        (float(curve.max()) for one in stations.values() for curve in (one.bytes_in, one.bytes_out) if len(curve)),
        default=0.0,
    )
    scale, unit = byte_scale(largest)
    for world, station in stations.items():
        look = WORLDS[world]
        for curve, width in ((station.bytes_in, 2.2), (station.bytes_out, 1.0)):
            if len(curve) and curve[-1] > 0:
                time, size = thinned(station.time_s, curve)
                axes.plot(time, size / scale, color=look.colour, linestyle=look.line, linewidth=width)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(unit)
