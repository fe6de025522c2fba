"""Warm-up: how many observations at the beginning of a run say nothing about its steady state (MSER-5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamsim.result import t_quantile

Array = NDArray[np.float64]

UNSETTLED = 0.95
"""MSER never cuts more than half; a cut this near to half means that no steady part was found."""
SURE = 0.9995
"""That series grow, before they are said to: one time in 2000 in vain, and then only twice as much is looked at."""


def warm_up(series: Array, batch: int = 5) -> int:
    """Return how many leading observations to drop by MSER-m: what is left then has the steadiest mean.

    The cut minimises the squared standard error of the mean of what remains, over batches of `batch`. Never more
    than half is cut (White, Cobb & Spratt 2000, "A comparison of five steady-state truncation heuristics for
    simulation", Winter Simulation Conference, pp. 755–760).

    >>> import numpy as np
    >>> warm_up(np.concatenate([np.full(20, 9.0), np.tile([1.0, 2.0], 100)]))
    20
    """
    batches = len(series) // batch
    if batches < 4:
        return 0
    means = np.asarray(series, dtype=np.float64)[: batches * batch].reshape(batches, batch).mean(axis=1)
    means -= means.mean()  # against cancellation in the sum of squares
    backwards = means[::-1]
    kept = np.arange(1, batches + 1)
    sums, squares = np.cumsum(backwards), np.cumsum(backwards * backwards)
    errors = ((squares - sums * sums / kept) / (kept * kept))[::-1]
    return int(np.argmin(errors[: max(1, batches // 2)])) * batch


def settled(series: Array, cut: int) -> bool:
    """Whether a cut left a steady part: it is not as late as MSER can cut.

    >>> settled(np.zeros(100), 49)
    False
    """
    return 2 * cut < UNSETTLED * len(series)


def grows(runs: list[Array]) -> bool:
    """Whether independent runs, of one length, are higher in their last third than in their first, surely so.

    MSER alone takes a growing series for settled where what grows is mixed with what does not, such as the classes of
    a queue that carries the urgent ones only.

    >>> rng = np.random.default_rng(1)
    >>> grows([rng.random(300) for _ in range(8)]), grows([rng.random(300) + np.arange(300) / 300 for _ in range(8)])
    (False, True)
    """
    third = min(map(len, runs)) // 3
    if third == 0 or len(runs) < 2:
        return False
    apart = np.array([run[-third:].mean() - run[:third].mean() for run in runs])
    error = float(apart.std(ddof=1)) / np.sqrt(len(runs))
    return bool(apart.mean() > t_quantile(SURE, len(runs) - 1) * error)
