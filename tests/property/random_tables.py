"""Random model tables with every feature that the engines have, and how two engines differ on one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records import layout as at
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.maxplus import MaxPlus, refusal
from streamsim.models.records.streams import Drawn, Even, Listed, Variate
from streamsim.models.records.table import Command, Host, Pipe, Source, Station, Table
from streamsim.service import HostProfile

Rng = np.random.Generator


def exponential(mean: float) -> Variate:
    """No two events at one instant."""
    return Drawn(lambda rng, count: mean * rng.standard_exponential(count))


def grid(step: float, most: int, least: int = 0) -> Variate:
    """Multiples of a step: many events at one instant, which the tie rule has to order."""
    return Drawn(lambda rng, count: step * rng.integers(least, most + 1, count))


def whole(least: int, most: int) -> Variate:
    """Whole numbers."""
    return Drawn(lambda rng, count: rng.integers(least, most + 1, count).astype(np.float64))


def random_table(rng: Rng, records: int = 200) -> Table:
    """Return a random table that `check` lets through."""
    draw = _line if rng.random() < 0.1 else _any_table
    while True:
        try:
            return check(draw(rng, records))
        except ModelError:
            continue


def _line(rng: Rng, records: int) -> Table:
    """Return a table in which nothing depends on time: stations one after the other, perhaps branches that meet."""
    ties = rng.random() < 0.5
    split = str(rng.choice(["turns", "key", "drawn"]))
    rows = [replace(_source(rng, 0, records, ties), size=None, yields=Fraction(1), when_full="after", split=split)]
    edges: list[tuple[int, int]] = []

    def add(*upstream: int, **more: object) -> int:
        row = _station(rng, len(rows), ties)
        plain = {"servers": 1, "pick": "next", "when_full": "after", "yields": Fraction(1), "size": None,
                 "barrier": False, "preempts": False, "takes": None, "weights": (1.0, 2.0, 1.0)}  # fmt: skip
        rows.append(replace(row, **(plain | more)))
        edges.extend((number, len(rows) - 1) for number in upstream)
        return len(rows) - 1

    last = 0
    if rng.random() < 0.5:
        rows[0] = replace(rows[0], weights=(1.0, 2.0, 1.0))
        last = add(*(add(0) for _ in range(3)))
    for _ in range(int(rng.integers(0, 4))):
        last = add(last)
    add(last, servers=int(rng.integers(1, 7)))
    pipes = tuple(
        Pipe(upstream=up, downstream=down, capacity=None if rng.random() < 0.4 else int(rng.integers(1, 6)))
        for up, down in edges
    )
    return Table(stations=tuple(rows), pipes=pipes)


def _any_table(rng: Rng, records: int) -> Table:
    sources, count = int(rng.integers(1, 4)), int(rng.integers(1, 9))
    hosts = tuple(_host(rng, number) for number in range(int(rng.integers(0, 3))))
    ties = rng.random() < 0.5
    stations = [_source(rng, k, records, ties) for k in range(sources)] + [_station(rng, k, ties) for k in range(count)]
    edges = _edges(rng, sources, count)
    stations = [
        replace(
            row,
            host=int(rng.integers(len(hosts))) if hosts and rng.random() < 0.6 else None,
            weights=tuple(rng.random(sum(1 for up, _ in edges if up == number)) + 0.05),
        )
        for number, row in enumerate(stations)
    ]
    stations = [
        replace(row, servers=1, preempts=False)
        if row.takes is not None
        else replace(row, host=None, pick="ready", barrier=False, when_full="after")
        if row.preempts
        else row
        for row in stations
    ]
    pipes = [_pipe(rng, up, down, stations[down].preempts) for up, down in edges]
    table = Table(stations=tuple(stations), pipes=tuple(pipes), hosts=hosts)
    loops = table.loops()
    tame = tuple(
        replace(row, yields=min(row.yields, Fraction(1)) if isinstance(row.yields, Fraction) else Fraction(1))
        if loops[number] >= 0
        else row
        for number, row in enumerate(table.stations)
    )
    table = replace(table, stations=tame)
    commands = tuple(_command(rng, table) for _ in range(int(rng.integers(0, 4)))) if rng.random() < 0.4 else ()
    return replace(table, commands=tuple(sorted(commands, key=lambda command: command.time_s)))


def _host(rng: Rng, number: int) -> Host:
    cores = int(rng.integers(1, 5))
    return Host(
        name=f"host{number}",
        profile=HostProfile(
            cores=cores,
            available_cores=cores * float(rng.choice([1.0, 0.75, 0.4])),
            speed=tuple(1.0 - 0.1 * k for k in range(cores)) if rng.random() < 0.5 else (1.0,),
            wake_near_s=float(rng.choice([0.0, 0.01, 0.125])),
            wake_far_s=float(rng.choice([0.0, 0.07, 0.25])),
        ),
    )


def _source(rng: Rng, number: int, records: int, ties: bool) -> Station:
    arrivals = rng.choice(["saturated", "gaps", "times", "closed"])
    stream: Variate | None = None
    if arrivals == "gaps":
        stream = grid(0.5, 3) if ties else exponential(float(rng.choice([0.3, 1.0, 3.0])))
    elif arrivals == "times":
        stream = Even(2.0) if rng.random() < 0.5 else Listed(tuple(np.cumsum(rng.random(records)).tolist()))
    elif arrivals == "closed":
        stream = None if rng.random() < 0.4 else (grid(0.5, 2) if ties else exponential(0.7))
    return Station(
        name=f"source{number}",
        source=Source(
            arrivals=arrivals,  # type: ignore[arg-type]  # one of the four
            stream=stream,
            records=int(rng.integers(1, records + 1)),
            until_s=float(rng.choice([math.inf, 20.0, 100.0])),
            in_flight=int(rng.integers(1, 6)),
            keys=whole(0, 7) if rng.random() < 0.6 else None,
            urgency=int(rng.integers(0, 3)),
        ),
        base_s=float(rng.choice([0.0, 0.25, 0.1])),
        size=_size(rng),
        split=rng.choice(["copy", "turns", "key", "drawn", "least-loaded"]),
        when_full=rng.choice(["after", "after", "after", "before", "drop"]),
        yields=_yields(rng),
    )


def _size(rng: Rng) -> int | Variate | None:
    return rng.choice([None, 1, 700, whole(1, 3000), whole(1, 9000)])  # type: ignore[no-any-return, arg-type]


def _yields(rng: Rng) -> Fraction | Variate:
    if rng.random() < 0.6:
        return Fraction(1)
    return rng.choice([Fraction(1, 3), Fraction(3, 2), Fraction(2), Fraction(0), whole(0, 2)])  # type: ignore[arg-type, return-value]


def _station(rng: Rng, number: int, ties: bool) -> Station:
    service = grid(0.25, 4) if ties else exponential(1.0)
    base = float(rng.choice([0.0, 0.5, 0.25, 0.3]))
    return Station(
        name=f"station{number}",
        servers=int(rng.choice([1, 1, 1, 2, 3, 5])),
        pick=rng.choice(["ready", "arrival", "turns", "next", "order", "sequence", "join"]),
        split=rng.choice(["copy", "turns", "key", "drawn", "least-loaded"]),
        when_full=rng.choice(["after", "after", "after", "before", "drop"]),
        service=service if rng.random() < 0.7 else None,
        base_s=base,
        per_byte_s=float(rng.choice([0.0, 0.0, 1e-4])) if base else 0.0,
        delay_s=float(rng.choice([0.0, 0.0, 0.25, 0.2])),
        yields=_yields(rng),
        size=_size(rng) if rng.random() < 0.4 else None,
        barrier=bool(rng.random() < 0.12),
        preempts=bool(rng.random() < 0.15),
        takes=int(rng.integers(0, 60)) if rng.random() < 0.12 else None,
        finish_s=float(rng.choice([0.0, 1.0])),
        output_s=float(rng.choice([0.0, 0.125])),
    )


def _edges(rng: Rng, sources: int, count: int) -> list[tuple[int, int]]:
    """Every source feeds something, every station is fed from before it; some pipes more, some of them backwards."""
    edges = [(k, sources + int(rng.integers(count))) for k in range(sources)]
    for station in range(sources, sources + count):
        if all(down != station for _, down in edges):
            edges.append((int(rng.integers(station)), station))
    for _ in range(int(rng.integers(0, count + 1))):
        up, down = int(rng.integers(sources + count)), sources + int(rng.integers(count))
        if down > up or rng.random() < 0.3:
            edges.append((up, down))
    order = rng.permutation(len(edges))
    return [edges[k] for k in order]


def _pipe(rng: Rng, upstream: int, downstream: int, preempts: bool) -> Pipe:
    unit = rng.choice(["records", "records", "bytes", "pages"])
    capacity: int | None = int(rng.integers(1, 6))
    if unit == "bytes":
        capacity = int(rng.choice([1000, 4096, 20000]))
    elif unit == "pages":
        capacity = 4096 * int(rng.integers(1, 5))
    if unit != "pages" and rng.random() < 0.25:
        capacity = None
    split = unit == "bytes" and bool(rng.random() < 0.5)
    classes = (
        int(rng.integers(2, 4)) if rng.random() < (0.9 if preempts else 0.2) and not split and unit != "pages" else 1
    )
    if unit == "records" and classes == 1 and rng.random() < 0.15:
        capacity = 0
    return Pipe(
        upstream=upstream,
        downstream=downstream,
        capacity=capacity,
        unit=unit,
        split=split,
        classes=classes,
    )


def _command(rng: Rng, table: Table) -> Command:
    time_s = float(rng.choice([0.0, 5.0, 7.5, 12.25, 33.3]))
    number = int(rng.integers(len(table.stations)))
    name = table.stations[number].name
    match rng.choice(["service", "servers", "weights", "gaps", "background"]):
        case "service":
            return Command(time_s=time_s, target=name, parameter="service", value=float(rng.choice([0.0, 0.5, 2.0])))
        case "servers":
            return Command(
                time_s=time_s,
                target=name,
                parameter="servers",
                value=float(rng.integers(table.stations[number].source is not None, table.servers(number) + 1)),
            )
        case "weights":
            weights = tuple((rng.random(len(table.outputs(number))) + 0.05).tolist())
            return Command(time_s=time_s, target=name, parameter="weights", value=weights)
        case "gaps":
            return Command(time_s=time_s, target=name, parameter="gaps", value=float(rng.choice([0.25, 3.0])))
        case _:
            host = table.hosts[0].name if table.hosts else "host0"
            return Command(time_s=time_s, target=host, parameter="background", value=0.5)


def difference(table: Table, seed: int, rng: Rng, *, until_s: float = 400.0) -> tuple[int, str]:
    """Run both engines on the same streams; return how many departures were compared and how they differ ('' if not).

    The kernel is interrupted at random times and given few random numbers at a time: neither may show.
    """
    slow = Interpreter(table, np.random.SeedSequence(seed))
    fast = Kernel(table, np.random.SeedSequence(seed), buffer=int(rng.choice([1, 3, 64, 1024])))
    more = [_run(slow, table.commands, [until_s]), _run(fast, table.commands, [*np.sort(rng.random(3) * 50), until_s])]
    count = len(slow.departures)
    if refusal(table) is None and (how := _recursed(table, seed, rng, slow, until_s)):
        return count, how
    if more[0] != more[1]:
        return count, f"more to come: {more}"
    for name, found, wanted in (
        ("departure", _joined(*fast.departures()), [(s, i, t) for s, t, i in slow.departures]),
        ("visit", _joined(*fast.visits()), slow.visits),
        ("exit", _joined(*fast.exits()), [(s, source, t, due) for t, due, s, source in slow.exits]),
    ):
        expected = np.array(wanted, np.float64).reshape(len(wanted), found.shape[1])
        if not np.array_equal(found, expected):
            both = min(len(found), len(expected))
            place = int(np.argmax([*(found[:both] != expected[:both]).any(axis=1), True]))
            return count, f"{name} {place}: kernel {found[place : place + 1]}, SimPy {expected[place : place + 1]}"
    return count, _different_state(slow, fast)


def _recursed(table: Table, seed: int, rng: Rng, slow: Interpreter, until_s: float) -> str:
    """Return where the recursions let records depart at other times than SimPy, '' if nowhere."""
    engine = MaxPlus(table, np.random.SeedSequence(seed), log=True, block=int(rng.choice([1, 7, 64, 4096])))
    for _ in engine.blocks():
        pass
    assert engine.departures is not None
    for number, blocks in enumerate(engine.departures):
        mine = sorted(time for block in blocks for time in block.tolist() if time < until_s)
        if mine != sorted(time for station, time, _ in slow.departures if station == number):
            return f"departures from {table.stations[number].name}: the recursions differ from SimPy"
    return ""


def _run(engine: Interpreter | Kernel, commands: Sequence[Command], stops: Sequence[float]) -> bool:
    times = sorted(
        [(float(stop), None) for stop in stops] + [(c.time_s, c) for c in commands], key=lambda each: each[0]
    )
    more = True
    for time_s, command in times:
        if time_s > stops[-1]:
            break
        more = engine.run(time_s)
        if command is not None:
            engine.apply(command)
    return engine.run(stops[-1]) if times and times[-1][1] is not None else more


def _joined(numbers: NDArray[np.int64], reals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers (below 2^53, so that they are exact) and reals side by side."""
    return np.hstack([numbers.astype(np.float64), reals])


