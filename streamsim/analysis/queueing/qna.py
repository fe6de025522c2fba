"""Open networks of any service and arrival laws, known by mean and scv: the decomposition of QNA."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.gg1 import kraemer_langenbach_belz
from streamsim.analysis.queueing.ggc import whitt
from streamsim.analysis.queueing.jackson import Network, Routing, jackson, summed
from streamsim.analysis.queueing.result import Queue

LEAST_SCV = 0.2
"""Whitt's floor for the service scv in the departures of stations with several servers."""


def qna(
    arrival_rates: Sequence[float],
    routing: Routing,
    service_times: Sequence[float],
    *,
    arrival_scvs: Sequence[float] | None = None,
    service_scvs: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
) -> Network:
    """Approximate an open network by stations alone, each a G/G/c queue whose arrivals have an scv of their own.

    The rates follow from the traffic equations as in a Jackson network. The scv of the arrivals follow from linear
    equations, since departures, merging and splitting are linear in them:
        c²_aj = 1 + w_j {(p₀ⱼc²₀ⱼ − 1) + Σᵢ pᵢⱼ [1 − qᵢⱼ + qᵢⱼ(ρ²ᵢxᵢ + (1−ρ²ᵢ)c²_ai)]},
    with pᵢⱼ the share of j's arrivals that come from i, qᵢⱼ the route, xᵢ = 1 + (c²_si − 1)/√cᵢ, and
    w_j = 1/(1 + 4(1−ρⱼ)²(1/Σp² − 1)). A record that comes straight back is served on without queueing again.
    Exact for Jackson networks; within some per cent to tens of per cent elsewhere (docs/approximations.md).

    Parameters
    ----------
    arrival_rates, routing, service_times, servers : as for `jackson`.
    arrival_scvs : of the gaps of what comes from outside, at least 0; 1 (Poisson) where absent.
    service_scvs : at least 0; 1 where absent.

    Returns a `Network`; a station's wait is that of one visit, and its largest rate is that of all visits. Saturated
    stations pass on what they can serve.

    Raises ModelError for numbers outside these ranges, lengths that differ, and a loop with no way out.

    Source: Whitt, The Queueing Network Analyzer, BSTJ 62 (1983), 2779-2815: equations (24) to (26) for the scv, section
    2.3 for what comes straight back; waits by `kraemer_langenbach_belz`, and by `whitt` with several servers.

    >>> network = qna([0.8, 0.0], [[0.0, 1.0], [0.0, 0.0]], [1.0, 1.0], service_scvs=[0.0, 0.0])
    >>> [round(station.wait, 4) for station in network.stations]
    [2.0, 0.5956]
    """
    count = len(arrival_rates)
    servers = [1] * count if servers is None else servers
    outside = [1.0] * count if arrival_scvs is None else list(arrival_scvs)
    variability = [1.0] * count if service_scvs is None else list(service_scvs)
    for name, values in (("arrival_scvs", outside), ("service_scvs", variability)):
        checks.same_length(name, values, count)
        for index, value in enumerate(values):
            checks.non_negative(f"{name}[{index}]", value)
    plain = jackson(arrival_rates, routing, service_times, servers)
    back = [routing[i][i] for i in range(count)]
    # one long visit in place of all that follow each other at once
    longer = [time / (1 - again) for time, again in zip(service_times, back, strict=True)]
    rougher = [again + (1 - again) * scv for again, scv in zip(back, variability, strict=True)]
    routes = [[0.0 if i == j else routing[i][j] / (1 - back[i]) for j in range(count)] for i in range(count)]
    passed = [station.throughput * (1 - again) for station, again in zip(plain.stations, back, strict=True)]
    arriving = [arrival_rates[j] + math.fsum(passed[i] * routes[i][j] for i in range(count)) for j in range(count)]
    loads = [station.utilisation for station in plain.stations]
    scvs = _arrival_scvs(arrival_rates, outside, arriving, passed, routes, loads, rougher, servers)
    stations = tuple(
        _station(plain.stations[j], arriving[j], longer[j], servers[j], scvs[j], rougher[j], back[j])
        for j in range(count)
    )
    return summed(stations, plain.throughput, plain.largest_scale, math.fsum(arrival_rates))


def _arrival_scvs(
    sources: Sequence[float],
    outside: Sequence[float],
    arriving: Sequence[float],
    passed: Sequence[float],
    routes: Routing,
    loads: Sequence[float],
    service_scvs: Sequence[float],
    servers: Sequence[int],
) -> list[float]:
    """Solve the linear equations for the scv of each station's arrivals."""
    import numpy as np

    count = len(sources)
    matrix, right = np.eye(count), np.ones(count)
    for j in range(count):
        if arriving[j] <= 0:
            continue
        shares = [passed[i] * routes[i][j] / arriving[j] for i in range(count)]
        own = sources[j] / arriving[j]
        flows = 1 / (own**2 + math.fsum(share * share for share in shares))
        weight = 1 / (1 + 4 * (1 - loads[j]) ** 2 * (flows - 1))
        constant = own * outside[j] - 1
        for i, share in enumerate(shares):
            if share == 0:
                continue
            floor = service_scvs[i] if servers[i] == 1 else max(service_scvs[i], LEAST_SCV)
            kept = 1 + (floor - 1) / math.sqrt(servers[i])
            route, load = routes[i][j], loads[i]
            constant += share * (1 - route + route * load * load * kept)
            matrix[j, i] -= weight * share * route * (1 - load * load)
        right[j] = 1 + weight * constant
    return [max(0.0, float(scv)) for scv in np.linalg.solve(matrix, right)]


def _station(
    plain: Queue, rate: float, time: float, servers: int, arrival_scv: float, service_scv: float, back: float
) -> Queue:
    """Return the queue of one station, its wait shared out over the visits that follow each other at once."""
    if plain.saturated:
        return _renamed(plain)
    if servers == 1:
        alone = kraemer_langenbach_belz(rate, time, arrival_scv, service_scv)
    else:
        alone = whitt(rate, time, servers, arrival_scv, service_scv)
    assert alone.wait is not None  # the load is below saturation, as that of `plain` is
    wait = alone.wait * (1 - back)
    service = time * (1 - back)
    return Queue(
        method="QNA",
        exact=False,
        saturated=False,
        utilisation=plain.utilisation,
        throughput=plain.throughput,
        largest_rate=plain.largest_rate,
        wait=wait,
        response_time=wait + service,
        in_queue=plain.throughput * wait,
        in_system=plain.throughput * (wait + service),
        probability_of_waiting=alone.probability_of_waiting,
    )


def _renamed(plain: Queue) -> Queue:
    import msgspec

    return msgspec.structs.replace(plain, method="QNA", exact=False)
