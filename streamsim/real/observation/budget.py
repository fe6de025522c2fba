"""Splitting a server's life into running, runnable, starved, blocked and waiting. Pure: no clock is read here.

What the kernel counts exactly are the CPU time and the time spent waiting for a core; the rest of a life was spent
asleep. Why it slept is known at the moments when somebody looked. A sleeping process is in no run queue, so at such
a moment both counters are up to date, and what is left since the moment before was asleep: half of it is laid to
what it slept for then, half to what it sleeps for now.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.real.states import ACTIVE, BLOCKED, STARVED, WAITING

Array = NDArray[np.float64]

_WINDOW_S = 0.05
"""A server of several threads may never be asleep as a whole; it is settled after so long. The kernel brings the
CPU time of a running thread up to date at each timer tick only (4 ms at 250 Hz), so much shorter would be noise."""


class Shares(NamedTuple):
    """The five states, seconds each, cumulative."""

    running: float = 0.0
    runnable: float = 0.0
    starved: float = 0.0
    blocked: float = 0.0
    waiting: float = 0.0


class Ledger:
    """The cumulative states of one server; at each settled moment they add up to its life.

    ``likely`` is what it sleeps for while nobody has seen it asleep.

    >>> ledger = Ledger(0.0)
    >>> ledger.settle(1.0, cpu=0.25, delay=0.25, state=STARVED)
    >>> ledger.settle(2.0, cpu=0.5, delay=0.25, state=BLOCKED)
    >>> ledger.shares
    Shares(running=0.5, runnable=0.25, starved=0.875, blocked=0.375, waiting=0.0)
    """

    __slots__ = (
        "_blocked",
        "_cpu",
        "_delay",
        "_likely",
        "_runnable",
        "_running",
        "_starved",
        "_state",
        "_waiting",
        "time",
    )

    def __init__(self, started: float, likely: int = WAITING) -> None:
        self.time = started
        self._likely = likely
        self._running = self._runnable = self._starved = self._blocked = self._waiting = 0.0
        self._cpu = self._delay = 0.0
        self._state = ACTIVE

    @property
    def shares(self) -> Shares:
        """The five states at the last settled moment, ``time``."""
        return Shares(self._running, self._runnable, self._starved, self._blocked, self._waiting)

    @property
    def blind(self) -> bool:
        """Whether it was never seen asleep, so that the reason of a sleep is not known."""
        return self._state == ACTIVE

    def due(self, time: float) -> bool:
        """Whether a server of several threads is to be settled although it is not asleep as a whole."""
        return time - self.time >= _WINDOW_S

    def settle(self, time: float, *, cpu: float, delay: float, state: int) -> None:
        """Settle up to this time (s), when both counters are up to date.

        ``cpu``: core-seconds so far; ``delay``: seconds waited for a core so far, by all threads; ``state``: what it
        is seen to do.
        """
        span = time - self.time
        if span <= 0:
            return
        used, queued = max(0.0, cpu - self._cpu), max(0.0, delay - self._delay)
        if used + queued > span:
            scale = span / (used + queued)
            used, queued = used * scale, queued * scale
        self._running += used
        self._runnable += queued
        half = max(0.0, span - used - queued) / 2
        now = state or self._state or self._likely
        self._sleep(now, half)
        self._sleep(self._state or now, half)
        self.time, self._cpu, self._delay = time, cpu, delay
        self._state = state or self._state

    def _sleep(self, state: int, span: float) -> None:
        if state == STARVED:
            self._starved += span
        elif state == BLOCKED:
            self._blocked += span
        else:
            self._waiting += span


def complete(life: Array, cpu: Array, shares: Array, settled: NDArray[np.bool_]) -> Array:
    """Fill in the moments between settled ones, so that all five states add up to the life at each, and never fall.

    Parameters
    ----------
    life, cpu : shape (n,), since the start (s). shares : shape (5, n), the ledger's at that moment.
    settled : whether the ledger was settled there; the first and the last must be.

    Between two settled moments running follows the CPU time, as far as the wall time allows; the others share
    what is left in the proportion that they have on the whole piece.
    """
    anchors = np.flatnonzero(settled)
    running = np.interp(cpu, cpu[anchors], shares[0, anchors])
    # Equal CPU times at several anchors would be ambiguous, but then running is equal there too.
    rest = life - running
    rest = np.maximum(np.minimum.accumulate(rest[::-1])[::-1], 0.0)
    whole = life[anchors] - shares[0, anchors]
    result = np.empty_like(shares)
    for row in range(1, 5):
        result[row] = np.interp(rest, whole, shares[row, anchors])
    result[0] = life - result[1:].sum(axis=0)
    result[:, anchors] = shares[:, anchors]
    return np.maximum.accumulate(result, axis=1)


def threads_used(time: Array, cpu: Array, window_s: float) -> float:
    """Return how many cores were used at once, at most over a window of that length or more; 1 up to 1.15.

    >>> threads_used(np.array([0.0, 0.1, 0.2]), np.array([0.0, 0.1, 0.3]), 0.05).__round__(3)
    2.0
    """
    most, start = 1.0, 0
    for place in range(1, len(time)):
        span = time[place] - time[start]
        if span >= window_s or (start == 0 and place == len(time) - 1 and span > 0):
            most = max(most, float(cpu[place] - cpu[start]) / float(span))
            start = place
    return most if most > 1.15 else 1.0
