"""The circuit as it is drawn on a board: stations as boxes whose colour is their utilisation, pipes as arrows."""

from __future__ import annotations

import itertools
import statistics

import networkx as nx
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, FAINT, WIDTH, legend, new_figure, short, styled
from streamsim.analysis.wording import place_name
from streamsim.circuit import INSERTED, Circuit
from streamsim.result import Result

NAME = "utilisation"
TITLE = "The circuit and how busy it is"
CAPTION = (
    "Stations from the sources above to the ends below; the darker a box, the larger the part of the run in which its "
    "servers were at work (its number), as measured, else as simulated, else by theory. Rounded boxes are what "
    "the circuit's shape inserted. The thick frame is what holds the circuit back."
)
ROW = 0.62
"""Inches between two rows of boxes."""
HEIGHT = 0.34
"""Inches, of a box."""
LANE = 0.3
"""Inches beside the boxes for a pipe that leads back."""
HUES: LinearSegmentedColormap = LinearSegmentedColormap.from_list("busy", colormaps["YlOrBr"]([0.0, 0.2, 0.4, 0.55]))
"""Light enough at its dark end for dark text to be read on it; told apart by all kinds of colour vision."""
GUILTY = "#0072B2"

Place = tuple[float, float]


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw the circuit with the utilisations of the first world that knows them; None where none does."""
    results = inputs.results()
    if not results:
        return None
    result = next(iter(results.values()))
    rows, ways = layers(inputs.circuit)
    columns = max(len(row) for row in rows)
    figure = new_figure(ROW * len(rows) + 0.55)
    axes = figure.add_subplot()
    back = [pipe for pipe in inputs.circuit.pipes if pipe.label not in ways]
    room = WIDTH - LANE * len(back)
    places = layout(rows, room)
    width = min(3.4, room / columns - 0.25)
    busy = {name: station.utilisation.value for name, station in result.stations.items()}
    guilty = _named(result)
    for pipe in inputs.circuit.pipes:
        if pipe in back:
            _pipe_back(axes, places[pipe.upstream], places[pipe.downstream], width, room + LANE * back.index(pipe))
            continue
        _pipe(axes, [places[name] for name in (pipe.upstream, *ways[pipe.label], pipe.downstream)])
    for name in inputs.circuit.order():
        place = places[name]
        _box(axes, inputs.circuit, name, place, width, busy.get(name), guilty=name == guilty)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(-ROW * (len(rows) - 0.5), ROW * 0.5)
    axes.axis("off")
    steps = [
        Patch(facecolor=HUES(part), edgecolor=FAINT, label=f"{part * 100:.0f} %") for part in (0.0, 0.25, 0.5, 1.0)
    ]
    if guilty in places:
        held = Patch(facecolor="none", edgecolor=GUILTY, linewidth=2.6, label="holds the circuit back")
    else:
        held = Patch(facecolor="none", edgecolor="none", label=f"held back by {place_name(guilty)}" if guilty else "")
    legend(figure, [*steps, held])
    return figure


def layers(circuit: Circuit) -> tuple[list[list[str]], dict[str, list[str]]]:
    """Return the stations in rows, each below all that it reads, ordered so that few pipes cross; and the way of pipes.

    A pipe that passes rows takes a place in each of them: the way is the names of those places, by the pipe's label.

    >>> from streamsim.circuit import Pipe, Station
    >>> layers(Circuit((Station(name="a"), Station(name="b", inputs=("a",))), (Pipe("a", "b"),)))
    ([['a'], ['b']], {'a->b': []})
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(circuit.order())
    back = {pipe.label for pipe in circuit.feedback()}
    graph.add_edges_from((pipe.upstream, pipe.downstream) for pipe in circuit.pipes if pipe.label not in back)
    rank = {name: place for place, name in enumerate(circuit.order())}
    rows = [sorted(row, key=rank.__getitem__) for row in nx.topological_generations(graph)]
    level = {name: number for number, row in enumerate(rows) for name in row}
    ways: dict[str, list[str]] = {}
    for pipe in circuit.pipes:
        if pipe.label not in back:
            between = range(level[pipe.upstream] + 1, level[pipe.downstream])
            ways[pipe.label] = [f"{pipe.label} {number}" for number in between]
            for number, place in zip(between, ways[pipe.label], strict=True):
                rows[number].append(place)
    links = [(one, other) for pipe in circuit.pipes if pipe.label in ways
             for one, other in itertools.pairwise([pipe.upstream, *ways[pipe.label], pipe.downstream])]  # fmt: skip
    for sweep in range(8):
        _order(rows, links, down=sweep % 2 == 1)
    return rows, ways


