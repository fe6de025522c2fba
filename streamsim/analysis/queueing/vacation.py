"""Servers that are away: M/G/1 with vacations while it is idle, and with a start-up when work comes again."""

from __future__ import annotations

import math

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.mg1 import mg1
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady


def multiple_vacations(
    arrival_rate: float, service_time: float, service_scv: float, vacation_time: float, vacation_scv: float
) -> Queue:
    """Solve the M/G/1 queue whose idle server takes vacations, one after the other until work is there, exactly.

    wait = wait of M/G/1 + E[V²]/(2E[V]), what is left of the vacation that an arrival finds.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    service_scv : c², variance / mean² of the service time, at least 0.
    vacation_time, vacation_scv : mean (s, above 0) and scv (at least 0) of one vacation.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Doshi, Queueing systems with vacations, a survey, Queueing Systems 1 (1986), 29-66, section 2; Takagi,
    Queueing Analysis 1 (1991), chapter 2.

    >>> multiple_vacations(0.5, 1.0, 1.0, vacation_time=2.0, vacation_scv=1.0).wait
    3.0
    """
    extra = (
        checks.positive("vacation_time", vacation_time) * (1 + checks.non_negative("vacation_scv", vacation_scv)) / 2
    )
    return _delayed("M/G/1 multiple vacations", arrival_rate, service_time, service_scv, extra)


def single_vacation(
    arrival_rate: float, service_time: float, service_scv: float, vacation_time: float, vacation_scv: float
) -> Queue:
    """Solve the M/G/1 queue whose server takes one vacation whenever it falls idle, then waits for work, exactly.

    wait = wait of M/G/1 + λE[V²] / (2(λE[V] + E[e^(−λV)])), for vacations with a gamma law.

    Parameters and errors are those of `multiple_vacations`.

    Source: Takagi, Queueing Analysis 1 (1991), section 2.2; Levy and Yechiali, Utilization of idle time in an M/G/1
    queueing system, Management Science 22 (1975), 202-211.

    >>> round(single_vacation(0.5, 1.0, 1.0, vacation_time=2.0, vacation_scv=1.0).wait, 9)
    2.333333333
    """
    checks.non_negative("arrival_rate", arrival_rate)
    checks.positive("vacation_time", vacation_time)
    checks.non_negative("vacation_scv", vacation_scv)
    expected = arrival_rate * vacation_time  # arrivals during one vacation
    spread = vacation_scv * expected
    none = math.exp(-math.log1p(spread) / vacation_scv) if spread > 1e-12 else math.exp(-expected)
    extra = expected * vacation_time * (1 + vacation_scv) / (2 * (expected + none))
    return _delayed("M/G/1 single vacation", arrival_rate, service_time, service_scv, extra)


def start_up(
    arrival_rate: float, service_time: float, service_scv: float, start_time: float, start_scv: float
) -> Queue:
    """Solve the M/G/1 queue whose server, once idle, needs a start-up before it serves the next arrival, exactly.

    wait = wait of M/G/1 + (2E[D] + λE[D²]) / (2(1 + λE[D])): a reader that slept and must be woken.

    Parameters
    ----------
    start_time, start_scv : mean (s, at least 0) and scv (at least 0) of one start-up; the rest as for
        `multiple_vacations`.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Welch, On a generalized M/G/1 queuing process in which the first customer of each busy period receives
    exceptional service, Operations Research 12 (1964), 736-752; Takagi (1991), section 2.3.

    >>> start_up(0.5, 1.0, 1.0, start_time=0.0, start_scv=0.0).wait
    1.0
    """
    checks.non_negative("arrival_rate", arrival_rate)
    checks.non_negative("start_time", start_time)
    checks.non_negative("start_scv", start_scv)
    expected = arrival_rate * start_time
    extra = start_time * (2 + expected * (1 + start_scv)) / (2 * (1 + expected))
    return _delayed("M/G/1 start-up", arrival_rate, service_time, service_scv, extra)


def _delayed(method: str, arrival_rate: float, service_time: float, service_scv: float, extra: float) -> Queue:
    load = Load(arrival_rate, service_time)
    plain = mg1(arrival_rate, service_time, service_scv)
    if plain.wait is None:
        return saturated(method, load, exact=True)
    return steady(method, load, plain.wait + extra, exact=True)
