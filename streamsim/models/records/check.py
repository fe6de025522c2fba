"""What no engine can run is refused here, by name, before anything runs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

from streamsim.errors import ModelError, nearest
from streamsim.models.pipe import PAGE
from streamsim.models.records.instants import check_instants
from streamsim.models.records.table import Command, Pipe, Station, Table

MOST_SERVERS = 100_000
"""Servers of one station, so that a slip in a file does not ask for all memory."""


def check(table: Table) -> Table:
    """Return the table as it is; raises ModelError naming the first thing in it that cannot be run.

    >>> from streamsim.models.records.table import Source
    >>> check(Table(stations=(Station(name="rank", source=Source(), servers=2),)))
    Traceback (most recent call last):
    streamsim.errors.ModelError: station 'rank': a source has one server, not 2
    """
    if not table.stations:
        raise ModelError("there is no station to simulate")
    twice = [name for name, count in Counter(station.name for station in table.stations).items() if count > 1]
    if twice:
        raise ModelError(f"there are two stations {twice[0]!r}")
    for pipe in table.pipes:
        _check_pipe(table, pipe)
    quickest = _quickest(table)
    for number, station in enumerate(quickest.stations):
        for problem in (*_of_station(quickest, number, station), *_of_source(quickest, number, station)):
            raise ModelError(f"station {station.name!r}: {problem}")
    _check_loops(quickest)
    check_instants(quickest)
    for command in table.commands:
        check_command(table, command)
    return table


def _quickest(table: Table) -> Table:
    """Return the table with no work in those stations whose work a command is going to take away."""
    eased = {command.target for command in table.commands if command.parameter == "service" and command.value == 0}
    rows = (replace(row, base_s=0.0, per_byte_s=0.0) if row.name in eased else row for row in table.stations)
    return replace(table, stations=tuple(rows)) if eased else table


def check_command(table: Table, command: Command) -> None:
    """Raise ModelError where a control message asks for what its target does not have."""
    names = [host.name for host in table.hosts] if command.parameter == "background" else [
        station.name for station in table.stations
    ]  # fmt: skip
    what = f"the command at {command.time_s:g} s ({command.parameter} of {command.target!r})"
    if command.target not in names:
        raise ModelError(f"{what}: there is no such {_kind(command)}{nearest(command.target, names)}")
    if not command.time_s >= 0.0:
        raise ModelError(f"{what}: a time is at least 0")
    problem = _wrong_value(table, command)
    if problem:
        raise ModelError(f"{what}: {problem}")


def _kind(command: Command) -> str:
    return "host" if command.parameter == "background" else "station"


def _wrong_value(table: Table, command: Command) -> str | None:
    value = command.value
    if command.parameter == "background":
        (host,) = (host for host in table.hosts if host.name == command.target)
        fine = isinstance(value, int | float) and 0 <= value < host.profile.cores
        return None if fine else f"others can use 0 to less than {host.profile.cores} cores, not {value!r}"
    number, station = next((k, row) for k, row in enumerate(table.stations) if row.name == command.target)
    if command.parameter == "weights":
        count = len(table.outputs(number))
        if station.split != "drawn" or not isinstance(value, tuple):
            return "only a drawn split has weights"
        return _wrong_weights(value, count)
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        return f"{value!r} is not a number of at least 0"
    if command.parameter == "servers" and (early := [row.name for row in table.stations if row.takes is not None]):
        return f"servers that rest would not learn that {early[0]!r} ends early"
    least = 0 if station.source is None else 1
    if command.parameter == "servers" and not (value == int(value) and least <= value <= table.servers(number)):
        return f"{least} to {table.servers(number)} servers can take records, not {value:g}"
    if command.parameter == "gaps" and (station.source is None or station.source.stream is None):
        return "it is no source with gaps"
    if command.parameter == "gaps" and station.source is not None and station.source.arrivals == "times":
        return "its records come at given times, not after gaps"
    return None


def _check_pipe(table: Table, pipe: Pipe) -> None:
    count = len(table.stations)
    if not (0 <= pipe.upstream < count and 0 <= pipe.downstream < count):
        raise ModelError(f"pipe {pipe.label!r}: its ends {pipe.upstream} and {pipe.downstream} are no stations")
    name = pipe.label or f"{table.stations[pipe.upstream].name}->{table.stations[pipe.downstream].name}"
    if pipe.capacity is not None and pipe.capacity < {"pages": PAGE, "bytes": 1, "records": 0}[pipe.unit]:
        raise ModelError(f"pipe {name!r}: a capacity of {pipe.capacity} {pipe.unit} holds nothing")
    if pipe.capacity == 0 and pipe.classes > 1:
        raise ModelError(
            f"pipe {name!r}: where records are handed over nobody waits, so none can be overtaken (classes)"
        )
    if pipe.capacity == 0 and table.stations[pipe.upstream].when_full != "after":
        raise ModelError(
            f"pipe {name!r}: it hands over and has no place to claim or to be full; give it one (capacity)"
        )
    if pipe.capacity is None and pipe.unit == "pages":
        raise ModelError(f"pipe {name!r}: a pipe of pages has a capacity (bytes)")
    if not 1 <= pipe.classes <= 64:
        raise ModelError(f"pipe {name!r}: 1 to 64 classes, not {pipe.classes}")
    if pipe.classes > 1 and (pipe.unit == "pages" or pipe.split):
        raise ModelError(f"pipe {name!r}: where records are split across writes no other can overtake them (classes)")


def _of_station(table: Table, number: int, station: Station) -> list[str]:
    inputs, outputs = table.inputs(number), table.outputs(number)
    found = []
    if not 1 <= table.servers(number) <= MOST_SERVERS:
        found.append(f"1 to {MOST_SERVERS} servers, not {table.servers(number)}")
    if station.source is None and not inputs:
        found.append("no pipe feeds it and it is no source")
    if station.source is not None and inputs:
        found.append("a source reads no pipe")
    if station.host is not None and not 0 <= station.host < len(table.hosts):
        found.append(f"there is no host {station.host}")
    if station.split == "drawn" and len(outputs) > 1 and (wrong := _wrong_weights(station.weights, len(outputs))):
        found.append(wrong)
    found += [
        f"{key} is {getattr(station, key):g}: a time is at least 0 and finite"
        for key in ("base_s", "per_byte_s", "delay_s", "finish_s", "output_s")
        if not 0 <= getattr(station, key) < math.inf
    ]
    if isinstance(station.yields, Fraction) and not 0 <= station.yields < 2**31:
        found.append(f"it cannot give {station.yields} records for one")
    if isinstance(station.size, int) and station.size < 1:
        found.append(f"a record has at least 1 byte, not {station.size}")
    if station.pick == "join" and any(table.pipes[pipe].classes > 1 for pipe in inputs):
        found.append("a join does not choose by class")
    return [
        *found,
        *_of_barrier(table, number, station),
        *_of_room(table, number, station),
        *_of_preemption(table, number, station),
        *_of_early_end(table, number, station),
    ]


def _of_preemption(table: Table, number: int, station: Station) -> list[str]:
    if not station.preempts:
        return []
    found = []
    if station.host is not None:
        found.append("where cores are shared no service is interrupted for another (preempts)")
    if station.barrier or station.when_full == "before" or station.pick != "ready":
        found.append("one that preempts reads what is most urgent (ready), is no barrier and claims no place first")
    if all(table.pipes[pipe].classes == 1 for pipe in table.inputs(number)):
        found.append("it preempts, but none of its inputs tells classes apart")
    return found


def _of_early_end(table: Table, number: int, station: Station) -> list[str]:
    if station.takes is None:
        return []
    found = []
    if station.takes < 0:
        found.append(f"it cannot take {station.takes} records")
    if station.source is not None:
        found.append("a source ends by its own records, not by those that it takes")
    if table.servers(number) > 1:
        found.append(f"one that ends early has one server, not {table.servers(number)}")
    if station.preempts:
        found.append("one that ends early cannot preempt: what it interrupted would be left")
    return found


def _of_barrier(table: Table, number: int, station: Station) -> list[str]:
    if not station.barrier:
        return []
    found = []
    if table.servers(number) > 1:
        found.append(f"a barrier has one server, not {table.servers(number)}")
    if station.when_full == "before":
        found.append("a barrier cannot claim a place before it serves: it gives nothing then")
    if table.loops()[number] >= 0:
        found.append("a barrier in a feedback loop waits for an end that waits for it")
    if any(row.source is not None and row.source.arrivals == "closed" for row in table.stations):
        found.append("a barrier behind a closed source waits for an end that does not come")
    return found


def _of_room(table: Table, number: int, station: Station) -> list[str]:
    """What does not go with claiming a place or dropping."""
    outputs = [table.pipes[pipe] for pipe in table.outputs(number)]
    found = []
    if station.when_full != "after" and any(pipe.unit == "pages" or pipe.split for pipe in outputs):
        found.append(f"when_full = {station.when_full!r} needs pipes that take a record whole")
    if station.when_full == "before":
        if station.yields != Fraction(1):
            found.append("it claims a place before it serves, so it gives one record for one")
        if station.split == "copy" and len(outputs) > 1:
            found.append("it claims a place before it serves, so it cannot copy to several outputs")
    if station.split == "least-loaded" and len({(pipe.unit == "records") for pipe in outputs}) > 1:
        found.append("which output holds the least is not known where some count records and some bytes")
    return found


def _of_source(table: Table, number: int, station: Station) -> list[str]:
    source = station.source
    if source is None:
        return []
    found = []
    if source.arrivals in ("gaps", "times") and source.stream is None:
        found.append(f"a source of {source.arrivals} has a stream of them")
    if source.arrivals == "saturated" and source.stream is not None:
        found.append("a saturated source has no stream of arrivals")
    if source.arrivals != "closed" and station.servers > 1:
        found.append(f"a source has one server, not {station.servers}")
    if source.arrivals == "closed" and not table.outputs(number):
        found.append("records of a closed source go somewhere and leave")
    return found


def _check_loops(table: Table) -> None:
    loops = table.loops()
    for loop in range(max(loops, default=-1) + 1):
        members = [number for number, found in enumerate(loops) if found == loop]
        names = ", ".join(repr(table.stations[number].name) for number in members)
        if not any(pipe.downstream in members and pipe.upstream not in members for pipe in table.pipes):
            raise ModelError(f"nothing feeds the loop of {names}")


def _wrong_weights(weights: tuple[float, ...], outputs: int) -> str | None:
    if len(weights) != outputs:
        return f"a drawn split over {outputs} outputs has {outputs} weights, not {len(weights)}"
    if not all(0 <= weight < math.inf for weight in weights) or not sum(weights) > 0:
        return f"the weights {weights} are no probabilities"
    return None
