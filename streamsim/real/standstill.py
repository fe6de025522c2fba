"""Deadlocks: noticing that every station sleeps in a pipe that only another of them could move, and what to do then.

A fork whose branches meet again stands still when one branch is full while the join reads the other. Where a full pipe
is part of it the deadlock is *artificial*: with more room the circuit would go on, so the smallest full pipe of the
cycle is doubled, as often as it takes, within a bound (Parks 1995, "Bounded scheduling of process networks", section
4.3). Where nobody waits for room it is a *true* one: all wait for something to read that nobody will write.

Who reads or writes anything from outside, or waits for something else than a pipe of the circuit, may go on by itself,
and then nothing is said.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamsim.errors import RunError
from streamsim.real.children import Child
from streamsim.real.growth import grow, has_room
from streamsim.real.states import BLOCKED
from streamsim.real.waiting import Sleeper, Waits, sleeper_of
from streamsim.units import format_bytes

if TYPE_CHECKING:
    from streamsim.real.launch import Crew

_EVERY_S = 0.2
_AFTER_GROWTH_S = 0.02


class Standstill:
    """Looks several times a second; two looks in a row that find the same standstill are a deadlock.

    ``warnings`` says which pipes were made larger.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._pipes = {f"pipe:[{joint.inode}]": label for label, joint in crew.joints.items()}
        self._made = {label: joint.capacity_bytes for label, joint in crew.joints.items()}
        self._reasons: dict[str, str] = {}
        # Without a second way round nobody can wait for somebody who waits for him: a chain needs no looking at.
        self._due = time.monotonic() + _EVERY_S if _has_cycle(crew) else float("inf")
        self._before: tuple[tuple[str, int, bytes], ...] | None = None
        self._grown = 0.0

    def wait_s(self) -> float:
        """Return how long until the next look is due."""
        return max(0.0, self._due - time.monotonic())

    @property
    def warnings(self) -> list[str]:
        """What was done."""
        found = []
        for label, joint in self._crew.joints.items():
            made, now = self._made[label], joint.capacity_bytes
            if now > made:
                reader = self._crew.plan.reader_of(label)[0].name
                station = reader.partition(".")[0]
                found.append(
                    f"the circuit stood still ({self._reasons[label]}), so pipe {label} was made larger while it ran, "
                    f"from {format_bytes(made)} to {format_bytes(now)}; to begin with it so: pipe = {{ capacity = "
                    f"'{format_bytes(now)}' }} at station {station!r}"
                )
        return found

    def look(self) -> None:
        """See whether anything can still move; make a pipe larger where that helps.

        Raises RunError where nothing helps, with the cycle of those who wait for each other.
        """
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + (_AFTER_GROWTH_S if now - self._grown < _EVERY_S else _EVERY_S)
        living = [child for child in self._crew.children if child.status is None]
        sleepers = self._asleep(living)
        seen = tuple((one.name, one.state, one.moved) for one in sleepers)
        again, self._before = bool(seen) and seen == self._before, seen
        if not again:
            return
        waits = Waits(sleepers, *self._ends())
        if waits.closed and (cycles := waits.cycles()):
            self._resolve(waits, cycles)
            self._grown, self._before = time.monotonic(), None
            self._due = self._grown + _AFTER_GROWTH_S

    def _asleep(self, living: Sequence[Child]) -> list[Sleeper]:
        """Return all that live, asleep; nothing where one of them may go on by itself."""
        found = []
        for child in living:
            sleeper = sleeper_of(child, self._pipes)
            if sleeper is None:
                return []
            found.append(self._narrowed(sleeper))
        return found

    def _narrowed(self, sleeper: Sleeper) -> Sleeper:
        """Leave out the outputs that have room: a server of ours waits for one of them, and poll says not which."""
        if sleeper.state != BLOCKED or len(sleeper.pipes) < 2:
            return sleeper
        held = {wire.target: descriptor for descriptor, wire in sleeper.child.process.writes.items()}
        full = tuple(label for label in sleeper.pipes if not has_room(sleeper.child, held[label]))
        return sleeper._replace(pipes=full or sleeper.pipes)

    def _ends(self) -> tuple[dict[str, str], dict[str, str]]:
        plan = self._crew.plan
        return (
            {label: plan.writer_of(label)[0].name for label in plan.pipes},
            {label: plan.reader_of(label)[0].name for label in plan.pipes},
        )

    def _resolve(self, waits: Waits, cycles: list[tuple[Sleeper, ...]]) -> None:
        full: dict[str, tuple[Sleeper, ...]] = {}
        for name, one in waits.sleepers.items():
            if one.state == BLOCKED and (cycle := waits.cycle(name)):
                full |= dict.fromkeys(one.pipes, cycle)
        if not full:
            raise RunError(_true_deadlock(min(cycles, key=len)))
        refusals = []
        for label in sorted(full, key=lambda label: self._crew.joints[label].capacity_bytes):
            refusal = self._grow(label)
            if refusal is None:
                self._reasons.setdefault(label, "; ".join(map(str, full[label])))
                return
            refusals.append(refusal)
        cycle = min(full.values(), key=len)
        raise RunError(
            f"the circuit stands still, each waiting for another: {'; '.join(map(str, cycle))}. {refusals[0]}. "
            "Read what the branches bring in the order in which they bring it, or write what has to wait to a file"
        )

    def _grow(self, label: str) -> str | None:
        """Double a pipe; return why not, where that is not to be."""
        joint, plan = self._crew.joints[label], self._crew.plan
        grown = sum(one.capacity_bytes - self._made[other] for other, one in self._crew.joints.items())
        if grown + joint.capacity_bytes > plan.growth_bytes:
            return (
                f"The pipes have grown by {format_bytes(grown)}; they may by {format_bytes(plan.growth_bytes)} "
                "(host.pipe_growth)"
            )
        reader, descriptor = plan.reader_of(label)
        child = next(child for child in self._crew.children if child.process is reader)
        try:
            grow(joint, child, descriptor)
        except ProcessLookupError:
            return None  # it has ended meanwhile: something moves
        except OSError as error:
            return (
                f"The kernel lets {label} have no more than {format_bytes(joint.capacity_bytes)}: {error.strerror} "
                "(/proc/sys/fs/pipe-max-size for one pipe, pipe-user-pages-soft for all together)"
            )
        return None


def _true_deadlock(cycle: tuple[Sleeper, ...]) -> str:
    parts = "; ".join(map(str, cycle))
    loops = [one.child.process.spec["circle"]["way"] for one in cycle
             if one.child.process.spec is not None and one.child.process.spec.get("circle")]  # fmt: skip
    if not loops:
        return f"the circuit stands still, each waiting for another, and no pipe is full: {parts}"
    kept = [one.child.process for one in cycle if one.child.process.spec is None]
    who = " or ".join(f"{process.name} ({process.program})" for process in kept) or "one of its stations"
    return (
        f"the loop {loops[0]} stands still: {who} has taken records and not given one for each. A tool that keeps its "
        "output in a buffer needs to be told (sed -u, grep --line-buffered, awk with fflush(), stdbuf -oL); some wait "
        f"for more input as well (mawk: -W interactive). {parts}"
    )


def _has_cycle(crew: Crew) -> bool:
    """Whether some pipe joins processes that others join already."""
    plan = crew.plan
    root = {process.name: process.name for process in plan.processes}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for label in plan.pipes:
        one, other = find(plan.writer_of(label)[0].name), find(plan.reader_of(label)[0].name)
        if one == other:
            return True
        root[one] = other
    return False
