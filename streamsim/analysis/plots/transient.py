"""How a simulated circuit gets to its steady state, or follows a step in its load: means against time, with bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import WORLDS, new_figure, styled, time_scale
from streamsim.result import Estimate

NAME = "transient"
TITLE = "From an empty start"
CAPTION = (
    "The mean response time of the records that came in each part of the time, how many were inside then and how many "
    "left, averaged over replications that all begin empty; the bands are 95 % intervals of these means. Where the "
    "lines are level the circuit is in its steady state; where they climb to the end, it cannot carry the load."
)


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the curves; None where no simulation was asked for them."""
    found = inputs.simulated.transient if inputs.simulated is not None else None
    if found is None:
        return None
    times = np.array(found.times_s)
    largest = max((one.high or one.value or 0.0 for one in found.response_time), default=0.0)
    scale, unit = time_scale(largest / 2)
    rows: list[tuple[str, Sequence[Estimate], float]] = [(f"response time ({unit})", found.response_time, scale)]
    if found.records_inside is not None:
        rows.append(("records inside", found.records_inside, 1.0))
    rows.append(("records that left (1/s)", found.records_per_s, 1.0))
    figure = new_figure(1.9 * len(rows) + 0.6)
    first: Axes | None = None
    for place, (label, curve, divisor) in enumerate(rows):
        axes = figure.add_subplot(len(rows), 1, place + 1, sharex=first)
        first = first if first is not None else axes
        _curve(axes, times, curve, divisor)
        axes.set_ylabel(label)
        axes.tick_params(labelbottom=place + 1 == len(rows))
    axes.set_xlim(0, float(times[-1]))
    axes.set_xlabel("time since the start (s)" + "".join(f"; {step}" for step in found.steps))
    figure.align_ylabels()
    return figure


def _curve(axes: Axes, times: np.ndarray, curve: Sequence[Estimate], divisor: float) -> None:
    """Draw one mean with its band, each value at the middle of its part of the time."""
    middles = times - times[0] / 2
    look = WORLDS["simulated"]

    def numbers(part: str) -> np.ndarray:
        found = [getattr(one, part) for one in curve]
        return np.array([np.nan if value is None else value / divisor for value in found])

    axes.fill_between(middles, numbers("low"), numbers("high"), color=look.colour, alpha=0.3, linewidth=0)
    axes.plot(middles, numbers("value"), color=look.colour, linewidth=2)
    axes.set_ylim(bottom=0)
