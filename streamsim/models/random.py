"""Random streams: one for each station and role, so that results depend neither on order nor on who else draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import count
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.table import Pace
from streamsim.service import Distribution

BLOCK = 512
"""Numbers drawn at once: a NumPy call costs a hundred times what one number does."""

Array = NDArray[np.float64]


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
    """Return what draws the random factors (mean 1, never below 0) of a service, or None where all are 1.

    Raises ModelError for an unknown family or parameters that do not fit it.

    >>> draw = factors(Distribution(family="exponential", scv=1.0), np.random.default_rng(1))
    >>> round(sum(draw() for _ in range(20000)) / 20000, 1)
    1.0
    """
    draw = _block_of(distribution)
    if draw is None:
        return None

    def endless() -> Iterator[float]:
        while True:
            yield from np.maximum(draw(rng), 0.0).tolist()

    return endless().__next__


def _block_of(distribution: Distribution) -> Callable[[np.random.Generator], Array] | None:
    family, parameters = distribution.family, distribution.parameters
    match family, parameters:
        case "deterministic", _:
            return None
        case "exponential", _:
            return lambda rng: rng.standard_exponential(BLOCK)
        case "gamma", (shape, low, scale):
            return lambda rng: low + scale * rng.standard_gamma(shape, BLOCK)
        case "lognormal", (sigma, low, scale):
            return lambda rng: low + scale * np.exp(sigma * rng.standard_normal(BLOCK))
        case "weibull", (shape, low, scale):
            return lambda rng: low + scale * rng.weibull(shape, BLOCK)
        case "hyperexponential", (part, rate_1, rate_2):
            return lambda rng: rng.standard_exponential(BLOCK) / np.where(rng.random(BLOCK) < part, rate_1, rate_2)
        case "empirical", _ if len(distribution.quantiles) > 1:
            return _empirical(np.asarray(distribution.quantiles))
    raise ModelError(
        f"a service cannot be drawn from {family!r} with the parameters {parameters} "
        f"and {len(distribution.quantiles)} quantiles"
    )


def _empirical(quantiles: Array) -> Callable[[np.random.Generator], Array]:
    places = np.linspace(0.0, 1.0, len(quantiles))
    # Straight lines between quantiles overrate a heavy tail a little: bring the mean back to the 1 that it stands for.
    factor = quantiles / np.trapezoid(quantiles, places)
    return lambda rng: np.interp(rng.random(BLOCK), places, factor)


def due_times(pace: Pace, rng: np.random.Generator) -> Iterator[float]:
    """Yield when each record of an open load is due (s since the start), until its duration is over.

    The first is due at once, as with a real paced source; gaps follow.

    Bursty gaps are hyper-exponential with two phases of balanced means (Whitt 1982, "Approximating a point process by
    a renewal process, I", Operations Research 30, eq. 3.6).

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
    elif pace.arrivals in ("poisson", "bursty"):
        scv = pace.scv if pace.arrivals == "bursty" else 1.0
        part = (1.0 + math.sqrt((scv - 1.0) / (scv + 1.0))) / 2.0
        now = 0.0
        yield now
        while True:
            gaps = rng.standard_exponential(BLOCK)
            if scv > 1.0:
                gaps /= np.where(rng.random(BLOCK) < part, 2.0 * part, 2.0 * (1.0 - part))
            block = now + np.cumsum(gaps) / pace.rate
            yield from block.tolist()
            now = float(block[-1])
    else:
        raise ModelError(f"arrivals cannot be {pace.arrivals!r}")
