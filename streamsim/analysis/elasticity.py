"""Elasticities: by how many per cent throughput and the 99th percentile change when one thing changes by one per cent.

Central finite differences of the prediction, in logarithms: e = ln(X(z·(1+h)) / X(z·(1−h))) / ln((1+h) / (1−h)). Those
of throughput to the demands of all stations add up to −1 where nothing but their work takes time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.closed_loop import closed_loop, makespan_of_loop
from streamsim.analysis.prediction.feedback import makespan_of_loops
from streamsim.analysis.prediction.finite import finite, seconds_needed, throughput_of
from streamsim.analysis.prediction.fluid import FluidResult, Segment, solve
from streamsim.analysis.prediction.held import answered
from streamsim.analysis.prediction.segments import segments_of

STEP = 0.02


@dataclass(frozen=True)
class Figures:
    """What a circuit can do: ``throughput`` as runs a second at most (1/s), ``p99`` (s) where a load of its own
    leaves the circuit in a steady state; ``makespan`` of the run (s)."""

    throughput: float
    makespan: float
    p99: float | None = None


def throughput(case: Case) -> float:
    """Return how many runs a second the circuit can do at most (1/s).

    Of a saturated circuit that is the whole run, start included; of one with a load of its own it is the largest load
    that would hold, whatever the load is.
    """
    segments, _ = segments_of(case)
    fluid = solve(segments, case.host, case.limits)
    if case.scenario.open:
        return _inverse(seconds_needed(case, fluid))
    return _inverse(saturated_makespan(case, fluid, segments))


def saturated_makespan(case: Case, fluid: FluidResult, segments: list[Segment]) -> float:
    """Return the makespan (s) of a saturated circuit, with what loops and finite pipes cost where that is known."""
    if case.loops:
        return makespan_of_loops(case, fluid, segments)
    loop = closed_loop(case)
    if loop is not None:
        return max(fluid.makespan, makespan_of_loop(case, loop, fluid))
    circuit = finite(case)
    if isinstance(circuit, str):
        return fluid.makespan
    rate = throughput_of(circuit, case.host.available_cores, case.limits)
    return max(fluid.makespan, fluid.ended.get("startup", 0.0) + circuit.records / rate)


def figures(case: Case, held_s: Mapping[str, float] | None = None) -> Figures:
    """Return all the figures of a case.

    Parameters
    ----------
    held_s : how long a controller lets records wait before some stations, on average (s).
    """
    segments, _ = segments_of(case)
    fluid = solve(segments, case.host, case.limits)
    if not case.scenario.open:
        makespan = saturated_makespan(case, fluid, segments)
        return Figures(_inverse(makespan), makespan)
    needed = seconds_needed(case, fluid)
    answer = answered(case, fluid, needed, held_s or {})
    return Figures(_inverse(needed), answer.makespan, answer.response_quantiles_s[2])


def elasticity(
    case: Case, change: Callable[[Case, float], Case], value: Callable[[Case], float | None], *, step: float = STEP
) -> float | None:
    """Return d ln(value) / d ln(factor) of a change, at the factor 1; None where the value does not exist.

    Parameters
    ----------
    change : the case with something multiplied by the factor given.
    step : h, relative.

    >>> from streamsim.loading import load
    >>> from streamsim.analysis.prediction.case import case_of
    >>> case = case_of(load({"sources": {"make": {"command": "seq 9"}},
    ...                      "service": {"make": {"bytes": 10, "setup": "2 s"}}}), None)
    >>> round(elasticity(case, lambda c, f: c.with_demand("make", f), throughput), 9)
    -1.0
    """
    above, below = value(change(case, 1 + step)), value(change(case, 1 - step))
    if above is None or below is None or above <= 0 or below <= 0:
        return None
    return math.log(above / below) / math.log((1 + step) / (1 - step))


def _inverse(seconds: float) -> float:
    return 1 / seconds if seconds > 0 else math.inf
