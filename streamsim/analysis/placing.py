"""Which station to pin to which core: placements of a case, all of them where they are few, else the likely ones.

A placement gives each station a core that it may share with others, or leaves it free: to use all cores, or only those
that nobody is pinned to. Cores are alike, so that only who shares with whom matters. What pins buy is that a station
that is nearly always at work need not share its core with those that come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.segments import reading_demand
from streamsim.units import format_seconds

if TYPE_CHECKING:
    from streamsim.analysis.goal import Goal
    from streamsim.analysis.judged import Found

MOST = 256
"""Placements of one variant that are tried."""
BETTER = 0.99
"""Pins that bring a figure down to more than this part of it buy nothing."""

State = tuple[tuple[int, ...], bool]
"""The core of each unit of stations, from 1 in the order in which they occur, 0: none; whether free ones keep off."""


@dataclass(frozen=True)
class Placed:
    """What came of trying placements of a case: all answers, and whether these were all that there are."""

    before: Found
    tried: tuple[Found, ...]
    whole: bool

    def cheapest(self, goal: Goal) -> Found | None:
        """Return the answer that reaches the goal with the fewest stations pinned; None where none does."""
        reached = [one for one in self.tried if one.misses(goal) <= 1]
        return min(reached, key=lambda one: (len(one.case.pins), one.misses(goal)), default=None)

    def said(self, goal: Goal, what: str) -> str:
        """Say what pins buy, or that they buy nothing, in the first figure that the goal is about."""
        was = figure(self.before, goal)
        best = min(self.tried, key=lambda one: (figure(one, goal) or float("inf"), len(one.case.pins)), default=None)
        found = figure(best, goal) if best is not None else None
        count = f"{'all' if self.whole else 'the likeliest'} {len(self.tried)} placements"
        if was is None or best is None or found is None or found > was * BETTER:
            return f"pins buy nothing at {what}: of {count} none brings {name_of(goal)} 1 % lower, by theory"
        pins = " ".join(f"--set 'stations.{name}.cores={list(some)}'" for name, some in sorted(best.case.pins.items()))
        words = pins or "no pins at all"
        times = f"{format_seconds(found)} in place of {format_seconds(was)}"
        return f"pins buy at {what}: {name_of(goal)} {times} with {words}, the best of {count}"


def figure(found: Found, goal: Goal) -> float | None:
    """Return the first figure that a goal is about (s); None where it does not exist."""
    answer = found.answer
    if answer is not None and answer.saturated:
        return None
    if goal.p99_s is not None:
        return answer.response_quantiles_s[2] if answer is not None else None
    if goal.mean_s is not None:
        return answer.response_mean_s if answer is not None else None
    return found.makespan_s


def name_of(goal: Goal) -> str:
    """Return what the first figure of a goal is called."""
    return "p99" if goal.p99_s is not None else "the mean" if goal.mean_s is not None else "the makespan"


def may_help(case: Case, goal: Goal, evaluate: Callable[[Case], Found]) -> bool:
    """Whether the goal is reached where every server has a core of its own and wakes cheaply: no pins give more."""
    if case.scenario.simulate.cores == "own":
        return False  # every server has a core of its own already, and pins mean nothing
    cores = sum(case.servers.values())
    plenty: Case = replace(
        case,
        placement=None,
        host=msgspec.structs.replace(
            case.host,
            cores=cores,
            available_cores=float(cores),
            speed=case.host.speed,
            wake_far_s=min(case.host.wake_far_s, case.host.wake_near_s),
        ),
    )
    return evaluate(plenty).misses(goal) <= 1


def placed(before: Found, goal: Goal, evaluate: Callable[[Case], Found], *, most: int = MOST) -> Placed:
    """Try placements of a case that was judged, none pinned among them."""
    case = before.case
    units = _units(case)
    cores = case.placement.cores if case.placement is not None else tuple(range(case.host.cores))
    seen: dict[tuple[tuple[str, tuple[int, ...]], ...], Found] = {}

    def judged(state: State) -> Found:
        pins = _pins(state, units, cores)
        key = tuple(sorted(pins.items()))
        if key not in seen:
            seen[key] = evaluate(case.with_pins(pins))
        return seen[key]

    states: list[State] = []
    for state in _states(len(units), len(cores)):
        states.append(state)
        if len(states) > most:
            break
    whole = len(states) <= most
    if whole:
        for state in states:
            judged(state)
    else:
        _climb(case, units, len(cores), judged, lambda found: found.misses(goal), lambda: len(seen) < most)
    return Placed(before, tuple(seen.values()), whole)


def _units(case: Case) -> list[tuple[str, ...]]:
    """Return the stations that can be pinned and have work, those that share a process together."""
    heads = {lower: upper for upper, lower in case.fused}
    groups: dict[str, list[str]] = {}
    for name in case.order:
        if case.scenario.circuit.station(name).role == "station":
            head = name
            while head in heads:
                head = heads[head]
            groups.setdefault(head, []).append(name)
    return [tuple(names) for head, names in groups.items() if reading_demand(case.profiles[head], case.flows[head]) > 0]


def _states(units: int, cores: int) -> Iterator[State]:
    """Yield who shares a core with whom, each way once."""

    def grown(some: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(some) == units:
            yield some
            return
        for core in range(min(max(some, default=0) + 1, cores) + 1):
            yield from grown((*some, core))

    for some in grown(()):
        yield some, False
        if 0 in some and 0 < max(some, default=0) < cores:
            yield some, True


def _pins(state: State, units: list[tuple[str, ...]], cores: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    places, off = state
    rest = cores[max(places, default=0) :] if off else ()
    pins: dict[str, tuple[int, ...]] = {}
    for names, core in zip(units, places, strict=True):
        some = (cores[core - 1],) if core else rest
        pins |= {name: some for name in names if some}
    return pins


def _climb(
    case: Case,
    units: list[tuple[str, ...]],
    cores: int,
    judged: Callable[[State], Found],
    miss: Callable[[Found], float],
    more: Callable[[], bool],
) -> None:
    """Begin where the heaviest have a core each, or all are spread by their work; move one as long as it helps."""
    work = [reading_demand(case.profiles[names[0]], case.flows[names[0]]) for names in units]
    heaviest = sorted(range(len(units)), key=lambda k: -work[k])
    spread, loads = [0] * len(units), [0.0] * cores
    for k in heaviest:
        spread[k] = min(range(cores), key=lambda core: loads[core]) + 1
        loads[spread[k] - 1] += work[k]
    starts: list[State] = [((0,) * len(units), False), (tuple(spread), False)]
    for count in range(1, min(cores, len(units) + 1)):
        alone = tuple(heaviest.index(k) + 1 if heaviest.index(k) < count else 0 for k in range(len(units)))
        starts += [(alone, False), (alone, True)]
    best = min(starts, key=lambda state: miss(judged(state)))
    better = True
    while better and more():
        better = False
        places, off = best
        near = [
            ((*places[:k], core, *places[k + 1 :]), apart)
            for k in range(len(units))
            for core in range(cores + 1)
            for apart in (False, True)
            if core != places[k] or apart != off
        ]
        for state in near:
            if not more():
                return
            if miss(judged(state)) < miss(judged(best)) - 1e-9:
                best, better = state, True
                break
