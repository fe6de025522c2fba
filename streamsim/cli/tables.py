"""Results, profiles and comparisons as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from streamsim.analysis.wording import NOTHING, format_estimate, format_value, place_name
from streamsim.cli.output import fits, say, show, warn
from streamsim.placement import are_cores
from streamsim.units import format_bytes, format_seconds

if TYPE_CHECKING:
    from rich.table import Table

    from streamsim.result import Bottleneck, Estimate, ResponseTime, Result, StationResult
    from streamsim.service import Profile

_AMOUNTS = (
    ("bytes in", "bytes_in"),
    ("bytes out", "bytes_out"),
    ("records in", "records_in"),
    ("CPU", "cpu"),
    ("utilisation", "utilisation"),
    ("wait", "wait"),
)
_STATES = tuple((state, f"budget.{state}") for state in ("starved", "running", "runnable", "waiting", "blocked"))
"""Columns of stations: their heads, and where the estimates are."""


def print_result(result: Result, *, json: bool, written: Path) -> None:
    """Write a result: as JSON alone, or as tables with the bottleneck under them."""
    if json:
        from streamsim.files import to_json

        say(to_json(result).decode(), end="")
        return
    both = station_table(result, _AMOUNTS + _STATES)
    tables: list[str | Table] = [both, ""]
    if not fits(both):
        halves = [station_table(result, columns) for columns in (_AMOUNTS, _STATES)]
        tables = [part for half in halves if len(half.columns) > 1 for part in (half, "")]
    show(_head(result), "", *tables)
    say("\n".join([*_verdict(result), f"written: {written}"]))
    warn(result.warnings)


def _head(result: Result) -> str:
    host = result.host
    runs = f", {result.repetitions} run{'s' if result.repetitions != 1 else ''}" if result.world != "predicted" else ""
    cores = f"{host.cores} core{'s' if host.cores != 1 else ''} ({host.available_cores:.2f} available)"
    changes = "".join(f", {path}={value}" for path, value in result.scenario.overrides.items())
    return f"{result.scenario.name}, {result.world} ({result.engine}{runs}, {cores}{changes})"


def station_table(result: Result, columns: Sequence[tuple[str, str]]) -> Table:
    """Return one row a station; a column that has no value anywhere is left out."""
    cells = {
        header: [plain(attrgetter(place)(one) if _is_there(one, place) else None) for one in result.stations.values()]
        for header, place in columns
    }
    told = {header: column for header, column in cells.items() if set(column) != {NOTHING}}
    table = plain_table("station", *told, right=range(1, 1 + len(told)))
    for number, name in enumerate(result.stations):
        table.add_row(name, *(column[number] for column in told.values()))
    return table


def _is_there(station: StationResult, place: str) -> bool:
    return station.budget is not None or not place.startswith("budget.")


def _verdict(result: Result) -> list[str]:
    """Return what the circuit as a whole did, and who holds it back, a line each."""
    circuit = result.circuit
    whole = [circuit.bytes_per_s, circuit.records_per_s]
    rates = [plain(found) for found in whole if found is not None and found.value is not None]
    lines = [", ".join([f"makespan {format_estimate(circuit.makespan)}", *rates])]
    if circuit.response_time is not None:
        lines.append(f"response time: {_times(circuit.response_time)}")
    lines += [f"  of {source!r}: {_times(times)}" for source, times in circuit.response_by_source.items()]
    if result.saturated:
        lines.append("saturated: the circuit carries no more than this")
    lines.append(f"bottleneck: {bottleneck(circuit.bottleneck)}")
    return [*lines, *(f"note: {note}" for note in result.notes)]


def _times(found: ResponseTime) -> str:
    return (
        f"mean {format_estimate(found.mean)}, median {plain(found.p50)}, "
        f"95 % within {plain(found.p95)}, 99 % within {plain(found.p99)}"
    )


def bottleneck(found: Bottleneck | None) -> str:
    """Return the bottleneck and its runner-up, each with its share of the time."""
    if found is None or found.station is None:
        return "none stands out"
    text = f"{blame(found.station)} (at work {plain(found.share)} of the time)"
    if found.runner_up is not None:
        text += f", then {blame(found.runner_up)} ({plain(found.runner_up_share)})"
    return text


def blame(station: str | None) -> str:
    """Return what a bottleneck is called in a table.

    >>> blame("host"), blame("rank"), blame(None), blame("cores 0")
    ("the host's cores", 'rank', 'none', 'the pinned core 0')
    """
    if station is None:
        return "none"
    return place_name(station) if are_cores(station) else station


def plain(found: Estimate | None) -> str:
    """Return an estimate without its interval.

    >>> from streamsim.result import Estimate
    >>> plain(Estimate(value=0.5, low=0.4, high=0.6)), plain(None)
    ('50.0 %', '–')
    """
    return NOTHING if found is None else format_value(found.value, found.unit)


def print_profile(profile: Profile, *, written: Path) -> None:
    """Write the service models of a profile as a table."""
    columns = ("each byte", "each record", "each chunk", "at the start", "at the end", "scv", "out per in", "works on")
    table = plain_table("station", *columns, "distribution", right=range(1, 1 + len(columns)))
    for name, station in profile.stations.items():
        service = station.service
        times = (service.per_byte, service.per_record, service.setup, service.startup, service.finish)
        table.add_row(
            name,
            *(format_seconds(time) if time else NOTHING for time in times),
            f"{service.scv:.2g}",
            f"{station.selectivity:.3g}",
            format_bytes(round(station.gather_bytes)) if station.gather_bytes else "each read",
            service.distribution.family,
        )
    show(f"{profile.scenario}: service models, in core time at the speed of one busy core", "", table, "")
    say(f"written: {written}")
    warn(profile.warnings)


def plain_table(*headers: str, right: Sequence[int] = ()) -> Table:
    """Return an empty table without frame; the columns of these numbers are set to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place, header in enumerate(headers):
        table.add_column(header, justify="right" if place in right else "left", overflow="fold")
    return table
