"""What a what-if buys for what it costs: the goal's figure against processes, on several numbers of cores."""

from __future__ import annotations

from dataclasses import dataclass

from streamsim.analysis.goal import Answer, Goal, Variant
from streamsim.analysis.judged import Found, evaluate
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.variants import shareable
from streamsim.analysis.whatif import checked, stable
from streamsim.assumed import complete
from streamsim.scenario import Scenario
from streamsim.service import Profile

STEPS = 4
"""Servers that are added beyond the dearest answer at most."""
MOST_ROWS = 4


@dataclass(frozen=True, kw_only=True)
class Tradeoff:
    """For each number of ``cores`` the best variants by theory, with more and more processes; by `figure` of each."""

    cores: dict[int, tuple[Variant, ...]]


def figure(variant: Variant, goal: Goal) -> tuple[str, float | None]:
    """Return which figure of a variant the goal is about, by its field, and the figure (s, or times the load)."""
    for name, wanted in (("p99_s", goal.p99_s), ("mean_s", goal.mean_s), ("makespan_s", goal.makespan_s)):
        if wanted is not None:
            value: float | None = getattr(variant, name)
            return name, value
    return "headroom", variant.headroom


def wanted(goal: Goal) -> float:
    """Return what the figure of a variant should be at most (s), or for ``headroom`` at least: 1."""
    return next((limit for limit in (goal.p99_s, goal.mean_s, goal.makespan_s) if limit is not None), 1.0)


def tradeoff_of(scenario: Scenario, profile: Profile, goal: Goal, answer: Answer) -> Tradeoff:
    """Return what more processes would promise on the answer's cores, on one fewer, on one more, and on all.

    Parameters
    ----------
    scenario, profile, goal : those of the answer.

    From the fewest servers that carry the load on, the server is added that helps most; what helps no more ends a row.
    """
    known, _ = complete(profile, scenario)
    case = case_of(scenario, known)
    names, _ = shareable(scenario)
    answers = [*answer.variants, *([answer.nearest] if answer.nearest is not None else [])]
    chosen = dict.fromkeys(variant.cores for variant in answers)
    wide = [*chosen, goal.cores, *(count + more for count in chosen for more in (-1, 1))]
    counts = list(dict.fromkeys(count for count in wide if case.least_cores <= count <= goal.cores))[:MOST_ROWS]
    dearest = max((variant.servers for variant in answer.variants), default=0)
    rows = {
        count: _row(scenario, profile, goal, stable(case.with_cores(count), names), case, names, dearest)
        for count in sorted(counts)
    }
    return Tradeoff(cores={count: row for count, row in rows.items() if row})


def _row(
    scenario: Scenario, profile: Profile, goal: Goal, start: Case, original: Case, names: list[str], dearest: int
) -> tuple[Variant, ...]:
    row: list[Variant] = []
    found = evaluate(start)
    beyond = 0
    while beyond <= STEPS:
        variant = checked(scenario, profile, found, original)
        if variant is not None and figure(variant, goal)[1] is not None:
            row.append(variant)
        more = [evaluate(found.case.with_servers(name, found.case.servers[name] + 1)) for name in names]
        if not more:
            break
        best = min(more, key=lambda one: _rank(one, goal))
        if len(row) > 1 and not _better(row[-1], row[-2], goal):  # what sharing out costs is more than it brings
            break
        if _rank(best, goal) >= _rank(found, goal):
            break
        found = best
        beyond += variant is not None and variant.servers >= dearest
    return tuple(row)


def _better(one: Variant, other: Variant, goal: Goal) -> bool:
    (name, mine), (_, others) = figure(one, goal), figure(other, goal)
    if mine is None or others is None:
        return mine is not None
    return mine > others if name == "headroom" else mine < others


def _rank(found: Found, goal: Goal) -> tuple[float, float]:
    """Order by how far the goal is missed, then by the load that would hold."""
    return found.misses(goal), -found.capacity
