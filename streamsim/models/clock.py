"""The clock of a simulation: SimPy's, with absolute times, a rule for ties, and zero-time steps that need no event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING

import simpy
from simpy.events import Event

if TYPE_CHECKING:
    from streamsim.models.host import Cores
    from streamsim.models.server import Server

HANDOVER = 1
"""Rank of zero-time hand-overs: at one instant they come before every completion."""
COMPLETION = 2
"""Rank of the completion at station 0; that of station k is k more, so ties go in station order."""


class Clock(simpy.Environment):
    """SimPy's environment and what this simulation adds to it.

    Two events of one instant happen in the order of their ranks (`HANDOVER`, then `COMPLETION` + station), equal
    ranks in the order in which they were asked for: the same seed gives the same trace, bit for bit.

    >>> clock, seen = Clock(), []
    >>> for rank in (COMPLETION + 1, COMPLETION, HANDOVER):
    ...     _ = clock.at(2.5, rank, lambda event, rank=rank: seen.append((clock.now, rank)))
    >>> clock.run()
    >>> seen
    [(2.5, 1), (2.5, 2), (2.5, 3)]
    """

    cores: Cores

    def __init__(self) -> None:
        super().__init__()
        self.ready: deque[Server] = deque()
        self.acting = 0
        """The group, in the placement, of the server that takes its steps."""
        self.lookers = 0
        """How many of the scheduled events only look, and steer: when there are no others, nothing will happen."""

    @property
    def idle(self) -> bool:
        """Whether all have ended, or wait for each other for ever."""
        return len(self._queue) <= self.lookers

    def at(self, time_s: float, rank: int, action: Callable[[Event], None]) -> Event:
        """Schedule an action. SimPy's own delays would not do: ``now + (time - now)`` need not be ``time``."""
        event = Event(self)
        event._ok = True
        event._value = None
        event.callbacks.append(action)
        heappush(self._queue, (time_s, rank, next(self._eid), event))  # type: ignore[misc]  # any int ranks there
        return event

    def hand_over(self) -> None:
        """Let every server that something has just come for take its steps, then share the cores anew.

        A queue rather than calls: a server that wakes another is itself still in the middle of a step.
        """
        ready = self.ready
        while ready:
            ready.popleft().resume()
        if self.cores.changed:
            self.cores.settle()
