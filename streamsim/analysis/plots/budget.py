"""Where the time of every server went: a stacked bar for each station and world."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, STATES, WORLDS, legend, new_figure, short, styled
from streamsim.result import Budget

NAME = "budget"
TITLE = "Time budgets"
CAPTION = (
    "The life of every server, by what it was doing. The station that holds a circuit back is running nearly all the "
    "time; the stations before it are blocked by full pipes, those after it starved by empty ones. Much waiting for a "
    "core says that the cores, not a station, are too few. A hatched bar is a simulated one."
)
BAR = 0.25
"""Height of a bar in inches."""
LABELLED = 0.08
"""A part of at least this share has its number written in it."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the budgets of all stations; None where no world knows them."""
    bars: list[tuple[str, str, Budget]] = []
    for name in inputs.circuit.order():
        for world, result in inputs.results().items():
            station = result.stations.get(name)
            if station is not None and station.budget is not None:
                bars.append((name, world, station.budget))
    if not bars:
        return None
    names = list(dict.fromkeys(name for name, _, _ in bars))
    figure = new_figure(BAR * (len(bars) + 0.6 * len(names)) + 1.35)
    axes = figure.add_subplot()
    middles: dict[str, list[float]] = {}
    place, previous = 0.0, bars[0][0]
    for name, world, budget in bars:
        place += 0.6 if name != previous else 0.0
        previous = name
        _bar(axes, place, world, budget)
        middles.setdefault(name, []).append(place)
        place += 1
    axes.set_yticks([sum(found) / len(found) for found in middles.values()], [short(name) for name in middles])
    axes.set_yticks([one for found in middles.values() for one in found], [world for _, world, _ in bars], minor=True)
    axes.tick_params(axis="y", which="major", length=0, pad=62, labelsize=10.5)
    axes.tick_params(axis="y", which="minor", length=0, labelsize=8.5)
    axes.set_ylim(place - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("part of the server's life (%)")
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    handles = [Patch(facecolor=colour, edgecolor=EDGE, linewidth=0.6, label=label) for colour, label in STATES.values()]
    legend(figure, handles, columns=3)
    return figure


def _bar(axes: Axes, place: float, world: str, budget: Budget) -> None:
    left = 0.0
    for state, (colour, _) in STATES.items():
        share = 100 * (getattr(budget, state).value or 0.0)
        axes.barh(place, share, left=left, height=0.86, color=colour, edgecolor=EDGE, linewidth=0.5)
        if WORLDS[world].hatch:
            hatch = WORLDS[world].hatch[:2]
            axes.barh(place, share, left=left, height=0.86, color="none", hatch=hatch, edgecolor=EDGE, alpha=0.35)
        if share >= 100 * LABELLED:
            box = {"boxstyle": "round,pad=0.12", "facecolor": colour, "edgecolor": "none"}
            text = axes.text(left + share / 2, place, f"{share:.0f}", ha="center", va="center", fontsize=8.5, bbox=box)
            text.set_color("#000000")
        left += share
