"""Random factors and gaps of every family, drawn in blocks: how many are asked for at once changes nothing.

Families that need one kind of number for each value take it straight from the generator, which hands out the same
sequence however it is cut. Those that need several kinds have a generator of their own for each; those that walk from
state to state are drawn a fixed quantum ahead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamsim import markov
from streamsim.errors import ModelError
from streamsim.families import distribution_of
from streamsim.models.table import Pace
from streamsim.service import Distribution

Array = NDArray[np.float64]
Draw = Callable[[int], Array]
"""Returns the next so many values."""

QUANTUM = 4096
"""Transitions that a Markovian process walks at once; part of what a seed means."""


def drawing(distribution: Distribution, rng: np.random.Generator) -> Draw | None:
    """Return what draws the random factors (mean 1, never below 0) of a service, or None where all are 1.

    Raises ModelError for an unknown family or parameters that do not fit it.

    >>> draw = drawing(Distribution(family="exponential", scv=1.0), np.random.default_rng(1))
    >>> round(float(draw(20000).mean()), 1)
    1.0
    """
    family, parameters = distribution.family, distribution.parameters
    match family, parameters:
        case "deterministic", _:
            return None
        case "exponential", _:
            return rng.standard_exponential
        case "erlang", (phases,):
            return lambda count: rng.standard_gamma(phases, count) / phases
        case "gamma", (shape, low, scale):
            return _not_below_0(low, lambda count: low + scale * rng.standard_gamma(shape, count))
        case "lognormal", (sigma, low, scale):
            return _not_below_0(low, lambda count: low + scale * np.exp(sigma * rng.standard_normal(count)))
        case "weibull", (shape, low, scale):
            return _not_below_0(low, lambda count: low + scale * rng.weibull(shape, count))
        case "hyperexponential", (part, rate_1, rate_2):
            return _two_phases(part, rate_1, rate_2, rng)
        case (("phase-type" | "map"), (size, *rates)) if size >= 1 and _fits(family, int(size), len(rates)):
            return Walk(*markov.matrices(distribution), rng).take
        case "bootstrap", (block,) if len(distribution.values) > 1 and block >= 1:
            return _replay(np.asarray(distribution.values), block, rng)
        case "empirical", _ if len(distribution.values) > 1:
            values = np.asarray(distribution.values)
            return lambda count: values[rng.integers(0, len(values), count)]
        case "empirical", _ if len(distribution.quantiles) > 1:
            return _empirical(np.asarray(distribution.quantiles), rng)
    raise ModelError(
        f"a service cannot be drawn from {family!r} with the parameters {parameters} "
        f"and {len(distribution.quantiles)} quantiles"
    )


def gaps(pace: Pace, rng: np.random.Generator) -> Draw:
    """Return what draws the gaps (s) between the records of a ``poisson``, ``bursty`` or ``mmpp`` load.

    Bursty gaps are hyper-exponential with two phases of balanced means; those of an MMPP are Poisson at the rate of the
    state that the load is in, states following each other in a circle, each staying an exponential time.

    >>> round(float(gaps(Pace(arrivals="poisson", rate=4.0), np.random.default_rng(1))(20000).mean()), 2)
    0.25
    """
    rate = pace.rate
    if pace.arrivals == "mmpp":
        return Walk(*mmpp(pace), rng).take
    family = {"poisson": "exponential", "bursty": "hyperexponential" if pace.scv > 1 else "exponential"}
    if pace.arrivals not in family:
        raise ModelError(f"the gaps of {pace.arrivals!r} arrivals are not random")
    draw = drawing(distribution_of(family[pace.arrivals], pace.scv), rng)
    assert draw is not None, "both families are random"

    def scaled(count: int) -> Array:
        values = draw(count)  # both families give arrays that nobody else holds
        values /= rate
        return values

    return scaled


def mmpp(pace: Pace) -> tuple[Array, Array]:
    """Return the hidden and the visible rates (1/s) of a load that changes its rate from state to state.

    >>> hidden, visible = mmpp(Pace(arrivals="mmpp", states=((2.0, 10.0), (0.5, 5.0))))
    >>> hidden.tolist(), visible.tolist()
    ([[-2.1, 0.1], [0.2, -0.7]], [[2.0, 0.0], [0.0, 0.5]])
    """
    rates, leaving = np.array([[rate, 1 / stay] for rate, stay in pace.states]).T
    visible = np.diag(rates)
    turn = np.roll(np.eye(len(rates)), 1, axis=1)
    return leaving[:, None] * turn - np.diag(leaving + rates), visible


class Walk:
    """Walks the phases of a Markovian process (D0, D1) and gives the times between its visible transitions."""

    def __init__(self, hidden: Array, visible: Array, rng: np.random.Generator) -> None:
        self._choices, self._clocks = rng.spawn(2)
        self._size = len(hidden)
        self._leaving = -np.diag(hidden)
        towards = np.hstack([hidden - np.diag(np.diag(hidden)), visible]) / self._leaving[:, None]
        self._limits = np.cumsum(towards, axis=1)
        self._limits[:, -1] = np.inf  # whatever rounding left of the last one
        start = np.cumsum(markov.after_an_end(hidden, visible))
        self._phase = min(int(np.searchsorted(start, self._choices.random(), side="right")), self._size - 1)
        self._begun = 0.0
        self._left = np.zeros(0)

    def take(self, count: int) -> Array:
        """Return the next so many times."""
        while len(self._left) < count:
            self._left = np.concatenate([self._left, self._more()])
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def _more(self) -> Array:
        """Walk one quantum; the time that is not at its end is carried over."""
        luck, held = self._choices.random(QUANTUM), self._clocks.standard_exponential(QUANTUM)
        ways = [np.searchsorted(limits, luck, side="right").tolist() for limits in self._limits]
        phase, size = self._phase, self._size
        phases, outcomes = [], []
        for step in range(QUANTUM):
            phases.append(phase)
            outcome = ways[phase][step]
            outcomes.append(outcome)
            phase = outcome - size if outcome >= size else outcome
        self._phase = phase
        held /= self._leaving[phases]
        (ends,) = np.nonzero(np.asarray(outcomes) >= size)
        if not len(ends):
            self._begun += float(held.sum())
            return ends.astype(np.float64)
        times: Array = np.add.reduceat(held[: ends[-1] + 1], np.append(0, ends[:-1] + 1))
        times[0] += self._begun
        self._begun = float(held[ends[-1] + 1 :].sum())
        return times


def _fits(family: str, size: int, numbers: int) -> bool:
    return numbers == (2 * size * size if family == "map" else size + size * size)


def _not_below_0(low: float, draw: Draw) -> Draw:
    return draw if low >= 0 else lambda count: np.maximum(draw(count), 0.0)


def _two_phases(part: float, rate_1: float, rate_2: float, rng: np.random.Generator) -> Draw:
    choices, clocks = rng.spawn(2)
    mean_1, mean_2 = 1 / rate_1, 1 / rate_2
    return lambda count: clocks.standard_exponential(count) * np.where(choices.random(count) < part, mean_1, mean_2)


def _empirical(quantiles: Array, rng: np.random.Generator) -> Draw:
    places = np.linspace(0.0, 1.0, len(quantiles))
    # Straight lines between quantiles overrate a heavy tail a little: bring the mean back to the 1 that it stands for.
    factor = quantiles / np.trapezoid(quantiles, places)
    return lambda count: np.interp(rng.random(count), places, factor)


def _replay(values: Array, block: float, rng: np.random.Generator) -> Draw:
    restarts, beginnings = rng.spawn(2)
    place = int(beginnings.integers(len(values)))

    def draw(count: int) -> Array:
        nonlocal place
        steps = np.arange(count)
        anew = restarts.random(count) < 1 / block
        begun = beginnings.integers(0, len(values), count)
        last = np.maximum.accumulate(np.where(anew, steps, -1))
        places = np.where(last < 0, place + steps, begun[last] + steps - last) % len(values)
        if count:
            place = int(places[-1]) + 1
        taken: Array = values[places]
        return taken

    return draw
