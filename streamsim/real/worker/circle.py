"""A server in a loop: it keeps account of what it took and gave, so that the loop's entry knows when nothing is left.

All servers of a loop share a page of counters, two for each of its pipes: *given* is raised by the writer before it
writes, *taken* by the reader when it has dealt with what it read and has counted what follows from that. So given less
taken is never less than what is on its way, also inside a server. The entry, once all that comes from outside has
ended, reads first all *taken* and then all *given*: both only grow, so where they are equal there was a moment between
at which nothing was on its way, and nothing can set out again (Mattern 1987, "Algorithms for distributed termination
detection", Distributed Computing 2, section 4: the argument of the four counters). Then it closes its output, and the
end goes round.

Pipes of ours count bytes. A command in between keeps no account; where it gives exactly one record for each, the pipe
into it and the one out of it count as one, in records.
"""

from __future__ import annotations

import os
from collections import deque
from mmap import mmap
from time import monotonic

from streamsim.real.worker.loop import Server
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.shapes import RoutingServer, SelectiveServer, gathered

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.operators.base import Operator
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.visits import Visits

_GONE = (1 << 64) - 1
"""In place of what was given to a reader that has gone: it takes nothing any more."""

_LONGEST_WAIT_S = 0.02
_MOST_HELD = 64 << 20
"""How many bytes may wait at the entry of a loop: more come round than go out."""

_AT_EASE = 65536
"""While more than this waits at the entry, nothing more is let in from outside."""


