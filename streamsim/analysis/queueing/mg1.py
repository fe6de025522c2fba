"""M/G/1: one server, Poisson arrivals, any service time; first come first served, or processor sharing."""

from __future__ import annotations

from typing import Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady


def mg1(arrival_rate: float, service_time: float, service_scv: float) -> Queue:
    """Solve the M/G/1 queue by the Pollaczek-Khinchine mean-value formula, exactly.

    wait = ρs(1+c²) / (2(1−ρ)), with ρ = λs; P(wait > 0) = ρ. It holds for every order of service that looks
    neither at the service times nor interrupts.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    service_scv : c², variance / mean² of the service time, at least 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock, Queueing Systems I (1975), section 5.6.

    >>> mg1(arrival_rate=0.5, service_time=1.0, service_scv=3.0).wait
    2.0
    """
    return _pollaczek_khinchine("M/G/1", arrival_rate, service_time, service_scv)


def md1(arrival_rate: float, service_time: float) -> Queue:
    """Solve the M/D/1 queue, where every service takes the same time, exactly.

    wait = ρs / (2(1−ρ)): the Pollaczek-Khinchine formula with c² = 0.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, s, above 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock (1975), section 5.6.

    >>> md1(arrival_rate=0.5, service_time=1.0).wait
    0.5
    """
    return _pollaczek_khinchine("M/D/1", arrival_rate, service_time, 0.0)


def mg1_ps(arrival_rate: float, service_time: float) -> Queue:
    """Solve the M/G/1 queue under egalitarian processor sharing, exactly.

    response_time = s/(1−ρ), whatever the law of the service time. Nobody queues there; `wait` is what sharing
    adds to the service time, and `in_queue` = λ·wait.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean time alone at the server, s, above 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock, Queueing Systems II (1976), section 4.4.

    >>> mg1_ps(arrival_rate=0.5, service_time=1.0).response_time
    2.0
    """
    load = Load(arrival_rate, service_time)
    if load.saturated:
        return saturated("M/G/1-PS", load, exact=True)
    wait = load.ratio * service_time / (1 - load.ratio)
    return steady("M/G/1-PS", load, wait, exact=True)


def _pollaczek_khinchine(method: str, arrival_rate: float, service_time: float, service_scv: float) -> Queue:
    load = Load(arrival_rate, service_time)
    checks.non_negative("service_scv", service_scv)
    if load.saturated:
        return saturated(method, load, exact=True)
    rho = load.ratio
    wait = rho * service_time * (1 + service_scv) / (2 * (1 - rho))
    return steady(method, load, wait, exact=True, probability_of_waiting=rho)


MODELS: Final = {"M/G/1": mg1, "M/D/1": md1, "M/G/1-PS": mg1_ps}
