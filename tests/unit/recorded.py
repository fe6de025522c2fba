"""What the tests of records by hand share: tables in a line, and what an engine says of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamsim.models.records import layout as at
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.streams import Listed
from streamsim.models.records.table import Pipe, Source, Station, Table

Exit = tuple[float, str]


def source(name: str = "source", *, times: tuple[float, ...] | None = None, **keys: Any) -> Station:
    """A source without work: saturated, or with the given times."""
    load = {
        key: keys.pop(key)
        for key in ("records", "keys", "urgency", "arrivals", "in_flight", "until_s", "stream")
        if key in keys
    }
    if times is not None:
        load |= {"arrivals": "times", "stream": Listed(times)}
    return Station(name=name, base_s=0.0, source=Source(**load), **keys)


def table(*stations: Station, pipes: list[tuple[int, int] | Pipe], **rest: Any) -> Table:
    """A checked table; pipes are pairs of stations, or rows."""
    rows = [pipe if isinstance(pipe, Pipe) else Pipe(upstream=pipe[0], downstream=pipe[1]) for pipe in pipes]
    return check(Table(stations=stations, pipes=tuple(rows), **rest))


def exits(engine: type[Interpreter] | type[Kernel], model: Table, until_s: float = float("inf")) -> list[Exit]:
    """Run a table with its commands; return when records left, and which station they left."""
    one = engine(model, np.random.SeedSequence(1))
    for command in model.commands:
        one.run(command.time_s)
        one.apply(command)
    one.run(until_s)
    if isinstance(one, Interpreter):
        return [(time, model.stations[station].name) for time, _, station, _ in one.exits]
    numbers, times = one.exits()
    return [(float(time), model.stations[at].name) for (at, _), (time, _) in zip(numbers, times, strict=True)]


def ends(engine: Any, model: Table) -> tuple[list[int], list[int], float]:
    """Return how many records each station took and lost, and when all was over."""
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    if engine is Interpreter:
        return [row.taken for row in one.stations], [row.lost for row in one.stations], one.clock.now
    counts = [[one.cell(row, place) for row in one.stations] for place in (at.TAKEN, at.LOST)]
    return counts[0], counts[1], one.now


def departures(engine: Any, model: Table, station: int) -> list[float]:
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    if engine is Interpreter:
        return [time for number, time, _ in one.departures if number == station]
    numbers, times = one.departures()
    return [float(time) for (number, _), (time,) in zip(numbers, times, strict=True) if number == station]
