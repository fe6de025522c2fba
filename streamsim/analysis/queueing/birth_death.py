"""Steady state of a finite birth-death chain whose births only slow down and whose deaths only speed up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.errors import ModelError


def steady_state(births: Sequence[float], deaths: Sequence[float]) -> tuple[float, ...]:
    """Return p(0), …, p(K), with p(n+1)/p(n) = births[n]/deaths[n].

    The ratios fall with n, so p has one peak. The recursion starts there and walks both ways: every weight is
    at most 1, nothing overflows, and what underflows is too small to matter, whatever K is.

    Parameters
    ----------
    births : rates out of states 0 … K−1 upwards, 1/s, at least 0, never rising.
    deaths : rates out of states 1 … K downwards, 1/s, above 0, never falling; as many as births.

    Raises ModelError if the two differ in length.

    Source: Kleinrock (1975), section 3.1 (the product form of a birth-death chain).

    >>> steady_state([1.0, 1.0], [1.0, 1.0])
    (0.3333333333333333, 0.3333333333333333, 0.3333333333333333)
    """
    if len(births) != len(deaths):
        raise ModelError(f"births and deaths: {len(births)} and {len(deaths)} rates, where as many belong")
    rises = [birth >= death for birth, death in zip(births, deaths, strict=True)]
    peak = rises.index(False) if False in rises else len(rises)
    weights = [0.0] * (len(births) + 1)
    weights[peak] = 1.0
    for n in range(peak, len(births)):
        weights[n + 1] = weights[n] * (births[n] / deaths[n])
    for n in range(peak, 0, -1):
        weights[n - 1] = weights[n] * (deaths[n - 1] / births[n - 1])
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def mean(numbers: Sequence[float], probabilities: Sequence[float]) -> float:
    """Return the mean of the numbers under these probabilities, both in order of the states.

    The probabilities add up to 1 but for rounding; the mean is kept from leaving the range of the numbers by it.

    >>> mean([0, 1, 2], [0.25, 0.5, 0.25])
    1.0
    """
    total = math.fsum(number * share for number, share in zip(numbers, probabilities, strict=True))
    return min(max(total, min(numbers)), max(numbers))
