"""What would go on for ever at one instant, so that no simulation of it ended: loops and sources without time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from streamsim.errors import ModelError
from streamsim.models.records.table import Station, Table

WAITS_FOR_ALL = ("join", "turns", "next", "order")
"""Ways to read several inputs that may wait for one while others have records."""


def check_instants(table: Table) -> None:
    """Raise ModelError where records would circle, or come, for ever at one instant.

    >>> from streamsim.models.records.table import Pipe, Source
    >>> stations = (Station(name="make", base_s=0.0, source=Source()), Station(name="take", base_s=0.0))
    >>> check_instants(Table(stations=stations, pipes=(Pipe(upstream=0, downstream=1, capacity=9),)))
    Traceback (most recent call last):
    streamsim.errors.ModelError: source 'make' would give records for ever at one instant, since neither it nor ...
    """
    timeless = {number for number, row in enumerate(table.stations) if not takes_time(row)}
    short = [pipe for pipe in table.pipes if pipe.upstream in timeless and pipe.downstream in timeless]
    circling = [number for number, loop in enumerate(replace(table, pipes=tuple(short)).loops()) if loop >= 0]
    if circling:
        names = ", ".join(repr(table.stations[number].name) for number in circling)
        raise ModelError(f"nothing in the loop of {names} takes any time: records would circle at one instant")
    running = _running_on(table, timeless)
    for number in sorted(running):
        if table.stations[number].source is not None:
            raise ModelError(
                f"source {table.stations[number].name!r} would give records for ever at one instant, since "
                f"{_why(table, number, running)}: give it a rate or an end, or say what a record takes (per_record)"
            )


def _why(table: Table, source: int, running: set[int]) -> str:
    passed = {source, *_behind(table, source, running)}
    without_limit = [pipe for at in sorted(passed) for pipe in table.outputs(at) if table.pipes[pipe].capacity is None]
    beyond = [table.pipes[pipe].downstream for pipe in without_limit if table.pipes[pipe].downstream not in passed]
    if beyond:
        return f"the pipe to {table.stations[beyond[0]].name!r} has no limit and nothing before it takes any time"
    return "neither it nor what reads it takes any time"


def takes_time(station: Station) -> bool:
    """Whether a record takes any time at a station; what is drawn is a factor on that."""
    return station.base_s > 0 or station.per_byte_s > 0 or station.delay_s > 0


def _running_on(table: Table, timeless: set[int]) -> set[int]:
    """Return the stations that could pass any number of records at one instant.

    Those that take no time, but for what waits for others or for room: taken out until nothing changes.
    """
    left = {number for number in timeless if _may_run_on(table.stations[number])}
    early = any(row.takes is not None for row in table.stations)  # then a pipe may lose its reader, and hold no more
    while True:
        stopped = {number for number in left if _starves(table, number, left) or _held(table, number, left, early)}
        if not stopped:
            return left
        left -= stopped


def _may_run_on(station: Station) -> bool:
    source = station.source
    if source is not None:
        endless = source.records is None and source.stream is None
        return endless and source.arrivals in ("saturated", "closed")
    return station.takes is None


def _starves(table: Table, number: int, running: set[int]) -> bool:
    """Whether a station has to wait for records that do not come at once."""
    station = table.stations[number]
    if station.source is not None:
        return False
    fed = [table.pipes[pipe].upstream in running for pipe in table.inputs(number)]
    return not (all(fed) if station.pick in WAITS_FOR_ALL else any(fed))


def _held(table: Table, number: int, running: set[int], early: bool) -> bool:
    """Whether a station has to wait for room, or (a closed source) for records that do not leave at once."""
    station, outputs = table.stations[number], [table.pipes[pipe] for pipe in table.outputs(number)]
    closed = station.source is not None and station.source.arrivals == "closed"
    if not outputs or station.barrier or station.yields == Fraction(0):
        return False
    if station.when_full == "drop" and not closed:
        return False
    free = [pipe.downstream in running or (pipe.capacity is None and not closed) for pipe in outputs]
    return not (all(free) if closed or (station.split == "copy" and not early) else any(free))


def _behind(table: Table, number: int, running: set[int]) -> set[int]:
    """Return the stations among some that records of this one reach through such."""
    seen: set[int] = set()
    waiting = [number]
    while waiting:
        following = {table.pipes[pipe].downstream for pipe in table.outputs(waiting.pop())} & running
        waiting += following - seen
        seen |= following
    return seen
