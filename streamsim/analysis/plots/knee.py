"""Response time against load: the knee, the largest load that holds, and where the measured point lies."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from streamsim.analysis.curves import Knee
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, FAINT, INK, WORLDS, legend, new_figure, styled, time_scale
from streamsim.result import Estimate

NAME = "knee"
TITLE = "Response time against load"
CAPTION = (
    "By theory, how long records take when they come faster: mean and 99th percentile. The band behind the mean "
    "reaches from no waiting at all to Kingman's formula at every station. The knee is where load divided by mean "
    "response is largest: beyond it further records cost more time than they are worth. At the dashed line nothing "
    "holds. Points are what was measured and simulated at the scenario's load, filled for the mean, open for p99."
)
STEEP = 30.0
"""Times are shown up to this multiple of the mean response at the lightest load, at least to the points and to the 99th
percentile at the knee."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the curve; None where there is no load to vary."""
    knee = inputs.knee
    if knee is None:
        return None
    points = list(_points(inputs))
    bent = max(p99 for load, p99 in zip(knee.loads, knee.p99, strict=True) if load <= knee.knee)
    top = max([STEEP * knee.mean[0], 1.4 * bent, *(1.5 * time for _, _, time, _ in points)])
    top = min(top, 1.05 * max(knee.p99))
    scale, unit = time_scale(top / 2)
    figure = new_figure(4.2)
    axes = figure.add_subplot()
    look = WORLDS["predicted"]
    loads = np.array(knee.loads)
    axes.fill_between(loads, np.array(knee.least) / scale, np.array(knee.most) / scale, color=look.colour, alpha=0.16,
                      linewidth=0)  # fmt: skip
    axes.plot(loads, np.array(knee.mean) / scale, color=look.colour, linewidth=2)
    axes.plot(loads, np.array(knee.p99) / scale, color=look.colour, linewidth=2, linestyle=look.line)
    axes.set_ylim(0, top / scale)
    axes.set_xlim(0, knee.largest * 1.06)
    _marks(axes, knee)
    for world, kind, time, estimate in points:
        _point(axes, knee.given, world, kind, time / scale, estimate, scale)
    axes.set_xlabel("load (records/s)")
    axes.set_ylabel(f"response time ({unit})")
    worlds = list(dict.fromkeys(world for world, _, _, _ in points))
    legend(figure, [*_handles(worlds)])
    return figure


def _marks(axes: Axes, knee: Knee) -> None:
    """Mark the knee and the largest load, by lines with a word at their upper ends."""
    axes.axvline(knee.largest, color=INK, linestyle=(0, (6, 3)), linewidth=1.2)
    axes.axvline(knee.knee, color=FAINT, linestyle=(0, (2, 3)), linewidth=1.2)
    # Beside the lines, where the curves, which rise to the left of the last, do not come.
    for place, text in ((knee.largest, f"at most {knee.largest:,.4g}"), (knee.knee, f"knee {knee.knee:,.4g}")):
        axes.annotate(text, (place, 0.97), (4, 0), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                      ha="left", va="top", rotation=90, fontsize=9)  # fmt: skip


def _points(inputs: Inputs) -> list[tuple[str, str, float, Estimate]]:
    found = []
    for world, result in inputs.results().items():
        times = result.circuit.response_time
        if world == "predicted" or times is None:
            continue
        for kind, estimate in (("mean", times.mean), ("p99", times.p99)):
            if estimate.value is not None:
                found.append((world, kind, estimate.value, estimate))
    return found


def _point(axes: Axes, load: float, world: str, kind: str, time: float, estimate: Estimate, scale: float) -> None:
    look = WORLDS[world]
    shift = 1.0 + (0.012 if world == "simulated" else -0.012)  # side by side, where they agree
    if estimate.low is not None and estimate.high is not None:
        axes.plot(
            [load * shift] * 2,
            [max(estimate.low, 0.0) / scale, estimate.high / scale],
            color=look.colour,
            linewidth=1.4,
        )
    face = look.colour if kind == "mean" else "none"
    axes.plot(load * shift, time, look.marker, color=look.colour, markerfacecolor=face,
              markeredgecolor=EDGE if kind == "mean" else look.colour, markersize=7, zorder=4)  # fmt: skip


def _handles(worlds: list[str]) -> list[Line2D | Patch]:
    look = WORLDS["predicted"]
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=look.colour, linewidth=2, label="mean"),
        Line2D([], [], color=look.colour, linewidth=2, linestyle=look.line, label="99th percentile"),
        Patch(facecolor=look.colour, alpha=0.16, label="bounds of the mean"),
    ]
    for world in worlds:
        one = WORLDS[world]
        handles.append(Line2D([], [], color=one.colour, linestyle="", marker=one.marker, label=world))
    return handles
