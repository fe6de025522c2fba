"""How often to look. Pure: no clock is read here.

What a look costs a circuit is not the look: the observer's waking alone, nothing read, slows a fast pipeline by some
0.15 ms, for the kernel then places its processes anew (docs/accuracy.md, "What observation costs"). How fast a pipeline
is in this sense says how often its processes are put on a core: 400 to 15,000 times a second in all for circuits with
sorters, compressors or Python, 20,000 to 200,000 for those that copy, translate and count. The latter are looked at
less often. They lose little by it, since what such a process does at one look says nothing of the next.
"""

from __future__ import annotations

import math

_CALM = 15_000.0
"""Processes that are put on a core no more often than this (1/s, all together) are looked at as often as can be."""

_MOST_SPARING = 4.0
LONGEST_S = 0.02
_BITES = 32.0
_MEMORY_S = 0.03
"""Over how long switches are averaged: a sorter's circuit is busy for 5 ms, then calm for 15."""


def sparing(switches_per_s: float) -> float:
    """Return how many times longer than usual to sleep between looks.

    >>> [sparing(rate) for rate in (0.0, 15e3, 30e3, 100e3)]
    [1.0, 1.0, 2.0, 4.0]
    """
    return min(max(switches_per_s / _CALM, 1.0), _MOST_SPARING)


def period_s(elapsed: float, switches_per_s: float = 0.0) -> float:
    """Return how long to sleep between looks when so much of a run has passed (s), cost permitting.

    Short runs need short periods; a minute has enough samples anyway.

    >>> [period_s(elapsed) for elapsed in (0.1, 5.0, 60.0, 600.0)]
    [0.002, 0.005, 0.01, 0.02]
    >>> [period_s(elapsed, 100e3) for elapsed in (0.1, 5.0, 60.0, 600.0)]
    [0.008, 0.02, 0.02, 0.02]
    """
    for until, period in ((0.2, 0.002), (20.0, 0.005), (120.0, 0.01)):
        if elapsed < until:
            return min(period * sparing(switches_per_s), LONGEST_S)
    return LONGEST_S


def bites_wanted(switches_per_s: float) -> float:
    """Return how many bites of a tool tell what one costs (`Watch.again`): each takes one more waking of the observer.

    >>> [bites_wanted(rate) for rate in (0.0, 30e3, 100e3)]
    [32.0, 16.0, 8.0]
    """
    return _BITES / sparing(switches_per_s)


class Switching:
    """How often processes are put on a core, of late: an average that forgets by e in 30 ms.

    >>> switching = Switching(0.0)
    >>> switching.note(1.0, 5000)
    >>> round(switching.per_s)
    5000
    """

    def __init__(self, time: float) -> None:
        self.per_s = 0.0
        self._time, self._count = time, 0

    def note(self, time: float, count: int) -> None:
        """Take how often it has happened until then (s) since the start."""
        span = time - self._time
        if span <= 0:
            return
        rate = max(0, count - self._count) / span
        self.per_s += (rate - self.per_s) * -math.expm1(-span / _MEMORY_S)
        self._time, self._count = time, count
