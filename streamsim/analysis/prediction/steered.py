"""Where controllers lead a circuit: the very policies of real runs, asked with what theory says that they would see.

A policy is a pure function from observations to commands. Theory knows the pace of the circuit for any setting, so it
knows what is counted at each look; the commands change the setting, and that the pace: a fixed point of both. What a
run is like on the way there counts too: a sampler that keeps everything until the first look has kept that much.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from streamsim.adjustable import Adjustable, Filtering, Thinning, adjustable
from streamsim.analysis.dataflow.circuit import service_time
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.loads import spans
from streamsim.analysis.prediction.pipe_course import pipe_course
from streamsim.analysis.prediction.segments import moved, segments_of
from streamsim.errors import ModelError
from streamsim.policies import make
from streamsim.policies.base import Observation, Policy, Sight
from streamsim.service import ServiceModel, StationProfile
from streamsim.traffic import totals

ROUNDS, SETTLED = 12, 1e-3
MOST_LOOKS = 20_000
"""Of a controller in one run; later it is taken to leave everything as it is."""
PIPE = "pipe"


@dataclass(frozen=True, kw_only=True)
class Steered:
    """The case in the setting that its controllers lead it to, and what to say of that.

    ``held_s``: how long records wait on average before a station in front of which a controller lets no more wait (s).
    """

    case: Case
    held_s: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Setting(NamedTuple):
    """Where one controller leads: the case, a number that settles when that does, what to say, and `Steered.held_s`."""

    case: Case
    value: float
    note: str
    held_s: dict[str, float]


def steered(case: Case) -> Steered:
    """Return the case as its controllers leave it; where one is beyond theory, a warning that names it."""
    notes, warnings, held = list[str](), list[str](), dict[str, float]()
    for name, one in case.scenario.controllers.items():
        policy = make(one.policy, one.parameters)
        try:
            found = _settle(case, policy, one.period_s)
        except ModelError as error:
            warnings.append(
                f"controller {name!r} ({one.policy}) is left out: {error}; answered as if it changed nothing"
            )
            continue
        case = found.case
        held |= found.held_s
        notes.append(f"controller {name!r} ({one.policy}), asked every {1e3 * one.period_s:g} ms: {found.note}")
    return Steered(case=case, held_s=held, notes=tuple(notes), warnings=tuple(warnings))


def _settle(case: Case, policy: Policy, period_s: float) -> _Setting:
    place = policy.watched()[0]
    for name in policy.watched():
        if name not in case.servers:
            raise ModelError(
                f"it watches {name!r}, which shares a process with others (fuse), and theory sees them as one"
            )
    if policy.changes == PIPE:
        return _pipe(case, policy, period_s)
    known = adjustable(case.scenario.circuit.station(place), case.profiles[place])
    if known is None or policy.changes not in ("probability", "order"):
        raise ModelError(
            f"it sets the {policy.changes or 'parameters'} of {place!r}, and theory knows pipes, what a 'sample' "
            "keeps, and the order of a 'cascade' whose filters were measured"
        )
    found, before = _parameter(case, case, policy, period_s, known), None
    for _ in range(ROUNDS):
        if before is not None and abs(found.value - before) <= SETTLED * abs(found.value):
            break
        before, found = found.value, _parameter(case, found.case, policy, period_s, known)
    return found


def _span(case: Case) -> float:
    """Return how long records come (s): what the sources take, or what the circuit does."""
    if case.scenario.open:
        return max(spans(case).values(), default=0.0)
    fluid = solve(segments_of(case)[0], case.host, case.limits)
    return fluid.makespan - fluid.ended.get("startup", 0.0)


def _parameter(case: Case, now: Case, policy: Policy, period_s: float, known: Adjustable) -> _Setting:
    """Follow a policy that sets parameters of its first station through one run at the pace of ``now``."""
    span = _span(now)
    place, *others = policy.watched()
    behind = others[0] if others else None
    size, records = moved(case.flows[place])
    if not records or span <= 0:
        raise ModelError(f"no records pass {place!r}")
    course = _Course(known, size / records)
    pace = _Pace(case, now, place, records, span)
    reach, capacity = 1.0, 0.0
    if behind is not None:
        given = case.flows[place].records_out
        reach = case.flows[behind].records_in / given if given else 0.0
        needed = service_time(now, behind)
        capacity = now.servers[behind] / needed if needed else float("inf")
    memory, waiting = policy.start(), 0.0
    seen_behind, late = 0.0, list[float]()
    look = 0
    while course.taken < records * (1 - 1e-12) and look < MOST_LOOKS:
        sights = {place: course.sight(policy)}
        if behind is not None:
            sights[behind] = Sight(records_in=round(seen_behind), waiting_bytes=round(waiting * course.record_bytes))
        memory, commands = policy.decide(memory, Observation(look * period_s, sights))
        for command in commands:
            if command.station != place:
                raise ModelError(f"it tells {command.station!r} what to do, which is not the first that it watches")
            course.now = course.now.changed(dict(command.parameters))
        sent = course.take(min(period_s / pace.each_s(course), records - course.taken))
        look += 1
        if behind is not None:
            waiting += sent * reach
            gone = min(waiting, capacity * period_s)
            waiting, seen_behind = waiting - gone, seen_behind + gone
            late.append(waiting / capacity if capacity else 0.0)
    course.take(records - course.taken)
    settled = late[len(late) // 2 :]
    held = {behind: sum(settled) / len(settled)} if behind is not None and settled else {}
    return _Setting(course.applied(case, place), *course.said(place), held)


class _Pace:
    """How long a record takes on the way: as the whole circuit does, or as the station needs in its setting of then."""

    def __init__(self, case: Case, now: Case, place: str, records: float, span: float) -> None:
        self.even = span / records
        self.others = self.stretch = 0.0
        if not case.scenario.open:
            self.others = _span(now.with_demand(place, 1e-6)) / records
            own = now.profiles[place].service.per_record
            self.stretch = self.even / max(self.others, own) if max(self.others, own) > 0 else 1.0

    def each_s(self, course: _Course) -> float:
        """Return the time (s) between records at this point."""
        if not self.stretch or not isinstance(course.now, Filtering):
            return self.even
        return self.stretch * max(self.others, course.now.through(course.taken, 1.0).work) or self.even


class _Course:
    """One station on its way through a run: what it has taken and given (records), and what that took."""

    def __init__(self, known: Adjustable, record_bytes: float) -> None:
        self.now, self.record_bytes = known, record_bytes
        self.taken = self.given = self.work = 0.0
        count = len(known.order) if isinstance(known, Filtering) else 0
        self.sums = [[0.0] * count for _ in range(3)]

    def sight(self, policy: Policy) -> Sight:
        state: dict[str, Any] = {}
        if policy.asks and isinstance(self.now, Filtering):
            state = dict(zip(("seen", "passed", "cost_s"), ([*one] for one in self.sums), strict=True))
            state["order"] = list(self.now.order)
        return Sight(
            records_in=round(self.taken),
            records_out=round(self.given),
            bytes_in=round(self.taken * self.record_bytes),
            state=state,
        )

    def take(self, records: float) -> float:
        """Take so many more records; return how many of them it gives."""
        if records <= 0:
            return 0.0
        if isinstance(self.now, Thinning):
            gives = records * self.now.kept
        else:
            found = self.now.through(self.taken, records)
            gives = found.left
            self.work += found.work
            for sums, parts in zip(self.sums, (found.seen, found.passed, found.cost_s), strict=True):
                for filter_, part in enumerate(parts):
                    sums[filter_] += part
        self.taken += records
        self.given += gives
        return gives

    def applied(self, case: Case, place: str) -> Case:
        """Return the case in which the station gives, and needs, on the whole what it did on this way."""
        profile, flow = case.profiles[place], case.flows[place]
        kept = self.given / self.taken if self.taken else 0.0
        out_bytes = flow.bytes_out / flow.records_out if flow.records_out else self.record_bytes
        records = profile.records_in or self.taken
        changed: StationProfile = msgspec.structs.replace(
            profile,
            records_out=records * kept,
            bytes_out=records * kept * out_bytes,
            yields=(),
        )
        if isinstance(self.now, Filtering):
            service: ServiceModel = msgspec.structs.replace(
                profile.service, per_record=self.work / self.taken, per_byte=0.0, curve=()
            )
            changed = msgspec.structs.replace(changed, service=service)
        profiles = {**case.profiles, place: changed}
        return dataclasses.replace(case, profiles=profiles, flows=totals(case.scenario, profiles))

    def said(self, place: str) -> tuple[float, str]:
        """Return a number that settles when the way does, and where it led."""
        if isinstance(self.now, Thinning):
            kept = self.given / self.taken if self.taken else 0.0
            return kept, f"{place!r} keeps {100 * kept:.3g} % of all, at the end {100 * self.now.kept:.3g} %"
        order = ", ".join(str(one + 1) for one in self.now.order)
        each = 1e9 * self.work / max(self.taken, 1.0)
        return self.work, f"{place!r} ends with its filters in the order {order} and takes {each:.3g} ns a record"


def _pipe(case: Case, policy: Policy, period_s: float) -> _Setting:
    place = policy.watched()[0]
    pipes = case.inputs[place]
    if len(pipes) != 1:
        raise ModelError(f"{place!r} has several input pipes")
    mean, last = pipe_course(case, place, policy, period_s)
    found = case.with_capacity(place, mean / case.capacities[pipes[0].label])
    return _Setting(found, mean, f"the pipe into {place!r} holds {mean / 1024:.0f} KiB on average, at the end "
                    f"{last / 1024:.0f} KiB", {})  # fmt: skip
