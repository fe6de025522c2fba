"""The host: servers that work share its cores, each getting the same share up to what it can use."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from simpy.events import Event

from streamsim.models.clock import COMPLETION, Clock
from streamsim.placement import Placement, fill, tasks
from streamsim.service import HostProfile

if TYPE_CHECKING:
    from streamsim.models.server import Server


class Kind:
    """All tasks that can use the same number of cores at once, and the same cores: they progress alike, so one clock
    serves them all.

    ``group`` is their place in the placement, where stations are pinned; ``served`` the work (reference core-seconds)
    that a task of this kind would have been given since the start, ``cores_s`` the core-seconds, ``running_s`` the time
    with at least one of its threads on a core.
    """

    __slots__ = ("allotted", "cores_s", "group", "rate", "running_s", "served", "share", "tasks", "threads")

    def __init__(self, threads: float, group: int) -> None:
        self.threads, self.group = threads, group
        self.tasks: list[tuple[float, int, Server]] = []
        self.served = self.cores_s = self.running_s = 0.0
        self.rate = self.allotted = self.share = 0.0


class Cores:
    """Processor sharing on the cores that the host really has to give.

    The ``available_cores`` are shared equally; a task that cannot use its share (one thread has at most one core)
    leaves the rest to the others (water-filling). Each core runs at the speed that it has when so many are busy,
    others' work included: ``speed_when(cores asked for + cores − available_cores)``. What others use is taken from the
    whole, so a task that is alone on a host of 1.9 cores of 2 has a whole core, one alone on 0.9 of 1 has 0.9.

    With a ``placement`` not every task may use every core, and some weigh less: then the shares are max-min fair within
    those limits (`placement.fill`), which is the same where nobody is pinned.
    """

    def __init__(self, clock: Clock, host: HostProfile, placement: Placement | None = None) -> None:
        self.clock, self.host, self.placement = clock, host, placement
        self.available = host.available_cores
        self.background = max(0.0, host.cores - host.available_cores)
        self.changed = False
        """Whether tasks came or went since the cores were last shared out."""
        self.busy_s = 0.0
        """Core-seconds that tasks have used until `since`."""
        self.busy = 0.0
        self.since = 0.0
        self._whole = max(1, round(host.available_cores))
        self._kinds: dict[tuple[float, int], Kind] = {}
        self._order: list[Kind] = []
        self._demanded = 0.0
        self._shares: dict[tuple[float, int], tuple[float, float]] = {}
        self._placed: dict[tuple[tuple[int, int, float], ...], list[float]] = {}
        self._far: dict[tuple[tuple[int, int, float], ...], bool] = {}
        self._timer: Event | None = None
        self._due: Kind | None = None

    def start(self, server: Server, work: float, threads: float) -> None:
        """Give a server so much to do (reference core-seconds) on up to so many cores; it is resumed when done."""
        self._advance()
        kind = self._kinds.get((threads, server.group))
        if kind is None:
            kind = self._kinds[threads, server.group] = Kind(threads, server.group)
            self._order = sorted(self._kinds.values(), key=lambda each: (each.threads, each.group))
        heappush(kind.tasks, (kind.served + work, server.index, server))
        server.kind, server.running_from, server.cores_from = kind, kind.running_s, kind.cores_s
        self._demanded += threads
        self.changed = True

    def move(self, server: Server, group: int) -> None:
        """Let a server go on in another group of the placement, with what is left of its work."""
        kind = server.kind
        if kind is not None:
            self._advance()
            left = next(tag for tag, _, one in kind.tasks if one is server) - kind.served
            kind.tasks = [task for task in kind.tasks if task[2] is not server]
            heapify(kind.tasks)
            self._demanded -= kind.threads
            server.worked()
        server.group = group
        if kind is not None:
            self.start(server, max(0.0, left), kind.threads)

    def wake_delay(self, sleeper: int = 0, waker: int | None = None, *, by_timer: bool = False) -> float:
        """Return how long a sleeping server takes to run: far, if a core is idle beside that of whoever wakes it.

        Parameters
        ----------
        sleeper, waker : their groups in the placement; a waker that is not known may use any core.
        """
        if self.placement is not None:
            return self._placed_delay(sleeper, None if by_timer else waker or 0)
        occupied = self._demanded + (1.0 if by_timer else 2.0)
        return self.host.wake_far_s if occupied <= self._whole else self.host.wake_near_s

    def _placed_delay(self, sleeper: int, waker: int | None) -> float:
        """Far where there is a whole core for the sleeper beside all who work, and the waker."""
        assert self.placement is not None, "asked where stations are pinned"
        at_work = [(kind.group, len(kind.tasks), kind.threads) for kind in self._order if kind.tasks]
        if waker is not None:
            at_work.append((waker, 1, 1.0))
        key = (*at_work, (sleeper, 1, 1.0))
        far = self._far.get(key)
        if far is None:
            filled = fill(self.placement.rooms(float(self._whole)), tasks(self.placement, key))
            weight = self.placement.groups[sleeper].weight
            far = self._far[key] = filled.rates[-1] * weight >= 1.0 - 1e-9
        return self.host.wake_far_s if far else self.host.wake_near_s

    def busy_until(self, now: float) -> float:
        """Return the core-seconds that tasks have used until now."""
        return self.busy_s + max(0.0, now - self.since) * self.busy

    def settle(self) -> None:
        """Share the cores out anew and find who is done next."""
        self.changed = False
        self._advance()
        active = [kind for kind in self._order if kind.tasks]
        if active and self.placement is not None:
            self._share_placed(active, self.placement)
        elif len(active) == 1:
            self._share_alone(active[0])
        elif active:
            self._share(active)
        else:
            self.busy = 0.0
        self._timer = None
        if active:
            self._arm(active)

    def _advance(self) -> None:
        now = self.clock.now
        elapsed = now - self.since
        if elapsed > 0.0:
            self.since = now
            self.busy_s += elapsed * self.busy
            for kind in self._order:
                if kind.tasks:
                    kind.served += elapsed * kind.rate
                    kind.running_s += elapsed * kind.share
                    kind.cores_s += elapsed * kind.allotted

    def _share_alone(self, kind: Kind) -> None:
        count = len(kind.tasks)
        found = self._shares.get((kind.threads, count))
        if found is None:
            allotted = min(kind.threads, self.available / count)
            found = self._shares[kind.threads, count] = allotted, self._speed(kind.threads * count)
        kind.allotted, speed = found
        kind.share = min(1.0, kind.allotted)
        kind.rate = kind.allotted * speed
        self.busy = kind.allotted * count

    def _share(self, active: list[Kind]) -> None:
        """Fill up: the least demanding first, so that what they leave is shared by the others."""
        left, tasks = self.available, sum(len(kind.tasks) for kind in active)
        speed = self._speed(sum(kind.threads * len(kind.tasks) for kind in active))
        for kind in active:
            kind.allotted = min(kind.threads, left / tasks)
            kind.share = min(1.0, kind.allotted)
            kind.rate = kind.allotted * speed
            left -= kind.allotted * len(kind.tasks)
            tasks -= len(kind.tasks)
        self.busy = self.available - left

    def _share_placed(self, active: list[Kind], placement: Placement) -> None:
        key = tuple((kind.group, len(kind.tasks), kind.threads) for kind in active)
        rates = self._placed.get(key)
        if rates is None:
            rates = self._placed[key] = fill(placement.rooms(self.available), tasks(placement, key)).rates
        self.busy = 0.0
        for kind, rate in zip(active, rates, strict=True):
            kind.allotted = rate * placement.groups[kind.group].weight
            self.busy += kind.allotted * len(kind.tasks)
        speed = self._speed(self.busy)
        for kind in active:
            kind.share = min(1.0, kind.allotted)
            kind.rate = kind.allotted * speed

    def _speed(self, demanded: float) -> float:
        cores = float(self.host.cores)
        return self.host.speed_when(min(cores, min(cores, demanded) + self.background))

    def _arm(self, active: list[Kind]) -> None:
        first, when, place = active[0], math.inf, 0
        for kind in active:
            tag, index, _ = kind.tasks[0]
            time = self.since + max(0.0, tag - kind.served) / kind.rate
            if time < when or (time == when and index < place):
                first, when, place = kind, time, index
        self._due = first
        self._timer = self.clock.at(when, COMPLETION + place, self._complete)

    def _complete(self, event: Event) -> None:
        if event is not self._timer or self._due is None:
            return  # SimPy cannot cancel: this timer is of a division of the cores that no longer holds
        self._advance()
        kind = self._due
        tag, _, server = heappop(kind.tasks)
        kind.served = max(kind.served, tag)
        self._demanded -= kind.threads
        if not kind.tasks:
            self._demanded = sum(each.threads * len(each.tasks) for each in self._order)  # no drift
        self.changed = True
        server.worked()
        self.clock.ready.append(server)
        self.clock.hand_over()
