"""How a prediction came about, as tables: methods, their reasons, what others say, and the circuit as dataflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsim.analysis.wording import NOTHING, format_value
from streamsim.cli.output import say, show
from streamsim.cli.tables import plain_table

if TYPE_CHECKING:
    from streamsim.result import Dataflow, Result


def print_methods(result: Result) -> None:
    """Write the method of the circuit and of every station, each with its alternatives under it."""
    table = plain_table("of", "method", "says", "", "why", right=[2])
    for place, method in result.methods.items():
        kind = "exact" if method.exact else "approximation"
        table.add_row(f"{place}: {method.of}", method.method, format_value(method.value, method.unit), kind, method.why)
        for other in method.alternatives:
            value = format_value(other.value, other.unit) if other.value is not None else NOTHING
            table.add_row("", f"  {other.method}", value, "exact" if other.exact else "", other.note)
    show("", table, "")
    if result.dataflow is not None:
        print_dataflow(result.dataflow)


def print_dataflow(found: Dataflow) -> None:
    """Write what paces the circuit as synchronous dataflow, and what is never exceeded."""
    times = ", ".join(f"{name} {count}" for name, count in found.repetitions.items())
    lines = [f"as dataflow: one iteration is {times} firings"]
    if found.deadlock:
        lines.append(f"with its pipes it deadlocks: {' -> '.join(found.critical)}")
    else:
        pipes = f" through {', '.join(found.critical_pipes)}" if found.critical_pipes else ""
        lines.append(
            f"paced by {' -> '.join(found.critical)}{pipes}: {format_value(found.limited_per_s, 'records/s')}, with "
            f"unlimited pipes {format_value(found.unlimited_per_s, 'records/s')}"
        )
    for trade in found.trades:
        rooms = ", ".join(f"{label} {records}" for label, records in trade.capacities.items())
        lines.append(f"  {format_value(trade.per_s, 'records/s')} needs pipes of {trade.records} records: {rooms}")
    if found.bounds:
        lines.append("never exceeded, whatever happens within the load:")
        lines += [
            f"  {name}: {format_value(bound.delay_s, 's')} a record, {bound.backlog_records:.1f} records inside"
            for name, bound in found.bounds.items()
        ]
        if found.delay_s is not None:
            lines.append(f"  the circuit: {format_value(found.delay_s, 's')} a record")
    say("\n".join(lines))
