"""How a case does: the answer under its load, or the run of a saturated one, where its controllers lead it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamsim.analysis.elasticity import saturated_makespan, throughput
from streamsim.analysis.goal import Goal
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.finite import seconds_needed
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.held import answered
from streamsim.analysis.prediction.open_load import OpenAnswer
from streamsim.analysis.prediction.segments import segments_of
from streamsim.analysis.prediction.steered import steered


@dataclass(frozen=True)
class Found:
    """How a case does where its controllers lead it: the answer under its load, or the run of a saturated one.

    ``warnings`` are what theory could not say of the controllers.
    """

    case: Case
    makespan_s: float
    answer: OpenAnswer | None
    capacity: float
    warnings: tuple[str, ...] = ()

    def misses(self, goal: Goal) -> float:
        """Return by what factor the goal is missed at worst; at most 1 where it is reached, inf where nobody knows."""
        if self.answer is not None and self.answer.saturated:
            return math.inf
        p99 = self.answer.response_quantiles_s[2] if self.answer is not None else None
        mean = self.answer.response_mean_s if self.answer is not None else None
        return goal.missed_by(self.makespan_s, mean, p99)


def evaluate(case: Case) -> Found:
    """Return how a case does under its load, or as a whole run, in the setting that its controllers lead it to."""
    steering = steered(case)
    now = steering.case
    segments, _ = segments_of(now)
    fluid = solve(segments, now.host, now.limits)
    if not now.scenario.open:
        makespan = saturated_makespan(now, fluid, segments)
        return Found(case, makespan, None, 1 / makespan if makespan > 0 else math.inf, steering.warnings)
    busy = seconds_needed(now, fluid)
    answer = answered(now, fluid, busy, steering.held_s)
    return Found(case, answer.makespan, answer, 1 / busy if busy > 0 else math.inf, steering.warnings)


def capacity(case: Case) -> float:
    """Return how many runs a second the circuit can do at most, as its controllers leave it (1/s)."""
    return throughput(steered(case).case)
