"""G/G/1: one server, gaps and service known by mean and scv alone; three approximations and a bound."""

from __future__ import annotations

import math
from typing import Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady

_KLB = "G/G/1 Kraemer-Langenbach-Belz"


def kingman(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> Queue:
    """Approximate the G/G/1 queue by Kingman's heavy-traffic formula.

    wait ≈ ρ/(1−ρ) · (c²a + c²s)/2 · s. Exact for Poisson arrivals and in the limit ρ → 1; too long at small ρ
    where c²a < 1.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kingman, The single server queue in heavy traffic, Proc. Camb. Phil. Soc. 57 (1961), 902-904.

    >>> round(kingman(arrival_rate=0.8, service_time=1.0, arrival_scv=0.5, service_scv=0.5).wait, 6)
    2.0
    """
    load = _load(arrival_rate, service_time, arrival_scv, service_scv)
    if load.saturated:
        return saturated("G/G/1 Kingman", load, exact=False)
    return steady("G/G/1 Kingman", load, _heavy_traffic(load, arrival_scv, service_scv), exact=False)


def kingman_bound(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> float | None:
    """Return a time (s) that the mean wait of no GI/G/1 queue with these moments exceeds; None if saturated.

    wait ≤ (c²a/ρ + ρc²s) · s / (2(1−ρ)). Without arrivals the bound is void, and None as well.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Kingman, Some inequalities for the queue GI/G/1, Biometrika 49 (1962), 315-324.

    >>> round(kingman_bound(arrival_rate=0.5, service_time=1.0, arrival_scv=1.0, service_scv=1.0), 6)
    2.5
    """
    load = _load(arrival_rate, service_time, arrival_scv, service_scv)
    if load.saturated or load.ratio == 0:
        return None
    spread = arrival_scv / load.ratio + load.ratio * service_scv
    bound = spread * service_time / (2 * (1 - load.ratio))
    return bound if math.isfinite(bound) else None


def kraemer_langenbach_belz(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> Queue:
    """Approximate the G/G/1 queue by Kingman's formula with the correction of Krämer and Langenbach-Belz.

    With c²a ≤ 1:
        wait ≈ ρ/(1−ρ) · (c²a + c²s)/2 · s · exp(−2(1−ρ)(1−c²a)² / (3ρ(c²a + c²s)))
        P(wait > 0) ≈ ρ + (c²a−1)ρ(1−ρ) · (1 + c²a + ρc²s) / (1 + ρ(c²s−1) + ρ²(4c²a + c²s))
    With c²a > 1:
        wait ≈ ρ/(1−ρ) · (c²a + c²s)/2 · s · exp(−(1−ρ)(c²a−1) / (c²a + 4c²s))
        P(wait > 0) ≈ ρ + (c²a−1)ρ(1−ρ) · 4ρ / (c²a + ρ²(4c²a + c²s))
    Exact for Poisson arrivals.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Krämer and Langenbach-Belz, Approximate formulae for the delay in the queueing system GI/G/1,
    Proc. 8th Int. Teletraffic Congress (1976), 235-1/8; Whitt, The Queueing Network Analyzer, BSTJ 62 (1983),
    section 5.1.

    >>> round(kraemer_langenbach_belz(0.8, 1.0, arrival_scv=0.5, service_scv=0.5).wait, 6)
    1.918379
    """
    load = _load(arrival_rate, service_time, arrival_scv, service_scv)
    if load.saturated:
        return saturated(_KLB, load, exact=False)
    wait = _heavy_traffic(load, arrival_scv, service_scv)
    if wait > 0:
        wait *= math.exp(-_klb_exponent(load.ratio, arrival_scv, service_scv))
    waiting = _klb_waiting(load.ratio, arrival_scv, service_scv)
    return steady(_KLB, load, wait, exact=False, probability_of_waiting=waiting)


def marchal(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> Queue:
    """Approximate the G/G/1 queue by Marchal's formula.

    A bound is scaled so that it is exact for Poisson arrivals. Where c²a is far above 1 and c²s too, it can fall
    while ρ rises, so it is of no use there:
    wait ≈ ρ(1 + c²s)/(1 + ρ²c²s) · (c²a + ρ²c²s)/(2(1−ρ)) · s.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Marchal, An approximate formula for waiting time in single server queues, AIIE Transactions 8
    (1976), 473-474.

    >>> round(marchal(0.8, 1.0, arrival_scv=0.5, service_scv=0.5).wait, 6)
    1.863636
    """
    load = _load(arrival_rate, service_time, arrival_scv, service_scv)
    if load.saturated:
        return saturated("G/G/1 Marchal", load, exact=False)
    rho = load.ratio
    scale = rho * (1 + service_scv) / (1 + rho * rho * service_scv)
    wait = scale * (arrival_scv + rho * rho * service_scv) / (2 * (1 - rho)) * service_time
    return steady("G/G/1 Marchal", load, wait, exact=False)


def _load(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> Load:
    checks.non_negative("arrival_scv", arrival_scv)
    checks.non_negative("service_scv", service_scv)
    return Load(arrival_rate, service_time)


def _heavy_traffic(load: Load, arrival_scv: float, service_scv: float) -> float:
    rho = load.ratio
    return rho / (1 - rho) * ((arrival_scv + service_scv) / 2) * load.service_time


def _klb_exponent(rho: float, arrival_scv: float, service_scv: float) -> float:
    """Return −log g; only called where ρ and one of the scv are above 0."""
    if arrival_scv > 1:
        return (1 - rho) * (arrival_scv - 1) / (arrival_scv + 4 * service_scv)
    # divided one after the other: the product of a small ρ and a small scv can underflow to 0
    return 2 * (1 - rho) * (1 - arrival_scv) ** 2 / 3 / rho / (arrival_scv + service_scv)


def _klb_waiting(rho: float, arrival_scv: float, service_scv: float) -> float:
    """Return P(wait > 0), kept within 0 and 1, which the formula can leave by a little."""
    mixed = rho * rho * (4 * arrival_scv + service_scv)
    if arrival_scv > 1:
        shape = 4 * rho / (arrival_scv + mixed)
    else:
        shape = (1 + arrival_scv + rho * service_scv) / (1 + rho * (service_scv - 1) + mixed)
    return min(1.0, max(0.0, rho + (arrival_scv - 1) * rho * (1 - rho) * shape))


MODELS: Final = {"G/G/1 Kingman": kingman, _KLB: kraemer_langenbach_belz, "G/G/1 Marchal": marchal}
