"""How far simulation and theory are off, metric by metric, beside how far the measured repetitions scatter."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from streamsim.analysis.compare import CIRCUIT, Row
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, FAINT, INK, WORLDS, legend, new_figure, short, styled, world_handles
from streamsim.analysis.wording import METRICS, format_percent

NAME = "errors"
TITLE = "Errors of simulation and theory"
CAPTION = (
    "Every dot is a model's error relative to the measured value; the grey band behind it is the 95 % interval of the "
    "measurement itself, so that a dot inside the band cannot be told from the measurement. A triangle at the edge is "
    "an error too large for the axis, with its size beside it."
)
OF_CIRCUIT = ("makespan", "bytes_per_s", "records_per_s", "response_time.mean", "response_time.p50",
              "response_time.p95", "response_time.p99")  # fmt: skip
OF_STATION = ("utilisation", "cpu", "ended", "wait", "service_time")
OF_MANY = ("utilisation", "ended")
"""What is shown of each station where there are more than four."""
FURTHEST = 0.6
"""The axis never reaches further than this error."""


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the errors of a comparison; None where there is none or nothing was measured."""
    if inputs.comparison is None:
        return None
    stations = inputs.comparison.stations()
    wanted = OF_STATION if len(stations) <= 4 else OF_MANY
    rows = [
        row
        for row in inputs.comparison.rows
        if row.metric in (OF_CIRCUIT if row.station == CIRCUIT else wanted) and _errors(row)
    ]
    if not rows:
        return None
    worlds = [world for world in ("simulated", "predicted") if any(world in _errors(row) for row in rows)]
    groups = list(dict.fromkeys(row.station for row in rows))
    figure = new_figure(0.25 * (len(rows) + 0.7 * (len(groups) - 1)) + 1.2)
    axes = figure.add_subplot()
    limit = _limit(rows)
    places = _places(rows)
    for place, row in zip(places, rows, strict=True):
        _line(axes, place, row, limit)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlim(-limit * 106, limit * 106)
    axes.set_ylim(places[-1] + 0.7, -0.7)
    names = {CIRCUIT: "whole circuit"}
    labels = [f"{short(names.get(row.station, row.station))}  ·  {METRICS[row.metric]}" for row in rows]
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("error relative to the measured value (%)")
    scatters = any(row.measured_spread is not None for row in rows)
    band = [Patch(facecolor=FAINT, alpha=0.3, label="spread of the measurement")] if scatters else []
    legend(figure, [*world_handles(worlds, kind="dot"), *band])
    return figure


def _errors(row: Row) -> dict[str, float]:
    found = {"simulated": row.simulated_error, "predicted": row.predicted_error}
    return {world: error for world, error in found.items() if error is not None}


def _places(rows: list[Row]) -> list[float]:
    """Return the height of each row, with a gap between stations."""
    places: list[float] = []
    for number, row in enumerate(rows):
        gap = 0.0 if number == 0 else 1.0 if rows[number - 1].station == row.station else 1.7
        places.append((places[-1] if places else 0.0) + gap)
    return places


def _limit(rows: list[Row]) -> float:
    sizes = [abs(error) for row in rows for error in _errors(row).values()]
    return min(max(0.05, 1.08 * max(sizes)), FURTHEST)


def _line(axes: Axes, place: float, row: Row, limit: float) -> None:
    if row.measured_spread is not None:
        half = 100 * min(row.measured_spread, 1.06 * limit)
        axes.barh(place, 2 * half, left=-half, height=0.84, color=FAINT, alpha=0.3, linewidth=0)
    for step, (world, error) in enumerate(_errors(row).items()):
        look = WORLDS[world]
        height = place + (0.17 if step else -0.17)
        if abs(error) <= limit:
            axes.plot(100 * error, height, look.marker, color=look.colour, markersize=6, markeredgecolor=EDGE,
                      markeredgewidth=0.5, zorder=3)  # fmt: skip
            continue
        right = error > 0
        edge = limit * 100 * (1.03 if right else -1.03)
        axes.plot(edge, height, ">" if right else "<", color=look.colour, markersize=6, markeredgecolor=EDGE,
                  markeredgewidth=0.5, zorder=3, clip_on=False)  # fmt: skip
        axes.annotate(format_percent(error), (edge, height), (-7 if right else 7, 0), textcoords="offset points",
                      ha="right" if right else "left", va="center", fontsize=8)  # fmt: skip
