"""How a station's output follows its input along the stream: the yield curve of what stands in a loop.

What a loop brings back decides how much there is to do at once: a crawler that finds ten new names in the first page
and none in the last is busy from the start, one that finds one in each never has two to look at. A selectivity does not
tell the one from the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.circuit import Circuit
from streamsim.service import YieldPoint
from streamsim.trace import RunTrace

Array = NDArray[np.float64]

MATTERS = 0.03
"""A curve is kept where it strays further than this (as a part of the total) from a straight line."""
CHANCE = 1.63
"""Kolmogorov's limit at 1 %."""
TOLERANCE = 0.005
"""Points nearer than this to the line between their neighbours say nothing."""


class Way(NamedTuple):
    """What a station had taken and given, cumulative, at some moments of one run."""

    taken: Array
    given: Array


def ways(run: RunTrace, circuit: Circuit, name: str) -> Way:
    """Return what a station had taken and given so far, as exactly as anybody knows.

    Its own visits say it; of an opaque tool the visits of its neighbours: what had been handed to it when what it gave
    came to be read. Where there are none the samples do.
    """
    trace = run.stations[name]
    if trace.visits is not None:
        return Way(np.cumsum(trace.visits["taken"]), np.cumsum(trace.visits["given"]))
    inputs, outputs = circuit.inputs_of(name), circuit.outputs_of(name)
    if len(inputs) == len(outputs) == 1 and len(circuit.inputs_of(outputs[0].downstream)) == 1:
        above, below = run.stations[inputs[0].upstream].visits, run.stations[outputs[0].downstream].visits
        if above is not None and below is not None and len(circuit.outputs_of(inputs[0].upstream)) == 1:
            above = above[np.argsort(above["sent"])]
            below = below[np.argsort(below["got"])]
            handed = np.concatenate([[0], np.cumsum(above["given"])])
            return Way(handed[np.searchsorted(above["sent"], below["got"])], np.cumsum(below["taken"]))
    return Way(trace.bytes_in, trace.bytes_out)


def yield_curve(runs: Sequence[Way], records: float | None = None) -> tuple[YieldPoint, ...]:
    """Return how what a station has given follows what it has taken, as fractions; nothing where a mean tells as much.

    Parameters
    ----------
    records : how many a station gave that drops some of those it takes. What one does that drops them at random strays
        by more than 1.63/√records in one run of a hundred (Kolmogorov 1933), and is no curve.

    The curve is the least concave one above the points of all runs: what comes late brings less, and what lags
    behind its input counts less.

    >>> yield_curve([Way(np.array([10.0, 50.0, 100.0]), np.array([8.0, 18.0, 20.0]))])
    (YieldPoint(taken=0.1, given=0.4), YieldPoint(taken=0.5, given=0.9), YieldPoint(taken=1.0, given=1.0))
    """
    points = np.concatenate([np.zeros((1, 2)), *(_points(*run) for run in runs), np.ones((1, 2))])
    hull = _above(points[np.lexsort((points[:, 1], points[:, 0]))])
    by_chance = CHANCE / math.sqrt(records) if records else 0.0
    if float((hull[:, 1] - hull[:, 0]).max()) < max(MATTERS, by_chance):
        return ()
    return tuple(YieldPoint(round(float(x), 5), round(float(y), 5)) for x, y in _thinned(hull)[1:])


def _points(taken: Array, given: Array) -> Array:
    """Return the moments as fractions of the totals."""
    if not taken.size or taken[-1] <= 0 or given[-1] <= 0:
        return np.zeros((0, 2))
    points: Array = np.column_stack([taken / taken[-1], given / given[-1]]).astype(float)
    return points[points[:, 0] > 0]


def _above(points: Array) -> Array:
    """Return the least concave curve above sorted points (Andrew 1979, the upper half of the monotone chain)."""
    hull: list[Array] = []
    for point in points:
        if hull and point[0] == hull[-1][0]:  # sorted: the higher of two at one place comes second
            hull.pop()
        while len(hull) > 1 and _turns_left(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return np.array(hull)


def _turns_left(first: Array, second: Array, third: Array) -> bool:
    (x, y), (u, v) = second - first, third - first
    return float(x * v - y * u) >= -1e-12  # rounding: points on one line need not all be kept


def _thinned(hull: Array) -> Array:
    """Return the points of a concave curve that lie further than the tolerance above the line through those kept."""
    kept = [0]
    for number in range(1, len(hull) - 1):
        (x, y), (u, v) = hull[kept[-1]], hull[-1]
        line = y + (hull[number][0] - x) / (u - x) * (v - y)
        if hull[number][1] - line > TOLERANCE:
            kept.append(number)
    return hull[[*kept, len(hull) - 1]]
