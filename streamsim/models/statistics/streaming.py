"""Estimates of a stream of numbers that nobody keeps: means, batch means and quantiles in constant memory."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamsim.result import Estimate, t_quantile

Array = NDArray[np.float64]

BATCHES = 32
"""Batches of an interval: more hardly narrow it, fewer widen it (Schmeiser 1982, Operations Research 30, p. 556)."""


class Mean:
    """Count and mean, block by block (Chan, Golub & LeVeque 1983, The American Statistician 37, eq. 2.1).

    >>> mean = Mean()
    >>> for block in ([1.0, 2.0], [6.0]): mean.add(np.array(block))
    >>> mean.count, mean.mean
    (3, 3.0)
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0

    def add(self, values: Array) -> None:
        """Take note of some values."""
        if not len(values):
            return
        self.count += len(values)
        self.mean += (float(values.mean()) - self.mean) * len(values) / self.count


class BatchMeans:
    """Means of batches of one run, whose number stays between `BATCHES` and twice that: batches grow with the run.

    When there are twice as many, neighbours are joined (Law & Carson 1979, "A sequential procedure for determining
    the length of a steady-state simulation", Operations Research 27).

    >>> batches = BatchMeans()
    >>> batches.add(np.random.default_rng(1).exponential(size=100_000))
    >>> found = batches.estimate("s")
    >>> found.low < 1.0 < found.high
    True
    """

    def __init__(self) -> None:
        self.size = 1
        self._means: list[float] = []
        self._open_sum, self._open_count = 0.0, 0

    def add(self, values: Array) -> None:
        """Take note of some values, in their order."""
        place = 0
        while place < len(values):
            if self._open_count or len(values) - place < self.size:
                part = values[place : place + self.size - self._open_count]
                self._open_sum += float(part.sum())
                self._open_count += len(part)
                place += len(part)
                if self._open_count == self.size:
                    self._means.append(self._open_sum / self.size)
                    self._open_sum, self._open_count = 0.0, 0
            else:
                whole = min((len(values) - place) // self.size, 2 * BATCHES - len(self._means))
                block = values[place : place + whole * self.size]
                self._means += block.reshape(whole, self.size).mean(axis=1).tolist()
                place += whole * self.size
            if len(self._means) == 2 * BATCHES:
                self._means = [(one + other) / 2 for one, other in zip(*[iter(self._means)] * 2, strict=True)]
                self.size *= 2

    def means(self) -> Array:
        """Return the means of all whole batches."""
        return np.asarray(self._means)

    def correlation(self) -> float:
        """Return the correlation of neighbouring batches: well above 0, they are too short for their interval."""
        apart = self.means() - np.mean(self._means) if self._means else np.zeros(0)
        square = float((apart**2).sum())
        return float((apart[1:] * apart[:-1]).sum()) / square if square > 0 else 0.0

    def estimate(self, unit: str, *, level: float = 0.95) -> Estimate:
        """Return the mean of the batches with Student's t interval; without one below 2 batches."""
        return mean_of(self.means(), unit, level=level)


class LogHistogram:
    """Counts of positive numbers by size, in buckets of one width relative to their values: for quantiles.

    A bucket is the top of the IEEE-754 word: 2**-`BITS` of relative width, without a logarithm (the idea of Tene's
    HdrHistogram). Values below 2**-60 (0 among them) share the lowest, those from 2**68 on the highest.

    >>> histogram = LogHistogram()
    >>> histogram.add(np.arange(1.0, 1001.0))
    >>> abs(histogram.quantile(0.5) - 500.5) < 500 * LogHistogram.ERROR
    True
    """

    BITS = 9
    ERROR = 2.0**-BITS
    """The width of a bucket relative to its values: no quantile is wrong by more."""
    _LOWEST = (1023 - 60) << BITS
    _COUNT = 128 << BITS

    def __init__(self) -> None:
        self.counts = np.zeros(self._COUNT, dtype=np.int64)

    def add(self, values: Array) -> None:
        """Count some values, none of them negative."""
        words = np.ascontiguousarray(values, dtype=np.float64).view(np.int64) >> (52 - self.BITS)
        words -= self._LOWEST
        np.clip(words, 0, self._COUNT - 1, out=words)
        low = int(words.min(initial=self._COUNT - 1))
        words -= low  # values of one run lie close together: count only where they are
        found = np.bincount(words)
        self.counts[low : low + len(found)] += found

    def merge(self, lowest: int, counts: NDArray[np.int64]) -> None:
        """Add the counts of another one, as `filled` gives them."""
        self.counts[lowest : lowest + len(counts)] += counts

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def quantile(self, level: float) -> float:
        """Return the quantile of that level, straight between the borders of its bucket; NaN of nothing."""
        return self.quantile_of(*self.filled(), level)

    def filled(self) -> tuple[int, NDArray[np.int64]]:
        """Return the first bucket that holds anything, and the counts from there to the last such; none of nothing."""
        (filled,) = np.nonzero(self.counts)
        if not len(filled):
            return 0, np.zeros(0, np.int64)
        return int(filled[0]), self.counts[filled[0] : filled[-1] + 1].copy()

    @classmethod
    def quantile_of(cls, lowest: int, counts: NDArray[np.int64], level: float) -> float:
        """Return the quantile of counts from bucket `lowest` on, as `filled` gives them."""
        reached = np.cumsum(counts)
        if not len(reached) or not reached[-1]:
            return math.nan
        wanted = level * float(reached[-1])
        place = int(np.searchsorted(reached, wanted))
        if lowest + place == 0:
            return 0.0
        before = float(reached[place] - counts[place])
        low, high = cls._border(lowest + place), cls._border(lowest + place + 1)
        return low + (high - low) * (wanted - before) / float(counts[place])

    @classmethod
    def _border(cls, bucket: int) -> float:
        if bucket == 0:
            return 0.0
        word = np.array([(bucket + cls._LOWEST) << (52 - cls.BITS)], dtype=np.int64)
        return float(word.view(np.float64)[0])


def mean_of(values: Array, unit: str, *, level: float = 0.95) -> Estimate:
    """Return the mean of independent values with Student's t interval: `result.estimate` for arrays."""
    return around(float(values.mean()) if len(values) else None, values, unit, level=level)


def around(value: float | None, parts: Array, unit: str, *, level: float = 0.95) -> Estimate:
    """Return a value of all data with the interval that the same value of independent parts of them gives.

    Sectioning (Asmussen & Glynn 2007, "Stochastic Simulation", section III.5a): the quantile of all records is far
    less biased than the mean of the quantiles of parts; the scatter of the parts about it gives the interval.

    >>> around(2.0, np.array([1.0, 2.0, 3.0]), "s").high == mean_of(np.array([1.0, 2.0, 3.0]), "s").high
    True
    """
    if value is None or not math.isfinite(value):
        return Estimate(value=None, unit=unit)
    count = len(parts)
    if count < 2:
        return Estimate(value=value, unit=unit)
    deviation = math.sqrt(float(((parts - value) ** 2).sum()) / (count - 1))
    half = t_quantile((1 + level) / 2, count - 1) * deviation / math.sqrt(count)
    return Estimate(value=value, low=value - half, high=value + half, level=level, unit=unit)
