"""Priorities: one server, Poisson classes, any service times; a class waits for its own and for those above it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.result import Load, Queue, require_finite
from streamsim.errors import ModelError


def nonpreemptive(
    arrival_rates: Sequence[float], service_times: Sequence[float], service_scvs: Sequence[float]
) -> tuple[Queue, ...]:
    """Solve the M/G/1 queue with priorities that do not interrupt a service, exactly; the first class goes first.

    wait of class k = R / ((1−σ_{k−1})(1−σ_k)), with σ_k = ρ₁+…+ρ_k and R = Σλᵢsᵢ²(1+c²ᵢ)/2 over all classes. Where
    σ_k reaches 1, class k is saturated, the classes below it get nothing, and in R class k counts with the rate that
    is left for it.

    Parameters
    ----------
    arrival_rates : λᵢ, 1/s, at least 0, from the highest class to the lowest.
    service_times : sᵢ, means, s, above 0.
    service_scvs : c²ᵢ, variance / mean², at least 0.

    Returns a Queue for each class; `utilisation` is the share of the server that serves this class, and
    `largest_rate` the rate of this class below which it holds.

    Raises ModelError for numbers outside these ranges and lengths that differ.

    Source: Cobham, Priority assignment in waiting line problems, Operations Research 2 (1954), 70-76; Kleinrock,
    Queueing Systems II (1976), section 3.6.

    >>> [round(queue.wait, 6) for queue in nonpreemptive([0.4, 0.4], [1.0, 1.0], [1.0, 1.0])]
    [1.333333, 6.666667]
    """
    loads, taken, sums = _classes(arrival_rates, service_times, service_scvs)
    residual = math.fsum(
        share * load.service_time * (1 + scv) / 2 for share, load, scv in zip(taken, loads, service_scvs, strict=True)
    )

    def wait(index: int) -> float:
        return residual / ((1 - sums[index]) * (1 - sums[index + 1]))

    return _queues("M/G/1 nonpreemptive", loads, taken, sums, wait)


def preemptive_resume(
    arrival_rates: Sequence[float], service_times: Sequence[float], service_scvs: Sequence[float]
) -> tuple[Queue, ...]:
    """Solve the M/G/1 queue whose higher classes interrupt, and whose interrupted services go on later, exactly.

    response_time of class k = s_k/(1−σ_{k−1}) + R_k/((1−σ_{k−1})(1−σ_k)), with R_k = Σλᵢsᵢ²(1+c²ᵢ)/2 over the classes
    up to k: those below do not exist for it. `wait` is all but the service itself, interruptions included.

    Parameters, answers and errors are those of `nonpreemptive`.

    Source: Kleinrock, Queueing Systems II (1976), section 3.6, problem 3.9; Gross and Harris, Fundamentals of Queueing
    Theory, priority queues.

    >>> [round(queue.response_time, 6) for queue in preemptive_resume([0.4, 0.4], [1.0, 1.0], [1.0, 1.0])]
    [1.666667, 8.333333]
    """
    loads, taken, sums = _classes(arrival_rates, service_times, service_scvs)
    work = [
        share * load.service_time * (1 + scv) / 2 for share, load, scv in zip(taken, loads, service_scvs, strict=True)
    ]
    residuals = list(itertools.accumulate(work))

    def wait(index: int) -> float:
        above = 1 - sums[index]
        service = loads[index].service_time
        return service * sums[index] / above + residuals[index] / (above * (1 - sums[index + 1]))

    return _queues("M/G/1 preemptive-resume", loads, taken, sums, wait)


def _classes(
    arrival_rates: Sequence[float], service_times: Sequence[float], service_scvs: Sequence[float]
) -> tuple[list[Load], list[float], list[float]]:
    """Return the loads, the share of the server that each class takes, and σ₀ = 0, σ₁, … as far as they are below 1."""
    if not arrival_rates:
        raise ModelError("arrival_rates: no classes; at least one belongs here")
    checks.same_length("service_times", service_times, len(arrival_rates))
    checks.same_length("service_scvs", service_scvs, len(arrival_rates))
    for index, scv in enumerate(service_scvs):
        checks.non_negative(f"service_scvs[{index}]", scv)
    loads = [Load(rate, time) for rate, time in zip(arrival_rates, service_times, strict=True)]
    sums, taken = [0.0], []
    for load in loads:
        taken.append(min(load.offered, 1 - sums[-1]))
        sums.append(1.0 if load.offered >= 1 - sums[-1] else sums[-1] + load.offered)
    return loads, taken, sums


def _queues(
    method: str, loads: list[Load], taken: list[float], sums: list[float], wait_of: Callable[[int], float]
) -> tuple[Queue, ...]:
    queues = []
    for index, load in enumerate(loads):
        full = sums[index + 1] >= 1
        wait = None if full else wait_of(index)
        queue = Queue(
            method=method,
            exact=True,
            saturated=full,
            utilisation=taken[index],
            throughput=taken[index] / load.service_time if full else load.arrival_rate,
            largest_rate=(1 - sums[index]) / load.service_time,
            wait=wait,
            response_time=None if wait is None else wait + load.service_time,
            in_queue=None if wait is None else load.arrival_rate * wait,
            in_system=None if wait is None else load.arrival_rate * (wait + load.service_time),
        )
        require_finite(queue)
        queues.append(queue)
    return tuple(queues)
