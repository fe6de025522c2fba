"""Watching one station: its ledger, kept at every glance, and rows of counters, taken less often."""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.real.children import Child
from streamsim.real.observation.budget import Ledger
from streamsim.real.observation.feed import Feed
from streamsim.real.observation.gauge import Gauge
from streamsim.real.observation.proc import EPOLLING, POLLING
from streamsim.real.observation.tree import Tree
from streamsim.real.states import ACTIVE, BLOCKED, STARVED, WAITING

SWEEP, TIME, RCHAR, WCHAR, READS, WRITES, CPU, SHARES, SETTLED = 0, 1, 2, 3, 4, 5, 6, 7, 12
"""Columns of a row; the five shares stand from ``SHARES`` on. Times are of the monotonic clock (s)."""

COLUMNS = 13

_MOST_ROWS = 16384


class _Sleep(NamedTuple):
    """A sweep that found it as the sweep before had, asleep."""

    sweep: int
    time: float
    state: int


class Watch:
    """What is seen of one station. ``spills``: it was seen to keep temporary files.

    ``unseen_s``: how long it slept without ever being seen asleep, so that nobody knows what for. ``bites`` holds,
    flat, bytes taken and core-seconds used between two looks shortly after each other; see `again`.
    """

    def __init__(self, child: Child, inputs: Sequence[Gauge], outputs: Sequence[Gauge], feed: Feed) -> None:
        self.child, self._inputs, self._outputs = child, inputs, outputs
        self.name = child.process.name
        self.spills, self.unseen_s = False, 0.0
        self.tree = Tree(child.pid)
        self.feed = feed
        # Who writes no pipe cannot be blocked, and who reads none cannot be starved.
        self._ledger = Ledger(child.started, STARVED if inputs else BLOCKED if outputs else WAITING)
        self._state, self._settled, self._fresh = ACTIVE, True, True
        self._time, self._asleep_until = child.started, 0.0
        self._cpu = self._delay = 0.0
        self._quiet: _Sleep | None = None
        self.bites = array("d")
        self._bitten: tuple[float, float] | None = None
        self._rows = array("d", [0.0] * COLUMNS)
        self._rows[TIME], self._rows[SETTLED] = child.started, 1.0

    def glance(self, now: float) -> None:
        """Note in the ledger what it is doing.

        A process of one thread is settled whenever it is asleep: then both of its counters are up to date.
        """
        tree = self.tree
        if not tree.look() and self._state:
            self._asleep_until = now
            return
        if self._asleep_until:
            self._wake()
        self._fresh = True
        self._state = state = tree.state
        if state in (POLLING, EPOLLING):
            self._state = state = self._polling(state)
        if state or tree.several:
            self._settle(state)
        else:
            self._settled = False

    def _settle(self, state: int) -> None:
        self._note()
        self._settled = bool(state) or self._ledger.due(self._time)
        if self._settled:
            self._ledger.settle(self._time, cpu=self._cpu, delay=self._delay, state=state)

    def _note(self) -> None:
        """Take the times of now."""
        tree = self.tree
        self._cpu, self._delay = max(self._cpu, tree.cpu_s()), tree.delay_s
        self._time = time.monotonic()

    def _wake(self) -> None:
        """Settle a sleep that has ended: until it was last seen asleep, nothing but the time has changed."""
        until, self._asleep_until = self._asleep_until, 0.0
        if until > self._time:
            self._ledger.settle(until, cpu=self._cpu, delay=self._delay, state=self._state)
            self._time = until

    def _polling(self, state: int) -> int:
        """Say what it polls for: ours have a call for each (control/attention.py), of others the pipes tell."""
        ours = self.child.process.spec is not None
        if state == POLLING if ours else any(gauge.level() == 0 for gauge in self._inputs):
            return STARVED
        return BLOCKED if any(gauge.full() for gauge in self._outputs) else WAITING

    def look(self, sweep: int, now: float) -> None:
        """Glance at it, and take a row unless it has done nothing but sleep since the one before."""
        self.glance(now)
        self.tree.look_for_children(now)
        if not self._fresh:
            self._quiet = _Sleep(sweep, now, self._state)
            return
        self._fresh = not self._state
        if not self._settled:
            self._note()
        self._row(sweep)

    @property
    def bitten(self) -> int:
        """How many bites were seen so far."""
        return len(self.bites) // 2

    @property
    def hungry(self) -> bool:
        """Whether the last row found it asleep for want of input, so that it is worth looking at `again` soon."""
        return self._bitten is not None

    @property
    def _hungry(self) -> bool:
        tool = self.child.process.spec is None and not self.tree.several
        return tool and self._state == STARVED and self._settled

    def again(self, now: float) -> None:
        """Look a second time, and note what a tool took and used in between if it is asleep for want of input again.

        Its CPU time is exact then, and what it does between its reads is all that lies in between: whoever fills a
        buffer was not working on a full one.
        """
        before, self._bitten = self._bitten, None
        self.glance(now)
        if before is not None and self._hungry:
            taken = self.tree.count().rchar - before[0]
            if taken > 0:
                self.bites.extend((taken, self._cpu - before[1]))

    def _row(self, sweep: int, *, ended: bool = False) -> None:
        if self._quiet is not None:
            self._repeat(self._quiet)
            self._quiet = None
        counts = self.tree.count()
        self._bitten = (counts.rchar, self._cpu) if self._hungry else None
        self.feed.look(self.tree, ended=ended)
        self._rows.extend((sweep, self._time, *counts, self._cpu, *self._ledger.shares, float(self._settled)))
        if len(self._rows) > _MOST_ROWS * COLUMNS:
            self._thin()

    def _repeat(self, sleep: _Sleep) -> None:
        """Write down the last moment of a sleep, so that what came next is not spread over all of it."""
        row = self._rows[-COLUMNS:]
        if sleep.time > row[TIME] and row[SETTLED]:
            row[SHARES + 1 + sleep.state] += sleep.time - row[TIME]
            row[SWEEP], row[TIME] = sleep.sweep, sleep.time
            self._rows.extend(row)

    def _thin(self) -> None:
        """Drop every other row: all are cumulative, so none of the sums changes."""
        rows = self.rows()
        keep = np.arange(len(rows)) % 2 == 0
        keep[-1] = True
        self._rows = array("d", rows[keep].ravel())

    def rows(self) -> NDArray[np.float64]:
        """Return all rows, shape (n, 13)."""
        return np.array(self._rows).reshape(-1, COLUMNS)

    def look_for_temporaries(self, directories: tuple[str, ...]) -> None:
        """Note whether it keeps temporary files, whose bytes its counts hold too."""
        if not self.spills and self.child.process.spec is None:
            self.spills = self.tree.keeps_temporaries(directories)

    def ending(self, sweep: int, now: float) -> None:
        """Take the last row: the process has ended and is not reaped, so its counters are final."""
        tree = self.tree
        if self._asleep_until:
            self._wake()
        tree.look()
        tree.root.count()
        self._note()
        self._time = now
        self._ledger.settle(now, cpu=self._cpu, delay=self._delay, state=ACTIVE)
        if self._ledger.blind:
            self.unseen_s = sum(self._ledger.shares[2:])
        self._settled = True
        self._row(sweep, ended=True)

    def close(self) -> None:
        """Let go of all descriptors."""
        self.tree.close()
        self.feed.close()