def _order(rows: list[list[str]], links: list[tuple[str, str]], *, down: bool) -> None:
    """Order each row by where its neighbours stand in the one before (Sugiyama's barycentre rule), in one direction."""
    places = {name: (place + 0.5) / len(row) for row in rows for place, name in enumerate(row)}
    near: dict[str, list[str]] = {}
    for upper, lower in links:
        near.setdefault(lower if down else upper, []).append(upper if down else lower)
    for row in rows if down else reversed(rows):
        row.sort(key=lambda name: statistics.fmean(places[one] for one in near[name]) if name in near else places[name])
        places |= {name: (place + 0.5) / len(row) for place, name in enumerate(row)}


def layout(rows: list[list[str]], width: float = WIDTH) -> dict[str, Place]:
    """Return the middle of every box, in inches: rows from above, each spread over the width."""
    return {
        name: (width * (place + 0.5) / len(row), -ROW * number)
        for number, row in enumerate(rows)
        for place, name in enumerate(row)
    }


def _box(
    axes: Axes, circuit: Circuit, name: str, place: Place, width: float, busy: float | None, *, guilty: bool
) -> None:
    station = circuit.station(name)
    inserted = station.role in INSERTED
    left, bottom = place[0] - width / 2, place[1] - HEIGHT / 2
    style = "round,pad=0,rounding_size=0.16" if inserted else "square,pad=0"
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom), width, HEIGHT, boxstyle=style, facecolor=HUES(min(busy or 0.0, 1.0)),
            edgecolor=GUILTY if guilty else FAINT, linewidth=2.6 if guilty else 0.9, zorder=3,
        )
    )  # fmt: skip
    told = f"{busy * 100:.0f} %" if busy is not None else ""
    count = f" ×{station.parallelism}" if station.parallelism > 1 else ""
    room = int((width - 0.22 - (0.5 if told else 0.0)) / 0.088) - len(count)
    label = f"{short(name, max(room, 4))}{count}" if room > 3 else ""
    axes.text(left + 0.09, place[1], label, color=EDGE, va="center", ha="left", fontsize=9, zorder=4)
    axes.text(left + width - 0.09, place[1], told, color=EDGE, va="center", ha="right", fontsize=9, zorder=4)


def _pipe(axes: Axes, way: list[Place]) -> None:
    """Draw a pipe from the lower edge of one box to the upper edge of the other."""
    edge = HEIGHT / 2
    _line(axes, [(way[0][0], way[0][1] - edge), *way[1:-1], (way[-1][0], way[-1][1] + edge)])


def _pipe_back(axes: Axes, start: Place, end: Place, width: float, lane: float) -> None:
    """Draw a pipe that leads back: out to the right of all boxes, and up there."""
    _line(axes, [(start[0] + width / 2, start[1]), (lane, start[1]), (lane, end[1]), (end[0] + width / 2, end[1])])


def _line(axes: Axes, points: list[Place]) -> None:
    for (x, y), (further_x, further_y) in itertools.pairwise(points[:-1]):
        axes.plot([x, further_x], [y, further_y], color=FAINT, linewidth=1.2, zorder=2)
    arrow = {"arrowstyle": "-|>", "color": FAINT, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 1}
    axes.annotate("", points[-1], points[-2], arrowprops=arrow, zorder=2)


def _named(result: Result) -> str | None:
    return result.circuit.bottleneck.station if result.circuit.bottleneck is not None else None
