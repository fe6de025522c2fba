"""Output analysis: when enough replications have been run, and whether they had settled (MSER-5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamsim.models.statistics.precision import how_many
from streamsim.models.statistics.warmup import settled, warm_up
from streamsim.result import estimate
from streamsim.scenario import Scenario
from streamsim.trace import RunTrace
from streamsim.visits import response_times

FEWEST = 3
"""Replications before the first look at an interval: with 2 it is too wide and too random to steer by."""
FEWEST_RECORDS = 30
"""Response times of fewer records do not steer: no number of replications makes the one line of ``wc`` precise."""
QUANTILES = (0.5, 0.95, 0.99)
BEYOND = 10
"""A quantile steers where at least so many records of a replication lie beyond it; else it is hardly one."""


class Stopping:
    """When to stop: every interval relatively narrow enough, or as many replications as are allowed.

    What is estimated is the makespan and, under an open load, the response time as results report it: its mean, and
    those of p50, p95 and p99 beyond which a replication has enough records.
    """

    def __init__(self, scenario: Scenario, *, random: bool) -> None:
        self.scenario, self.random = scenario, random
        self.precision = scenario.simulate.precision
        self.at_most = scenario.simulate.replications if random else 1
        self.makespans: list[float] = []
        self.responses: list[float] = []
        self.quantiles: dict[float, list[float]] = {level: [] for level in QUANTILES}
        self.unsettled = 0
        """Replications in which the response times were still drifting at half time."""

    def add(self, run: RunTrace) -> None:
        """Take note of one replication."""
        self.makespans.append(run.makespan_s)
        series = response_times(run, self.scenario.circuit, self.scenario.loads)
        if series.size >= FEWEST_RECORDS:
            self.responses.append(float(series.mean()))
            for level in QUANTILES:
                if series.size * (1.0 - level) >= BEYOND:
                    self.quantiles[level].append(float(np.quantile(series, level)))
            self.unsettled += not settled(series, warm_up(series))

    def precision_reached(self) -> float:
        """Return the widest interval's half-width relative to its value; infinite before there are enough runs."""
        if len(self.makespans) < FEWEST:
            return math.inf
        return max(_relative(values) for values in (self.makespans, self.responses, *self.quantiles.values()))

    def wanted(self, runs: Sequence[RunTrace]) -> int:
        """Return how many replications there should be, from those that there are."""
        for run in runs[len(self.makespans) :]:
            self.add(run)
        if len(runs) < FEWEST:
            return min(FEWEST, self.at_most)
        return how_many(len(runs), self.precision_reached(), self.precision, self.at_most)

    def warnings(self) -> tuple[str, ...]:
        """Return what a reader of the results has to know."""
        found, done = [], len(self.makespans)
        reached = self.precision_reached()
        if self.random and reached > self.precision:
            width = f"is still {reached:.1%} of its value" if math.isfinite(reached) else "is not known"
            found.append(
                f"the widest interval {width} after {done} replications (asked for: {100 * self.precision:.3g}%); "
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
