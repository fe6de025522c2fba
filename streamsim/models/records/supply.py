"""Where a server's next record comes from: the inputs of a station, or the clock of a source (the specification)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from streamsim.models.records.pipes import Record, RecordPipe
from streamsim.models.records.states import RUNNABLE, STARVED
from streamsim.models.records.streams import Stream
from streamsim.models.records.table import Source

if TYPE_CHECKING:
    from collections.abc import Generator

    from streamsim.models.records.servers import Server
    from streamsim.models.records.stations import StationState


class Supply(Protocol):
    """What a station's servers take from."""

    def take(self, server: Server) -> Generator[Any, Any, Record | None]:
        """Wait for the next record and return it; None when there will be none."""
        ...


class Inputs:
    """The pipes into a station, read by the rule of its ``pick``."""

    def __init__(self, state: StationState) -> None:
        self.state = state
        self._turn = 0
        self._next = 0

    def take(self, server: Server) -> Generator[Any, Any, Record | None]:
        """Take a record as soon as the rule allows one; a server that had to sleep for it wakes up first."""
        state, slept = self.state, False
        if state.row.takes is not None and state.taken >= state.row.takes:
            return None
        while True:
            if server.number < state.active:
                pipe = self._choose()
                kept = state.interrupted[0] if state.interrupted else None
                if kept is not None and (pipe is None or kept.rank <= pipe.head_class):
                    return state.resume()
                if pipe is not None:
                    record = self._fetch(pipe)
                    break
            if all(pipe.over for pipe in state.inputs):
                return None
            server.turn(STARVED)
            if server.number < state.active:
                state.sleep(server)
                slept = True
            else:
                state.rest(server)
            yield server.calling()
        if slept:
            yield from server.wait(state.simulation.wake_s(pipe), state=RUNNABLE)
        return record

    def _choose(self) -> RecordPipe | None:
        inputs, pick = self.state.inputs, self.state.row.pick
        match pick:
            case "ready":
                return min(self._full(), key=lambda pipe: pipe.head_class, default=None)
            case "arrival":
                return min(self._full(), key=lambda pipe: pipe.head.stamp if pipe.head else 0, default=None)
            case "turns":
                return self._in_turn()
            case "sequence":
                for pipe in inputs:
                    if pipe.head is not None:
                        return pipe
                    if not pipe.over:
                        return None
                return None
            case "next" | "order":
                return self._lowest(following=pick == "next")
            case "join":
                return self._all()

    def _full(self) -> list[RecordPipe]:
        return [pipe for pipe in self.state.inputs if pipe.head is not None]

    def _in_turn(self) -> RecordPipe | None:
        inputs = self.state.inputs
        for _ in inputs:
            pipe = inputs[self._turn]
            if pipe.head is not None:
                self._turn = (self._turn + 1) % len(inputs)
                return pipe
            if not pipe.over:
                return None
            self._turn = (self._turn + 1) % len(inputs)
        return None

    def _lowest(self, *, following: bool) -> RecordPipe | None:
        best, complete = None, True
        for pipe in self.state.inputs:
            head = pipe.head
            if head is None:
                complete = complete and pipe.over
            elif following and head.ident == self._next:
                best, complete = pipe, True
                break
            elif best is None or (best.head is not None and head.ident < best.head.ident):
                best = pipe
        if best is None or not complete or best.head is None:
            return None
        self._next = best.head.ident + 1
        return best

    def _all(self) -> RecordPipe | None:
        inputs = self.state.inputs
        if any(pipe.over for pipe in inputs):
            for pipe in inputs:
                while pipe.head is not None:
                    pipe.take().vanish()
                    self.state.lost += 1
                    self.state.simulation.loop_gives_up(self.state.number, 1)
            return None
        return inputs[-1] if all(pipe.head is not None for pipe in inputs) else None

    def _fetch(self, pipe: RecordPipe) -> Record:
        if self.state.row.pick != "join":
            return pipe.take()
        first = self.state.inputs[0].take()
        for each in self.state.inputs[1:]:
            other = each.take()
            first.born = min(first.born, other.born)
            first.size += other.size
            other.vanish()
        self.state.simulation.loop_gives_up(self.state.number, len(self.state.inputs) - 1)
        return first


class Clockwork:
    """A source by the clock: its next record is due at once, after a gap, or at a given time."""

    def __init__(self, state: StationState, source: Source, times: Stream | None, keys: Stream | None) -> None:
        self.state, self.source, self.times, self.keys = state, source, times, keys
        self._due = 0.0
        self._count = 0

    def take(self, server: Server) -> Generator[Any, Any, Record | None]:
        """Wait until the next record is due; None after the last one."""
        if not self._more():
            return None
        now = server.clock.now
        due = now
        if self.times is not None:
            number = self.times.next() if self._count or self.source.arrivals == "times" else 0.0
            if number is None:
                return None
            due = number if self.source.arrivals == "times" else self._due + number * self.state.gaps
        if due >= self.source.until_s:
            return None
        self._due = due
        record = self._record(due)
        if record is None:
            return None
        if due > now:
            server.turn(STARVED)
            yield server.at(due)
        return record

    def _more(self) -> bool:
        return self.source.records is None or self._count < self.source.records

    def _record(self, due: float) -> Record | None:
        key = 0.0 if self.keys is None else self.keys.next()
        if key is None:
            return None
        self._count += 1
        return Record(self._count - 1, due, key=int(key), origin=self.state.number, urgency=self.source.urgency)


class Closed(Clockwork):
    """A source with so many records in flight: a server gives one, waits until it has left, thinks, gives the next."""

    def take(self, server: Server) -> Generator[Any, Any, Record | None]:
        """Wait until the last record of this server has left and its think time is over."""
        if server.live:
            server.turn(STARVED)
            server.awaiting = True
            yield server.calling()
        if not self._more():
            return None
        think = 0.0
        if self.times is not None and server.gave:
            number = self.times.next()
            if number is None:
                return None
            think = number * self.state.gaps
        due = server.clock.now + think
        if due >= self.source.until_s:
            return None
        record = self._record(due)
        if record is None:
            return None
        server.gave, record.root, server.live = True, server, 1
        if think > 0.0:
            server.turn(STARVED)
            yield server.at(due)
        return record
