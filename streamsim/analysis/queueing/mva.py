"""Exact mean value analysis of closed networks: several classes, several servers, load-dependent stations, mixed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.closed import Closed, ClosedAnswer, answer, closed
from streamsim.analysis.queueing.convolution import solve_by_convolution
from streamsim.errors import ModelError

MOST_STATES = 1_000_000
TRUSTED = 1e-4
"""The chance of an empty station is 1 minus the other chances; below this its digits are going, and convolution, which
only adds, takes over."""


def mva(
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    *,
    think_times: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    speeds: Sequence[Sequence[float] | None] | None = None,
) -> ClosedAnswer:
    """Solve a closed network exactly by mean value analysis.

    An arrival at a station sees what a network with one record less of its class has on average: at a single server
    residence = demand·(1 + number there); with several servers or load-dependent speeds through the chances of each
    number there.

    Parameters
    ----------
    populations, demands, think_times, servers, speeds : see `closed.Closed`; `demands[class][station]`.

    Raises ModelError for what `Closed` refuses, and for more than a million population vectors.

    Source: Reiser and Lavenberg, Mean-value analysis of closed multichain queuing networks, J. ACM 27 (1980), 313-322.

    >>> result = mva([20], [[2.0, 3.0, 1.0]], think_times=[4.0])
    >>> [round(number, 3) for number in result.in_system[0]]
    [1.991, 16.177, 0.5]
    """
    return solve_by_mva(closed(populations, demands, think_times, servers, speeds))


def solve_by_mva(network: Closed) -> ClosedAnswer:
    """Solve a checked network by mean value analysis, or by convolution where that would lose digits."""
    if network.states > MOST_STATES:
        raise ModelError(
            f"populations: {network.states} population vectors where at most {MOST_STATES} are gone through; "
            "schweitzer and linearizer answer approximately"
        )
    found = _recursion(network)
    if found is None:
        return solve_by_convolution(network)
    throughputs, in_system = found
    return answer("exact MVA", network, throughputs, in_system, exact=True)


def _recursion(network: Closed) -> tuple[list[float], list[list[float]]] | None:
    """Return throughputs and numbers at the full population; None where a chance has lost its digits."""
    classes, stations = range(len(network.populations)), range(network.stations)
    shared = [k for k in stations if not network.plain(k) and not network.delay(k)]
    total = sum(network.populations)
    speeds = {k: [network.speed(k, n) for n in range(1, total + 1)] for k in shared}
    numbers: dict[tuple[int, ...], list[float]] = {(0,) * len(network.populations): [0.0] * network.stations}
    chances = {k: {(0,) * len(network.populations): [1.0]} for k in shared}
    throughputs, residence = [0.0] * len(network.populations), [[0.0] * network.stations for _ in classes]
    for vector in itertools.product(*(range(count + 1) for count in network.populations)):
        size = sum(vector)
        if size == 0:
            continue
        throughputs = [0.0 for _ in classes]
        less = {c: tuple(n - (i == c) for i, n in enumerate(vector)) for c in classes if vector[c] > 0}
        for c, before in less.items():
            for k in stations:
                demand = network.demands[c][k]
                if network.delay(k):
                    residence[c][k] = demand
                elif network.plain(k):
                    residence[c][k] = demand * (1 + numbers[before][k])
                else:
                    seen = chances[k][before]
                    residence[c][k] = demand * math.fsum((j + 1) / speeds[k][j] * seen[j] for j in range(size))
            throughputs[c] = vector[c] / (network.think_times[c] + math.fsum(residence[c]))
        numbers[vector] = [math.fsum(throughputs[c] * residence[c][k] for c in less) for k in stations]
        for k in shared:
            seen = [0.0] * (size + 1)
            for j in range(1, size + 1):
                seen[j] = math.fsum(
                    throughputs[c] * network.demands[c][k] / speeds[k][j - 1] * chances[k][before][j - 1]
                    for c, before in less.items()
                )
            seen[0] = 1 - math.fsum(seen)
            if seen[0] < TRUSTED:
                return None
            chances[k][vector] = seen
    return throughputs, [
        [throughputs[c] * residence[c][k] if network.populations[c] else 0.0 for k in stations] for c in classes
    ]


class MixedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A network with open and closed classes.

    `closed` is None and `saturated` true where the open classes alone are more than a station can carry;
    `largest_scale` is the factor on the open rates below which every station holds (None if nothing arrives).
    """

    saturated: bool
    largest_scale: float | None
    closed: ClosedAnswer | None
    open_in_system: tuple[tuple[float, ...], ...] | None
    open_response_times: tuple[float, ...] | None


def mixed_mva(
    open_rates: Sequence[float],
    open_demands: Sequence[Sequence[float]],
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    *,
    think_times: Sequence[float] | None = None,
) -> MixedAnswer:
    """Solve a network of single servers that open and closed classes share, exactly.

    The closed classes see servers that the open ones leave to them, demand/(1−ρ); an open class then stays
    demand·(1 + closed number there)/(1−ρ) at a station, ρ being the share that all open classes take.

    Parameters
    ----------
    open_rates : of each open class, 1/s, at least 0.
    open_demands : `[class][station]`, s, at least 0.
    populations, demands, think_times : of the closed classes, as for `mva`.

    Raises ModelError for numbers outside these ranges.

    Source: Lazowska et al., Quantitative System Performance (1984), section 7.4.

    >>> result = mixed_mva([1.0], [[0.5]], [1], [[0.5]])
    >>> result.closed.throughputs, result.open_response_times
    ((1.0,), (2.0,))
    """
    network = closed(populations, demands, think_times)
    if len(open_demands) != len(open_rates):
        raise ModelError(f"open_demands: {len(open_demands)} classes where {len(open_rates)} belong, as open_rates has")
    for index, row in enumerate(open_demands):
        checks.non_negative(f"open_rates[{index}]", open_rates[index])
        checks.same_length(f"open_demands[{index}]", row, network.stations)
        for station, demand in enumerate(row):
            checks.non_negative(f"open_demands[{index}][{station}]", demand)
    taken = [
        math.fsum(rate * row[k] for rate, row in zip(open_rates, open_demands, strict=True))
        for k in range(network.stations)
    ]
    largest = 1 / max(taken) if max(taken) > 0 else None
    if max(taken) >= 1:
        return MixedAnswer(
            saturated=True, largest_scale=largest, closed=None, open_in_system=None, open_response_times=None
        )
    slowed = [[demand / (1 - taken[k]) for k, demand in enumerate(row)] for row in network.demands]
    inner = mva(populations, slowed, think_times=think_times)
    there = [math.fsum(row[k] for row in inner.in_system) for k in range(network.stations)]
    stays = [[demand * (1 + there[k]) / (1 - taken[k]) for k, demand in enumerate(row)] for row in open_demands]
    return MixedAnswer(
        saturated=False,
        largest_scale=largest,
        closed=answer("exact mixed MVA", network, inner.throughputs, inner.in_system, exact=True),
        open_in_system=tuple(
            tuple(rate * stay for stay in row) for rate, row in zip(open_rates, stays, strict=True)
        ),
        open_response_times=tuple(math.fsum(row) for row in stays),
    )  # fmt: skip
