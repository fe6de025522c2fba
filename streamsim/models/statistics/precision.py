"""When to stop: how many replications make every interval narrow enough, relative to its value."""

from __future__ import annotations

import math
from collections.abc import Iterable

from streamsim.result import Estimate

GROWTH = 2.0
"""A stage at most doubles what there is: the first intervals are too random to be followed further."""


def widest(estimates: Iterable[Estimate]) -> float:
    """Return the widest half-width relative to its value; infinite where an interval is missing.

    A value of 0 that does not vary is exact.

    >>> widest([Estimate(value=2.0, low=1.5, high=2.5), Estimate(value=0.0, low=0.0, high=0.0)])
    0.25
    """
    return max((_width(found) for found in estimates), default=0.0)


def _width(found: Estimate) -> float:
    if found.value is None or found.low is None or found.high is None:
        return math.inf
    if found.high == found.low:
        return 0.0
    return (found.high - found.low) / 2 / abs(found.value) if found.value else math.inf


def how_many(done: int, width: float, precision: float, at_most: int) -> int:
    """Return how many replications there should be in all: `done` where the intervals are narrow enough.

    An interval narrows with the square root of their number.

    >>> how_many(10, 0.025, 0.02, 1000), how_many(10, 0.5, 0.02, 1000), how_many(10, 0.01, 0.02, 1000)
    (16, 20, 10)
    """
    if width <= precision or done >= at_most:
        return done
    needed = math.ceil(done * min(width / precision, GROWTH) ** 2)  # more than that much more is not asked for at once
    return min(max(done + 1, min(needed, math.ceil(done * GROWTH))), at_most)
