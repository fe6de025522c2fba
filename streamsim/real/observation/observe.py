"""The observer: looks at every station up to a few hundred times a second, for at most 1 % of a core (pace.py)."""

from __future__ import annotations

import random
import tempfile
import time
from array import array

from streamsim.real.children import Child
from streamsim.real.launch import Crew
from streamsim.real.observation.feed import Feed
from streamsim.real.observation.gauge import Gauge, Holder
from streamsim.real.observation.pace import Switching, bites_wanted, period_s
from streamsim.real.observation.spin import rate_now
from streamsim.real.observation.watch import Watch

SHARE = 0.01
"""The part of one core that looking may cost."""

ALLOWANCE_S = 0.01
"""What a run may cost above that, so that a short one is seen at all."""

_ROWS_EVERY = 2
"""Every so many glances a sweep takes the counters too: what a station is doing changes faster than its rates."""

_AGAIN_S = 0.8e-3
"""How long after a row those that starved in it are looked at again (`Watch.again`): some ten reads later."""

_GAUGE_EVERY = 2
"""Every so many sweeps the levels of the pipes are read."""

_FILES_EVERY_S = 0.25
"""How often one station, each in its turn, is looked through for temporary files."""

_SPIN_EVERY_S = 0.2
"""The speed of the cores is sampled so often, for 0.3 ms. It stays the same for 50 ms about (see speed.py)."""


class Observer:
    """Watches a crew while it is supervised (a `Watcher`). ``spin``: sample the speed of the cores too.

    ``levels`` holds (time, bytes) for each pipe, flat; ``rates`` what the speed probe found meanwhile; ``cost_s`` the
    core-seconds that the looking took.
    """

    def __init__(self, crew: Crew, *, spin: bool = True) -> None:
        self._crew = crew
        self._began = crew.children[0].started
        self._gauges = _gauges(crew)
        # Downstream first: what a reader was seen to have read, its writer is then seen to have written.
        self.watches = [self._watch(child) for child in reversed(crew.children)]
        self._of = {watch.child.number: watch for watch in self.watches}
        self.levels: dict[str, array[float]] = {gauge.label: array("d") for gauge in self._gauges}
        self.sweeps = 0
        self._random = random.Random(0)
        self._cpu_before = time.thread_time()
        self.cost_s = 0.0
        self._sweep_cost = 0.0
        self._glances = -1
        self._switching = Switching(self._began)
        self._files_due = self._began + _FILES_EVERY_S
        self._spin_due = self._began + _SPIN_EVERY_S if spin else float("inf")
        self.rates: list[float] = []
        self._alive = list(self.watches)
        self._hungry: list[Watch] = []
        temporary = tempfile.gettempdir()
        self._temporaries = tuple({f"{directory}/" for directory in (temporary, "/tmp", "/var/tmp")})

    def _watch(self, child: Child) -> Watch:
        sides = [
            {wire.target for wire in wires.values() if wire.kind == "pipe"}
            for wires in (child.process.reads, child.process.writes)
        ]
        inputs, outputs = ([gauge for gauge in self._gauges if gauge.label in side] for side in sides)
        feed = child.process.reads.get(0)
        path = feed.target if feed is not None and feed.kind == "file" else None
        return Watch(child, inputs, outputs, Feed(path, self._crew.feeds.get(child.process.name, -1)))

    def sleep_s(self) -> float:
        """Return how long to sleep until the next look, at random about the period, to be in step with nothing."""
        if self._hungry:
            return _AGAIN_S
        cpu = time.thread_time()
        spent, self._cpu_before = cpu - self._cpu_before, cpu
        self.cost_s += spent
        elapsed = time.monotonic() - self._began
        self._sweep_cost = spent if not self._sweep_cost else 0.9 * self._sweep_cost + 0.1 * spent
        period = period_s(elapsed, self._switching.per_s)
        if self.cost_s > ALLOWANCE_S + SHARE * elapsed:
            period = max(period, self._sweep_cost / SHARE)
        return period * self._random.uniform(0.6, 1.4)

    def look(self) -> None:
        """Glance at all that live; every second time take rows as well, and soon look again at those that starve."""
        now = time.monotonic()
        if self._hungry:
            for watch in self._hungry:
                watch.again(now)
            self._hungry = []
            return
        self._glances += 1
        if self._glances % _ROWS_EVERY:
            for watch in self._alive:
                watch.glance(now)
            self._note_switches(now)
            return
        self.sweeps += 1
        for watch in self._alive:
            watch.look(self.sweeps, now)
        self._note_switches(now)
        enough = bites_wanted(self._switching.per_s)
        self._hungry = [watch for watch in self._alive if watch.hungry and watch.bitten < enough]
        if self.sweeps % _GAUGE_EVERY == 0:
            for gauge in self._gauges:
                level = gauge.level()
                if level is not None:
                    self.levels[gauge.label].extend((time.monotonic(), level))
        if now >= self._spin_due:
            self._spin_due = now + _SPIN_EVERY_S
            self._spin()
        if now >= self._files_due and self._alive:
            self._files_due = now + _FILES_EVERY_S
            watch = self._alive[self.sweeps % len(self._alive)]
            watch.look_for_temporaries(self._temporaries)
            watch.child.trim_stderr()

    def _note_switches(self, now: float) -> None:
        self._switching.note(now, sum([watch.tree.switches for watch in self.watches]))

    def _spin(self) -> None:
        before = time.thread_time()
        self.rates.append(rate_now())
        self._cpu_before += time.thread_time() - before  # it is on an account of its own

    def ending(self, child: Child) -> None:
        """Take the final counters of one that has ended and is not yet reaped."""
        watch = self._of[child.number]
        watch.ending(self.sweeps + 1, child.ended or time.monotonic())
        self._alive.remove(watch)
        self._hungry = [other for other in self._hungry if other is not watch]

    def warnings(self) -> list[str]:
        """Return what the reader of the trace should know of the watching."""
        found = []
        life = time.monotonic() - self._began
        if self.cost_s > 0.02 * life:
            found.append(f"watching took {self.cost_s / life:.1%} of a core: the run was short, or its stations many")
        for watch in self.watches:
            if watch.unseen_s > 0.1 * life:
                found.append(
                    f"station '{watch.name}': what it waited for could not be seen, and is guessed from its place"
                )
        return found

    def close(self) -> None:
        """Let go of all descriptors."""
        for watch in self.watches:
            watch.close()


def _gauges(crew: Crew) -> list[Gauge]:
    by_name = {child.process.name: child for child in crew.children}
    gauges = []
    for label, joint in crew.joints.items():
        writer, gives = crew.plan.writer_of(label)
        reader, takes = crew.plan.reader_of(label)
        ends = Holder(by_name[writer.name], gives), Holder(by_name[reader.name], takes)
        gauges.append(Gauge(label, joint.inode, joint.capacity_bytes, *ends))
    return gauges
