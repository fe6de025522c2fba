"""What would it take: the cheapest variants of a scenario that reach a goal, by theory.

Variants differ in servers (of the operators whose records can be shared), in which neighbours share a process, in the
cores that they use and in who is pinned to which of them. They are tried from the cheapest on, cores before processes,
so that the first that reaches the goal is the cheapest; one that falls short is pinned where that can help (`placing`),
and is followed by those with one server more where that can.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

from streamsim.analysis.goal import Answer, Goal, Variant
from streamsim.analysis.judged import Found, capacity, evaluate
from streamsim.analysis.placing import Placed, figure, may_help, placed
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.prediction.finite import Finite, finite
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.loads import spans
from streamsim.analysis.prediction.segments import segments_of
from streamsim.analysis.prediction.steered import steered
from streamsim.analysis.variants import changes_of, fusible, shareable, variant_of
from streamsim.assumed import complete
from streamsim.errors import ScenarioError
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile

MOST = 10_000
"""Variants that are tried before the search gives up and says so."""
MOST_STEERED = 500
"""So many where controllers are followed through a run in each."""
MOST_PLACED = 2000
"""Of these, so many differ only in who is pinned to which core."""
MOST_SERVERS = 64
NEARER = 0.01
"""What comes nearer to the goal by less is no better: the cheaper one, tried before, is named."""
MOST_PIPE = 1 << 20
"""Bytes that an ordinary user may give a pipe (pipe-max-size)."""


def search(
    scenario: Scenario, profile: Profile, goal: Goal, *, top: int = 3, host: HostProfile | None = None
) -> Answer:
    """Return the cheapest variants of a scenario that reach a goal.

    Parameters
    ----------
    scenario : with the load that is to be carried, and as many cores as there are to use.
    top : how many variants to return.

    Raises ProfileError where a station has no service model, ScenarioError for a goal on response times without a load
    of its own.
    """
    if not scenario.open and (goal.p99_s is not None or goal.mean_s is not None):
        raise ScenarioError("response times exist under a load of its own only: give --rate too")
    known, _ = complete(profile, scenario)
    case = case_of(scenario, known, host=host)
    steering = steered(case)
    names, notes = shareable(scenario)
    notes += [*(f"as it stands, {told}" for told in steering.notes), *steering.warnings]
    tree = _Search(case, goal, names, top)
    tree.run()
    variants = [checked(scenario, profile, found, case) for found in tree.found]
    kept = [variant for variant in variants if variant is not None and _reaches(variant, goal)]
    assumed = sorted({name for one in kept[:top] for name in complete(profile, variant_of(scenario, one.changes))[1]})
    if assumed:
        notes.append(f"assumed, not measured: what {', '.join(assumed)} need{'s' if len(assumed) == 1 else ''}")
    notes += tree.pins_bought()
    nearest = None
    if not kept:  # a split and a merge may take more than servers bring, so the scenario as it stands counts too
        as_it_stands = evaluate(case.with_cores(goal.cores)) if goal.cores >= case.least_cores else None
        near = [checked(scenario, profile, one, case) for one in (as_it_stands, tree.best) if one is not None]
        nearest = min((one for one in near if one is not None), key=lambda one: _missed(one, goal), default=None)
    for what, one in [
        *((f"variant {number}", one) for number, one in enumerate(kept[:top], 1)),
        ("the nearest", nearest),
    ]:
        notes += [f"{what}: {text}" for text in (one.warnings if one is not None else ()) if text not in notes]
    return Answer(
        scenario=scenario.key,
        goal=goal,
        variants=tuple(kept[:top]),
        nearest=nearest,
        cores_needed=_cores_needed(steering.case),
        tried=tree.tried,
        complete=tree.tried < tree.most and tree.placed < MOST_PLACED,
        notes=tuple(notes),
    )


class _Search:
    """Variants from the cheapest on: cores, then processes."""

    def __init__(self, case: Case, goal: Goal, shareable: Iterable[str], top: int) -> None:
        self.case, self.goal, self.shareable, self.top = case, goal, tuple(shareable), top
        self.most = MOST_STEERED if case.scenario.controllers else MOST
        self.fusible = fusible(case) if not case.scenario.controllers else []  # they watch stations, not processes
        finite_pipes = isinstance(finite(case), Finite)
        self.widened = tuple(name for name in case.order if finite_pipes and case.inputs[name])
        self.found: list[Found] = []
        self.best: Found | None = None
        self.nearest = math.inf
        self.tried = self.placed = 0
        self.bought: Placed | None = None
        """What pins bring to the first answer."""

    def run(self) -> None:
        for cores in range(1, self.goal.cores + 1):
            if self.tried >= self.most or len(self.found) >= self.top:
                return
            self._with_cores(cores)

    def pins_bought(self) -> list[str]:
        """Say what pins buy: at the first answer where there is one, else where the goal is missed least."""
        unasked = all(wanted is None for wanted in (self.goal.p99_s, self.goal.mean_s, self.goal.makespan_s))
        if unasked or self.case.scenario.simulate.cores == "own":
            return []
        what = "variant 1" if self.found else "the nearest"
        if self.bought is None:
            first = self.found[0] if self.found else self.best
            if first is None or first.case.host.cores == 1 or figure(first, self.goal) is None:
                return []
            self.bought = placed(first, self.goal, self._judge)
        return [self.bought.said(self.goal, what)]

    def _with_cores(self, cores: int) -> None:
        fits = cores >= self.case.least_cores
        start = stable((self.case if fits else self.case.with_pins({})).with_cores(cores), self.shareable)
        servers = tuple(start.servers[name] for name in self.shareable)
        first = (*servers, *(0 for _ in self.widened))
        todo, seen = [(_cost(first, len(servers)), first)], {first}
        while todo and self.tried < self.most and len(self.found) < self.top:
            _, steps = heapq.heappop(todo)
            found = self._judge(self._made(start, steps))
            if found.misses(self.goal) <= 1:
                self.found.append(self._fused(found))
                continue
            pinned = self._pinned(found)
            if pinned is not None:
                self.found.append(pinned)
                continue
            for place in range(len(steps)):
                if self._helps(found, place, steps[place]):
                    more = (*steps[:place], steps[place] + 1, *steps[place + 1 :])
                    if more not in seen:
                        seen.add(more)
                        heapq.heappush(todo, (_cost(more, len(servers)), more))

    def _pinned(self, found: Found) -> Found | None:
        """Return the case pinned so that it reaches the goal; None where no placement does, or enough were tried."""
        answer = found.answer
        if (answer is None or answer.saturated) and not found.case.pins:
            return None  # what several share is all used without pins; those that stand in the way may be taken off
        if found.case.host.cores == 1 or self.placed >= MOST_PLACED:
            return None
        if not may_help(found.case, self.goal, evaluate):
            return None
        tried = placed(found, self.goal, self._judge)
        self.placed += len(tried.tried)
        best = tried.cheapest(self.goal)
        if best is not None and not self.found:
            self.bought = tried
        return best

    def _made(self, start: Case, steps: tuple[int, ...]) -> Case:
        """Return the case of so many servers of each shareable station, and of pipes doubled so often."""
        here = start
        for name, count in zip(self.shareable, steps, strict=False):
            here = here.with_servers(name, count) if here.servers[name] != count else here
        for name, doubled in zip(self.widened, steps[len(self.shareable) :], strict=True):
            here = here.with_capacity(name, 2.0**doubled) if doubled else here
        return here

    def _judge(self, case: Case) -> Found:
        self.tried += 1
        found = evaluate(case)
        missed = found.misses(self.goal)
        if (
            self.best is None
            or missed < self.nearest * (1 - NEARER)
            or (missed == self.nearest and found.capacity > self.best.capacity * (1 + NEARER))
        ):
            self.best, self.nearest = found, missed
        return found

    def _helps(self, found: Found, place: int, steps: int) -> bool:
        """Whether one step more at a place can bring the goal nearer: not where nobody waits for it."""
        answer = found.answer
        if place >= len(self.shareable):
            name = self.widened[place - len(self.shareable)]
            largest = max(found.case.capacities[pipe.label] for pipe in found.case.inputs[name])
            more = found.case.with_capacity(name, 2.0)
            return largest < MOST_PIPE and capacity(more) > found.capacity * (1 + 1e-4)
        name = self.shareable[place]
        if steps >= MOST_SERVERS:
            return False
        if answer is None or answer.saturated:
            more = found.case.with_servers(name, found.case.servers[name] + 1)
            return capacity(more) > found.capacity * (1 + 1e-6)
        station = answer.stations[name]
        return name in answer.path and (station.wait_s or 0.0) > 1e-3 * (answer.response_mean_s or 0.0)

    def _fused(self, found: Found) -> Found:
        """Let neighbours share a process as long as the goal is still reached: fewer processes for the same."""
        for upper, lower in self.fusible:
            alike = found.case.pins.get(upper) == found.case.pins.get(lower)
            if alike and found.case.servers[upper] == found.case.servers[lower] == 1:
                tried = self._judge(found.case.with_fused(upper, lower))
                if tried.misses(self.goal) <= 1:
                    found = tried
        return found


def stable(case: Case, shareable: Iterable[str]) -> Case:
    """Return the case with as many servers as the load takes at least, so that a search need not start below."""
    if not case.scenario.open:
        return case
    now = steered(case).case
    segments, _ = segments_of(now)
    running = solve(segments, now.host, now.limits).running
    span = _span(case)
    for name in shareable:
        least = math.ceil(running.get(name, 0.0) * case.servers[name] / span - 1e-9) if span else 1
        case = case.with_servers(name, min(MOST_SERVERS, max(case.servers[name], least)))
    return case


def _cost(steps: tuple[int, ...], servers: int) -> tuple[int, int]:
    """Return what a variant costs on given cores: processes first, then how often its pipes were doubled."""
    return sum(steps[:servers]), sum(steps[servers:])


def checked(scenario: Scenario, profile: Profile, found: Found, original: Case) -> Variant | None:
    """Ask theory again about the scenario that the changes make, splits and merges included; None where it is none."""
    changes = changes_of(found.case, original)
    apart = {path: value for path, value in changes.items() if not path.endswith(".fuse")}
    try:
        variant_of(scenario, changes)
        made = variant_of(scenario, apart)  # what shares a process is put together below
        known, _ = complete(profile, made)
        case = case_of(made, known, host=found.case.host)
    except ScenarioError:
        return None
    for upper, lower in found.case.fused:
        case = case.with_fused(upper, lower)
    again = evaluate(case)
    answer = again.answer
    saturated = answer is None or answer.saturated
    processes = sum(count for name, count in case.servers.items()) - len(case.fused)
    return Variant(
        changes={**scenario.overrides, **changes},
        cores=case.host.cores,
        servers=processes,
        headroom=_span(case) * again.capacity if answer is not None else None,
        makespan_s=again.makespan_s,
        mean_s=None if saturated or answer is None else answer.response_mean_s,
        p99_s=None if saturated or answer is None else answer.response_quantiles_s[2],
        warnings=again.warnings,
    )


def _reaches(variant: Variant, goal: Goal) -> bool:
    if variant.headroom is not None and variant.p99_s is None and variant.mean_s is None and variant.headroom <= 1:
        return False
    return goal.missed_by(variant.makespan_s, variant.mean_s, variant.p99_s) <= 1


def _missed(variant: Variant, goal: Goal) -> tuple[float, float]:
    """Return by what factor a goal is missed at worst, and of which part of the load, to sort by."""
    return goal.missed_by(variant.makespan_s, variant.mean_s, variant.p99_s), -(variant.headroom or 0.0)


def _span(case: Case) -> float:
    """Return how long the sources of a load of its own take to give everything (s)."""
    return max(spans(case).values(), default=0.0)


def _cores_needed(case: Case) -> float | None:
    """Return how many cores the work takes at the load given, as the host gives them; None for a saturated circuit."""
    span = _span(case)
    if not span:
        return None
    segments, _ = segments_of(case)
    work = sum(solve(segments, case.host, case.limits).cpu.values())
    return work / span * case.host.cores / case.host.available_cores
