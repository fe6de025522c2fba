"""G/G/c: c servers with one queue, gaps and service known by mean and scv alone; two approximations."""

from __future__ import annotations

import math
from typing import Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.mmc import erlang_c
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady


def allen_cunneen(
    arrival_rate: float, service_time: float, servers: int, arrival_scv: float, service_scv: float
) -> Queue:
    """Approximate the G/G/c queue by Allen and Cunneen's formula.

    wait ≈ (c²a + c²s)/2 · wait of M/M/c. Exact for M/M/c and M/G/1.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    servers : c, at least 1.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Allen, Probability, Statistics, and Queueing Theory, 2nd ed. (1990), chapter 5; Whitt,
    Approximations for the GI/G/m queue, Production and Operations Management 2 (1993), 114-161, the starting
    point of section 2.

    >>> round(allen_cunneen(3.2, 1.0, servers=4, arrival_scv=1.0, service_scv=1.0).wait, 6)
    0.745541
    """
    load = _load(arrival_rate, service_time, servers, arrival_scv, service_scv)
    if load.saturated:
        return saturated("G/G/c Allen-Cunneen", load, exact=False)
    wait = (arrival_scv + service_scv) / 2 * _markov_wait(load, erlang_c(servers, load.offered))
    return steady("G/G/c Allen-Cunneen", load, wait, exact=False)


def whitt(arrival_rate: float, service_time: float, servers: int, arrival_scv: float, service_scv: float) -> Queue:
    """Approximate the G/G/c queue by Whitt's formula of 1993: Allen and Cunneen's with a correction φ.

    wait ≈ φ · (c²a + c²s)/2 · wait of M/M/c, where
        γ  = min(0.24, (1−ρ)(c−1)(√(4+5c) − 2)/(16cρ))
        φ₁ = 1+γ, right for M/D/c;  φ₃ = (1−4γ)exp(−2(1−ρ)/(3ρ)), right for D/M/c
        ψ  = min(1, (φ₁+φ₃)/2) to the power 2−c²a−c²s, or 1 where c²a + c²s ≥ 2
        φ  = [4(c²a−c²s)φ₁ + c²s·ψ] / (4c²a−3c²s) where c²a ≥ c²s,
             [(c²s−c²a)φ₃ + (c²s+3c²a)ψ] / (2(c²a+c²s)) elsewhere.
    P(wait > 0) comes from normal approximations in heavy traffic, scaled to Erlang C.
    Exact for M/M/c. The equation for φ, taken as printed, gives D/M/c only half the weight of φ₃, and makes the
    wait of M/G/c too short where c²s > 1 and ρ is small; Allen and Cunneen's formula is better there.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    servers : c, at least 1.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Whitt, Approximations for the GI/G/m queue, Production and Operations Management 2 (1993),
    114-161, equations (2.16) to (2.25), pp. 124-125, for the wait, and (3.5) to (3.11), pp. 136-139, for the
    probability.

    >>> round(whitt(1.8, 1.0, servers=2, arrival_scv=1.0, service_scv=0.0).wait, 4)
    2.1445
    """
    load = _load(arrival_rate, service_time, servers, arrival_scv, service_scv)
    if load.saturated:
        return saturated("G/G/c Whitt", load, exact=False)
    wait, waiting = 0.0, erlang_c(servers, load.offered)
    mean_scv = (arrival_scv + service_scv) / 2
    if load.ratio > 0 and mean_scv > 0:
        correction = _correction(load, arrival_scv, service_scv)
        wait = correction * mean_scv * _markov_wait(load, waiting)
    probability = min(1.0, _waiting(load, arrival_scv, service_scv, waiting))
    return steady("G/G/c Whitt", load, wait, exact=False, probability_of_waiting=probability)


def _load(arrival_rate: float, service_time: float, servers: int, arrival_scv: float, service_scv: float) -> Load:
    checks.non_negative("arrival_scv", arrival_scv)
    checks.non_negative("service_scv", service_scv)
    return Load(arrival_rate, service_time, servers)


def _markov_wait(load: Load, waiting: float) -> float:
    """Return the wait (s) of the M/M/c queue with the same load."""
    return waiting * (load.service_time / load.servers) / (1 - load.ratio)


def _correction(load: Load, arrival_scv: float, service_scv: float) -> float:
    """Return φ, Whitt (1993) equation (2.25)."""
    rho, servers = load.ratio, load.servers
    scale = (1 - rho) * (servers - 1) * (math.sqrt(4 + 5 * servers) - 2) / (16 * servers)
    gamma = min(0.24, scale / rho)
    even_service = 1 + gamma
    even_arrivals = (1 - 4 * gamma) * math.exp(-2 * (1 - rho) / 3 / rho)
    both = min(1.0, (even_service + even_arrivals) / 2)
    mean_scv = (arrival_scv + service_scv) / 2
    alike = 1.0 if mean_scv >= 1 else both ** (2 * (1 - mean_scv))
    # (2.25) with numerator and denominator divided by the larger scv, so that nothing overflows
    if arrival_scv >= service_scv:
        part = service_scv / arrival_scv
        return (4 * (1 - part) * even_service + part * alike) / (4 - 3 * part)
    part = arrival_scv / service_scv
    return ((1 - part) * even_arrivals + (1 + 3 * part) * alike) / (2 * (1 + part))


def _waiting(load: Load, arrival_scv: float, service_scv: float, markov: float) -> float:
    """Return P(wait > 0), Whitt (1993) equations (3.5) to (3.11); `markov` is that of M/M/c."""
    rho, servers = load.ratio, load.servers
    slack = (1 - rho) * math.sqrt(servers)
    spread = (arrival_scv + service_scv) / (1 + service_scv)
    if spread == 0:
        return 0.0  # constant gaps and constant services: nobody waits below saturation
    heavy = _scaled(slack / spread, slack, markov)
    light = _scaled(2 * slack / (1 + arrival_scv), slack, markov)
    general = rho * rho * heavy + (1 - rho * rho) * light
    deviation = math.sqrt(load.offered * spread)
    if servers < 7 or arrival_scv >= 1 or deviation == 0:
        return general
    # with many servers and even arrivals, few of which wait, the infinite-server queue tells more
    distance = (servers * (1 - rho) - 0.5) / deviation
    infinite = arrival_scv * general + (1 - arrival_scv) * _normal_tail(distance)
    if distance >= 1:
        return infinite
    share = 2 * (1 - arrival_scv) * max(0.0, distance - 0.5)
    return share * infinite + (1 - share) * general


def _scaled(threshold: float, reference: float, markov: float) -> float:
    """Return the ratio of two normal tails times P(wait > 0) of M/M/c, at most 1."""
    below = _normal_tail(reference)
    # the tail underflows only with so many idle servers that P(wait > 0) of M/M/c does too
    return min(1.0, _normal_tail(threshold) / below * markov) if below > 0 else 0.0


def _normal_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


MODELS: Final = {"G/G/c Allen-Cunneen": allen_cunneen, "G/G/c Whitt": whitt}
