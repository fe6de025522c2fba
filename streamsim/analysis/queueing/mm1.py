"""M/M/1: one server, Poisson arrivals, exponential service, first come first served."""

from __future__ import annotations

from typing import Final

from streamsim.analysis.queueing.checks import positive
from streamsim.analysis.queueing.response_law import ResponseLaw
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady


def mm1(arrival_rate: float, service_time: float) -> Queue:
    """Solve the M/M/1 queue exactly.

    With ρ = λs: wait = ρs/(1−ρ), P(wait > 0) = ρ, and the response time is exponential with rate (1−ρ)/s.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock, Queueing Systems I (1975), section 3.2.

    >>> mm1(arrival_rate=0.5, service_time=1.0).response_time
    2.0
    """
    load = Load(arrival_rate, service_time)
    if load.saturated:
        return saturated("M/M/1", load, exact=True)
    rho = load.ratio
    law = ResponseLaw(
        probability_of_waiting=rho, drain_rate=(1 - rho) * load.largest_rate, service_rate=load.largest_rate
    )
    wait = rho * service_time / (1 - rho)
    return steady("M/M/1", load, wait, exact=True, probability_of_waiting=rho, response_law=law)


def wait_asymptotic_variance(arrival_rate: float, service_time: float) -> float | None:
    """Return n·Var of the mean wait of n successive records of an M/M/1 queue, for large n (s²); None if saturated.

    s²ρ(2 + 5ρ − 4ρ² + ρ³)/(1−ρ)⁴. A run of n records knows the mean wait to ±1.96·√(this/n), so that a simulation's
    length can be planned.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.

    Raises ModelError for numbers outside these ranges.

    Source: Daley, The serial correlation coefficients of waiting times in a stationary single server queue, J. Austral.
    Math. Soc. 8 (1968), 683-699; Whitt, Planning queueing simulations, Management Science 35 (1989), 1341-1366.

    >>> round(wait_asymptotic_variance(arrival_rate=0.8, service_time=1.0), 6)
    1976.0
    """
    load = Load(arrival_rate, service_time)
    if load.saturated:
        return None
    rho = load.ratio
    variance = service_time**2 * rho * (2 + 5 * rho - 4 * rho**2 + rho**3) / (1 - rho) ** 4
    return positive("service_time", variance) if rho > 0 else 0.0


MODELS: Final = {"M/M/1": mm1}
