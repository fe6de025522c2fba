"""The families of distributions as variates: what services and gaps of a table draw from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from streamsim.models.records.streams import BLOCK, Array, Stream, Variate
from streamsim.models.table import Pace
from streamsim.models.variates import Draw, drawing, gaps
from streamsim.service import Distribution


@dataclass(frozen=True)
class Law:
    """Factors of mean 1 of a distribution that is not deterministic.

    >>> law = Law(Distribution(family="exponential", scv=1.0))
    >>> Stream(law, np.random.default_rng(1)).take(2).tolist() == law.draws(np.random.default_rng(1))(2).tolist()
    True
    """

    distribution: Distribution

    def draws(self, rng: np.random.Generator) -> Draw:
        """Return what draws any number of them at a time; how they are cut changes nothing."""
        draw = drawing(self.distribution, rng)
        return draw if draw is not None else np.ones

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield them in blocks."""
        return _blocks(self.draws(rng))


@dataclass(frozen=True)
class Gaps:
    """The gaps (s) of a random load."""

    pace: Pace

    def draws(self, rng: np.random.Generator) -> Draw:
        """Return what draws any number of them at a time; how they are cut changes nothing."""
        return gaps(self.pace, rng)

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield them in blocks."""
        return _blocks(self.draws(rng))


def taking(variate: Variate, rng: np.random.Generator) -> Callable[[int], Array]:
    """Return what takes the next so many numbers of a variate, or fewer where it ends: without a buffer where it can.

    >>> len(taking(Gaps(Pace(arrivals="poisson", rate=1.0)), np.random.default_rng(1))(5))
    5
    """
    if isinstance(variate, Law | Gaps):
        return variate.draws(rng)
    return Stream(variate, rng).take


def _blocks(draw: Draw) -> Iterator[Array]:
    while True:
        yield draw(BLOCK)
