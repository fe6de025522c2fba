"""Servers: the life of one, from one record to the next (part of the SimPy interpreter, the specification)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from streamsim.models.records.clock import COMPLETION
from streamsim.models.records.pipes import Record, RecordPipe
from streamsim.models.records.states import BLOCKED, RUNNING, STARVED, STATES, WAITING

if TYPE_CHECKING:
    from streamsim.models.records.stations import StationState

Steps = Generator[Event, Any, None]


class Server:
    """A server: takes a record, serves it, hands on what it gives; always in that order."""

    def __init__(self, station: StationState, number: int, index: int) -> None:
        self.station, self.number, self.index = station, number, index
        self.clock = station.simulation.clock
        self.hand: Record = Record(0, 0.0)
        """The record that it gives at the moment."""
        self.claiming = False
        """Whether it waits for a place before its service rather than for room after it."""
        self.live = 0
        """Of a closed source: descendants of its record that are still in the circuit."""
        self.gave = self.awaiting = False
        """Of a closed source: whether it has given a record, and whether it waits for the last one to leave."""
        self.state, self.since = STARVED, 0.0
        self.times = [0.0] * len(STATES)
        self.cpu_s = 0.0
        self.ended = False
        self.broken = False
        """Whether the reader of the pipe that it waits for has ended."""
        self.serving: Record | None = None
        """What it serves at a station that preempts."""
        self.waits: RecordPipe | None = None
        self._called: Event | None = None
        self._timer: Event | None = None
        self._visit = (0.0, 0.0)
        self._amount = self._ends = 0.0

    def call(self) -> None:
        """Let it go on, after those that were called before, at this instant."""
        called, self._called = self._called, None
        assert called is not None, "nobody is called twice"
        called.succeed()

    def life(self) -> Steps:
        """Take, serve, hand on, until nothing comes any more; then close the outputs."""
        station, read = self.station, True
        while read:
            asked = self.clock.now
            record = yield from station.supply.take(self)
            if record is None:
                break
            if station.row.source is not None:
                asked = record.born
            got = self.clock.now
            if record.visit is not None:
                (asked, got, amount), record.visit = record.visit, None
            else:
                station.taken += 1
                if station.row.when_full == "before":
                    yield from self._claim(record)
                amount = station.demand(record)
            if not station.row.preempts:
                yield from self.work(amount)
            elif not (yield from self._serve(record, amount, asked, got)):
                continue
            yield from self.wait(station.row.delay_s)
            served = self.clock.now
            if station.row.barrier:
                station.keep(record)
            else:
                read = yield from self._give(record, station.how_many())
            if read:
                station.simulation.visited(self, record, (asked, got, served, self.clock.now))
            station.released()
        if station.row.barrier and station.kept is not None:
            yield from self.work(station.row.finish_s * station.factor)
            yield from self._give_all(station.kept)
        self.turn(STARVED)
        self.ended = True
        station.end()

    def _give_all(self, last: Record) -> Steps:
        """Give what a barrier has kept: records of their own numbers, born with the last that was taken."""
        station, last.ident = self.station, 0
        for ident in range(station.answers):
            record = last.clone()
            record.ident = ident
            yield from self.work(station.row.output_s * station.factor)
            if not (yield from self._give(record, 1)):
                break

    def _give(self, record: Record, count: int) -> Generator[Event, Any, bool]:
        """Give so many records for the one taken; the last is the record itself. False where nobody reads any more."""
        station = self.station
        if count == 0:
            record.vanish()
        size = record.size
        for left in range(count - 1, -1, -1):
            one = record.clone() if left else record
            if station.row.when_full != "before":
                one.size = station.size_of(size)
            if not station.outputs:
                station.simulation.left(self, one)
                continue
            pipes = [station.claimed.pop(self)] if station.row.when_full == "before" else station.route(one)
            for more in range(len(pipes) - 1, -1, -1):
                came = yield from self._put(one.clone() if more else one, pipes[len(pipes) - 1 - more])
                if not came and station.unread == len(station.outputs):
                    if more:
                        one.vanish()
                    if left:
                        record.vanish()
                    return False
        return True

    def _put(self, record: Record, pipe: RecordPipe) -> Generator[Event, Any, bool]:
        """Put a record into a pipe, or lose it; False where that is because nobody reads the pipe any more."""
        match self.station.row.when_full:
            case _ if pipe.gone:
                pass
            case "before":
                pipe.fill(self, record)
                return True
            case "drop" if not pipe.fits(record.size):
                self.station.lost += 1
                record.vanish()
                return True
            case _:
                self.hand = record
                if not pipe.offer(self, record):
                    yield from self._blocked(pipe)
                if not self.broken:
                    return True
        self.broken = False
        self.station.lost += 1
        record.vanish()
        return False

    def _claim(self, record: Record) -> Steps:
        """Wait before the service until the place that the record will go to is there, and keep it."""
        station = self.station
        record.size = station.size_of(record.size)
        if station.outputs:
            (pipe,) = station.route(record)
            station.claimed[self] = pipe
            self.hand, self.claiming = record, True
            if not pipe.claim(self, record):
                yield from self._blocked(pipe)
            self.claiming = False

    def _blocked(self, pipe: RecordPipe) -> Steps:
        self.turn(BLOCKED)
        self.waits = pipe
        yield self.calling()
        self.waits = None

    def _serve(self, record: Record, amount: float, asked: float, got: float) -> Generator[Event, Any, bool]:
        """Serve a record at a station that preempts; False where a more urgent one has interrupted that."""
        if not amount > 0.0:
            return True
        self.turn(RUNNING)
        self.serving, self._amount, self._ends = record, amount, self.clock.now + amount
        self._timer = self.clock.at(self._ends, COMPLETION + self.index, lambda event: self._served())
        self._visit = (asked, got)
        yield self.calling()
        return self._timer is None

    def _served(self) -> None:
        self.cpu_s += self._amount
        self.serving = self._timer = None
        self.call()

    def interrupt(self) -> None:
        """Leave the record that it serves at a station that preempts, and take another."""
        record = self.serving
        assert record is not None and self._timer is not None
        left = self._ends - self.clock.now
        self.cpu_s += self._amount - left
        record.visit = (*self._visit, left)
        self.clock.cancel(self._timer)
        self.serving = None
        self.station.interrupt(record)
        self.call()

    def work(self, amount: float) -> Steps:
        """Do so much on the cores of the host, or in a time of its own."""
        if amount > 0.0:
            self.turn(RUNNING)
            cores = self.station.cores
            if cores is None:
                yield self.at(self.clock.now + amount)
                self.cpu_s += amount
            else:
                self.cpu_s += yield cores.start(self, amount)

    def wait(self, seconds: float, state: int = WAITING) -> Steps:
        """Let so many seconds pass without a core."""
        if seconds > 0.0:
            self.turn(state)
            yield self.at(self.clock.now + seconds)

    def at(self, time_s: float) -> Event:
        """Return the event at which this server goes on at a time."""
        return self.clock.at(time_s, COMPLETION + self.index)

    def calling(self) -> Event:
        """Return the event that comes when somebody calls this server."""
        self._called = self.clock.event()
        return self._called

    def turn(self, state: int) -> None:
        """Account for the time since the last turn, and go over to another state."""
        now = self.clock.now
        self.times[self.state] += now - self.since
        self.state, self.since = state, now
