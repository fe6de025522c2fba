"""Two stations with a finite pipe between, the first never short of work: exact throughput under blocking."""

from __future__ import annotations

from typing import Literal

import msgspec

from streamsim.analysis.queueing import birth_death, checks
from streamsim.analysis.queueing.result import Load
from streamsim.errors import ModelError

Blocking = Literal["after-service", "before-service"]


class Tandem(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of two stations in a row, per server of each.

    `throughput` is in 1/s. A server of the first station is running for the share `first_running` of the time
    and blocked otherwise; one of the second is running for `second_running` and starved otherwise. `in_pipe`
    is the mean number waiting between the stations.

    >>> two_stations(1.0, 1.0, waiting_places=0).second_starved
    0.3333333333333333
    """

    throughput: float
    first_running: float
    first_blocked: float
    second_running: float
    second_starved: float
    in_pipe: float


def two_stations(
    first_service_time: float,
    second_service_time: float,
    waiting_places: int,
    *,
    first_servers: int = 1,
    second_servers: int = 1,
    blocking: Blocking = "after-service",
) -> Tandem:
    """Solve two saturated stations with exponential service and B places between them, exactly.

    To the second station the first is a source that stops when there is no room. The number n that has left
    service at the first rises at the rate min(c₁, K−n)/s₁ and falls at min(n, c₂)/s₂, with K = B+c₂+c₁ after
    service (what the blocked servers hold counts) and K = B+c₂ before service. For single servers that is M/M/1/K
    with r = s₂/s₁: throughput = (1/s₁)(1−rᴷ)/(1−rᴷ⁺¹); where s₁ = s₂ = 1, (B+2)/(B+3) and (B+1)/(B+2).

    Parameters
    ----------
    first_service_time, second_service_time : means, s, above 0.
    waiting_places : B, between the stations, service not counted, at least 0.
    first_servers, second_servers : c₁ and c₂, at least 1.
    blocking : "after-service" as a full pipe does (a server holds what it has finished until there is room),
        or "before-service" (it begins only when room is sure).

    Raises ModelError for numbers outside these ranges and for another kind of blocking.

    Source: Hunt, Sequential arrays of waiting lines, Operations Research 4 (1956), 674-683; Buzacott and
    Shanthikumar, Stochastic Models of Manufacturing Systems (1993), chapter 5.

    >>> two_stations(1.0, 1.0, waiting_places=2).throughput
    0.8
    """
    first = Load(0.0, first_service_time, first_servers)
    second = Load(0.0, second_service_time, second_servers)
    room = checks.whole("waiting_places", waiting_places, least=0) + second_servers
    if blocking not in ("after-service", "before-service"):
        raise ModelError(f"blocking: {blocking!r} stands where 'after-service' or 'before-service' belongs")
    most = room + (first_servers if blocking == "after-service" else 0)
    # times in units of the second service time, so that only the ratio of the two can lose digits
    ratio = second.service_time / first.service_time
    births = [min(first_servers, most - n) * ratio for n in range(most)]
    deaths = [float(min(n, second_servers)) for n in range(1, most + 1)]
    probabilities = birth_death.steady_state(births, deaths)

    states = range(most + 1)
    first_busy = [min(first_servers, most - n) for n in states]
    second_busy = [min(n, second_servers) for n in states]
    waiting = [min(max(n - second_servers, 0), waiting_places) for n in states]
    second_running = birth_death.mean(second_busy, probabilities) / second_servers
    # the idle shares are summed for themselves: 1 − share would lose the digits of a small one
    return Tandem(
        throughput=second_running * second.largest_rate,
        first_running=birth_death.mean(first_busy, probabilities) / first_servers,
        first_blocked=birth_death.mean([first_servers - n for n in first_busy], probabilities) / first_servers,
        second_running=second_running,
        second_starved=birth_death.mean([second_servers - n for n in second_busy], probabilities) / second_servers,
        in_pipe=birth_death.mean(waiting, probabilities),
    )
