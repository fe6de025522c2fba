"""Closed networks by convolution of their normalising constants: only sums of positive terms, so no digits are lost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamsim.analysis.queueing.closed import Closed, ClosedAnswer, answer, closed
from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.phase_type import Matrix

MOST_STATES = 3_000
"""Population vectors; each convolution takes the square of that."""


def convolution(
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    *,
    think_times: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    speeds: Sequence[Sequence[float] | None] | None = None,
) -> ClosedAnswer:
    """Solve a closed network exactly by convolution.

    G(N) is the sum over all ways to spread N records of Π f_k, with f_k(n) = |n|!/Πn_c! · ΠD_ck^n_c / Π speeds.
    Throughput of class c = G(N−1_c)/G(N); the chance of n records at k is f_k(n)·G₋ₖ(N−n)/G(N), where G₋ₖ leaves k
    out.

    Parameters
    ----------
    populations, demands, think_times, servers, speeds : see `closed.Closed`; `demands[class][station]`.

    Raises ModelError for what `Closed` refuses, and for more than 3000 population vectors.

    Source: Buzen, Computational algorithms for closed queueing networks with exponential servers, Comm. ACM 16 (1973),
    527-531; Reiser and Kobayashi, Queuing networks with multiple closed chains, IBM J. Res. Dev. 19 (1975), 283-294.

    >>> round(convolution([10], [[0.2] * 5]).throughputs[0], 8)
    3.57142857
    """
    return solve_by_convolution(closed(populations, demands, think_times, servers, speeds))


def normalising_constants(
    population: int, demands: Sequence[float], servers: Sequence[int] | None = None
) -> list[float]:
    """Return G(0), …, G(N) of a network with one class, in the units of the demands.

    Raises ModelError as `convolution` does.

    >>> normalising_constants(2, [1.0, 2.0])
    [1.0, 3.0, 7.0]
    """
    network = closed([population], [demands], servers=servers)
    scale = _scales(network)[0]
    factors = [_factor(network, k, [scale]) for k in range(network.stations)]
    total = factors[0]
    for factor in factors[1:]:
        total = _convolved(total, factor)
    return [float(value) * scale**n for n, value in enumerate(total)]


def solve_by_convolution(network: Closed) -> ClosedAnswer:
    """Solve a checked network by convolution."""
    if network.states > MOST_STATES:
        raise ModelError(
            f"populations: {network.states} population vectors where convolution takes at most {MOST_STATES}; "
            "schweitzer and linearizer answer approximately"
        )
    import numpy as np

    scales = _scales(network)
    factors = [_factor(network, k, scales) for k in range(network.stations)] + [_thinking(network, scales)]
    # everything but station k, from the products of all before it and of all behind it
    before, behind = [factors[-1]], [np.zeros_like(factors[0])]
    behind[0].flat[0] = 1.0
    for factor in factors[:-1]:
        before.append(_convolved(before[-1], factor))
    for factor in reversed(factors[1:-1]):
        behind.append(_convolved(behind[-1], factor))
    whole = before[-1]
    full = tuple(network.populations)
    total = float(whole[full])
    if not (math.isfinite(total) and total > 0):
        raise ModelError("convolution: the constants overflowed; populations or demands are too far apart")
    throughputs = []
    for c, count in enumerate(full):
        less = tuple(n - (i == c) for i, n in enumerate(full))
        throughputs.append(float(whole[less]) / total / scales[c] if count else 0.0)
    in_system = [[0.0] * network.stations for _ in full]
    for k in range(network.stations):
        others = _convolved(before[k], behind[network.stations - 1 - k])
        # the chance of n at k for every n: others taken from the far corner
        shares = factors[k] * others[(slice(None, None, -1),) * len(full)] / total
        for c in range(len(full)):
            axes = tuple(i for i in range(len(full)) if i != c)
            in_system[c][k] = float(shares.sum(axis=axes) @ np.arange(full[c] + 1))
    return answer("convolution", network, throughputs, in_system, exact=True)


def _scales(network: Closed) -> list[float]:
    """Return for each class its largest demand, in whose units its constants neither overflow nor vanish."""
    return [
        max(*row, thinking) or 1.0 for row, thinking in zip(network.demands, network.think_times, strict=True)
    ]  # fmt: skip


def _factor(network: Closed, station: int, scales: Sequence[float]) -> Matrix:
    """Return f_k for every population vector."""
    import numpy as np

    shape = tuple(count + 1 for count in network.populations)
    factor = np.zeros(shape)
    speeds = [network.speed(station, n) for n in range(1, sum(network.populations) + 1)]
    slowing = [0.0, *itertools.accumulate(math.log(speed) for speed in speeds)]
    logs = [
        math.log(row[station] / scale) if row[station] > 0 else -math.inf
        for row, scale in zip(network.demands, scales, strict=True)
    ]
    for vector in np.ndindex(*shape):
        size = sum(vector)
        if any(n and log == -math.inf for n, log in zip(vector, logs, strict=True)):
            continue
        weight = math.lgamma(size + 1) - slowing[size]
        weight += math.fsum(n * log - math.lgamma(n + 1) for n, log in zip(vector, logs, strict=True) if n)
        factor[vector] = math.exp(weight)
    return factor


def _thinking(network: Closed, scales: Sequence[float]) -> Matrix:
    thinking = Closed(
        populations=network.populations,
        demands=tuple((time,) for time in network.think_times),
        think_times=tuple(1.0 for _ in network.think_times),
        servers=(0,),
        speeds=(None,),
    )
    return _factor(thinking, 0, scales)


def _convolved(one: Matrix, other: Matrix) -> Matrix:
    """Return Σ_m one(m)·other(n−m) for every n."""
    import numpy as np

    total = np.zeros_like(one)
    for vector in np.ndindex(*one.shape):
        weight = other[vector]
        if weight:
            into = tuple(slice(n, None) for n in vector)
            kept = tuple(slice(0, size - n) for n, size in zip(vector, one.shape, strict=True))
            total[into] += weight * one[kept]
    return total
