"""Random streams of records: one for each station and role, drawn by NumPy in blocks, taken one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.models.records.table import Station

Array = NDArray[np.float64]

ROLES = ("service", "yields", "sizes", "route", "arrivals", "keys")
"""The roles that a station has streams in; each draws on its own, so that no role disturbs another."""

BLOCK = 1024
"""Numbers that a memoryless variate draws at once: a NumPy call costs a hundred times what one number does."""


class Variate(Protocol):
    """What a stream draws: anything that yields blocks of numbers from a generator, for ever or until it ends.

    How long the blocks are is the variate's own business. It must not depend on who asks: then no result depends on
    how many numbers an engine asks for at a time.
    """

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield the numbers of one run, in blocks."""
        ...


@dataclass(frozen=True)
class Drawn:
    """Independent numbers from a function of (generator, how many), such as the ``rvs`` of a SciPy distribution.

    >>> exponential = Drawn(lambda rng, count: 2.0 * rng.standard_exponential(count))
    >>> stream = Stream(exponential, np.random.default_rng(1))
    >>> stream.take(3).tolist() == [stream2.next() for stream2 in [Stream(exponential, np.random.default_rng(1))]
    ...                             for _ in range(3)]
    True
    """

    draw: Callable[[np.random.Generator, int], Array]

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield blocks of `BLOCK` numbers for ever."""
        while True:
            yield np.asarray(self.draw(rng, BLOCK), dtype=np.float64)


UNIFORM = Drawn(lambda rng, count: rng.random(count))
"""What drawn splits draw."""


def bounds_of(weights: tuple[float, ...]) -> list[float]:
    """Return the cumulative probabilities of a drawn split: below the first goes to the first output."""
    total, bounds, below = sum(weights), [], 0.0
    for weight in weights:
        below += weight
        bounds.append(below / total)
    return bounds


@dataclass(frozen=True)
class Listed:
    """The given numbers, once: arrival times, recorded services.

    >>> Stream(Listed((1.0, 2.5)), np.random.default_rng(1)).take(9).tolist()
    [1.0, 2.5]
    """

    numbers: tuple[float, ...]

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield all of them, then nothing."""
        yield np.asarray(self.numbers, dtype=np.float64)


@dataclass(frozen=True)
class Even:
    """The times 0, 1/rate, 2/rate, …

    >>> Stream(Even(4.0), np.random.default_rng(1)).take(3).tolist()
    [0.0, 0.25, 0.5]
    """

    rate: float

    def blocks(self, rng: np.random.Generator) -> Iterator[Array]:
        """Yield the times in blocks; each is a quotient of its own, so that none carries the errors of a sum."""
        start = 0
        while True:
            yield np.arange(start, start + BLOCK, dtype=np.float64) / self.rate
            start += BLOCK


class Stream:
    """The numbers of one station in one role; taken in order, one by one or many at a time."""

    def __init__(self, variate: Variate, rng: np.random.Generator) -> None:
        self._blocks = variate.blocks(rng)
        self._block: Array = np.zeros(0)
        self._place = 0
        self._numbers: Iterator[float] = iter(())

    def take(self, count: int) -> Array:
        """Return the next numbers: `count`, or fewer where the stream ends. Not to be mixed with `next`."""
        parts, missing = [], count
        while missing > 0:
            if self._place >= len(self._block):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._block, self._place = block, 0
            part = self._block[self._place : self._place + missing]
            self._place += len(part)
            missing -= len(part)
            parts.append(part)
        return np.concatenate(parts) if parts else np.zeros(0)

    def must(self, station: str, role: str) -> float:
        """Return the next number; raises ModelError where the stream has ended."""
        number = self.next()
        if number is None:
            raise ModelError(ended(station, role))
        return number

    def next(self) -> float | None:
        """Return the next number, or None where the stream has ended."""
        for number in self._numbers:
            return number
        for block in self._blocks:
            self._numbers = iter(block.tolist())
            return self.next() if len(block) else None
        return None


def ended(station: str, role: str) -> str:
    """Return what is wrong when a stream ends before its station does."""
    return f"station {station!r}: its {role} stream has ended, but a record needs another number"


def variate_of(station: Station, role: str, outputs: int) -> Variate | None:
    """Return what a station draws in a role; None where it draws nothing there."""
    source = station.source
    match role:
        case "service":
            return station.service
        case "yields":
            return None if isinstance(station.yields, Fraction) else station.yields
        case "sizes":
            return None if station.size is None or isinstance(station.size, int) else station.size
        case "route":
            return UNIFORM if station.split == "drawn" and outputs > 1 else None
        case "arrivals":
            return source.stream if source is not None else None
        case "keys":
            return source.keys if source is not None else None
    raise ValueError(role)
