"""Sources: as fast as they are taken, or each record at its own time."""

from __future__ import annotations

import math

import numpy as np

from streamsim.models.clock import Clock
from streamsim.models.pipe import PAGE, Channel
from streamsim.models.random import due_times, factors
from streamsim.models.server import Steps
from streamsim.models.station import Reader
from streamsim.models.table import Pace, StationRow

MOST = 65536
"""A source that is late gives all that is due at once, up to so many bytes in one write."""


class Source(Reader):
    """What all sources have in common; demand counts what they give."""

    def __init__(
        self,
        row: StationRow,
        clock: Clock,
        inputs: list[Channel],
        outputs: list[Channel],
        service_rng: np.random.Generator,
        arrivals_rng: np.random.Generator,
    ) -> None:
        super().__init__(row, clock, inputs, outputs)
        self.pace = row.pace or Pace()
        self.factor = factors(row.service.distribution, service_rng)
        self.arrivals_rng = arrivals_rng
        self.threads = max(1.0, row.service.threads)
        ceiling = self.pace.ceiling_bytes
        self.ceiling = math.inf if ceiling is None else ceiling

    def _start(self) -> Steps:
        if self.work(self.row.service.startup):
            yield
        if self.pause(self.row.service.startup_waiting):
            yield

    def _make(self, records: float, size: int, writes: int = 1) -> Steps:
        """Work for so much, given in so many writes, then wait as long as that takes."""
        service = self.row.service
        demand = service.setup * writes + service.per_record * records + service.per_byte * size
        if self.factor is not None:
            demand *= sum(self.factor() for _ in range(writes)) / writes
        if self.work(demand, self.threads):
            yield
        if self.pause(service.waiting_per_record * records + service.waiting_per_byte * size):
            yield


class FastSource(Source):
    """A source without times of its own: it gives the next chunk when the pipe has taken the last.

    Writes of much less than a page are made and written a page together: nobody downstream can tell, and a tool that
    writes line by line is simulated as fast as any other.
    """

    def steps(self) -> Steps:
        """Give chunks until everything is given or the time is over."""
        yield from self._start()
        row, clock = self.row, self.clock
        end = math.inf if self.pace.duration_s is None else self.pace.duration_s
        together = 1 if self.visits is not None else max(1, PAGE // row.write_bytes)
        while self.bytes_out < self.ceiling and clock.now < end:
            asked, cpu_s, before = clock.now, self.cpu_s, self.bytes_out
            size = int(min(row.write_bytes * together, self.ceiling - before))
            whole, rest = divmod(size, row.write_bytes)
            yield from self._make(size / row.record_bytes, size, whole + (rest > 0))
            served = clock.now
            if whole:
                yield from self.put_many(row.write_bytes, whole)
            if rest:
                yield from self.put(rest)
            if self.visits is not None:
                records = row.records_out(self.bytes_out) - row.records_out(before)
                self.visits.append((asked, asked, served, clock.now, self.cpu_s - cpu_s, 0, size, 0, records))


class PacedSource(Source):
    """An open load: each record when it is due, or, where the pipe kept the source waiting, all that are due at once.

    One visit is noted for each record, from when it was due; those of one write share the rest.
    """

    def steps(self) -> Steps:
        """Sleep until records are due and give them, until there are no more."""
        yield from self._start()
        row, clock = self.row, self.clock
        times = due_times(self.pace, self.arrivals_rng)
        most = max(1, MOST // max(1, round(row.record_bytes)))
        released, upcoming = 0, next(times, math.inf)
        while upcoming < math.inf and self.bytes_out < self.ceiling:
            limit = self.ceiling
            if self.ports:
                yield from self._fetch(row.first_bytes(released + 1))
                limit = min(limit, self.bytes_in)
                most = max(1, row.records_out(self.bytes_in) - released)
            if limit <= self.bytes_out:
                break
            if self.sleep_until(upcoming):
                yield
            due: list[float] = []
            while upcoming <= clock.now and len(due) < most:
                due.append(upcoming)
                upcoming = next(times, math.inf)
            cpu_s, before, got = self.cpu_s, self.bytes_out, clock.now
            size = int(min(row.first_bytes(released + len(due)), limit)) - before
            yield from self._make(len(due), size)
            served = clock.now
            yield from self.put(size)
            self._note(due, released, before, (got, served, clock.now), self.cpu_s - cpu_s)
            released += len(due)

    def _fetch(self, total: int) -> Steps:
        """Read until so many bytes have come in all, or the command behind has given all it has."""
        while self.bytes_in < total:
            while (got := self.take(self.row.read_bytes)) == 0:
                yield
            if got < 0:
                return

    def _note(
        self, due: list[float], released: int, before: int, times: tuple[float, float, float], cpu_s: float
    ) -> None:
        if self.visits is None:
            return
        got, served, sent = times
        each = cpu_s / len(due)
        for number, asked in enumerate(due, start=released + 1):
            here = min(self.row.first_bytes(number), self.bytes_out)
            given = here - before
            before = here
            if given > 0:
                taken, count = (given, 1) if self.ports else (0, 0)
                self.visits.append((asked, got, served, sent, each, taken, given, count, 1))
