"""How full a pipe is while a run goes on, as a controller that sizes it sees it, and what size that leads to.

Both ends move at the speeds that theory gives them: the writer as fast as all before it can together, the reader at its
own pace. A reader with a large buffer fills that and then works on it, while the pipe becomes full (see `rhythm`).
"""

from __future__ import annotations

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.segments import moved, reading_demand
from streamsim.errors import ModelError
from streamsim.policies.base import Observation, Policy, Sight

STEPS = 5
"""In each period of the controller, at least."""
MOST_STEPS = 50_000


def pipe_course(case: Case, place: str, policy: Policy, period_s: float) -> tuple[float, int]:
    """Return how much the pipe into a station holds, as the mean over the bytes that pass, and at the end (bytes).

    Raises ModelError where nothing passes, or the policy sets something else.
    """
    label = case.inputs[place][0].label
    size = float(case.flows[place].bytes_in)
    ends = _Ends(case, place)
    if size <= 0 or ends.each_s <= 0 or ends.writer_s <= 0:
        raise ModelError(f"nothing that takes time passes the pipe into {place!r}")
    whole_s = max(ends.writer_s, ends.each_s * size / ends.share)
    step = min(period_s / STEPS, whole_s / 200)
    if whole_s / step > MOST_STEPS:
        step = whole_s / MOST_STEPS
    reader = _Reader(ends.filling_s, (ends.each_s - ends.filling_s) / ends.share, ends.gather_bytes)
    per_step = size / ends.writer_s * step
    capacity, level, put, weighted = case.capacities[label], 0.0, 0.0, 0.0
    memory, due, now = policy.start(), 0.0, 0.0
    while reader.taken < size * (1 - 1e-9) and now < 4 * whole_s:
        if now >= due - 1e-12:
            sight = Sight(waiting_bytes=round(level), capacity_bytes=capacity)
            memory, commands = policy.decide(memory, Observation(now, {place: sight}))
            for command in commands:
                if set(command.parameters) != {"pipe"}:
                    raise ModelError(f"it sets {', '.join(command.parameters)} beside the size of a pipe")
                if level <= (wanted := int(command.parameters["pipe"])):  # what is full cannot shrink
                    capacity = wanted
            due += period_s
        written = min(per_step, capacity - level, size - put)
        put += max(0.0, written)
        # what a reader takes at once makes room for the writer at once: a step is long against a wake-up
        taken = reader.step(step, level + max(0.0, written), size)
        level += max(0.0, written) - taken
        weighted += taken * capacity
        now += step
    return (weighted / reader.taken if reader.taken else float(capacity)), capacity


class _Ends:
    """The speeds of the two ends: ``writer_s`` for all bytes where the pipe never fills, ``each_s`` for a byte at the
    reader, of which ``filling_s`` to take it into a buffer of ``gather_bytes`` (0: none); ``share`` of a core."""

    def __init__(self, case: Case, place: str) -> None:
        profile, flow = case.profiles[place], case.flows[place]
        service, speed = profile.service, case.host.speed_when(1.0)
        size = max(flow.bytes_in, 1)
        self.each_s = reading_demand(profile, flow) / speed / size + service.waiting_per_byte
        whole = service.per_byte + service.per_record * flow.records_in / size
        part = service.filling_per_byte / whole if whole and profile.gather_bytes else 0.0
        self.filling_s = self.each_s * part
        self.gather_bytes = profile.gather_bytes
        before = _before(case, place)
        works = [reading_demand(case.profiles[name], case.flows[name]) / speed for name in before]
        alone = [
            (work / max(1.0, case.profiles[name].service.threads) + _waiting(case, name)) / case.servers[name]
            for name, work in zip(before, works, strict=True)
        ]
        fastest = max(alone, default=0.0)
        self.writer_s, self.share = fastest, 1.0
        for room, inside in _rooms(case):
            work = sum(work for name, work in zip(before, works, strict=True) if name in inside)
            count = sum(name in inside for name in before)
            spare = max(room - 1, room * count / (count + 1)) if place in inside else room
            if not work:
                continue
            self.writer_s = max(self.writer_s, work / spare)
            if place in inside and work / spare >= fastest:
                self.share = min(self.share, room / (count + 1))


def _rooms(case: Case) -> list[tuple[float, frozenset[str]]]:
    """Return how many cores there are for which stations, one set of cores inside the other where some are pinned."""
    limits = case.limits
    if limits is None:
        return [(case.host.available_cores, frozenset(case.order))]
    placement = limits.placement
    return [(room, frozenset(placement.inside(one))) for room, one in zip(limits.rooms, placement.limits, strict=True)]


def _waiting(case: Case, name: str) -> float:
    size, records = moved(case.flows[name])
    service = case.profiles[name].service
    return service.waiting_per_byte * size + service.waiting_per_record * records


def _before(case: Case, place: str) -> list[str]:
    found, ask = set[str](), [place]
    while ask:
        for pipe in case.inputs[ask.pop()]:
            if pipe.upstream not in found:
                found.add(pipe.upstream)
                ask.append(pipe.upstream)
    return [name for name in case.order if name in found]


class _Reader:
    """A station that reads from a pipe: byte by byte, or a buffer full on which it then works."""

    def __init__(self, filling_s: float, work_s: float, gather_bytes: float) -> None:
        self.filling_s, self.work_s, self.gather_bytes = filling_s, work_s, gather_bytes
        self.taken = self.gathered = self.left_s = 0.0

    def step(self, step: float, level: float, size: float) -> float:
        """Go on for so long with so much at hand; return what it takes."""
        if not self.gather_bytes:
            taken = min(level, step / (self.filling_s + self.work_s))
            self.taken += taken
            return taken
        left, taken = step, 0.0
        while left > 0:
            if self.left_s > 0:
                worked = min(left, self.left_s)
                self.left_s -= worked
                left -= worked
                continue
            wanted = min(level - taken, self.gather_bytes - self.gathered)
            if self.filling_s > 0:
                wanted = min(wanted, left / self.filling_s)
            if wanted <= 0:
                break
            taken += wanted
            self.gathered += wanted
            left -= wanted * self.filling_s
            if self.gathered >= self.gather_bytes * (1 - 1e-12):
                self.left_s, self.gathered = self.gather_bytes * self.work_s, 0.0
        self.taken += taken
        return taken
