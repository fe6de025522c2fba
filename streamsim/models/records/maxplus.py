"""The max-plus engine: runs tables in which no route and no order depends on time, block by block, without events.

`refusal` says of a table whether it is such a one. Departures are those of `interpret`, bit for bit; what differs is
that records are answered in the order in which they came, whole ways at a time, also where later ones overtake them.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from streamsim.errors import ModelError
from streamsim.models.random import stream as named_stream
from streamsim.models.records.built import recursions_module
from streamsim.models.records.laws import taking
from streamsim.models.records.passes import Line, Walk
from streamsim.models.records.routes import Routes, lone_source, sees_all
from streamsim.models.records.streams import Array, ended, variate_of
from streamsim.models.records.table import Station, Table

BLOCK = 16384
"""Records answered at once by a short circuit: what a call of NumPy costs is shared by many."""
IN_CACHE = 65536
"""Numbers of a block, of all stations together, that stay in the second level of the cache."""
SHORTEST = 1024
MOST_SERVERS_SORTED = 4
_UNLIMITED = -1


def refusal(table: Table) -> str | None:
    """Return why the recursions cannot run a table, or None where they can.

    >>> from streamsim.models.records.table import Pipe, Source
    >>> line = Table(stations=(Station(name="make", source=Source(records=9)), Station(name="take")),
    ...              pipes=(Pipe(upstream=0, downstream=1, capacity=2),))
    >>> refusal(line) is None
    True
    """
    if table.steering:
        return "controllers decide while it runs"
    if table.commands:
        return "a parameter changes while it runs"
    if max(table.loops(), default=-1) >= 0:
        return "it has a feedback loop"
    source = lone_source(table)
    if source is None:
        return "it has several sources, whose records meet in an order that depends on time"
    differing = Routes(table, source, lambda station, role: None).differing()
    if differing is not None:
        return f"station {table.stations[differing].name!r}: its records differ in size"
    for number, station in enumerate(table.stations):
        reason = _refused(table, source, number, station)
        if reason is not None:
            return f"station {station.name!r}: {reason}"
    return None


def _refused(table: Table, source: int, number: int, station: Station) -> str | None:
    inputs, outputs = table.inputs(number), table.outputs(number)
    if station.source is not None and station.source.arrivals == "closed":
        return "what enters depends on what leaves"
    if station.host is not None:
        return "it shares cores"
    if station.takes is not None:
        return "it ends early, and so does what stands before it"
    if station.preempts:
        return "which record it serves depends on time"
    if station.barrier or station.when_full != "after" or station.yields != Fraction(1):
        return "it does not give one record for one, after its service"
    if not (station.size is None or isinstance(station.size, int)):
        return "its records differ in size"
    if len(outputs) > 1 and station.split not in ("turns", "key", "drawn"):
        return f"where a record goes ({station.split}) depends on time"
    if len(inputs) > 1 and not (station.pick == "next" and sees_all(table, source, number)):
        return f"in which order it reads its inputs ({station.pick}) depends on time"
    if table.servers(number) > 1 and outputs:
        return "records overtake each other at its servers"
    for pipe in (table.pipes[place] for place in outputs):
        if pipe.capacity == 0:
            return "it hands over to a reader whose time it must know"
        if pipe.capacity is not None and (pipe.unit == "pages" or pipe.split):
            return "its records are split across writes"
    return None


class MaxPlus:
    """One simulation of a table by recursions.

    ``busy_s``, ``blocked_s`` and ``waited_s`` are sums over the records of each station so far, ``passed`` their
    number; ``departures`` of each station, where `log` asks for them, a list of blocks of times.

    >>> from streamsim.models.records.table import Pipe, Source
    >>> table = Table(stations=(Station(name="make", base_s=0.0, source=Source(records=3)),
    ...                         Station(name="take", base_s=2.0)), pipes=(Pipe(upstream=0, downstream=1, capacity=1),))
    >>> [left.tolist() for born, left in MaxPlus(table, np.random.SeedSequence(1)).blocks()]
    [[2.0, 4.0, 6.0]]
    """

    def __init__(self, table: Table, seed: np.random.SeedSequence, *, log: bool = False, block: int = 0) -> None:
        reason = refusal(table)
        if reason is not None:
            raise ModelError(f"max-plus recursions cannot run this: {reason}")
        count = len(table.stations)
        self.table, self.seed = table, seed
        self.block = block or min(BLOCK, max(SHORTEST, IN_CACHE // count))
        source = lone_source(table)
        assert source is not None, "checked"
        self._source = source
        self._supply = table.stations[source].source
        assert self._supply is not None, "checked"
        self.busy_s, self.blocked_s, self.waited_s = np.zeros(count), np.zeros(count), np.zeros(count)
        self.passed = np.zeros(count, np.int64)
        self.departures: list[list[Array]] | None = [[] for _ in range(count)] if log else None
        self._draws = [self._taking(number, "service") for number in range(count)]
        self._arrivals = self._taking(source, "arrivals")
        self._routes = Routes(table, source, self._taking)
        self._scales = {
            number: table.stations[number].base_s + table.stations[number].per_byte_s * self._routes.taken_size(number)
            for number in self._routes.order
        }
        self._due, self._given, self._over = 0.0, 0, False
        self._answer = self._answers()

    def blocks(self) -> Iterator[tuple[Array, Array]]:
        """Yield when records were due and when they left (s), block by block, in the order in which they came."""
        while True:
            born, left = self.advance(self.block)
            if not len(born):
                return
            yield born, left

    def advance(self, most: int) -> tuple[Array, Array]:
        """Return when the next records were due and when they left (s): at most a block of them, none at the end."""
        supply = self._supply
        assert supply is not None, "checked"
        wanted = min(most, self.block)
        if supply.records is not None:
            wanted = min(wanted, supply.records - self._given)
        if self._over or wanted <= 0:
            return np.zeros(0), np.zeros(0)
        born = self._arriving(wanted)
        self._given += len(born)
        left = born
        if len(born):
            born, left = self._answer(born)
        self._over = len(born) < wanted
        return born, left

    def _taking(self, station: int, role: str) -> Any:
        row = self.table.stations[station]
        variate = variate_of(row, role, len(self.table.outputs(station)))
        return None if variate is None else taking(variate, named_stream(self.seed, row.name, role))

    def _work(self, station: int, count: int) -> tuple[Array, float]:
        """Return the services (s) of the next records of a station, to be changed by who asked, and their sum."""
        draw, scale = self._draws[station], self._scales[station]
        if draw is None:
            work = np.full(count, scale)
        else:
            work = draw(count)
            if len(work) < count:
                raise ModelError(ended(self.table.stations[station].name, "service"))
            # A stream may hand out a part of its buffer: it is whoever owns an array who may write there.
            own = work if work.flags.owndata else work.copy()
            work = own if scale == 1.0 else scale * own
        total = float(work.sum())
        self.busy_s[station] += total
        self.passed[station] += count
        return work, total

    def _arriving(self, wanted: int) -> Array:
        """Return when the next records are due; their gaps for `_queue`; anything for a saturated source."""
        supply, draw = self._supply, self._arrivals
        assert supply is not None, "checked"
        if supply.arrivals == "saturated":
            return np.full(wanted, -np.inf)
        if supply.arrivals == "times":
            times = np.array(draw(wanted))
            return times[: int(np.searchsorted(times, supply.until_s))]
        if self._given == 0:
            gaps = np.concatenate([[0.0], draw(wanted - 1)])
        else:
            gaps = draw(wanted)
            gaps = gaps if gaps.flags.owndata else gaps.copy()
        if self._sums_up:
            return gaps
        if len(gaps):
            gaps[0] += self._due
            np.cumsum(gaps, out=gaps)
            self._due = float(gaps[-1])
        return gaps[: int(np.searchsorted(gaps, supply.until_s))]

    def _answers(self) -> Any:
        """Return the fastest of the recursions that runs this table."""
        table, rows, supply = self.table, self.table.stations, self._supply
        assert supply is not None, "checked"
        order = self._routes.order
        line = all(len(table.outputs(number)) <= 1 and len(table.inputs(number)) <= 1 for number in order)
        at_once = self._scales[self._source] == 0.0 and rows[self._source].delay_s == 0.0
        free = at_once and all(table.pipes[pipe].capacity is None for pipe in table.outputs(self._source))
        self._sums_up = False
        last = rows[order[-1]]
        endless = supply.arrivals == "gaps" and supply.until_s == np.inf
        if (
            line
            and free
            and endless
            and len(order) == 2
            and last.servers <= MOST_SERVERS_SORTED
            and last.delay_s == 0.0
        ):
            self._sums_up = True
            self._state = np.array([0.0] + [0.0] * last.servers + [np.inf] * (MOST_SERVERS_SORTED - last.servers))
            return self._queue
        if (
            line
            and all(rows[number].servers == 1 and rows[number].delay_s == 0.0 for number in order)
            and supply.until_s == np.inf
        ):
            skip = free and supply.arrivals != "saturated" and len(order) > 1
            self._line = Line(table, order[1:] if skip else order, self._capacity)
            self._skips = skip
            return self._along
        self._walk = Walk(table, self._routes, self._capacity, self.block)
        return self._everywhere

    def _capacity(self, pipe: int) -> int:
        """Return how many records a pipe holds; −1 for any number."""
        row = self.table.pipes[pipe]
        if row.capacity is None:
            return _UNLIMITED
        return row.capacity if row.unit == "records" else max(1, row.capacity // self._routes.size_of(row.upstream))

    def _queue(self, gaps: Array) -> tuple[Array, Array]:
        station = self._routes.order[-1]
        self.passed[self._source] += len(gaps)
        left, served = self._work(station, len(gaps))
        recursions = recursions_module()
        recursion = recursions.one_server if self.table.stations[station].servers == 1 else recursions.few_servers
        self.waited_s[station] += recursion(gaps, left, self._state) - served
        if self.departures is not None:
            self.departures[self._source].append(gaps.copy())
            self.departures[station].append(left.copy())
        return gaps, left

    def _along(self, due: Array) -> tuple[Array, Array]:
        line, count = self._line, len(due)
        work = np.empty((len(line.stations), count))
        for row, station in enumerate(line.stations):
            work[row], _ = self._work(station, count)
        free = float(line.free[0])
        line.run(due, work)
        born = due
        if np.isneginf(due[0]):  # a record of a saturated source is due when it is taken
            born = np.concatenate([[free], work[0, :-1]])
            line.waited[0] = 0.0
        if self._skips:
            self.passed[self._source] += count
            if self.departures is not None:
                self.departures[self._source].append(due.copy())
        stations = list(line.stations)
        self.blocked_s[stations], self.waited_s[stations] = line.blocked, line.waited
        if self.departures is not None:
            for row, station in enumerate(stations):
                self.departures[station].append(work[row].copy())
        return born, work[-1]

    def _everywhere(self, due: Array) -> tuple[Array, Array]:
        supply, walk = self._supply, self._walk
        assert supply is not None, "checked"
        counts, chosen = self._routes.choose(len(due))
        for station in self._routes.order:
            walk.load(station, self._work(station, counts[station])[0], chosen[station])
        done = walk.run(due, supply.arrivals == "saturated", supply.until_s)
        if self.departures is not None:
            for station in self._routes.order:
                self.departures[station].append(walk.left_from(station))
        self.waited_s, self.blocked_s, self.busy_s = walk.waits.copy(), walk.blocked.copy(), walk.busy.copy()
        self.passed = walk.served.copy()
        return due[:done], walk.left[:done].copy()
