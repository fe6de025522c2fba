"""Bounds on closed networks with one class that need no iteration: asymptotic, balanced-job, geometric."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Between which values throughput (1/s) and response time (s, think time not counted) of a network are."""

    method: str
    lowest_throughput: float
    highest_throughput: float
    shortest_response: float
    longest_response: float


def asymptotic_bounds(population: int, demands: Sequence[float], think_time: float = 0.0) -> Bounds:
    """Bound a closed network by what its slowest station and a lone record allow.

    N/(Z + N·D) ≤ X ≤ min(1/D_max, N/(Z + D)), with D the sum of the demands. They hold for any service law and order.

    Parameters
    ----------
    population : N, at least 1.
    demands : mean visits times mean service time at each single server, s, at least 0, not all 0.
    think_time : Z, s, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Lazowska et al., Quantitative System Performance (1984), section 5.2.

    >>> bounds = asymptotic_bounds(20, [9.2, 8.0], think_time=120.0)
    >>> round(bounds.highest_throughput, 4), round(bounds.shortest_response, 9)
    (0.1087, 64.0)
    """
    total, largest = _checked(population, demands, think_time)
    lowest = population / (think_time + population * total)
    highest = min(1 / largest, population / (think_time + total))
    return _bounds("asymptotic", population, think_time, lowest, highest)


def balanced_job_bounds(population: int, demands: Sequence[float], think_time: float = 0.0) -> Bounds:
    """Bound a closed network by balanced ones, tighter than the asymptotic bounds; for product-form networks.

    N/(Z+D+(N−1)D_max/(1+Z/(ND))) ≤ X ≤ min(1/D_max, N/(Z+D+(N−1)D̄/(1+Z/D))), D̄ the mean demand of a station.

    Parameters and errors are those of `asymptotic_bounds`.

    Source: Zahorjan et al., Balanced job bound analysis of queueing networks, Comm. ACM 25 (1982), 134-141; Lazowska et
    al. (1984), section 5.4.

    >>> bounds = balanced_job_bounds(10, [0.2] * 5)
    >>> round(bounds.lowest_throughput, 6), round(bounds.highest_throughput, 6)
    (3.571429, 3.571429)
    """
    total, largest = _checked(population, demands, think_time)
    visited = [demand for demand in demands if demand > 0]
    crowded = (population - 1) * largest / (1 + think_time / (population * total))
    even = (population - 1) * (total / len(visited)) / (1 + think_time / total)
    lowest = population / (think_time + total + crowded)
    highest = min(1 / largest, population / (think_time + total + even))
    return _bounds("balanced job", population, think_time, lowest, highest)


def geometric_bounds(population: int, demands: Sequence[float], think_time: float = 0.0) -> Bounds:
    """Bound a closed product-form network by bounding its queues geometrically: the tightest of the three.

    Parameters and errors are those of `asymptotic_bounds`. Where a bound of the others is tighter, it is taken.

    Source: Casale, Muntz and Serazzi, Geometric bounds: a noniterative analysis technique for closed queueing networks,
    IEEE Trans. Computers 57 (2008), 780-794, equations (8) and (13) for the queues.

    >>> bounds = geometric_bounds(5, [0.1, 0.1, 0.09, 0.08])
    >>> round(bounds.lowest_throughput, 4), round(bounds.highest_throughput, 4)
    (6.6859, 6.754)
    """
    total, largest = _checked(population, demands, think_time)
    tight = balanced_job_bounds(population, demands, think_time)
    least, most = [0.0] * len(demands), [0.0] * len(demands)
    if population > 1:
        fewer = balanced_job_bounds(population - 1, demands, think_time)
        least, most = _queues(population - 1, demands, think_time, fewer.lowest_throughput, fewer.highest_throughput)
    slack = [largest - demand for demand in demands]
    base = think_time + total + largest * (population - 1)
    short = base - math.fsum(a * b for a, b in zip(slack, least, strict=True))
    long = base - math.fsum(a * b for a, b in zip(slack, most, strict=True))
    if think_time > 0:
        lowest = 2 * population / (short + math.sqrt(short**2 - 4 * think_time * largest * (population - 1)))
        inner = long**2 - 4 * think_time * largest * population
        highest = 2 * population / (long + math.sqrt(inner)) if inner >= 0 else math.inf
    else:
        lowest, highest = population / short, population / long
    return _bounds(
        "geometric",
        population,
        think_time,
        max(lowest, tight.lowest_throughput),
        min(highest, tight.highest_throughput),
    )


def _queues(
    population: int, demands: Sequence[float], think_time: float, low: float, high: float
) -> tuple[list[float], list[float]]:
    """Return the least and the greatest mean number at every station, below the largest demand geometrically."""
    total, largest = math.fsum(demands), max(demands)
    least: list[float] = []
    most: list[float] = []
    for demand in demands:
        ratios = (demand * population / (think_time + total + largest * population), demand * high)
        for numbers, ratio in zip((least, most), ratios, strict=True):
            numbers.append(math.fsum(ratio**n for n in range(1, population + 1)) if demand < largest else 0.0)
    slowest = [index for index, demand in enumerate(demands) if demand == largest]
    rests = (
        population - think_time * high - math.fsum(most),
        population - think_time * low - math.fsum(least),
    )
    for index in slowest:
        least[index], most[index] = max(0.0, rests[0]) / len(slowest), rests[1] / len(slowest)
    return least, most


def _checked(population: int, demands: Sequence[float], think_time: float) -> tuple[float, float]:
    checks.countable("population", population, least=1)
    checks.non_negative("think_time", think_time)
    for index, demand in enumerate(demands):
        checks.non_negative(f"demands[{index}]", demand)
    largest = max(demands, default=0.0)
    if largest == 0:
        raise ModelError("demands: no station needs any time; at least one demand above 0 belongs here")
    return math.fsum(demands), largest


def _bounds(method: str, population: int, think_time: float, lowest: float, highest: float) -> Bounds:
    if not all(math.isfinite(value) and value > 0 for value in (lowest, highest)):
        raise ModelError(f"{method}: the bounds overflowed; demands are too far apart to compute with")
    return Bounds(
        method=method,
        lowest_throughput=lowest,
        highest_throughput=highest,
        shortest_response=population / highest - think_time,
        longest_response=population / lowest - think_time,
    )
