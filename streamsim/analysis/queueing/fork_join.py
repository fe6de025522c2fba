"""Fork and join: a record is copied to K like stations and is done when all copies are; and split-merge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.mg1 import mg1
from streamsim.analysis.queueing.result import Load
from streamsim.errors import ModelError

MOST_BRANCHES = 32
MOST_UNLIKE = 16
"""Branches with times of their own: the mean of the longest is a sum over all their subsets."""


class ForkJoin(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of a fork-join, or the answer that it has none.

    `response_time` (s) runs from the fork to the last copy; `longest` is what it would at most be, if the branches were
    independent. Both are None where saturated; `largest_rate` (1/s) is what holds.
    """

    method: str
    exact: bool
    saturated: bool
    utilisation: float
    largest_rate: float
    response_time: float | None
    longest: float | None


def fork_join(arrival_rate: float, service_time: float, branches: int) -> ForkJoin:
    """Solve a fork-join of like exponential stations with queues of their own, for Poisson arrivals.

    Two branches exactly, R₂ = (12−ρ)/8 · s/(1−ρ); more by Nelson and Tantawi's scaling approximation,
    R_K ≈ (H_K/H₂ + (1 − H_K/H₂)·4ρ/11)·R₂, within 5 % up to 32 branches. No more than H_K·s/(1−ρ) in any case.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    branches : K, 1 to 32.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Flatto and Hahn, Two parallel queues created by arrivals with two demands, SIAM J. Appl. Math. 44 (1984),
    1041-1053; Nelson and Tantawi, Approximate analysis of fork/join synchronization in parallel queues, IEEE Trans.
    Computers 37 (1988), 739-743.

    >>> fork_join(0.5, 1.0, branches=2).response_time
    2.875
    """
    load = Load(arrival_rate, service_time)
    if checks.whole("branches", branches, least=1) > MOST_BRANCHES:
        raise ModelError(f"branches: {branches} stands where at most {MOST_BRANCHES} belong: the formula holds so far")
    method = "M/M/1" if branches == 1 else "fork-join" if branches == 2 else "fork-join Nelson-Tantawi"
    rho = load.ratio
    if load.saturated:
        return _no_steady_state(method, load, exact=branches <= 2)
    alone = service_time / (1 - rho)
    two = (12 - rho) / 8 * alone
    growth = _harmonic(branches) / 1.5
    response = alone if branches == 1 else (growth + (1 - growth) * 4 * rho / 11) * two
    return ForkJoin(
        method=method,
        exact=branches <= 2,
        saturated=False,
        utilisation=rho,
        largest_rate=load.largest_rate,
        response_time=response,
        longest=_harmonic(branches) * alone,
    )


def split_merge(arrival_rate: float, service_times: Sequence[float]) -> ForkJoin:
    """Solve a split-merge exactly: no branch takes a new record before all have finished the one they share.

    An M/G/1 queue whose service is the longest of K exponential times, with moments by inclusion and exclusion.
    `utilisation` is the share of time in which a record is served.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_times : means of the branches, s, above 0, 1 to 16 of them.

    Raises ModelError for numbers outside these ranges. A load of 1 or more is answered with `saturated`.

    Source: Thomasian, Analysis of fork/join and related queueing systems, ACM Computing Surveys 47 (2014), section 4.

    >>> round(split_merge(0.25, [1.0, 1.0]).response_time, 6)
    2.2
    """
    for index, time in enumerate(service_times):
        checks.positive(f"service_times[{index}]", time)
    if not 1 <= len(service_times) <= MOST_UNLIKE:
        raise ModelError(f"service_times: {len(service_times)} branches where 1 to {MOST_UNLIKE} belong")
    mean, scv = longest_of(service_times)
    load = Load(arrival_rate, mean)
    queue = mg1(arrival_rate, mean, scv)
    if queue.response_time is None:
        return _no_steady_state("split-merge", load, exact=True)
    return ForkJoin(
        method="split-merge",
        exact=True,
        saturated=False,
        utilisation=load.ratio,
        largest_rate=load.largest_rate,
        response_time=queue.response_time,
        longest=queue.response_time,
    )


def longest_of(times: Sequence[float]) -> tuple[float, float]:
    """Return mean (s) and scv of the longest of independent exponential times with these means (s).

    >>> longest_of([1.0, 1.0])
    (1.5, 0.5555555555555556)
    """
    first, second = [], []
    for size in range(1, len(times) + 1):
        for subset in itertools.combinations(times, size):
            shortest = 1 / math.fsum(1 / time for time in subset)
            sign = 1 if size % 2 else -1
            first.append(sign * shortest)
            second.append(sign * 2 * shortest**2)
    mean = math.fsum(first)
    return mean, max(0.0, math.fsum(second) / mean**2 - 1)


def _harmonic(count: int) -> float:
    return math.fsum(1 / n for n in range(1, count + 1))


def _no_steady_state(method: str, load: Load, *, exact: bool) -> ForkJoin:
    return ForkJoin(
        method=method,
        exact=exact,
        saturated=True,
        utilisation=1.0,
        largest_rate=load.largest_rate,
        response_time=None,
        longest=None,
    )
