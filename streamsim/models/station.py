"""Stations: read a chunk, work on it, wait, write what it gave; a barrier writes only when its input has ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from streamsim.models.clock import Clock
from streamsim.models.curve import DemandCurve
from streamsim.models.pipe import PAGE, Channel
from streamsim.models.random import chunk_factors
from streamsim.models.server import BLOCKED, STARVED, Server, Steps
from streamsim.models.table import StationRow


@dataclass(eq=False)
class Port:
    """One input while it is being read; a file (no channel) always has what is left of it."""

    channel: Channel | None
    total: int
    taken: int = 0
    done: bool = False

    @property
    def part(self) -> float:
        """Which part of what is expected has been read; 1 or more where all or more than that came."""
        return self.taken / self.total if self.total else 1.0

    @property
    def ready(self) -> bool:
        """Whether a read would return at once."""
        return self.channel is None or self.channel.level > 0 or self.channel.ended

    def read(self, size: int) -> int:
        """Read at most so many bytes of what is there, and return how many."""
        got = min(size, self.total - self.taken) if self.channel is None else self.channel.get(size)
        self.taken += got
        return got


class Reader(Server):
    """A server that reads its inputs."""

    def __init__(self, row: StationRow, clock: Clock, inputs: list[Channel], outputs: list[Channel]) -> None:
        super().__init__(row, clock, inputs, outputs)
        self.held = self.resting = False
        """Whether it is paused: it reads nothing; and whether it sleeps for that."""
        rest = iter(inputs)
        self.ports = [Port(next(rest) if entry.pipe is not None else None, entry.total_bytes) for entry in row.inputs]

    def hold(self, *, paused: bool) -> None:
        """Read nothing more, or go on; what has been read is worked on and written."""
        self.held = paused
        if self.resting and not paused:
            self.resting = False
            self.wake()

    def take(self, size: int) -> int:
        """Read up to so many bytes; returns 0 where the server sleeps until some come, −1 where all inputs ended."""
        if self.held:
            self.resting = True
            self.rest()
            return 0
        while True:
            port = self._next_port()
            if port is None:
                return -1
            channel, got = port.channel, port.read(size)
            if not got and channel is not None and not channel.ended:
                self.starve(self._open_channels() if self.row.order == "ready" else [channel])
                return 0
            self.reads += 1
            if got:
                self.bytes_in += got
                return got
            port.done = True

    def _next_port(self) -> Port | None:
        ports = self.ports
        if len(ports) == 1:
            return None if ports[0].done else ports[0]
        left = [port for port in ports if not port.done]
        if not left or self.row.order == "sequence":
            return left[0] if left else None
        if self.row.order == "ready":
            left = [port for port in left if port.ready] or left
        return min(left, key=lambda port: port.part)

    def _open_channels(self) -> list[Channel]:
        return [port.channel for port in self.ports if port.channel is not None and not port.done]


class Station(Reader):
    """Any station that is no source of its own: an operator, a Unix tool, a copy."""

    def __init__(
        self,
        row: StationRow,
        clock: Clock,
        inputs: list[Channel],
        outputs: list[Channel],
        rng: np.random.Generator,
    ) -> None:
        super().__init__(row, clock, inputs, outputs)
        service, flow = row.service, row.flow
        self.service = service
        self.factor = chunk_factors(service, rng)
        self.threads = max(1.0, service.threads)
        spread = service.per_byte * flow.bytes_in + service.per_record * flow.records_in
        self.curve = DemandCurve(service.curve, flow.bytes_in, spread) if service.curve else None
        self.stop_bytes = row.stop_bytes
        self.stop_s = float("inf")
        if row.pace is not None:
            self.stop_bytes = row.pace.ceiling_bytes
            self.stop_s = row.pace.duration_s if row.pace.duration_s is not None else self.stop_s
        self.turns: list[tuple[int, Callable[[], None]]] = []
        """What is done between two chunks at bytes of its input."""
        self._owed = self._blocked_s = 0.0
        self._asked = self._got = self._served = 0.0
        self._before = (0.0, 0, 0)

    def steps(self) -> Steps:
        """Start up; read, work, write, until the input ends; then finish, and write the rest."""
        row, clock = self.row, self.clock
        if self.work(self.service.startup):
            yield
        if self.pause(self.service.startup_waiting):
            yield
        while clock.now < self.stop_s and (want := self._want()):
            self._ask()
            while (size := self.take(want)) == 0:
                yield
                if self._owed and self._pay():
                    yield
            if size < 0:
                break
            if row.gather_bytes:
                size = yield from self._gather(size)
            self._got = clock.now
            records = size / row.record_bytes
            if self.curve is None:
                demand = self.demand_of(size)
                if self.work(demand if self.factor is None else demand * self.factor(records), self.threads):
                    yield
            else:
                for demand, threads in [(self.service.setup, 1.0), *self.curve.up_to(self.bytes_in)]:
                    if self.work(demand, threads):
                        yield
            service = self.service
            if self.pause(service.waiting_per_record * records + service.waiting_per_byte * size):
                yield
            if self._owed and self._pay():
                yield
            self._served = clock.now
            if not row.barrier:
                yield from self._write_whole_buffers()
            self._note()
        yield from self._finish()

    def owe(self, work_s: float) -> None:
        """Have work (core-seconds) to do for whoever asks something: between two chunks, or while it waits."""
        if work_s > 0.0:
            now = self.clock.now
            self._blocked_s = self.spent[BLOCKED] + (now - self.since if self.state == BLOCKED else 0.0)
            self._owed += work_s
            if self.state == STARVED or self.resting:
                self.resting = False
                self.wake()

    def _pay(self) -> bool:
        """Do what is owed; returns whether that takes any time: while it was blocked it had time for it."""
        owed, self._owed = self._owed - (self.spent[BLOCKED] - self._blocked_s), 0.0
        return self.work(owed)

    def demand_of(self, size: int) -> float:
        """Return the mean work of the chunk of so many bytes that was read last."""
        service = self.service
        per_byte = service.per_byte - service.filling_per_byte
        return service.setup + service.per_record * (size / self.row.record_bytes) + per_byte * size

    def _want(self) -> int:
        """How much the next read asks for; 0 where this station has read enough (``head``)."""
        most = self.row.read_bytes
        while self.turns and self.turns[0][0] <= self.bytes_in:
            self.turns.pop(0)[1]()
        if self.turns:
            most = min(most, self.turns[0][0] - self.bytes_in)
        return most if self.stop_bytes is None else min(most, self.stop_bytes - self.bytes_in)

    def _gather(self, size: int) -> Generator[None, None, int]:
        """Read on until the buffer is full or nothing more comes, and return how much is in it."""
        row, filling, got = self.row, self.service.filling_per_byte, size
        while True:
            if self.work(filling * got):
                yield
            want = min(self._want(), row.gather_bytes - size)
            if want <= 0:
                return size
            while (got := self.take(want)) == 0:
                yield
                if self._owed and self._pay():
                    yield
            if got < 0:
                return size
            size += got

    def _write_whole_buffers(self) -> Steps:
        """Write what is due: all of it where every chunk is flushed, else only full buffers, as stdio does."""
        pending = self._produced(self.bytes_in - self.row.held_bytes) - self.bytes_out
        if self.row.flush:
            if pending > 0:
                yield from self.put(pending)
        elif pending >= self.row.write_bytes:
            yield from self.put_many(self.row.write_bytes, pending // self.row.write_bytes)

    def _finish(self) -> Steps:
        service = self.service
        self._ask()
        self._got = self.clock.now
        if self.work(service.finish, max(1.0, service.finish_threads)):
            yield
        if self.pause(service.finish_waiting):
            yield
        self._served = self.clock.now
        yield from self._write_rest()
        if self.bytes_out > self._before[2]:
            self._note()

    def _write_rest(self) -> Steps:
        """Write what is left in buffers of `write_bytes`; a barrier makes them as it goes, a page together if small."""
        service, row = self.service, self.row
        pending = self._produced(self.bytes_in) - self.bytes_out
        while pending > 0:
            size = min(pending, row.write_bytes * max(1, PAGE // row.write_bytes))
            if row.barrier:
                if self.work(service.output_per_byte * size, max(1.0, service.output_threads)):
                    yield
                if self.pause(service.output_waiting_per_byte * size):
                    yield
            whole, rest = divmod(size, row.write_bytes)
            if whole:
                yield from self.put_many(row.write_bytes, whole)
            if rest:
                yield from self.put(rest)
            pending -= size

    def _produced(self, taken: int) -> int:
        """What so many bytes give, in whole bytes: rounded up, so that a whole record in is a whole record out."""
        if self.row.yields is not None:
            return math.ceil(self.row.yields.given(max(taken, 0)) * (1 - 1e-12))
        flow = self.row.flow
        return -(-taken * flow.bytes_out // flow.bytes_in) if taken > 0 and flow.bytes_in else 0

    def _ask(self) -> None:
        self._asked = self.clock.now
        self._before = (self.cpu_s, self.bytes_in, self.bytes_out)

    def _note(self) -> None:
        self.done_in, self.done_out = self.bytes_in, self.bytes_out
        if self.visits is not None:
            cpu_s, taken, given = self._before
            self.visits.append(
                (
                    self._asked,
                    self._got,
                    self._served,
                    self.clock.now,
                    self.cpu_s - cpu_s,
                    self.bytes_in - taken,
                    self.bytes_out - given,
                    self.row.records_in(self.bytes_in) - self.row.records_in(taken),
                    self.row.records_out(self.bytes_out) - self.row.records_out(given),
                )
            )
