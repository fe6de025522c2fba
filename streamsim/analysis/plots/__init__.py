"""Plots, one a file: a name, a title, how to read it, and a function that draws it or says that it does not apply.

A new plot is a new file with ``NAME``, ``TITLE``, ``CAPTION`` and ``draw``, and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from matplotlib.figure import Figure

from streamsim.analysis.plots import (
    bounds,
    budget,
    circuit,
    elasticities,
    errors,
    knee,
    levels,
    progress,
    response,
    service,
    steering,
    throughput,
    transient,
)
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import to_svg

_MODULES = (
    throughput, errors, circuit, budget, elasticities, bounds, knee, progress, levels, response, service, steering,
    transient,
)  # fmt: skip

ALL: dict[str, Callable[[Inputs], Figure | None]] = {module.NAME: module.draw for module in _MODULES}
"""Every plot by its name, in the order of the report; each returns None where it does not apply."""

TITLES: dict[str, str] = {module.NAME: module.TITLE for module in _MODULES}
CAPTIONS: dict[str, str] = {module.NAME: module.CAPTION for module in _MODULES}
"""How to read each plot."""

__all__ = ["ALL", "CAPTIONS", "TITLES", "Inputs", "draw_all", "to_svg"]


def draw_all(inputs: Inputs, *, only: Collection[str] | None = None) -> dict[str, bytes]:
    """Return every plot that applies (and is among ``only``), as a standalone SVG, by its name."""
    figures = {name: draw(inputs) for name, draw in ALL.items() if only is None or name in only}
    return {name: to_svg(figure, TITLES[name]) for name, figure in figures.items() if figure is not None}
