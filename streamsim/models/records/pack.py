"""Pack a model table into the two arrays that the kernel runs (see `layout`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, get_args

import numpy as np

from streamsim.models.random import stream as named_stream
from streamsim.models.records import layout as at
from streamsim.models.records.streams import ROLES, Stream, bounds_of, variate_of
from streamsim.models.records.table import Arrivals, Pick, Pipe, Split, Station, Table, WhenFull

UNLIMITED = 1 << 62
Log = Literal["all", "exits", "none"]
LOGGED = 16384
"""Entries that the kernel notes in each log before it hands them over."""
ROLE_FIELDS = dict(zip(ROLES, (at.SERVICE, at.YIELDS, at.SIZES, at.ROUTE, at.ARRIVALS, at.KEYS), strict=True))


@dataclass
class Packed:
    """The two arrays while they are filled, and the handles of all rows."""

    n: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    stations: list[int] = field(default_factory=list)
    servers: list[int] = field(default_factory=list)
    pipes: list[int] = field(default_factory=list)
    hosts: list[int] = field(default_factory=list)
    streams: dict[int, tuple[Stream, str, str]] = field(default_factory=dict)
    """The streams by their handles, with the names of their stations and roles."""
    buffer: int = 0
    """Numbers that the kernel holds of each stream."""

    room: list[tuple[int, int]] = field(default_factory=list)
    """What lies behind the rows, all zeros at first: the cell that says where, and how many cells."""

    def rooms(self) -> int:
        """Say where each room begins, and return how many cells there are behind the rows."""
        begin = len(self.n)
        for cell, cells in self.room:
            self.n[cell] = begin
            begin += cells
        return begin - len(self.n)

    def row(self, cells: int) -> int:
        """Add a row of zeros and return its handle."""
        handle = len(self.n)
        self.n += [0] * cells
        self.x += [0.0] * cells
        return handle

    def list_of(self, numbers: list[int]) -> int:
        """Add a list of whole numbers and return where it begins."""
        handle = self.row(len(numbers))
        self.n[handle : handle + len(numbers)] = numbers
        return handle

    def reals(self, numbers: tuple[float, ...] | list[float]) -> int:
        """Add a list of reals and return where it begins."""
        handle = self.row(len(numbers))
        self.x[handle : handle + len(numbers)] = numbers
        return handle


def pack(table: Table, seed: np.random.SeedSequence, *, buffer: int, log: Log) -> Packed:
    """Pack a table that `check` has let through.

    Parameters
    ----------
    buffer : how many numbers of each stream the kernel holds; no result depends on it.
    log : what it notes, `"all"` (departures, exits and visits), `"exits"`, or nothing.
    """
    packed = Packed(buffer=buffer)
    packed.row(at.SIMULATION_CELLS)
    packed.stations = [packed.row(at.STATION_CELLS) for _ in table.stations]
    packed.servers = [packed.row(at.SERVER_CELLS) for k in range(len(table.stations)) for _ in range(table.servers(k))]
    packed.pipes = [packed.row(at.PIPE_CELLS) for _ in table.pipes]
    packed.hosts = [packed.row(at.HOST_CELLS) for _ in table.hosts]
    loops = [packed.row(at.LOOP_CELLS) for _ in range(max(table.loops(), default=-1) + 1)]
    _pack_timers(packed)
    first = 0
    for number, station in enumerate(table.stations):
        servers = packed.servers[first : first + table.servers(number)]
        _pack_station(packed, table, number, servers, loops, seed)
        for place, server in enumerate(servers):
            _pack_server(packed, server, packed.stations[number], place, first + place)
        first += len(servers)
        del station
    for number, pipe in enumerate(table.pipes):
        _pack_pipe(packed, table, number, pipe, loops)
    for loop, handle in enumerate(loops):
        _pack_loop(packed, table, loop, handle)
    for number in range(len(table.hosts)):
        _pack_host(packed, table, number)
    _pack_logs(packed, log, len(packed.servers))
    return packed


def add_records(packed_n: list[int], first: int, count: int) -> None:
    """Chain the free records from `first` on into the free list."""
    for place in range(count):
        handle = first + place * at.RECORD_CELLS
        packed_n[handle + at.NEXT] = handle + at.RECORD_CELLS if place + 1 < count else packed_n[at.FREE]
    packed_n[at.FREE] = first


def _pack_timers(packed: Packed) -> None:
    """The tree of all that is timed (servers in order, then hosts), and the ring of those that were called."""
    servers, owners = len(packed.servers), packed.servers + packed.hosts
    half = _power(max(2, len(owners)))
    n = packed.n
    n[at.TREE], n[at.LEAVES] = _tree(packed, half, len(owners)), half
    n = packed.n
    n[at.RANKS] = packed.list_of(list(range(max(half, 2))))
    n[at.OWNERS] = packed.list_of(owners + [0] * (half - len(owners)))
    size = _power(max(2, servers))
    n[at.READY] = packed.list_of(packed.servers + [0] * (size - servers))
    n[at.READY_MASK], n[at.READY_COUNT], n[at.SERVERS] = size - 1, servers, servers


def _tree(packed: Packed, half: int, leaves: int) -> int:
    """A tournament tree whose leaves all have the key infinity; leaf 0 wins."""
    tree = packed.row(2 * half)
    packed.x[tree : tree + 2 * half] = [math.inf] * (2 * half)
    packed.n[tree + half : tree + 2 * half] = list(range(half))
    for node in range(half - 1, 0, -1):
        packed.n[tree + node] = packed.n[tree + 2 * node]
    return tree


def _pack_station(
    packed: Packed,
    table: Table,
    number: int,
    servers: list[int],
    loops: list[int],
    seed: np.random.SeedSequence,
) -> None:
    station, handle = table.stations[number], packed.stations[number]
    inputs, outputs = table.inputs(number), table.outputs(number)
    loop = table.loops()[number]
    cells = {
        at.NUMBER: number,
        at.PICK: get_args(Pick).index(station.pick),
        at.SPLIT: get_args(Split).index(station.split),
        at.WHEN_FULL: get_args(WhenFull).index(station.when_full),
        at.INPUTS: packed.list_of([packed.pipes[pipe] for pipe in inputs]),
        at.INPUT_COUNT: len(inputs),
        at.OUTPUTS: packed.list_of([packed.pipes[pipe] for pipe in outputs]),
        at.OUTPUT_COUNT: len(outputs),
        at.HOST: 0 if station.host is None else packed.hosts[station.host],
        at.FIXED_SIZE: station.size if isinstance(station.size, int) else 0,
        at.BARRIER: int(station.barrier),
        at.LOOP: loops[loop] if loop >= 0 else 0,
        at.ACTIVE: len(servers),
        at.RUNNING_SERVERS: len(servers),
        at.FIRST_SERVER: servers[0],
        at.SERVER_COUNT: len(servers),
        at.BOUNDS: packed.reals(bounds_of(station.weights)),
        at.PREEMPTS: int(station.preempts),
        at.TAKES: -1 if station.takes is None else station.takes,
    }
    if isinstance(station.yields, Fraction):
        cells |= {at.NUMERATOR: station.yields.numerator, at.DENOMINATOR: station.yields.denominator}
    if station.source is not None:
        cells |= {
            at.SOURCE: 1 + get_args(Arrivals).index(station.source.arrivals),
            at.RECORDS_MOST: -1 if station.source.records is None else station.source.records,
            at.URGENCY_GIVEN: station.source.urgency,
        }
    for role, place in ROLE_FIELDS.items():
        cells[place] = _pack_stream(packed, station, role, len(outputs), seed)
    for place, value in cells.items():
        packed.n[handle + place] = value
    until = station.source.until_s if station.source is not None else math.inf
    times = (station.base_s, station.per_byte_s, station.delay_s, station.finish_s, station.output_s, 1.0, 1.0, until)
    packed.x[handle : handle + len(times)] = times


def _pack_stream(packed: Packed, station: Station, role: str, outputs: int, seed: np.random.SeedSequence) -> int:
    variate = variate_of(station, role, outputs)
    if variate is None:
        return 0
    handle = packed.row(at.STREAM_CELLS)
    packed.room.append((handle + at.AT, packed.buffer))
    packed.streams[handle] = (Stream(variate, named_stream(seed, station.name, role)), station.name, role)
    return handle


def _pack_server(packed: Packed, handle: int, station: int, place: int, leaf: int) -> None:
    packed.n[handle + at.STATION] = station
    packed.n[handle + at.PLACE_AT_STATION] = place
    packed.n[handle + at.LEAF] = leaf
    packed.n[handle + at.ANSWER] = -1


def _pack_pipe(packed: Packed, table: Table, number: int, pipe: Pipe, loops: list[int]) -> None:
    handle, of = packed.pipes[number], table.loops()
    reader, writer = of[pipe.downstream], of[pipe.upstream]
    entered = loops[reader] if reader >= 0 and reader != writer else 0
    slots = (pipe.capacity or 0) // at.PAGE_BYTES if pipe.unit == "pages" else 0
    cells = {
        at.UPSTREAM: packed.stations[pipe.upstream],
        at.DOWNSTREAM: packed.stations[pipe.downstream],
        at.CAPACITY: UNLIMITED if pipe.capacity is None else pipe.capacity,
        at.UNIT: _unit(pipe),
        at.CLASSES: pipe.classes,
        at.QUEUES: packed.row(2 * pipe.classes),
        at.OPEN: 1,
        at.READER_LOOP: loops[reader] if reader >= 0 else 0,
        at.ENTERED_LOOP: entered,
        at.WAKE: _wake(table, pipe),
        at.PIECES: packed.row(slots),
        at.SLOTS: slots,
    }
    for place, value in cells.items():
        packed.n[handle + place] = value
    if entered:
        packed.n[entered + at.FEEDERS] += 1


def _unit(pipe: Pipe) -> int:
    if pipe.unit == "bytes":
        return at.UNIT_SPLIT if pipe.split and pipe.capacity is not None else at.UNIT_BYTES
    if pipe.unit == "pages":
        return at.UNIT_PAGES
    return at.UNIT_HANDOVER if pipe.capacity == 0 else at.UNIT_RECORDS


def _wake(table: Table, pipe: Pipe) -> int:
    reader, writer = table.stations[pipe.downstream].host, table.stations[pipe.upstream].host
    if reader is None:
        return at.WAKE_FREE
    profile = table.hosts[reader].profile
    if profile.wake_near_s == profile.wake_far_s == 0.0:
        return at.WAKE_FREE
    if writer is None:
        return at.WAKE_BY_TIMER
    return at.WAKE_BY_SERVER if writer == reader else at.WAKE_FAR


def _pack_loop(packed: Packed, table: Table, loop: int, handle: int) -> None:
    of = table.loops()
    inner = [
        packed.pipes[number]
        for number, pipe in enumerate(table.pipes)
        if of[pipe.upstream] == loop == of[pipe.downstream]
    ]
    packed.n[handle + at.LOOP_PIPES] = packed.list_of(inner)
    packed.n[handle + at.LOOP_PIPE_COUNT] = len(inner)


def _pack_host(packed: Packed, table: Table, number: int) -> None:
    handle, host = packed.hosts[number], table.hosts[number]
    row = packed.hosts[number]
    servers = [server for server in packed.servers if packed.n[packed.n[server + at.STATION] + at.HOST] == row]
    for leaf, server in enumerate(servers):
        packed.n[server + at.HOST_LEAF] = leaf
    half = _power(max(2, len(servers)))
    rates, shares = host.rates(len(servers))
    cells = {
        at.HOST_TREE: _tree(packed, half, len(servers)),
        at.HOST_LEAVES: half,
        at.HOST_SERVERS: packed.list_of(servers + [0] * (half - len(servers))),
        at.WHOLE: host.whole,
        at.RATES: packed.reals(rates),
        at.SHARES: packed.reals(shares),
        at.TIMER_LEAF: len(packed.servers) + number,
    }
    for place, value in cells.items():
        packed.n[handle + place] = value
    packed.x[handle + at.NEAR] = host.profile.wake_near_s
    packed.x[handle + at.FAR] = host.profile.wake_far_s


def _pack_logs(packed: Packed, log: Log, servers: int) -> None:
    most = max(LOGGED, 4 * (servers + 2))
    for name, cells, start, limit in (
        ("departures", 2, at.DEPARTURES, at.DEPARTURES_MOST),
        ("exits", 2, at.EXITS, at.EXITS_MOST),
        ("visits", 4, at.VISITS, at.VISITS_MOST),
    ):
        if log in ("all", name):
            packed.room.append((start, cells * most))
            packed.n[limit] = most


def _power(number: int) -> int:
    return 1 << (number - 1).bit_length()
