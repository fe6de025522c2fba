"""How the demand of single chunks scatters, beside the distribution that the profile says it has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, INK, WORLDS, legend, panels, short, styled
from streamsim.service import Distribution, StationProfile
from streamsim.trace import Array, StationTrace
from streamsim.visits import chunk_visits

NAME = "service"
TITLE = "Service demand of a chunk"
CAPTION = (
    "The core-seconds of each chunk over those that the profile expects for its records and bytes, scaled to a mean of "
    "1. Bars are what happened in all repetitions, the line is the fitted distribution that the simulation draws from "
    "(for each record by itself where they scatter so: then only chunks of one record are shown). "
    "Only stations that keep visits can be shown: operators, not Unix commands."
)
BINS = 40
FEWEST = 20
"""With fewer chunks a histogram shows nothing."""


class _Found(NamedTuple):
    name: str
    factors: Array
    distribution: Distribution


@styled
def draw(inputs: Inputs) -> Figure | None:
    """Draw one panel for each station with visits and a service model; None where there is none."""
    world, trace = next(iter(inputs.traces().items()), (None, None))
    if trace is None or world is None or inputs.profile is None:
        return None
    found = []
    for name in inputs.circuit.order():
        profile = inputs.profile.stations.get(name)
        runs = [run.stations[name] for run in trace.runs if name in run.stations]
        factors = _factors(runs, profile) if profile is not None else np.zeros(0)
        if profile is not None and len(factors) >= FEWEST:
            found.append(_Found(name, factors, profile.service.distribution))
    if not found:
        return None
    few = len(found) <= 4
    figure, axes = panels(len(found), columns=2 if few else 3, row_height=1.9 if few else 1.7, share_x=False)
    for one, station in zip(axes, found, strict=True):
        _panel(one, station, world)
        one.set_title(short(station.name, 34 if few else 19), fontweight="bold")
    figure.supxlabel("demand of a chunk over what was expected of it (1 = as expected)", fontsize=10.5)
    figure.supylabel("density", fontsize=10.5)
    look = WORLDS[world]
    bars = Patch(facecolor=look.colour, alpha=0.55, hatch=look.hatch, edgecolor=EDGE, linewidth=0.6, label=world)
    legend(figure, [bars, Line2D([], [], color=INK, linewidth=1.8, label="fitted distribution")])
    return figure


def _factors(runs: list[StationTrace], profile: StationProfile) -> Array:
    """Return demand over expectation of every chunk, scaled to a mean of 1."""
    expected: Any = profile.service.demand
    parts = []
    for run in runs:
        chunks = chunk_visits(run)
        if chunks is not None:
            took = chunks["taken"].any()
            records = chunks["records_in" if took else "records_out"]
            demand = expected(records, chunks["taken" if took else "given"])
            kept = (demand > 0) & (chunks["cpu"] > 0)
            if profile.service.scatters == "by-record":
                kept &= records < 2
            parts.append((chunks["cpu"] / np.where(kept, demand, 1))[kept])
    factors: Array = np.concatenate(parts) if parts else np.zeros(0)
    return factors / factors.mean() if len(factors) else factors


def _panel(axes: Axes, station: _Found, world: str) -> None:
    factors, look = station.factors, WORLDS[world]
    highest = max(float(np.quantile(factors, 0.995)), 1.2)
    lowest = min(float(factors.min()), 0.8)
    edges = np.linspace(0 if lowest < 0.3 else lowest, highest, BINS + 1)
    counts, _ = np.histogram(factors, edges)
    heights = counts / len(factors) / np.diff(edges)  # over all chunks, also those beyond the axis
    axes.bar(
        edges[:-1], heights, np.diff(edges), align="edge", color=look.colour, alpha=0.55, edgecolor=look.colour,
        hatch=look.hatch, linewidth=0.3,
    )  # fmt: skip
    _fitted(axes, station.distribution, edges)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, heights.max() * 1.25)
    measured_scv = float(factors.var())
    beyond = int((factors > highest).sum())
    fitted = station.distribution
    note = f"{len(factors)} chunks, scv {measured_scv:.2g}\n{fitted.family}, scv {fitted.scv:.2g}"
    note += f"\n{beyond} further right" if beyond else ""
    axes.annotate(note, (1, 1), (-4, -4), xycoords="axes fraction", textcoords="offset points",
                  ha="right", va="top", fontsize=8.5)  # fmt: skip


def _fitted(axes: Axes, distribution: Distribution, edges: Array) -> None:
    from streamsim.analysis.fitting.distributions import density  # loads scipy.stats

    fine = np.linspace(max(edges[0], edges[-1] * 1e-3), edges[-1], 300)
    curve = density(distribution, fine)
    if curve is not None:
        axes.plot(fine, curve, color=INK, linewidth=1.8)
    elif distribution.values:
        axes.stairs(np.histogram(distribution.values, edges, density=True)[0], edges, color=INK, linewidth=1.6)
    elif distribution.quantiles:
        levels = np.linspace(0, 1, len(distribution.quantiles))
        mass = np.diff(np.interp(edges, distribution.quantiles, levels))
        axes.stairs(mass / np.diff(edges), edges, color=INK, linewidth=1.6)
    else:
        axes.axvline(1.0, color=INK, linewidth=1.8)
