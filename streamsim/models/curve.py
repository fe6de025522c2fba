"""The demand curve: where along its input a station has its work."""

from __future__ import annotations

from collections.abc import Sequence

from streamsim.service import CurvePoint


class DemandCurve:
    """Hands out the demand of a station as its input goes by; it only moves on.

    Parameters
    ----------
    points : the curve, fractions of both totals; two points at one place are a plateau, work for which nothing is read.
    total_bytes : the whole input; what comes beyond it costs the mean.
    total_demand : the whole work on it, in reference core-seconds.

    >>> sorter = DemandCurve([CurvePoint(0.5, 0.2), CurvePoint(0.5, 0.8, 2.0), CurvePoint(1, 1)], 100, 10.0)
    >>> sorter.up_to(25), sorter.up_to(50), sorter.up_to(100)
    ([(1.0, 1.0)], [(1.0, 1.0), (6.0, 2.0)], [(2.0, 1.0)])
    """

    def __init__(self, points: Sequence[CurvePoint], total_bytes: int, total_demand: float) -> None:
        self._places = [point.taken * total_bytes for point in points]
        self._demands = [point.demand * total_demand for point in points]
        self._threads = [max(1.0, point.threads) for point in points]
        self._mean = total_demand / total_bytes if total_bytes else 0.0
        self._next = 0
        self._taken = 0
        self._done = 0.0

    def up_to(self, taken: int) -> list[tuple[float, float]]:
        """Return the work between the last call and so many bytes taken: amounts, and how many cores each can use."""
        pieces: list[tuple[float, float]] = []
        places, number = self._places, self._next
        while number < len(places) and places[number] <= taken:
            self._reach(self._demands[number], number, pieces)
            number += 1
        self._next = number
        if number < len(places):
            start = places[number - 1] if number else 0.0
            below = self._demands[number - 1] if number else 0.0
            part = (taken - start) / (places[number] - start)
            self._reach(below + (self._demands[number] - below) * part, number, pieces)
        else:
            beyond = taken - max(self._taken, places[-1])
            if beyond > 0:
                pieces.append((beyond * self._mean, self._threads[-1]))
        self._taken = taken
        return pieces

    def _reach(self, demand: float, number: int, pieces: list[tuple[float, float]]) -> None:
        if demand > self._done:
            pieces.append((demand - self._done, self._threads[number]))
            self._done = demand
