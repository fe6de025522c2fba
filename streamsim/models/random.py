"""Random streams: one for each station and role, so that results depend neither on order nor on who else draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count
from zlib import crc32

import numpy as np

from streamsim.errors import ModelError
from streamsim.models.table import RANDOM_ARRIVALS, Pace
from streamsim.models.variates import drawing, gaps
from streamsim.service import Distribution, ServiceModel

BLOCK = 512
"""Numbers drawn at once: a NumPy call costs a hundred times what one number does."""
MOST_DRAWN = 64


def stream(seed: np.random.SeedSequence, station: str, role: str) -> np.random.Generator:
    """Return the generator of one station in one role (``"service"``, ``"arrivals"``).

    It depends on the seed and on the names alone: adding a station leaves the numbers of the others as they are, so
    that two variants of a circuit meet the same luck.

    >>> seed = np.random.SeedSequence(1)
    >>> stream(seed, "rank", "service").random() == stream(seed, "rank", "service").random()
    True
    """
    key = (*seed.spawn_key, crc32(f"{station}/{role}".encode()))
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))


def factors(distribution: Distribution, rng: np.random.Generator) -> Callable[[], float] | None:
    """Return what draws the random factors (mean 1, never below 0) of a service one by one, or None where all are 1.

    Raises ModelError for an unknown family or parameters that do not fit it.

    >>> draw = factors(Distribution(family="exponential", scv=1.0), np.random.default_rng(1))
    >>> round(sum(draw() for _ in range(20000)) / 20000, 1)
    1.0
    """
    draw = drawing(distribution, rng)
    if draw is None:
        return None

    def endless() -> Iterator[float]:
        while True:
            yield from draw(BLOCK).tolist()

    return endless().__next__


def chunk_factors(service: ServiceModel, rng: np.random.Generator) -> Callable[[float], float] | None:
    """Return what draws the factor of a chunk of so many records, or None where all are 1.

    Of more than 64 records 64 are drawn, and what their mean strays from 1 is brought down to what that of all would.

    >>> law = Distribution(family="exponential", scv=1.0)
    >>> draw = chunk_factors(ServiceModel(distribution=law, scatters="by-record"), np.random.default_rng(1))
    >>> round(float(np.var([draw(100.0) for _ in range(2000)])), 2)
    0.01
    """
    draw = factors(service.distribution, rng)
    if draw is None:
        return None
    if service.scatters == "by-chunk":
        return lambda records: draw()

    def mean(records: float) -> float:
        whole = max(1, round(records))
        drawn = min(whole, MOST_DRAWN)
        found = sum(draw() for _ in range(drawn)) / drawn
        return found if drawn == whole else 1.0 + (found - 1.0) * math.sqrt(drawn / whole)

    return mean


def due_times(pace: Pace, rng: np.random.Generator) -> Iterator[float]:
    """Yield when each record of an open load is due (s since the start), until its duration is over.

    The first is due at once, as with a real paced source; gaps follow.

    >>> from itertools import islice
    >>> list(islice(due_times(Pace(arrivals="even", rate=4.0), np.random.default_rng(1)), 3))
    [0.0, 0.25, 0.5]
    """
    end = math.inf if pace.duration_s is None else pace.duration_s
    for due in _unending(pace, rng):
        if due >= end:
            return
        yield due


def _unending(pace: Pace, rng: np.random.Generator) -> Iterator[float]:
    if pace.arrivals == "even":
        yield from (number / pace.rate for number in count())
    elif pace.arrivals == "trace":
        yield from pace.times
    elif pace.arrivals in RANDOM_ARRIVALS:
        draw = gaps(pace, rng)
        now = 0.0
        yield now
        while True:
            for gap in draw(BLOCK).tolist():
                now += gap
                yield now
    else:
        raise ModelError(f"arrivals cannot be {pace.arrivals!r}")
