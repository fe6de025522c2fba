"""How long records took through the circuit under an open load: the whole distribution."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import (
    EDGE,
    FAINT,
    WORLDS,
    legend,
    new_figure,
    styled,
    time_scale,
    world_handles,
)
from streamsim.trace import Array
from streamsim.visits import response_times

NAME = "response"
TITLE = "Response times"
CAPTION = (
    "The part of the records that had left the circuit within each time after they were due, all repetitions together, "
    "without the warm-up. Further left is faster; the height at which two lines part says which records a model gets "
    "wrong. Diamonds are the quantiles that theory predicts."
)
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
WIDE = 30.0
"""Times that differ by more than this factor get a logarithmic axis."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the distribution functions; None where no world has response times."""
    curves = {}
    for world, trace in inputs.traces().items():
        times = [response_times(run, inputs.circuit, inputs.loads) for run in trace.runs]
        pooled = np.concatenate(times)
        if len(pooled):
            curves[world] = pooled
    if not curves:
        return None
    steps = np.unique(np.concatenate([np.linspace(0, 1, 300), 1 - np.logspace(-2, -4, 60)]))
    lines = {world: np.quantile(times, steps) for world, times in curves.items()}
    points = _predicted(inputs)
    scale, unit = time_scale(float(np.median([line[-1] for line in lines.values()])))
    figure = new_figure(3.9)
    axes = figure.add_subplot()
    for world, line in lines.items():
        look = WORLDS[world]
        axes.plot(line / scale, 100 * steps, color=look.colour, linestyle=look.line, linewidth=2)
    look = WORLDS["predicted"]
    for level, time in points.items():
        axes.plot(
            time / scale, 100 * level, look.marker, color=look.colour, markeredgecolor=EDGE, markersize=7, zorder=3
        )
    for name, level in QUANTILES.items():
        axes.axhline(100 * level, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.annotate(name, (1, 100 * level), (5, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    if _spread(lines) > WIDE:
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.set_ylim(0, 101)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_xlabel(f"response time ({unit})")
    axes.set_ylabel("records that had left (%)")
    handles = world_handles(lines, kind="line")
    legend(figure, [*handles, *(world_handles(["predicted"], kind="dot") if points else [])])
    return figure


def _predicted(inputs: Inputs) -> dict[float, float]:
    response = inputs.predicted.circuit.response_time if inputs.predicted is not None else None
    found = {level: getattr(response, name).value for name, level in QUANTILES.items()} if response is not None else {}
    return {level: time for level, time in found.items() if time is not None}


def _spread(lines: dict[str, Array]) -> float:
    low = min(float(line[len(line) // 20]) for line in lines.values())
    high = max(float(line[-1]) for line in lines.values())
    return high / low if low > 0 else 1.0
