"""Stations: what the servers of one share (part of the SimPy interpreter, the specification)."""

from __future__ import annotations

from bisect import insort
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

from streamsim.models.records.pipes import Record, RecordPipe
from streamsim.models.records.servers import Server
from streamsim.models.records.streams import Stream, bounds_of
from streamsim.models.records.supply import Clockwork, Closed, Inputs, Supply

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsim.models.records.cores import Cores
    from streamsim.models.records.interpret import Interpreter


class StationState:
    """One station at work: its servers, its streams, and the rules by which records come and go."""

    def __init__(
        self,
        simulation: Interpreter,
        number: int,
        streams: Callable[[int, str], Stream | None],
        first_server: int,
    ) -> None:
        table = simulation.table
        self.simulation, self.number, self.row = simulation, number, table.stations[number]
        self.inputs: list[RecordPipe] = [simulation.pipes[pipe] for pipe in table.inputs(number)]
        self.outputs: list[RecordPipe] = [simulation.pipes[pipe] for pipe in table.outputs(number)]
        self.cores: Cores | None = None if self.row.host is None else simulation.hosts[self.row.host]
        self.service = streams(number, "service")
        self.yields = streams(number, "yields")
        self.sizes = streams(number, "sizes")
        self.routes = streams(number, "route")
        self.servers = [Server(self, place, first_server + place) for place in range(table.servers(number))]
        self.active = len(self.servers)
        """How many of the servers take records; those above rest."""
        self.factor, self.gaps = 1.0, 1.0
        self.bounds = bounds_of(self.row.weights)
        self.claimed: dict[Server, RecordPipe] = {}
        self.kept: Record | None = None
        self.taken = self.given = self.lost = self.answers = 0
        self.unread = 0
        """How many of the outputs have lost their readers."""
        self.interrupted: list[Record] = []
        """Records whose service was interrupted, the next to go on first."""
        self.interrupted_s = 0.0
        self._sleepers: deque[Server] = deque()
        self._resting: deque[Server] = deque()
        self._carry = 0
        self._turn = 0
        self._running = len(self.servers)
        self.supply: Supply = _supply(self, streams)

    def demand(self, record: Record) -> float:
        """Return the work that a record needs."""
        work = self.row.base_s + self.row.per_byte_s * record.size
        if self.service is not None:
            work = work * self.service.must(self.row.name, "service")
        return work * self.factor

    def how_many(self) -> int:
        """Return how many records this one gives: drawn, or so that the fraction is kept exactly on the way."""
        if self.yields is not None:
            return int(self.yields.must(self.row.name, "yields"))
        assert isinstance(self.row.yields, Fraction)
        self._carry += self.row.yields.numerator
        count, self._carry = divmod(self._carry, self.row.yields.denominator)
        return count

    def size_of(self, size: int) -> int:
        """Return the size of a record that is given for one of that size."""
        if self.sizes is not None:
            return max(1, int(self.sizes.must(self.row.name, "sizes")))
        return self.row.size if isinstance(self.row.size, int) else size

    def keep(self, record: Record) -> None:
        """Take a record into the barrier: how many answers there will be is all that is kept of it."""
        self.answers += self.how_many()
        self.kept = record

    def route(self, record: Record) -> list[RecordPipe]:
        """Return the pipes that a record goes to."""
        outputs = self.outputs
        if len(outputs) == 1:
            return outputs
        match self.row.split:
            case "copy":
                return outputs
            case "turns":
                place = self._turn
                while outputs[place].gone and self.unread < len(outputs):
                    place = (place + 1) % len(outputs)
                self._turn = (place + 1) % len(outputs)
            case "key":
                place = record.key % len(outputs)
            case "drawn":
                assert self.routes is not None
                drawn, place = self.routes.must(self.row.name, "route"), 0
                while place < len(outputs) - 1 and drawn >= self.bounds[place]:
                    place += 1
            case "least-loaded":
                read = [number for number, pipe in enumerate(outputs) if not pipe.gone] or range(len(outputs))
                place = min(read, key=lambda number: outputs[number].level + outputs[number].claimed)
        return [outputs[place]]

    def released(self) -> None:
        """A server is done with a record: a loop that holds none and gets none any more has ended."""
        self.simulation.loop_gives_up(self.number, 1)

    def sleep(self, server: Server) -> None:
        """Let a server wait for something to take; who has slept longest is called first."""
        self._sleepers.append(server)

    def rest(self, server: Server) -> None:
        """Let a server that takes no records wait for a command, or the end."""
        self._resting.append(server)

    def wake_one(self, rank: int) -> None:
        """Something of a class has come: call a server that sleeps, or interrupt one that serves what can wait."""
        if self._sleepers:
            self._sleepers.popleft().call()
        elif self.row.preempts:
            found = [(one.serving.rank, one.number) for one in self.servers[: self.active] if one.serving is not None]
            worst, number = max(found, default=(rank, 0))
            if worst > rank:
                self.servers[number].interrupt()

    def interrupt(self, record: Record) -> None:
        """Let a record whose service was interrupted wait: in the order of classes, then of arrivals."""
        insort(self.interrupted, record, key=lambda other: (other.rank, other.stamp))
        record.since = self.simulation.clock.now

    def resume(self) -> Record:
        """Return the next of those whose service was interrupted."""
        record = self.interrupted.pop(0)
        self.interrupted_s += self.simulation.clock.now - record.since
        return record

    def wake_all(self) -> None:
        """Call all that sleep or rest: an input has ended."""
        for waiting in (self._sleepers, self._resting):
            while waiting:
                waiting.popleft().call()

    def set_active(self, count: int) -> None:
        """Let so many servers take records; sleepers above rest, resting ones below go on."""
        self.active = count
        sleepers, resting = list(self._sleepers), list(self._resting)
        self._sleepers = deque(server for server in sleepers if server.number < count)
        self._resting = deque(server for server in resting if server.number >= count)
        self._resting.extend(server for server in sleepers if server.number >= count)
        for server in resting:
            if server.number < count:
                server.call()

    def set_weights(self, weights: tuple[float, ...]) -> None:
        """Draw the output with these weights from now on."""
        self.bounds = bounds_of(weights)

    def end(self) -> None:
        """A server has ended; with the last one the outputs close, and the inputs have no reader any more."""
        self._running -= 1
        if self._running == 0:
            for pipe in self.outputs:
                self.simulation.close(pipe)
            for record in self.interrupted:
                record.vanish()
                self.lost += 1
                self.simulation.loop_gives_up(self.number, 1)
            self.interrupted.clear()
            for pipe in self.inputs:
                pipe.abandon()


def _supply(state: StationState, streams: Callable[[int, str], Stream | None]) -> Supply:
    source = state.row.source
    if source is None:
        return Inputs(state)
    kind = Closed if source.arrivals == "closed" else Clockwork
    return kind(state, source, streams(state.number, "arrivals"), streams(state.number, "keys"))
