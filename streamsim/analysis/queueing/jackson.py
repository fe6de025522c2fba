"""Jackson networks: exponential stations with Poisson sources and random routes, feedback included."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.mmc import mmc
from streamsim.analysis.queueing.result import Load, Queue
from streamsim.errors import ModelError

Routing = Sequence[Sequence[float]]


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of an open network.

    Parameters
    ----------
    stations : one Queue a station, as an M/M/c of its own.
    throughput : 1/s out of the network; None where it is saturated and the routes are not known.
    in_system : mean number in all stations; None where one is saturated.
    response_time : mean time from source to exit, s, all visits together; None where one is saturated.
    saturated : whether a station is.
    largest_scale : the factor on all arrival rates below which every station holds; None if nothing arrives.
    """

    stations: tuple[Queue, ...]
    throughput: float | None
    in_system: float | None
    response_time: float | None
    saturated: bool
    largest_scale: float | None


def jackson(
    arrival_rates: Sequence[float],
    routing: Routing,
    service_times: Sequence[float],
    servers: Sequence[int] | None = None,
) -> Network:
    """Solve an open Jackson network exactly.

    The traffic equations λⱼ = γⱼ + Σᵢ λᵢ Pᵢⱼ give each station its arrival rate, and each is then an M/M/c
    queue. Where stations are saturated, a station passes on no more than it can serve, λⱼ = γⱼ + Σᵢ min(λᵢ,
    cᵢ/sᵢ) Pᵢⱼ, and the others still have their steady state.

    Parameters
    ----------
    arrival_rates : γⱼ from outside, 1/s, at least 0.
    routing : Pᵢⱼ, the chance to go from station i to station j next; rows add up to at most 1, the rest
        leaves.
    service_times : sⱼ, means, s, above 0.
    servers : cⱼ, at least 1; one each where absent.

    Raises ModelError for numbers outside these ranges, lengths that differ, and a loop with no way out.

    Source: Jackson, Networks of waiting lines, Operations Research 5 (1957), 518-521; saturated networks:
    Goodman and Massey, The non-ergodic Jackson network, J. Appl. Prob. 21 (1984), 860-869.

    >>> network = jackson([0.4], [[0.5]], [1.0])
    >>> round(network.stations[0].utilisation, 12), round(network.response_time, 9)
    (0.8, 10.0)
    """
    count = len(arrival_rates)
    servers = [1] * count if servers is None else servers
    checks.same_length("service_times", service_times, count)
    checks.same_length("servers", servers, count)
    _check_routing(routing, count)
    # the sources are checked as loads here, before they are sent round the network
    sources = [Load(*given) for given in zip(arrival_rates, service_times, servers, strict=True)]
    _check_ways_out(arrival_rates, routing)
    capacities = [source.largest_rate for source in sources]
    offered = _flow(arrival_rates, routing, capacities, frozenset())
    rates = _limited_flow(arrival_rates, routing, capacities, offered)
    stations = tuple(mmc(*given) for given in zip(rates, service_times, servers, strict=True))
    leaving = [max(0.0, 1 - math.fsum(row)) for row in routing]
    throughput = math.fsum(station.throughput * share for station, share in zip(stations, leaving, strict=True))
    return _network(stations, throughput, math.fsum(arrival_rates), offered)


def visited_network(
    arrival_rate: float,
    visits: Sequence[float],
    service_times: Sequence[float],
    servers: Sequence[int] | None = None,
) -> Network:
    """Solve an open Jackson network given by its mean visits instead of its routes, exactly.

    λⱼ = λVⱼ. Where a station is saturated, the others are shown at the rate that it would have to pass on.

    Parameters
    ----------
    arrival_rate : λ from outside, 1/s, at least 0.
    visits : Vⱼ, mean visits of one arrival to each station, at least 0.
    service_times : sⱼ, means of one visit, s, above 0.
    servers : cⱼ, at least 1; one each where absent.

    Raises ModelError for numbers outside these ranges and lengths that differ.

    Source: Lazowska et al., Quantitative System Performance (1984), chapter 6; Jain, The Art of Computer
    Systems Performance Analysis (1991), chapter 34.

    >>> network = visited_network(3.0, [16, 7, 8], [0.01, 0.02, 0.03])
    >>> [round(station.utilisation, 2) for station in network.stations]
    [0.48, 0.42, 0.72]
    """
    servers = [1] * len(visits) if servers is None else servers
    checks.same_length("service_times", service_times, len(visits))
    checks.same_length("servers", servers, len(visits))
    checks.non_negative("arrival_rate", arrival_rate)
    for index, number in enumerate(visits):
        checks.non_negative(f"visits[{index}]", number)
    rates = [arrival_rate * number for number in visits]
    stations = tuple(mmc(*given) for given in zip(rates, service_times, servers, strict=True))
    passes = not any(station.saturated for station in stations)
    return _network(stations, float(arrival_rate) if passes else None, arrival_rate, rates)


