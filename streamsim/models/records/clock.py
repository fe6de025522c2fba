"""The clock of the SimPy interpreter: absolute times, and who comes first at one instant."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

import simpy
from simpy.events import Event

HANDOVER = 1
"""Rank of zero-time hand-overs (that of SimPy's own events): at one instant they all come first, in order."""
SETTLE = 2
"""Rank at which hosts share out their cores anew: after the hand-overs, before the next completion."""
COMPLETION = 3
"""Rank of what server 0 waits for; that of server k is k more: ties go in the order of stations and servers."""


class Clock(simpy.Environment):
    """SimPy's environment with events at absolute times. Its own delays would not do: ``now + (t - now) != t``.

    >>> clock, seen = Clock(), []
    >>> for rank in (COMPLETION + 1, COMPLETION, HANDOVER):
    ...     _ = clock.at(2.5, rank, lambda event, rank=rank: seen.append((clock.now, rank)))
    >>> clock.run()
    >>> seen
    [(2.5, 1), (2.5, 3), (2.5, 4)]
    """

    def __init__(self) -> None:
        super().__init__(0.0)

    def at(self, time_s: float, rank: int, action: Callable[[Event], None] | None = None) -> Event:
        """Return an event of that time and rank; an action is called when it comes."""
        event = Event(self)
        event._ok = True
        event._value = None
        if action is not None:
            event.callbacks.append(action)
        heappush(self._queue, (time_s, rank, next(self._eid), event))  # type: ignore[misc]  # any int ranks there
        return event

    @staticmethod
    def cancel(event: Event) -> None:
        """Let an event that `at` made never come."""
        event.callbacks = []

    def runs_until(self, time_s: float, enough: Callable[[], bool]) -> bool:
        """Run all that comes before a time, or until there is enough; whether something is still to come."""
        queue = self._queue
        while queue:
            if queue[0][1] >= COMPLETION and not queue[0][3].callbacks:
                heappop(queue)  # cancelled
            elif queue[0][1] >= COMPLETION and (queue[0][0] >= time_s or enough()):
                return True
            else:
                self.step()
        return False
