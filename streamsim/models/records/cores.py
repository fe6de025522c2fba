"""Hosts: tasks share cores equally (part of the SimPy interpreter, the specification)."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from simpy.events import Event

from streamsim.models.records.clock import COMPLETION, SETTLE, Clock
from streamsim.models.records.table import Host

if TYPE_CHECKING:
    from streamsim.models.records.servers import Server


class Cores:
    """The cores of one host under processor sharing.

    All tasks progress alike, so one clock of work serves them all: ``served`` is the work (reference core-seconds)
    that a task would have been given since the start. A task that starts now ends when ``served`` has grown by its
    work; the cores are shared out anew once an instant, after all that happens in it.
    """

    def __init__(self, clock: Clock, host: Host, most: int) -> None:
        self.clock, self.host, self.most = clock, host, most
        self.rates, self.shares = host.rates(most)
        self.served = self.used = self.since = 0.0
        self.rate = self.share = 0.0
        self._tasks: list[tuple[float, int, Event, float]] = []
        self._timer: Event | None = None
        self._settling = False

    def start(self, server: Server, work: float) -> Event:
        """Begin a task; the event comes when it is done, with the core-seconds that it had."""
        self._advance()
        done = self.clock.event()
        heappush(self._tasks, (self.served + work, server.index, done, self.used))
        self._settle_later()
        return done

    def wake_s(self, *, by_timer: bool) -> float:
        """Return how long a sleeping server takes to run: far, if a core is idle beside that of whoever wakes it."""
        occupied = len(self._tasks) + (1 if by_timer else 2)
        profile = self.host.profile
        return profile.wake_far_s if occupied <= self.host.whole else profile.wake_near_s

    def change_background(self, background: float) -> None:
        """Let others use so many cores from now on."""
        self._advance()
        self.rates, self.shares = self.host.rates(self.most, background)
        self._settle_later()

    def _advance(self) -> None:
        elapsed = self.clock.now - self.since
        if elapsed > 0.0:
            self.served += elapsed * self.rate
            self.used += elapsed * self.share
            self.since = self.clock.now

    def _settle_later(self) -> None:
        if not self._settling:
            self._settling = True
            self.clock.at(self.clock.now, SETTLE, self._settle)

    def _settle(self, event: Event) -> None:
        self._settling = False
        tasks = len(self._tasks)
        self.rate, self.share = self.rates[tasks], self.shares[tasks]
        if self._timer is not None:
            self.clock.cancel(self._timer)  # it was of a division of the cores that no longer holds
            self._timer = None
        if tasks:
            tag, place = self._tasks[0][:2]
            left = tag - self.served
            time = self.since + (left / self.rate if left > 0.0 else 0.0)
            self._timer = self.clock.at(time, COMPLETION + place, self._complete)

    def _complete(self, event: Event) -> None:
        self._timer = None
        self._advance()
        tag, _, done, before = heappop(self._tasks)
        if tag > self.served:
            self.served = tag
        done.succeed(self.used - before)
        self._settle_later()
