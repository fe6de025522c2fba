"""Whether the demand of a chunk scatters as a whole, or each of its records by itself; and how."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.analysis.fitting.distributions import NARROW, fit_distribution
from streamsim.families import distribution_of
from streamsim.service import Distribution

Array = NDArray[np.float64]

CLEARLY = 5.0
"""So much larger must the log-likelihood of one reading be for it to be taken against the plainer one."""
FEWEST_SINGLES = 200
SMALL = 16
"""Chunks of more records than this (the median) say nothing of what one record scatters by."""


class Scatter(NamedTuple):
    """A distribution of factors, and what has a factor of its own (see `ServiceModel.scatters`)."""

    distribution: Distribution
    of: Literal["by-chunk", "by-record"]


NO_SCATTER = Scatter(Distribution(), "by-chunk")


def scatter_of(factors: Array, records: Array) -> Scatter:
    """Return how the demands of chunks scatter.

    Parameters
    ----------
    factors : shape (n,), positive; the demand of each chunk over what the model expected.
    records : shape (n,); how many records each chunk had, 0 where nobody counted.

    The mean of m independent factors of squared coefficient of variation c has c/m, what a chunk has as a whole is
    the same for any m. Both are held against the data as normal deviations of either variance.

    >>> rng = np.random.default_rng(1)
    >>> records = rng.integers(1, 30, 4000)
    >>> scatter_of(rng.gamma(records) / records, records).of
    'by-record'
    >>> scatter_of(rng.exponential(size=4000), records).of
    'by-chunk'
    """
    kept = np.isfinite(factors) & (factors > 0)
    factors, records = factors[kept], records[kept]
    if factors.size < 2 or not (records >= 1).all() or not _by_record(factors / factors.mean(), records):
        return Scatter(fit_distribution(factors), "by-chunk")
    alone = records < 2
    if alone.sum() >= FEWEST_SINGLES or alone.all():
        return Scatter(fit_distribution(factors[alone]), "by-record")
    scv = float(np.mean((factors / factors.mean() - 1.0) ** 2 * records))
    found = distribution_of("gamma", scv) if scv >= NARROW else Distribution(scv=scv)
    return Scatter(found, "by-record")


def _by_record(factors: Array, records: Array) -> bool:
    if (records < 2).all():
        return True
    if np.median(records) > SMALL:
        return False
    squares = (factors - 1.0) ** 2
    if squares.mean() < NARROW:
        return False
    whole, own = np.full(len(records), squares.mean()), np.mean(squares * records) / records
    likelihoods = [-0.5 * float(np.sum(np.log(variance) + squares / variance)) for variance in (own, whole)]
    return likelihoods[0] > likelihoods[1] + CLEARLY
