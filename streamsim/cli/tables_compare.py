"""A comparison for a terminal: the verdict, what was measured, and how far simulation and theory are from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamsim.analysis.compare import CIRCUIT, error_text, legend, listed, verdict
from streamsim.analysis.wording import METRICS, format_estimate
from streamsim.cli.output import fits, say, show, warn
from streamsim.cli.tables import blame, plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from streamsim.analysis.compare import Comparison

MODELS = ("simulated", "predicted")
_OF_A_STATION = ("utilisation", "cpu", "wait")
"""The metrics that a terminal shows of each station; the report has all."""


def print_comparison(comparison: Comparison, *, report: Path) -> None:
    """Write the verdict and the tables, and where the report is."""
    whole = comparison_table(comparison, MODELS)
    tables: list[str | Table] = [whole, ""]
    if not fits(whole):
        tables = [part for world in MODELS for part in (comparison_table(comparison, (world,)), "")]
    show(verdict(comparison), "", *tables, bottleneck_table(comparison), "")
    say(f"{legend(comparison)[0]}\nreport: {report}")
    warn(comparison.warnings)


def comparison_table(comparison: Comparison, models: tuple[str, ...]) -> Table:
    """Return the circuit's metrics and the most telling ones of each station, with the errors of these worlds."""
    errors = [column for world in models for column in (world, "error")]
    table = plain_table("", "metric", "measured", *errors, right=range(2, 3 + len(errors)))
    last = None
    for row in listed(comparison):
        if row.station != CIRCUIT and row.metric not in _OF_A_STATION:
            continue
        cells = [row.station if row.station != last else "", METRICS[row.metric], format_estimate(row.measured)]
        for world in models:
            cells += [format_estimate(getattr(row, world)), error_text(row, world)]
        table.add_row(*cells)
        last = row.station
    return table


def bottleneck_table(comparison: Comparison) -> Table:
    """Return whom each world blames, with its part of the time."""
    table = plain_table("world", "bottleneck", "of the time", right=(2,))
    for world, station in comparison.bottleneck.items():
        if comparison.repetitions[world] is not None:
            table.add_row(world, blame(station), format_estimate(comparison.shares[world]))
    return table
