"""Fewer points for the same picture: a plot has some hundred columns, a trace may have a hundred thousand samples."""

from __future__ import annotations

import numpy as np

from streamsim.trace import Array

POINTS = 400


def thinned(time: Array, values: Array, points: int = POINTS) -> tuple[Array, Array]:
    """Return at most so many of the samples, evenly chosen, the first and the last among them.

    >>> thinned(np.arange(9.0), np.arange(9.0), 3)[0].tolist()
    [0.0, 4.0, 8.0]
    """
    if len(time) <= points:
        return time, values
    chosen = np.linspace(0, len(time) - 1, points).round().astype(int)
    return time[chosen], values[chosen]


def binned(time: Array, levels: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Return the mean over time, the lowest and the highest level between each two edges.

    A level holds from its sample to the next. Bins that the samples do not reach are NaN.

    >>> mean, low, high = binned(np.array([0.0, 1, 2]), np.array([4.0, 0, 0]), np.array([0.0, 2, 4]))
    >>> mean.tolist(), low.tolist(), high.tolist()
    ([2.0, nan], [0.0, nan], [4.0, nan])
    """
    covered = np.concatenate([[0.0], np.cumsum(levels[:-1] * np.diff(time))])
    inside = np.clip(edges, time[0], time[-1])
    width = np.diff(inside)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(width > 0, np.diff(np.interp(inside, time, covered)) / width, np.nan)
    low, high = np.full(len(mean), np.nan), np.full(len(mean), np.nan)
    # The level at a bin's left edge is that of the last sample before it.
    begin = np.maximum(np.searchsorted(time, edges[:-1], side="right") - 1, 0)
    end = np.maximum(np.searchsorted(time, edges[1:], side="left"), begin + 1)
    for place in np.flatnonzero(width > 0):
        here = levels[begin[place] : end[place]]
        low[place], high[place] = here.min(), here.max()
    return mean, low, high