def _different_state(slow: Interpreter, fast: Kernel) -> str:
    """Compare what is left behind: counters of stations, the time of servers, the levels of pipes."""
    for station, handle in zip(slow.stations, fast.stations, strict=True):
        mine = [fast.cell(handle, place) for place in (at.TAKEN, at.GIVEN, at.LOST)]
        if mine != [station.taken, station.given, station.lost]:
            return (
                f"counters of {station.row.name}: kernel {mine}, SimPy {[station.taken, station.given, station.lost]}"
            )
    servers = [server for station in slow.stations for server in station.servers]
    for server, handle in zip(servers, fast.servers, strict=True):
        mine_s = [fast.real(handle, at.TIMES + state) for state in range(5)] + [fast.real(handle, at.CPU)]
        if mine_s != [*server.times, server.cpu_s] or fast.cell(handle, at.STATE) != server.state:
            return (
                f"times of a server of {server.station.row.name}: kernel {mine_s}, SimPy {server.times, server.cpu_s}"
            )
    for pipe, handle in zip(slow.pipes, fast.pipes, strict=True):
        mine_p = (fast.cell(handle, at.LEVEL), fast.real(handle, at.AREA))
        if mine_p != (pipe.level, pipe.area):
            return f"pipe {pipe.row}: kernel {mine_p}, SimPy {(pipe.level, pipe.area)}"
    return ""
