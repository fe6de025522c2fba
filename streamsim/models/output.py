"""Output analysis: when enough replications have been run, and whether they had settled (MSER-5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamsim.result import estimate
from streamsim.scenario import Scenario
from streamsim.trace import RunTrace
from streamsim.visits import response_times

Array = NDArray[np.float64]

FEWEST = 3
"""Replications before the first look at an interval: with 2 it is too wide and too random to steer by."""
FEWEST_RECORDS = 30
"""Response times of fewer records do not steer: no number of replications makes the one line of ``wc`` precise."""
UNSETTLED = 0.95
"""MSER never cuts more than half; a cut this near to half means that no steady part was found."""


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


class Stopping:
    """When to stop: every interval relatively narrow enough, or as many replications as are allowed.

    What is estimated is the makespan and, under an open load, the mean response time as results report it.
    """

    def __init__(self, scenario: Scenario, *, random: bool) -> None:
        self.scenario, self.random = scenario, random
        self.precision = scenario.simulate.precision
        self.at_most = scenario.simulate.replications if random else 1
        self.makespans: list[float] = []
        self.responses: list[float] = []
        self.unsettled = 0
        """Replications in which the response times were still drifting at half time."""

    def add(self, run: RunTrace) -> None:
        """Take note of one replication."""
        self.makespans.append(run.makespan_s)
        series = response_times(run, self.scenario.circuit, self.scenario.loads)
        if series.size >= FEWEST_RECORDS:
            self.responses.append(float(series.mean()))
            self.unsettled += 2 * warm_up(series) >= UNSETTLED * series.size

    def precision_reached(self) -> float:
        """Return the widest interval's half-width relative to its value; infinite before there are enough runs."""
        if len(self.makespans) < FEWEST:
            return math.inf
        return max(_relative(self.makespans), _relative(self.responses))

    def enough(self) -> bool:
        """Whether more would teach nothing, or no more is asked for."""
        return len(self.makespans) >= self.at_most or self.precision_reached() <= self.precision

    def warnings(self) -> tuple[str, ...]:
        """Return what a reader of the results has to know."""
        found, done = [], len(self.makespans)
        reached = self.precision_reached()
        if self.random and reached > self.precision:
            width = f"is still {reached:.1%} of its value" if math.isfinite(reached) else "is not known"
            found.append(
                f"the widest interval {width} after {done} replications (asked for: {self.precision:.1%}); "
                "raise simulate.replications"
            )
        if 2 * self.unsettled > done:
            found.append(
                f"response times were still drifting at half time in {self.unsettled} of {done} replications: "
                "the load is too much for the circuit, or the run too short for a steady state"
            )
        return tuple(found)


def _relative(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0 if not values else math.inf
    return estimate(values, "s").spread or 0.0
