"""M/M/c: c like servers with one queue, Poisson arrivals, exponential service; Erlang's B and C formulas."""

from __future__ import annotations

from typing import Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.response_law import ResponseLaw
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady


def erlang_b(servers: int, offered: float) -> float:
    """Return the share of arrivals lost where c servers have no queue (M/M/c/c, and M/G/c/c just so).

    B(0) = 1, B(n) = aB(n−1) / (n + aB(n−1)): a recursion without factorials, stable for thousands of servers.

    Parameters
    ----------
    servers : c, at least 1.
    offered : a = λs, erlang, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Cooper, Introduction to Queueing Theory (1981), chapter 3; Kleinrock (1975), section 3.7.

    >>> round(erlang_b(10, 5.0), 8)
    0.01838457
    """
    checks.countable("servers", servers, least=1)
    checks.non_negative("offered", offered)
    blocked = 1.0
    for n in range(1, servers + 1):
        carried = offered * blocked
        blocked = carried / (n + carried)
    return blocked


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival waits in M/M/c.

    C = B / (1 − ρ(1−B)), with ρ = a/c and B from Erlang B; 1 where ρ ≥ 1.

    Parameters
    ----------
    servers : c, at least 1.
    offered : a = λs, erlang, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Cooper (1981), chapter 3; Kleinrock (1975), section 3.5.

    >>> round(erlang_c(4, 3.2), 8)
    0.59643247
    """
    lost = erlang_b(servers, offered)
    rho = offered / servers
    return min(1.0, lost / (1 - rho * (1 - lost))) if rho < 1 else 1.0


def mmc(arrival_rate: float, service_time: float, servers: int) -> Queue:
    """Solve the M/M/c queue, first come first served, exactly.

    wait = C(c, λs) · (s/c) / (1−ρ), with ρ = λs/c. Who waits, waits an exponential time of rate (1−ρ)c/s,
    which gives the law of the response time.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    servers : c, at least 1.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock (1975), section 3.5; Gross and Harris, Fundamentals of Queueing Theory, example 2.2:

    >>> round(mmc(arrival_rate=6, service_time=1 / 3, servers=3).in_queue, 6)
    0.888889
    """
    load = Load(arrival_rate, service_time, servers)
    if load.saturated:
        return saturated("M/M/c", load, exact=True)
    waiting = erlang_c(servers, load.offered)
    law = ResponseLaw(
        probability_of_waiting=waiting,
        drain_rate=(1 - load.ratio) * load.largest_rate,
        service_rate=1 / service_time,
    )
    wait = waiting * (service_time / servers) / (1 - load.ratio)
    return steady("M/M/c", load, wait, exact=True, probability_of_waiting=waiting, response_law=law)


MODELS: Final = {"M/M/c": mmc}
