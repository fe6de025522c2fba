"""How all plots look: one colour, hatch, line and marker for each world, and the same bytes for the same data.

Colours are those of Okabe and Ito ("Color Universal Design", 2008), which people with any kind of colour vision tell
apart; hatches, line styles and markers say the same again for print without colour.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

P = ParamSpec("P")
R = TypeVar("R")

INK = "#1b1f24"
FAINT = "#6b7480"
GRID = "#d7dce2"
PAPER = "#ffffff"
EDGE = "#15181c"
"""Of coloured areas, their hatches and markers: dark on dark pages too, where ink turns light."""
WIDTH = 8.0
"""Of every plot, in inches."""

SETTINGS: Any = {
    "svg.hashsalt": "streamsim",  # else the ids in the file change from run to run
    "svg.fonttype": "path",  # the same layout everywhere, whatever fonts the reader has
    "path.simplify_threshold": 0.5,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "axes.titlelocation": "left",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.handlelength": 2.4,
    "hatch.linewidth": 0.9,
    "hatch.color": EDGE,
    "figure.facecolor": PAPER,  # else dark ink would stand on the dark page of whoever prefers those
    "axes.facecolor": "none",
}


class Look(NamedTuple):
    """How one world is drawn."""

    colour: str
    hatch: str
    line: Literal["-", "--", ":"]
    marker: str


WORLDS = {
    "measured": Look("#0072B2", "", "-", "o"),
    "simulated": Look("#E69F00", "////", "--", "s"),
    "predicted": Look("#009E73", "\\\\\\\\", ":", "D"),
}

STATES = {
    "running": ("#D55E00", "running"),
    "runnable": ("#F0E442", "waiting for a core"),
    "waiting": ("#CC79A7", "waiting for something else"),
    "blocked": ("#56B4E9", "blocked by a full pipe"),
    "starved": ("#E3E7EB", "starved by an empty pipe"),
}
"""The colour of each state of a server and what a legend calls it, busy ones first."""


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw in this style, leaving matplotlib's settings as they were."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return wrapped


def new_figure(height: float) -> Figure:
    """Return an empty figure of the common width and this height (inches)."""
    return Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(h_pad=0.06, w_pad=0.06, hspace=0.04))


def panels(
    count: int, *, columns: int, row_height: float, share_x: bool = True, extra: float = 0.7
) -> tuple[Figure, list[Axes]]:
    """Return a figure of small multiples, in rows, without the empty places of the last row.

    ``extra`` is the height (inches) that legend and labels need beside the rows.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(rows * row_height + extra)
    axes: list[Axes] = []
    for place in range(count):
        first = axes[0] if axes and share_x else None
        one = figure.add_subplot(rows, columns, place + 1, sharex=first)
        one.tick_params(labelbottom=place + columns >= count or not share_x)
        axes.append(one)
    return figure, axes


def world_handles(worlds: Iterable[str], *, kind: str) -> list[Artist]:
    """Return the legend's entries for these worlds, as ``"bar"``, ``"line"`` or ``"dot"``."""
    handles: list[Artist] = []
    for world in worlds:
        look = WORLDS[world]
        if kind == "bar":
            handles.append(Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=EDGE, linewidth=0.6, label=world))
        elif kind == "line":
            handles.append(Line2D([], [], color=look.colour, linestyle=look.line, linewidth=2, label=world))
        else:
            handles.append(Line2D([], [], color=look.colour, linestyle="", marker=look.marker, label=world))
    return handles


def legend(figure: Figure, handles: Sequence[Artist], *, columns: int = 5) -> None:
    """Put a legend above all panels, outside the data."""
    figure.legend(handles=list(handles), loc="outside upper left", ncols=min(columns, len(handles)), borderpad=0.1)


def short(text: str, width: int = 26) -> str:
    """Shorten a long name in its middle: beginnings and ends are what tells names apart.

    >>> short("normalise-the-carrier-names.copy", 15)
    'normali…es.copy'
    """
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def byte_scale(largest: float) -> tuple[float, str]:
    """Return what to divide bytes by, and the unit for the axis, so that its numbers stay short.

    >>> byte_scale(3e6)
    (1048576.0, 'MiB')
    """
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if largest >= 2.0 * 1024**power:
            return float(1024**power), unit
    return 1.0, "B"


def count_scale(largest: float) -> tuple[float, str]:
    """Return what to divide records per second by, and the unit for the axis.

    >>> count_scale(3e6)
    (1000000.0, 'million records/s')
    """
    for scale, unit in ((1e6, "million records/s"), (1e3, "thousand records/s")):
        if largest >= scale:
            return scale, unit
    return 1.0, "records/s"


def time_scale(largest: float) -> tuple[float, str]:
    """Return what to divide seconds by, and the unit for the axis.

    >>> time_scale(0.02)
    (0.001, 'ms')
    """
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if largest >= 2 * scale:
            return scale, unit
    return 1e-6, "µs"


@styled
def to_svg(figure: Figure, title: str = "") -> bytes:
    """Return the figure as a standalone SVG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=nothing | ({"Title": title} if title else {}))
    return buffer.getvalue()
