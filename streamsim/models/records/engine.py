"""The kernel as an engine: fills its streams, gives it room, reads its logs, and carries control messages to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records import layout as at
from streamsim.models.records.built import kernel_module
from streamsim.models.records.pack import Log, add_records, pack
from streamsim.models.records.streams import bounds_of, ended
from streamsim.models.records.table import Command, Table

MOST_RECORDS = 20_000_000
"""Records in the circuit at once, some 3 GB: more is a load that no server carries."""


class Kernel:
    """One simulation of a table by the kernel; what it answers is what `interpret.Interpreter` answers.

    Parameters
    ----------
    buffer : numbers that are drawn of each stream at a time; no result depends on it.
    log : what is noted: ``"all"`` (departures, exits and visits), ``"exits"`` alone, or ``"none"``.

    Where the kernel was not compiled it runs as plain Python, and one warning says so.

    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> table = Table(stations=(Station(name="make", base_s=0.0, source=Source(records=3)),
    ...                         Station(name="take", base_s=2.0)), pipes=(Pipe(upstream=0, downstream=1, capacity=1),))
    >>> one = Kernel(table, np.random.SeedSequence(1), log="exits"); one.run(); one.exits()[1].tolist()
    False
    [[2.0, 0.0], [4.0, 0.0], [6.0, 0.0]]
    """

    def __init__(
        self,
        table: Table,
        seed: np.random.SeedSequence,
        *,
        log: Log = "all",
        buffer: int | None = None,
    ) -> None:
        self.table, self._kernel = table, kernel_module()
        streams = sum(1 for _ in table.stations)
        size = buffer if buffer is not None else max(256, min(8192, 131072 // max(1, streams)))
        packed = pack(table, seed, buffer=size, log=log)
        self.stations, self.servers, self.pipes, self.hosts = (
            packed.stations, packed.servers, packed.pipes, packed.hosts,
        )  # fmt: skip
        self._streams, self._buffer = packed.streams, size
        self._records = 0
        room = packed.rooms()
        self._n: Any = packed.n
        self._x: Any = packed.x
        self._departures: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        self._exits: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        self._visits: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        if self._kernel.COMPILED:
            self._n = np.concatenate([np.array(packed.n, np.int64), np.zeros(room, np.int64)])
            self._x = np.concatenate([np.array(packed.x, np.float64), np.zeros(room)])
        else:
            self._n += [0] * room
            self._x += [0.0] * room
        self._grow(64 + 4 * len(self.servers))

    @property
    def now(self) -> float:
        """The time that the simulation has reached (s)."""
        return float(self._x[at.NOW])

    @property
    def exited(self) -> int:
        """How many records have left."""
        return int(self._n[at.EXITED])

    def run(self, until_s: float = math.inf, exits: int | None = None) -> bool:
        """Run all that happens before a time, or until so many records have left; whether more is to come."""
        most = 1 << 62 if exits is None else exits
        while True:
            match self._kernel.run(self._n, self._x, until_s, most):
                case at.QUIET:
                    return False
                case at.REACHED:
                    return True
                case at.REFILL:
                    self._fill(int(self._n[at.NEED]))
                case at.GROW:
                    self._grow(self._records)
                case at.DRAIN:
                    self._drain()
                case _:
                    _, station, role = self._streams[int(self._n[at.NEED])]
                    raise ModelError(ended(station, role))

    def apply(self, command: Command) -> None:
        """Let a control message take effect at its time; all that comes before it must have been run."""
        n, x = self._n, self._x
        x[at.NOW] = command.time_s
        if command.parameter == "background":
            self._change_background(command)
            return
        number = next(k for k, row in enumerate(self.table.stations) if row.name == command.target)
        station, value = self.stations[number], command.value
        if isinstance(value, tuple):
            bounds = bounds_of(value)
            place = int(n[station + at.BOUNDS])
            for offset, bound in enumerate(bounds):
                x[place + offset] = bound
        elif command.parameter == "service":
            x[station + at.FACTOR] = value
        elif command.parameter == "gaps":
            x[station + at.GAPS] = value
        else:
            self._set_active(station, int(value))

    def departures(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (station, number) and time of each departure so far, in their order."""
        return self._logged(self._departures, 2, 1)

    def exits(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (station, source) and (time, due time) of each record that has left."""
        return self._logged(self._exits, 2, 2)

    def visits(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return (station, number) and (asked, got, served, sent) of each visit."""
        numbers, reals = self._logged(self._visits, 4, 4)
        return numbers[:, :2], reals

    def forget(self) -> None:
        """Drop what was logged so far."""
        self._drain()
        for log in (self._departures, self._exits, self._visits):
            log.clear()

    def cell(self, handle: int, place: int) -> int:
        """Return a whole number of a row, as `layout` names them."""
        return int(self._n[handle + place])

    def real(self, handle: int, place: int) -> float:
        """Return a real of a row, as `layout` names them."""
        return float(self._x[handle + place])

    def _fill(self, stream: int) -> None:
        numbers = self._streams[stream][0].take(self._buffer)
        place = int(self._n[stream + at.AT])
        self._x[place : place + len(numbers)] = numbers if self._kernel.COMPILED else numbers.tolist()
        self._n[stream + at.PLACE], self._n[stream + at.LENGTH] = 0, len(numbers)
        if len(numbers) == 0:
            self._n[stream + at.STREAM_ENDED] = 1

    def _grow(self, count: int) -> None:
        if self._records + count > MOST_RECORDS:
            raise ModelError(
                f"more than {MOST_RECORDS} records are in the circuit at once: the load is more than it can carry; "
                "give its pipes a capacity, or end the run earlier"
            )
        first, cells = len(self._n), count * at.RECORD_CELLS
        if self._kernel.COMPILED:
            self._n = np.concatenate([self._n, np.zeros(cells, np.int64)])
            self._x = np.concatenate([self._x, np.zeros(cells)])
            links = first + at.NEXT + at.RECORD_CELLS * np.arange(count)
            self._n[links[:-1]] = links[1:] - at.NEXT
            self._n[links[-1]] = self._n[at.FREE]
            self._n[at.FREE] = first
        else:
            self._n += [0] * cells
            self._x += [0.0] * cells
            add_records(self._n, first, count)
        self._records += count

    def _drain(self) -> None:
        n, x = self._n, self._x
        for log, start, count, wide, real in (
            (self._departures, at.DEPARTURES, at.DEPARTED, 2, 1),
            (self._exits, at.EXITS, at.EXITS_NOTED, 2, 2),
            (self._visits, at.VISITS, at.VISITED, 4, 4),
        ):
            begin, noted = int(n[start]), int(n[count])
            if noted:
                numbers = np.array(n[begin : begin + wide * noted], np.int64).reshape(noted, wide)
                log.append((numbers, np.array(x[begin : begin + real * noted], np.float64).reshape(noted, real)))
                n[count] = 0

    def _logged(
        self, log: list[tuple[NDArray[np.int64], NDArray[np.float64]]], wide: int, real: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        self._drain()
        if not log:
            return np.zeros((0, wide), np.int64), np.zeros((0, real))
        joined = np.concatenate([numbers for numbers, _ in log]), np.concatenate([reals for _, reals in log])
        log[:] = [joined]
        return joined

    def _set_active(self, station: int, count: int) -> None:
        n = self._n
        n[station + at.ACTIVE] = count
        sleepers = self._chain(int(n[station + at.SLEEPER_FIRST]))
        resting = self._chain(int(n[station + at.RESTING_FIRST]))
        below = [server for server in sleepers if n[server + at.PLACE_AT_STATION] < count]
        above = [server for server in resting + sleepers if n[server + at.PLACE_AT_STATION] >= count]
        called = [server for server in resting if n[server + at.PLACE_AT_STATION] < count]
        self._link(station, at.SLEEPER_FIRST, at.SLEEPER_LAST, below)
        self._link(station, at.RESTING_FIRST, at.RESTING_LAST, above)
        for server in called:
            ring = int(n[at.READY]) + ((int(n[at.READY_FIRST]) + int(n[at.READY_COUNT])) & int(n[at.READY_MASK]))
            n[ring] = server
            n[at.READY_COUNT] += 1

    def _chain(self, first: int) -> list[int]:
        found = []
        while first:
            found.append(first)
            first = int(self._n[first + at.LINK])
        return found

    def _link(self, station: int, first: int, last: int, servers: list[int]) -> None:
        for server, following in zip(servers, [*servers[1:], 0], strict=False):
            self._n[server + at.LINK] = following
        self._n[station + first] = servers[0] if servers else 0
        self._n[station + last] = servers[-1] if servers else 0

    def _change_background(self, command: Command) -> None:
        n, x = self._n, self._x
        number = next(k for k, host in enumerate(self.table.hosts) if host.name == command.target)
        handle = self.hosts[number]
        assert not isinstance(command.value, tuple)
        elapsed = command.time_s - x[handle + at.HOST_SINCE]
        if elapsed > 0.0:
            x[handle + at.WORK_SERVED] += elapsed * x[handle + at.RATE]
            x[handle + at.CORES_USED] += elapsed * x[handle + at.SHARE]
            x[handle + at.HOST_SINCE] = command.time_s
        most = sum(1 for server in self.servers if n[n[server + at.STATION] + at.HOST] == handle)
        for place, numbers in zip(
            (at.RATES, at.SHARES), self.table.hosts[number].rates(most, command.value), strict=True
        ):
            begin = int(n[handle + place])
            for offset, value in enumerate(numbers):
                x[begin + offset] = value
        if not n[handle + at.CHANGED]:
            n[handle + at.CHANGED], n[handle + at.CHANGED_NEXT] = 1, n[at.UNSETTLED]
            n[at.UNSETTLED] = handle