def summed(
    stations: tuple[Queue, ...], throughput: float | None, largest_scale: float | None, arrival_rate: float
) -> Network:
    """Return the network of these stations, with the numbers and the time in all of them by Little's law."""
    numbers = [station.in_system for station in stations if station.in_system is not None]
    in_system = math.fsum(numbers) if len(numbers) == len(stations) else None
    return Network(
        stations=stations,
        throughput=throughput,
        in_system=in_system,
        response_time=in_system / arrival_rate if in_system is not None and arrival_rate > 0 else None,
        saturated=in_system is None,
        largest_scale=largest_scale,
    )


def _network(
    stations: tuple[Queue, ...], throughput: float | None, arrival_rate: float, offered: Sequence[float]
) -> Network:
    """Return the sums over the stations; `offered` are the rates if none were saturated."""
    scales = [station.largest_rate / rate for station, rate in zip(stations, offered, strict=True) if rate > 0]
    return summed(stations, throughput, min(scales, default=None), arrival_rate)


def _check_routing(routing: Routing, count: int) -> None:
    checks.same_length("routing", routing, count)
    for index, row in enumerate(routing):
        checks.same_length(f"routing[{index}]", row, count)
        for target, chance in enumerate(row):
            checks.share(f"routing[{index}][{target}]", chance)
        # a row such as six times 1/6 may exceed 1 by its rounding
        if math.fsum(row) > 1 + 1e-12:
            raise ModelError(f"routing[{index}]: adds up to {math.fsum(row)!r} where at most 1 belongs")


def _check_ways_out(arrival_rates: Sequence[float], routing: Routing) -> None:
    """Raise ModelError if a station that gets work cannot send it out of the network in the end."""
    count = len(routing)
    fed = {j for j in range(count) if arrival_rates[j] > 0}
    drained = {i for i in range(count) if math.fsum(routing[i]) < 1 - 1e-12}
    for _ in range(count):
        fed |= {j for i in fed for j in range(count) if routing[i][j] > 0}
        drained |= {i for i in range(count) if any(routing[i][j] > 0 for j in drained)}
    for index in sorted(fed - drained):
        raise ModelError(f"routing: what reaches station {index} can never leave; give its loop a way out")


def _limited_flow(
    arrival_rates: Sequence[float], routing: Routing, capacities: Sequence[float], offered: list[float]
) -> list[float]:
    """Return the arrival rates with saturated stations passing on their capacity.

    Starting from all stations that look saturated, those that are not drop out, round by round; the flow only
    falls and the set only shrinks, so there are at most as many rounds as stations (Goodman and Massey 1984).
    """
    rates, full = offered, frozenset[int]()
    for _ in capacities:
        found = frozenset(j for j, rate in enumerate(rates) if rate >= capacities[j])
        if found == full:
            break
        full = found
        rates = _flow(arrival_rates, routing, capacities, full)
    return rates


def _flow(
    arrival_rates: Sequence[float], routing: Routing, capacities: Sequence[float], full: frozenset[int]
) -> list[float]:
    """Return λ of the traffic equations, where the `full` stations pass on their capacity and not their λ."""
    # numpy takes longer to import than the closed forms of this package together
    import numpy as np

    count = len(capacities)
    chances = np.asarray(routing, dtype=float).reshape(count, count).T
    # A loop that nothing reaches may have no way out, and would make the matrix singular: its rate stays 0.
    fed = np.asarray(arrival_rates, dtype=float) > 0
    for _ in range(count):
        fed = fed | ((chances @ fed) > 0)
    passing = np.array([fed[j] and j not in full for j in range(count)], dtype=float)
    limited = np.array([capacities[j] if j in full else 0.0 for j in range(count)])
    inflow = np.asarray(arrival_rates, dtype=float) + chances @ limited
    solved = np.linalg.solve(np.eye(count) - chances * passing, inflow)
    # rounding may leave −1e-17 where the rate is 0
    return [max(0.0, float(rate)) for rate in solved]
