"""The SimPy interpreter of a model table of records: the specification that every other engine is held against.

Read `servers` for the life of a server, `supply` for what it takes, `stations` for what it gives and to whom, `pipes`
for who waits where, `cores` for how cores are shared, `clock` for who comes first at one instant.
"""

from __future__ import annotations

import math

import numpy as np

from streamsim.models.random import stream as named_stream
from streamsim.models.records.clock import Clock
from streamsim.models.records.cores import Cores
from streamsim.models.records.pipes import Record, RecordPipe
from streamsim.models.records.servers import Server
from streamsim.models.records.stations import StationState
from streamsim.models.records.streams import Stream, variate_of
from streamsim.models.records.table import Command, Table


class Interpreter:
    """One simulation of a table, in SimPy.

    ``departures`` are (station, time, number of the record) in the order in which records entered the next pipe or
    left; ``exits`` are (time, due time, station, source) of those that left; ``visits`` are (station, number, asked,
    got, served, sent). Each is kept only where asked for.

    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> table = Table(stations=(Station(name="make", base_s=0.0, source=Source(records=3)),
    ...                         Station(name="take", base_s=2.0)), pipes=(Pipe(upstream=0, downstream=1, capacity=1),))
    >>> one = Interpreter(table, np.random.SeedSequence(1)); one.run(); one.exits
    False
    [(2.0, 0.0, 1, 0), (4.0, 0.0, 1, 0), (6.0, 0.0, 1, 0)]
    """

    def __init__(self, table: Table, seed: np.random.SeedSequence, *, log: bool = True) -> None:
        self.table, self.seed, self.log = table, seed, log
        self.clock = Clock()
        self.stamp = 0
        self.departures: list[tuple[int, float, int]] = []
        self.exits: list[tuple[float, float, int, int]] = []
        self.visits: list[tuple[int, int, float, float, float, float]] = []
        self.exited = 0
        self.loops = table.loops()
        self._inside = [0] * (max(self.loops, default=-1) + 1)
        self._feeders = [0] * len(self._inside)
        self.pipes = [RecordPipe(self, row) for row in table.pipes]
        self.hosts = [
            Cores(self.clock, host, sum(table.servers(n) for n, row in enumerate(table.stations) if row.host == number))
            for number, host in enumerate(table.hosts)
        ]
        self.stations: list[StationState] = []
        for number in range(len(table.stations)):
            before = sum(len(station.servers) for station in self.stations)
            self.stations.append(StationState(self, number, self._stream, before))
        for row, pipe in zip(table.pipes, self.pipes, strict=True):
            pipe.open += 1
            if self._enters_loop(row.upstream, row.downstream):
                self._feeders[self.loops[row.downstream]] += 1
        for station in self.stations:
            for server in station.servers:
                self.clock.process(server.life())

    def run(self, until_s: float = math.inf, exits: int | None = None) -> bool:
        """Run all that happens before a time, or until so many records have left; whether more is to come."""
        most = math.inf if exits is None else exits
        return self.clock.runs_until(until_s, lambda: self.exited >= most)

    def apply(self, command: Command) -> None:
        """Let a control message take effect at its time; all that comes before it must have been run."""
        self.clock.at(command.time_s, 0, lambda event: self._apply(command))

    def departed(self, server: Server, record: Record, pipe: RecordPipe) -> None:
        """A record has left a station: all of it is in the next pipe."""
        server.station.given += 1
        loop = self.loops[pipe.row.downstream]
        if loop >= 0:
            self._inside[loop] += 1
        if self.log:
            self.departures.append((server.station.number, self.clock.now, record.ident))

    def left(self, server: Server, record: Record) -> None:
        """A record has left the circuit."""
        server.station.given += 1
        self.exited += 1
        if self.log:
            self.departures.append((server.station.number, self.clock.now, record.ident))
            self.exits.append((self.clock.now, record.born, server.station.number, record.origin))
        record.vanish()

    def visited(self, server: Server, record: Record, times: tuple[float, float, float, float]) -> None:
        """A server has dealt with a record."""
        if self.log:
            self.visits.append((server.station.number, record.ident, *times))

    def wake_s(self, pipe: RecordPipe) -> float:
        """Return how long a server takes to run after it slept for a record from this pipe."""
        reader, writer = self.stations[pipe.row.downstream], self.stations[pipe.row.upstream]
        if reader.cores is None:
            return 0.0
        profile = reader.cores.host.profile
        if writer.cores is not None and writer.cores is not reader.cores:
            return profile.wake_far_s
        return reader.cores.wake_s(by_timer=writer.cores is None)

    def close(self, pipe: RecordPipe) -> None:
        """A station has ended: nothing more comes into this pipe from it."""
        pipe.open -= 1
        if pipe.open == 0:
            self.stations[pipe.row.downstream].wake_all()
        if self._enters_loop(pipe.row.upstream, pipe.row.downstream):
            loop = self.loops[pipe.row.downstream]
            self._feeders[loop] -= 1
            self._end_loop(loop)

    def loop_gives_up(self, station: int, records: int) -> None:
        """So many records are no longer in the loop that the station is part of."""
        loop = self.loops[station]
        if loop >= 0:
            self._inside[loop] -= records
            self._end_loop(loop)

    def _end_loop(self, loop: int) -> None:
        if self._inside[loop] > 0 or self._feeders[loop] > 0:
            return
        for row, pipe in zip(self.table.pipes, self.pipes, strict=True):
            if self.loops[row.upstream] == loop == self.loops[row.downstream] and pipe.open > 0:
                pipe.open = 0
                self.stations[row.downstream].wake_all()

    def _enters_loop(self, upstream: int, downstream: int) -> bool:
        return self.loops[downstream] >= 0 and self.loops[upstream] != self.loops[downstream]

    def _apply(self, command: Command) -> None:
        if command.parameter == "background":
            next(host for host in self.hosts if host.host.name == command.target).change_background(_number(command))
        else:
            _change(next(station for station in self.stations if station.row.name == command.target), command)

    def _stream(self, station: int, role: str) -> Stream | None:
        row = self.table.stations[station]
        variate = variate_of(row, role, len(self.table.outputs(station)))
        return None if variate is None else Stream(variate, named_stream(self.seed, row.name, role))


def _change(station: StationState, command: Command) -> None:
    match command.parameter:
        case "service":
            station.factor = _number(command)
        case "gaps":
            station.gaps = _number(command)
        case "servers":
            station.set_active(int(_number(command)))
        case "weights":
            assert isinstance(command.value, tuple)
            station.set_weights(command.value)


def _number(command: Command) -> float:
    assert not isinstance(command.value, tuple)
    return command.value
