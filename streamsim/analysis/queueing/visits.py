"""Traffic equations: rates in open circuits with selectivities and feedback, visits in closed ones with classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError


def flow_rates(arrival_rates: Sequence[float], gains: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return the rate at which records reach each station, λⱼ = γⱼ + Σᵢ λᵢ gᵢⱼ.

    Parameters
    ----------
    arrival_rates : γⱼ from outside, 1/s, at least 0.
    gains : gᵢⱼ, mean records sent to j for each record that i takes: selectivity times share of the route; at least 0
        and, other than a chance, possibly above 1.

    Raises ModelError for numbers outside these ranges, and where a loop gives back at least as much as it takes, so
    that what circulates would grow for ever.

    Source: Jackson (1957) with gains in place of chances; the Leontief condition for the loops.

    >>> flow_rates([10.0, 0.0], [[0.0, 3.0], [0.1, 0.0]])
    (14.285714285714286, 42.85714285714286)
    """
    count = len(arrival_rates)
    checks.same_length("gains", gains, count)
    for index, row in enumerate(gains):
        checks.non_negative(f"arrival_rates[{index}]", arrival_rates[index])
        checks.same_length(f"gains[{index}]", row, count)
        for target, gain in enumerate(row):
            checks.non_negative(f"gains[{index}][{target}]", gain)
    fed = [rate > 0 for rate in arrival_rates]
    for _ in range(count):
        fed = [now or any(fed[i] and gains[i][j] > 0 for i in range(count)) for j, now in enumerate(fed)]
    kept = [index for index in range(count) if fed[index]]
    if not kept:
        return (0.0,) * count
    import numpy as np

    matrix = np.array([[gains[i][j] for j in kept] for i in kept], dtype=float)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    if radius >= 1 - 1e-12:
        raise ModelError(
            f"gains: a loop gives back {radius:.6g} records for each that it takes, so the flow would grow for ever; "
            "its product of gains must be below 1"
        )
    sources = np.array([arrival_rates[index] for index in kept], dtype=float)
    solved = np.linalg.solve(np.eye(len(kept)) - matrix.T, sources)
    rates = [0.0] * count
    for index, rate in zip(kept, solved, strict=True):
        rates[index] = max(0.0, float(rate))
    if not all(math.isfinite(rate) for rate in rates):
        raise ModelError("gains: the rates overflowed; gains or arrival rates are too large to compute with")
    return tuple(rates)


def closed_visits(
    routing: Sequence[Sequence[Sequence[Sequence[float]]]], reference: tuple[int, int] = (0, 0)
) -> tuple[tuple[float, ...], ...]:
    """Return the mean visits of each class to each station in a closed network, records changing class on the way.

    V_cj = Σ V_bi P(b,i → c,j), scaled to 1 visit of the reference class to the reference station. Classes that records
    change between form one chain; what the reference never reaches gets 0.

    Parameters
    ----------
    routing : `routing[class][station][class][station]`, the chances to go next; each row adds up to 1, or is all 0
        where a class never goes.
    reference : (class, station).

    Raises ModelError for chances outside 0 to 1, rows that do not add up, and a reference that is not come back to.

    Source: Schwetman, Implementing the mean value analysis algorithm, Purdue CSD-TR-355 (1980); Baskett et al., Open,
    closed, and mixed networks of queues, J. ACM 22 (1975), 248-260.

    >>> closed_visits([[[[0.5, 0.5]], [[1.0, 0.0]]]])
    ((1.0, 0.5),)
    """
    places = [(c, i) for c in range(len(routing)) for i in range(len(routing[c]))]
    if reference not in places:
        raise ModelError(f"reference: {reference!r} is no class and station of the routing")
    chance: dict[tuple[int, int], dict[tuple[int, int], float]] = {}
    for c, i in places:
        row = {(d, j): routing[c][i][d][j] for d in range(len(routing[c][i])) for j in range(len(routing[c][i][d]))}
        for (d, j), value in row.items():
            checks.share(f"routing[{c}][{i}][{d}][{j}]", value)
        if set(row) != set(places) or not (sum(row.values()) == 0 or abs(math.fsum(row.values()) - 1) < 1e-9):
            raise ModelError(
                f"routing[{c}][{i}]: adds up to {math.fsum(row.values())!r} where 1 belongs, or 0 if unused"
            )
        chance[c, i] = {place: value for place, value in row.items() if value > 0}
    reached = {reference}
    while more := {place for known in reached for place in chance[known]} - reached:
        reached |= more
    order = sorted(reached)
    import numpy as np

    matrix = np.array([[chance[one].get(other, 0.0) for other in order] for one in order]).T - np.eye(len(order))
    matrix[order.index(reference)] = 0.0
    matrix[order.index(reference), order.index(reference)] = 1.0
    right = np.zeros(len(order))
    right[order.index(reference)] = 1.0
    if any(not chance[place] for place in order) or np.linalg.matrix_rank(matrix) < len(order):
        raise ModelError(f"routing: records that leave {reference!r} need not come back; a closed network keeps them")
    visits = dict(zip(order, np.linalg.solve(matrix, right), strict=True))
    return tuple(
        tuple(float(visits.get((c, i), 0.0)) + 0.0 for i in range(len(routing[c]))) for c in range(len(routing))
    )
