"""What every controller set over time, simulated beside measured."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import WORLDS, byte_scale, legend, panels, short, styled, world_handles
from streamsim.trace import RunTrace

NAME = "controllers"
TITLE = "What the controllers set"
CAPTION = (
    "The value of each parameter that a controller set, from the moment on at which it did. The policy is the same "
    "code in both worlds: where the lines part, it saw something else."
)
MOST_NAMES = 12
"""Values that are no numbers are told apart by so many ticks."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw one panel for each parameter of a station; None where no controller set any."""
    runs = inputs.typical_runs()
    keys = dict.fromkeys(
        (command.controller, command.station, name)
        for run in runs.values()
        for command in run.commands
        for name in command.parameters
    )
    if not keys:
        return None
    figure, axes = panels(len(keys), columns=1, row_height=2.2)
    end = max(run.makespan_s for run in runs.values())
    for one, key in zip(axes, keys, strict=True):
        controller, station, name = key
        _panel(one, {world: _course(run, key) for world, run in runs.items()}, end, name)
        one.set_title(f"{short(controller, 15)}: {name} of {short(station, 15)}", fontweight="bold")
        one.set_xlim(0, end * 1.02)
    figure.supxlabel("time since the start (s)", fontsize=10.5)
    legend(figure, world_handles(runs, kind="line"))
    return figure


def _course(run: RunTrace, key: tuple[str, str, str]) -> list[tuple[float, Any]]:
    """Return when a parameter was set, and to what."""
    controller, station, name = key
    return [
        (command.time_s, command.parameters[name])
        for command in run.commands
        if (command.controller, command.station) == (controller, station) and name in command.parameters
    ]


def _panel(axes: Axes, courses: dict[str, list[tuple[float, Any]]], end: float, name: str) -> None:
    values = [value for course in courses.values() for _, value in course]
    numbers = all(isinstance(value, int | float) for value in values)
    words = list(dict.fromkeys(str(value) for value in values))
    scale, unit = byte_scale(max(values)) if numbers and name == "pipe" else (1.0, "")
    for world, course in courses.items():
        if course:
            times = [time_s for time_s, _ in course]
            heights = [value / scale if numbers else words.index(str(value)) for _, value in course]
            look = WORLDS[world]
            axes.step(
                [*times, end],
                [*heights, heights[-1]],
                where="post",
                color=look.colour,
                linestyle=look.line,
                linewidth=1.7,
            )
    if numbers:
        axes.set_ylim(bottom=0)
        axes.set_ylabel(unit or name)
    else:
        axes.set_yticks(range(min(len(words), MOST_NAMES)), [short(word, 20) for word in words[:MOST_NAMES]])