class Place:
    """What a server knows of its loop.

    ``circle`` of the specification has ``file`` (of the counters), ``edges`` and ``flags`` (how many there are),
    ``gives`` (descriptor, edge, in records) and ``takes`` (place among the inputs, edge, in records), ``flag`` (its own
    number where something comes to it from outside), ``names`` (of the inputs' writers), ``exits`` (how many ways lead
    out of the loop) and ``way`` (the loop in words).
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        circle = spec["circle"]
        self.edges, self.flags, self.flag = circle["edges"], circle["flags"], circle["flag"]
        self.gives = {descriptor: (edge, counted) for descriptor, edge, counted in circle["gives"]}
        self.takes = {port: (edge, counted) for port, edge, counted in circle["takes"]}
        self.names, self.exits, self.way = circle["names"], circle["exits"], circle["way"]
        size = 8 * (2 * self.edges + self.flags)
        file = os.open(circle["file"], os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(file, size)  # whoever comes first makes it; a second time changes nothing
            self._cells = memoryview(mmap(file, size)).cast("Q")  # a cell is written by one server, in one piece
        finally:
            os.close(file)

    def give(self, descriptor: int, data: bytes) -> None:
        """Count what is about to be written."""
        if descriptor in self.gives:
            edge, counted = self.gives[descriptor]
            self._cells[edge] += data.count(b"\n") if counted else len(data)

    def lose(self, descriptor: int) -> None:
        """Take note that the reader of an output has gone."""
        if descriptor in self.gives:
            self._cells[self.gives[descriptor][0]] = _GONE

    def take(self, port: int, chunk: bytes) -> None:
        """Count what has been read and dealt with."""
        if port in self.takes:
            edge, counted = self.takes[port]
            self._cells[self.edges + edge] += chunk.count(b"\n") if counted else len(chunk)

    def raise_flag(self) -> None:
        """Say that nothing comes to this server from outside any more."""
        if self.flag is not None:
            self._cells[2 * self.edges + self.flag] = 1

    def settled(self) -> bool:
        """Whether nothing comes from outside any more and nothing is on its way.

        Raises RunError where a command has given more records than it took.
        """
        cells, edges = self._cells, self.edges
        if not all(cells[2 * edges : 2 * edges + self.flags]):
            return False
        taken = cells[edges : 2 * edges].tolist()
        given = cells[:edges].tolist()
        for took, gave in zip(taken, given, strict=True):
            if took > gave:
                from streamsim.errors import RunError

                raise RunError(
                    f"a command in the loop {self.way} gave {took} records for the {gave} that it took; "
                    "one_to_one = true says that it gives one for each"
                )
        return all(gave in (took, _GONE) for took, gave in zip(taken, given, strict=True))


class CountedOutputs(Outputs):
    """Counts what it writes into the pipes of the loop."""

    def __init__(self, descriptors: Sequence[int], attention: Attention | Inattention, place: Place) -> None:
        super().__init__(descriptors, attention)
        self._place = place

    def send(self, data: bytes) -> None:
        """Count all of it, then write it to each."""
        if data:
            for descriptor in self.open:
                self._place.give(descriptor, data)
        super().send(data)

    def drop(self, gone: Sequence[int]) -> None:
        """Forget those whose readers have gone; the last way out of the loop takes the loop with it."""
        for descriptor in gone:
            self._place.lose(descriptor)
        super().drop(gone)
        if self._place.exits == 1 and any(descriptor not in self._place.gives for descriptor in gone):
            raise BrokenPipeError


class CountedServer(Server):
    """Any operator in a loop: it counts what it took when it has given what follows from it."""

    place: Place

    def _take(self, chunk: bytes, port: int, asked: float, got: float) -> None:
        super()._take(chunk, port, asked, got)
        self.place.take(port, chunk)

    def _several(self, inputs: Sequence[int], read_bytes: int) -> tuple[float, float]:
        attention = self.attention
        ports = {descriptor: port for port, descriptor in enumerate(inputs)}
        outside = set(range(len(inputs))) - self.place.takes.keys()
        asked = got = monotonic()
        while ports:
            asked = monotonic()
            for descriptor in attention.ready(ports):
                chunk = attention.read(descriptor, read_bytes)
                got = monotonic()
                if chunk:
                    self.visits.tally(ports[descriptor], len(chunk))
                    self._take(chunk, ports[descriptor], asked, got)
                    asked = monotonic()
                    attention.between()
                    continue
                outside.discard(ports.pop(descriptor))
                if not outside:
                    self.place.raise_flag()
        return asked, got


class CountedRouting(CountedServer, RoutingServer):
    """A server that gives each output its part, in a loop."""


class CountedSelective(CountedServer, SelectiveServer):
    """A server that reads one input at a time, in a loop."""


class Entry(CountedServer):
    """Where a loop begins: it never waits to write while something may come back, so no full pipe stops the loop."""

    def serve(self, inputs: Sequence[int], read_bytes: int) -> None:
        """Mix what comes from outside with what comes back until nothing is left on its way; then let the end go round.

        Raises RunError where more and more is on its way, and where something comes back after the end.
        """
        from select import POLLIN, POLLOUT, poll

        self._queue: deque[bytes] = deque()
        self._held = 0
        back = {inputs[port]: port for port in self.place.takes}
        outside = {descriptor: port for port, descriptor in enumerate(inputs) if port not in self.place.takes}
        (out,) = self.outputs.open
        os.set_blocking(out, False)  # the write end is nobody else's
        wait = 0.0
        if not outside:
            self.place.raise_flag()
        while outside or self._queue or not self.place.settled():
            poller = poll()
            for descriptor in (*back, *(outside if self._held <= _AT_EASE else ())):
                poller.register(descriptor, POLLIN)
            if self._queue:
                poller.register(out, POLLOUT)
            asked = monotonic()
            self.attention.between()
            idle = (outside or self._queue) and not self.attention.listens  # nobody else can have something for it
            ready = poller.poll(None if idle else 1000 * wait)
            wait = 0.001 if ready else min(_LONGEST_WAIT_S, 2 * wait + 0.001)
            for descriptor, _ in ready:
                if descriptor == out:
                    self._write(out)
                    continue
                chunk, port = self.attention.read(descriptor, read_bytes), {**back, **outside}[descriptor]
                if chunk:
                    self.visits.tally(port, len(chunk))
                    self._take(chunk, port, asked, monotonic())
                elif descriptor in outside:
                    del outside[descriptor]
                    self._end(port)
                    if not outside:
                        self.place.raise_flag()
                else:
                    raise BrokenPipeError  # who brings records back has ended before us: the loop has been cut
        os.set_blocking(out, True)
        self.outputs.close()
        self._drain(back, read_bytes)

    def _give(self, data: Any, asked: float, got: float, taken: int, before: tuple[int, int]) -> None:
        operator, now = self.operator, monotonic()
        if data:
            self.place.give(self.outputs.open[0], data)
            self._queue.append(data)
            self._held += len(data)
        records = operator.records_in - before[0], operator.records_out - before[1]
        self.visits.add(asked, got, now, now, taken, len(data), *records)
        if self._held > _MOST_HELD:
            from streamsim.errors import RunError

            raise RunError(
                f"more than {_MOST_HELD >> 20} MiB are on their way round the loop {self.place.way}: "
                "what comes back is more than what it came from"
            )

    def _end(self, port: int) -> None:
        """Give the last record of an input that nothing terminated."""
        operator: Any = self.operator
        before = operator.records_in, operator.records_out
        now = monotonic()
        self._give(operator.end(port), now, now, 0, before)

    def _write(self, out: int) -> None:
        while self._queue:
            data = self._queue[0]
            try:
                done = os.write(out, data)
            except BlockingIOError:
                return
            self._held -= done
            if done < len(data):
                self._queue[0] = data[done:]
                return
            self._queue.popleft()

    def _drain(self, back: Mapping[int, int], read_bytes: int) -> None:
        """Read until those who bring records back have ended too; refuse what they had kept."""
        for descriptor, port in back.items():
            late = 0
            while chunk := self.attention.read(descriptor, read_bytes):
                late += len(chunk)
            if late:
                from streamsim.errors import RunError

                raise RunError(
                    f"the loop {self.place.way} had ended when {self.place.names[port]!r} gave {late} bytes more: "
                    "something in the loop had kept them to itself (a window, a buffer) until its input ended"
                )


_SERVERS: dict[str, type[CountedServer]] = {"loop": Entry, "routing": CountedRouting, "selective": CountedSelective}


def circling(
    operator: Operator,
    groups: Sequence[Sequence[int]],
    spec: Mapping[str, Any],
    visits: Visits,
    attention: Attention | Inattention,
) -> Server:
    """Return the server of an operator that stands in a loop."""
    place = Place(spec)
    operator.counting = True
    outputs = gathered(operator, [CountedOutputs(group, attention, place) for group in groups], visits)
    server = _SERVERS.get(operator.shape, CountedServer)(operator, outputs, visits, attention)
    server.place = place
    return server
