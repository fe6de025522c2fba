"""A server: one process of the circuit, its time budget, and how it works, sleeps, waits and writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simpy.events import Event

from streamsim.models.clock import COMPLETION, HANDOVER, Clock
from streamsim.models.pipe import PAGE, Channel, ReaderGone
from streamsim.models.table import StationRow

if TYPE_CHECKING:
    from streamsim.models.circle import Circle
    from streamsim.models.host import Kind

STARVED, RUNNING, RUNNABLE, WAITING, BLOCKED = range(5)

Steps = Iterator[None]
"""What a server does, as a generator that stops wherever time passes."""

COLUMNS = (
    *("time_s", "bytes_in", "bytes_out", "cpu_s", "running_s", "runnable_s", "starved_s", "blocked_s", "waiting_s"),
    *("reads", "writes"),
)
Row = tuple[float, ...]
"""One sample of a server, in the order of `COLUMNS`."""


class Server(ABC):
    """What all servers have in common; `steps` says what one does.

    Zero-time steps cost no event: a method that may have to wait returns whether it does, and the server
    yields only then, as in ``if self.work(demand): yield``.
    """

    def __init__(self, row: StationRow, clock: Clock, inputs: list[Channel], outputs: list[Channel]) -> None:
        self.row, self.clock, self.inputs, self.outputs = row, clock, inputs, outputs
        self.index, self.group = row.index, row.group
        self.state, self.since = RUNNING, 0.0
        self.spent = [0.0] * 5
        self.cpu_s = 0.0
        self.bytes_in = self.bytes_out = self.reads = self.writes = 0
        self.done_in = self.done_out = 0
        """Bytes read and written when the last chunk was done: what a server says of itself, between two chunks."""
        self.ended_s: float | None = None
        self.turn = 0
        self.among = len(outputs)
        """So many of its outputs a split gives to, if it does not do so by key."""
        self.gone: set[Channel] = set()
        """Outputs of a split that nobody reads any more."""
        self.waits_for: list[Channel] = []
        """The pipes that it waits for while it is starved or blocked."""
        self.circle: Circle | None = None
        """The loop that it stands in."""
        self.kind: Kind | None = None
        """Whose clock its work runs on, while it has work."""
        self.running_from = self.cores_from = 0.0
        self.visits: list[tuple[float, ...]] | None = [] if row.visits else None
        self._steps = self.steps()

    @abstractmethod
    def steps(self) -> Steps:
        """Live."""

    def resume(self) -> None:
        """Take steps until time must pass; at the end, or when the reader has gone (SIGPIPE), close everything."""
        self.clock.acting = self.group
        try:
            next(self._steps)
        except (StopIteration, ReaderGone):
            self._enter(RUNNING)
            self.ended_s = self.clock.now
            for channel in self.inputs:
                channel.leave()
            for channel in self.outputs:
                channel.end()

    def wake(self) -> None:
        """End a sleep: after the time that waking takes the server goes on."""
        if self.state == STARVED:
            for channel in self.waits_for:  # several where it reads whichever has data
                channel.reader = None
        self._enter(RUNNABLE)
        delay = self.clock.cores.wake_delay(self.group, self.clock.acting)
        if delay > 0.0:
            self.clock.at(self.clock.now + delay, HANDOVER, self._go_on)
        else:
            self.clock.ready.append(self)

    def worked(self) -> None:
        """Take note of what the cores gave while there was work."""
        kind = self.kind
        if kind is not None:
            self.kind = None
            now = self.clock.now
            running = min(kind.running_s - self.running_from, now - self.since)
            self.spent[RUNNING] += running
            self.spent[RUNNABLE] += now - self.since - running
            self.cpu_s += kind.cores_s - self.cores_from
            self.since = now

    def work(self, demand: float, threads: float = 1.0) -> bool:
        """Ask the cores for so much work (reference core-seconds); returns whether it takes any time."""
        if demand <= 0.0:
            return False
        self._enter(RUNNING)
        self.clock.cores.start(self, demand, threads)
        return True

    def pause(self, seconds: float) -> bool:
        """Wait for something that is not a core (disk, network); returns whether it takes any time."""
        if seconds <= 0.0:
            return False
        self._enter(WAITING)
        self.clock.at(self.clock.now + seconds, COMPLETION + self.index, self._go_on)
        return True

    def sleep_until(self, time_s: float) -> bool:
        """Sleep on a timer; returns whether that lies ahead. What is nearer than waking takes is overslept.

        A paced source asks to be woken early by what waking takes (see real/worker/pacing.py).
        """
        now = self.clock.now
        if time_s <= now:
            return False
        self._enter(WAITING)
        until = max(time_s, now + self.clock.cores.wake_delay(self.group, by_timer=True))
        self.clock.at(until, COMPLETION + self.index, self._go_on)
        return True

    def rest(self) -> None:
        """Sleep until `wake`; the server must yield then."""
        self._enter(WAITING)
        self.waits_for = []

    def starve(self, channels: list[Channel]) -> None:
        """Sleep until one of these pipes has something, or has ended; the server must yield then."""
        self._enter(STARVED)
        self.waits_for = channels
        for channel in channels:
            channel.reader = self
        if self.circle is not None:
            self.circle.settle()

    def put(self, size: int) -> Steps:
        """Write the same bytes to every output, one after the other, each blocking while its pipe is full.

        Raises `ReaderGone` when the last reader has gone; one of several is left out from then on, as a copy does.
        """
        if self.row.split is not None:
            yield from self._share_out(size)
            return
        before = self.bytes_out
        for channel in self.outputs[:-1]:
            try:
                yield from self._put(channel, size)
            except ReaderGone:
                self._drop(channel)
        if self.outputs:
            self.bytes_out = before
            try:
                yield from self._put(self.outputs[-1], size)
            except ReaderGone:
                self._drop(self.outputs[-1])
        else:
            self.writes += 1
        self.bytes_out = before + size

    def _share_out(self, size: int) -> Steps:
        """Give each output its part of so many bytes; what goes to one that nobody reads any more is lost."""
        before = self.bytes_out
        for place, part in self._parts(size):
            channel = self.outputs[place]
            if part and channel not in self.gone:
                try:
                    yield from self._put(channel, part)
                except ReaderGone:
                    self.gone.add(channel)
                    if len(self.gone) == len(self.outputs):
                        raise
        self.bytes_out = before + size

    def _parts(self, size: int) -> list[tuple[int, int]]:
        """Return which output gets how much: a chunk goes to one of them, or each gets its share of the stream."""
        row = self.row
        open_ = [place for place, channel in enumerate(self.outputs) if channel not in self.gone]
        open_ = [place for place in open_ if place < self.among] or open_
        if row.split == "turns":
            self.turn += 1
            return [(open_[(self.turn - 1) % len(open_)], size)]
        if row.split == "least":
            return [(min(open_, key=lambda place: self.outputs[place].level), size)]
        # To the byte, whatever the sizes of the chunks: what the first so many outputs have got together is rounded.
        whole, shared = self.bytes_out, 0.0
        edges = [0.0]
        for share in row.shares:
            shared += share
            edges.append(shared)
        edges[-1] = 1.0
        after = [round(edge * (whole + size)) for edge in edges]
        now = [round(edge * whole) for edge in edges]
        return [
            (place, after[place + 1] - after[place] - now[place + 1] + now[place]) for place in range(len(row.shares))
        ]

    def put_many(self, size: int, count: int) -> Steps:
        """Do `put` so many times; the reader has its turn when this server is done or blocked, so no later."""
        if len(self.outputs) != 1 or size > PAGE:
            for _ in range(count):
                yield from self.put(size)
            return
        (channel,) = self.outputs
        self.writes += count
        while True:
            done = channel.put_many(size, count)
            self.bytes_out += done * size
            count -= done
            if not count:
                return
            self._block(channel)
            yield

    def _put(self, channel: Channel, size: int) -> Steps:
        self.writes += 1
        left = size
        while True:
            done = channel.put(left)
            self.bytes_out += done
            left -= done
            if not left:
                return
            self._block(channel)
            yield

    def _block(self, channel: Channel) -> None:
        self._enter(BLOCKED)
        self.waits_for = [channel]
        channel.writer = self

    def _drop(self, channel: Channel) -> None:
        self.outputs.remove(channel)
        if not self.outputs and not self.row.sinks:
            raise ReaderGone(channel.label)

    def snapshot(self, now: float) -> Row:
        """Return what it has done and where its time went until now, without changing anything."""
        starved, running, runnable, waiting, blocked = self.spent
        cpu_s, elapsed = self.cpu_s, now - self.since
        if self.ended_s is not None:
            pass
        elif self.kind is not None:
            ahead = now - self.clock.cores.since
            ran = min(elapsed, self.kind.running_s + ahead * self.kind.share - self.running_from)
            running, runnable = running + ran, runnable + elapsed - ran
            cpu_s += self.kind.cores_s + ahead * self.kind.allotted - self.cores_from
        elif self.state == STARVED:
            starved += elapsed
        elif self.state == RUNNABLE:
            runnable += elapsed
        elif self.state == WAITING:
            waiting += elapsed
        elif self.state == BLOCKED:
            blocked += elapsed
        moved = (now, self.bytes_in, self.bytes_out, cpu_s)
        return (*moved, running, runnable, starved, blocked, waiting, self.reads, self.writes)

    def _enter(self, state: int) -> None:
        now = self.clock.now
        self.spent[self.state] += now - self.since
        self.state, self.since = state, now

    def _go_on(self, event: Event) -> None:
        self.resume()
        self.clock.hand_over()
