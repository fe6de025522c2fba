"""Approximate mean value analysis: Schweitzer and the linearizer, for populations that exact MVA cannot go through."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.analysis.queueing.closed import Closed, ClosedAnswer, answer, closed
from streamsim.errors import ModelError

ROUNDS = 20_000
PRECISION = 1e-11

Numbers = list[list[float]]


def schweitzer(
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    *,
    think_times: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
) -> ClosedAnswer:
    """Approximate a closed network by the fixed point of Schweitzer and Bard.

    With one record less, its class is taken to have (N_c−1)/N_c of what it has at every station, and the others all.
    Within a few per cent in most networks; throughput too low.

    Parameters
    ----------
    populations, demands, think_times, servers : see `closed.Closed`; `demands[class][station]`. Several servers are
        taken as one server c times as fast and a delay of demand·(c−1)/c (Seidmann), exact at both ends of the load.

    Raises ModelError for what `Closed` refuses.

    Source: Schweitzer, Approximate analysis of multiclass closed networks of queues, Int. Conf. on Stochastic Control
    and Optimization (1979); Lazowska et al. (1984), section 6.4.2; Seidmann, Schweitzer and Shalev-Oren, Computerized
    closed queueing network models of flexible manufacturing systems, Large Scale Systems 12 (1987), 91-107.

    >>> round(schweitzer([3], [[0.605, 2.1, 1.35]], think_times=[15.0]).throughputs[0], 4)
    0.151
    """
    network = closed(populations, demands, think_times, servers)
    nothing = [[[0.0] * network.stations for _ in network.populations] for _ in network.populations]
    start = _spread(network, network.populations)
    throughputs, numbers = _fixed_point(network, network.populations, start, nothing)
    return answer("Schweitzer", network, throughputs, _with_delay(network, throughputs, numbers), exact=False)


def linearizer(
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    *,
    think_times: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
) -> ClosedAnswer:
    """Approximate a closed network by the linearizer: Schweitzer, corrected by what one record less really changes.

    Mostly within some tenths of a per cent.

    Parameters, errors and several servers are those of `schweitzer`.

    Source: Chandy and Neuse, Linearizer: a heuristic algorithm for queueing network models of computing systems, Comm.
    ACM 25 (1982), 126-134.

    >>> round(linearizer([3], [[0.605, 2.1, 1.35]], think_times=[15.0]).throughputs[0], 4)
    0.1515
    """
    network = closed(populations, demands, think_times, servers)
    classes, stations = range(len(network.populations)), range(network.stations)
    full = list(network.populations)
    change = [[[0.0] * network.stations for _ in classes] for _ in classes]
    whole = _spread(network, full)
    less = {j: [n - (i == j) for i, n in enumerate(full)] for j in classes if full[j] > 0}
    reduced = {j: _spread(network, vector) for j, vector in less.items()}
    throughputs: list[float] = []
    for _ in range(3):
        throughputs, whole = _fixed_point(network, full, whole, change)
        for j, vector in less.items():
            _, reduced[j] = _fixed_point(network, vector, reduced[j], change)
        for j, vector in less.items():
            for c in classes:
                for k in stations:
                    fraction = whole[c][k] / full[c] if full[c] else 0.0
                    now = reduced[j][c][k] / vector[c] if vector[c] else 0.0
                    change[c][j][k] = now - fraction
    return answer("linearizer", network, throughputs, _with_delay(network, throughputs, whole), exact=False)


def _spread(network: Closed, populations: Sequence[int]) -> Numbers:
    """Return a start: every class spread over the stations that it visits."""
    numbers = []
    for row, count in zip(network.demands, populations, strict=True):
        visited = sum(demand > 0 for demand in row)
        numbers.append([count / visited if demand > 0 else 0.0 for demand in row])
    return numbers


def _fixed_point(
    network: Closed, populations: Sequence[int], numbers: Numbers, change: Sequence[Sequence[Sequence[float]]]
) -> tuple[list[float], Numbers]:
    """Iterate waiting ← what one record less sees ← numbers; `change[c][j][k]` corrects the fractions."""
    classes, stations = range(len(populations)), range(network.stations)
    throughputs = [0.0 for _ in classes]
    for _ in range(ROUNDS):
        following: Numbers = [[0.0] * network.stations for _ in classes]
        for j in classes:
            if populations[j] == 0:
                continue
            stays = []
            for k in stations:
                demand = network.demands[j][k]
                servers = network.servers[k]
                if servers == 0:
                    stays.append(demand)
                    continue
                seen = math.fsum(
                    (populations[c] - (c == j)) * max(0.0, numbers[c][k] / populations[c] + change[c][j][k])
                    for c in classes
                    if populations[c]
                )
                stays.append(demand / servers * (1 + seen))
            outside = network.think_times[j] + math.fsum(_extra(network, j, k) for k in stations)
            throughputs[j] = populations[j] / (outside + math.fsum(stays))
            following[j] = [throughputs[j] * stay for stay in stays]
        moved = max(abs(a - b) for new, old in zip(following, numbers, strict=True)
                    for a, b in zip(new, old, strict=True))  # fmt: skip
        numbers = following
        if moved <= PRECISION * max(populations):
            return throughputs, numbers
    raise ModelError("the approximate mean values do not settle for these populations and demands")


def _extra(network: Closed, index: int, station: int) -> float:
    """Return the delay that stands for the servers beyond the first."""
    servers = network.servers[station]
    return network.demands[index][station] * (servers - 1) / servers if servers > 1 else 0.0


def _with_delay(network: Closed, throughputs: Sequence[float], numbers: Numbers) -> Numbers:
    return [
        [number + rate * _extra(network, index, k) for k, number in enumerate(row)]
        for index, (row, rate) in enumerate(zip(numbers, throughputs, strict=True))
    ]
