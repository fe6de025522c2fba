"""The plot of a what-if: what is promised against what it costs, the goal as a line, the answers and who verified them.

Costs are processes, one line for each number of cores.
"""

from __future__ import annotations

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from streamsim.analysis.goal import Answer, Variant
from streamsim.analysis.plots.style import EDGE, INK, PAPER, WORLDS, legend, new_figure, styled, time_scale, to_svg
from streamsim.analysis.tradeoff import Tradeoff, figure, wanted

NAME = "whatif"
TITLE = "What is promised for what it costs"
LABELS = {
    "p99_s": "99 % of the responses within",
    "mean_s": "mean response time",
    "makespan_s": "makespan",
    "headroom": "largest load that holds",
}
SHADES = ("#56B4E9", "#009E73", "#0072B2", "#1b1f24")
"""Of numbers of cores, from few to many (Okabe and Ito); their lines differ in style too."""
STYLES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")
HIGHEST = 4.0
"""Times the goal up to which the axis reaches: what is further off is not promised at all."""


def plot(answer: Answer, tradeoff: Tradeoff) -> bytes | None:
    """Return the plot as a standalone SVG; None where no variant carries the load, so that there is nothing to draw."""
    if not tradeoff.cores:
        return None
    return to_svg(draw(answer, tradeoff), TITLE)


@styled
def draw(answer: Answer, tradeoff: Tradeoff) -> Figure:
    """Draw a line for each number of cores, the goal, and the answers as stars with what verified them."""
    goal = answer.goal
    every = [variant for row in tradeoff.cores.values() for variant in row]
    name, _ = figure(every[0], goal)
    limit = wanted(goal)
    values = [value for variant in (*every, *answer.variants) if (value := figure(variant, goal)[1]) is not None]
    told = [value for variant in answer.variants for _, value in _verified(variant, name)]
    top = 1.08 * max([limit, *(value for value in values if value <= HIGHEST * limit), *told])
    scale, unit = (1.0, "× the load asked for") if name == "headroom" else time_scale(top / 2)
    drawn = new_figure(3.9)
    axes = drawn.add_subplot()
    for place, (cores, row) in enumerate(tradeoff.cores.items()):
        _line(axes, place, cores, [(one.servers, (figure(one, goal)[1] or 0.0) / scale) for one in row])
    axes.axhline(limit / scale, color=INK, linestyle=(0, (6, 3)), linewidth=1.2)
    _stars(axes, [(one.servers, (figure(one, goal)[1] or 0.0) / scale) for one in answer.variants], top / scale)
    for variant in answer.variants:
        for world, value in _verified(variant, name):
            look = WORLDS[world]
            axes.plot(variant.servers, value / scale, look.marker, color=look.colour, markeredgecolor=EDGE,
                      markersize=7, zorder=5)  # fmt: skip
    axes.set_ylim(0, top / scale)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("processes")
    axes.set_ylabel(f"{LABELS[name]} ({unit})")
    legend(drawn, _handles(answer, tradeoff, name), columns=4)
    return drawn


def _line(axes: Axes, place: int, cores: int, points: list[tuple[int, float]]) -> None:
    shade, style = SHADES[place % len(SHADES)], STYLES[place % len(STYLES)]
    at, values = zip(*points, strict=True)
    axes.plot(at, values, color=shade, linestyle=style, linewidth=2, marker="o", markersize=3.5)


def _stars(axes: Axes, points: list[tuple[int, float]], top: float) -> None:
    """Draw the answers, with their numbers beside them; those that hardly differ share a label."""
    labels: list[tuple[int, float, list[str]]] = []
    for number, (servers, value) in enumerate(points, start=1):
        axes.plot(servers, value, "*", color="#D55E00", markeredgecolor=EDGE, markersize=13, zorder=4)
        near = [one for one in labels if one[0] == servers and abs(one[1] - value) < 0.06 * top]
        if near:
            near[0][2].append(str(number))
        else:
            labels.append((servers, value, [str(number)]))
    for servers, value, numbers in labels:
        axes.annotate(", ".join(numbers), (servers, value), (10, 6), textcoords="offset points", fontsize=9.5,
                      bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}, zorder=3)  # fmt: skip


def _verified(variant: Variant, name: str) -> list[tuple[str, float]]:
    found = []
    for world, verified in variant.verified.items():
        value = getattr(verified, name, None)
        if value is not None:
            found.append((world, value))
    return found


def _handles(answer: Answer, tradeoff: Tradeoff, name: str) -> list[Line2D]:
    handles = [
        Line2D([], [], color=SHADES[place % len(SHADES)], linestyle=STYLES[place % len(STYLES)], linewidth=2,
               marker="o", markersize=3.5, label=f"{cores} core{'s' if cores != 1 else ''}")
        for place, cores in enumerate(tradeoff.cores)
    ]  # fmt: skip
    handles.append(Line2D([], [], color=INK, linestyle=(0, (6, 3)), linewidth=1.2, label="the goal"))
    if answer.variants:
        handles.append(
            Line2D([], [], color="#D55E00", linestyle="", marker="*", markersize=12, markeredgecolor=EDGE,
                   label="answers")
        )  # fmt: skip
    worlds = dict.fromkeys(world for variant in answer.variants for world, _ in _verified(variant, name))
    handles += [
        Line2D([], [], color=WORLDS[world].colour, linestyle="", marker=WORLDS[world].marker, label=world)
        for world in worlds
    ]
    return handles
