"""A station's process and those that it starts itself: a shell's work is done by its children."""

from __future__ import annotations

import os
from typing import NamedTuple

from streamsim.real.observation.proc import Process, opened, overall, read
from streamsim.real.states import WAITING

_LIST_S = 0.02
"""How often the children of a station that waits for something are listed; at once where it has run and waits again."""

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Counts(NamedTuple):
    """Cumulative bytes and system calls of input and output."""

    rchar: int
    wchar: int
    reads: int
    writes: int


class Tree:
    """The processes of one station, seen as a whole; ``family``: it was seen to have children."""

    def __init__(self, pid: int) -> None:
        self.root = Process(pid)
        self._children: dict[int, Process] = {}
        self._listed = 0.0
        self.family = False
        self._stat = opened(f"/proc/{pid}/stat")
        self._most_cpu_s = 0.0
        self._gone_delay = self._gone_switches = 0

    def look(self) -> bool:
        """Bring states and times up to date; return whether anything has happened since."""
        changed = self.root.look()
        if self._children:
            for process in self._children.values():
                changed = process.look() or changed
        if changed and self.state == WAITING and self._list():  # it may have waited for one child, and started another
            self.look()
        return changed

    def count(self) -> Counts:
        """Bring all counters up to date, and return those of input and output.

        What a child has counted goes to its parent when that waits for it, so that the sum goes on.
        """
        root = self.root
        root.count()
        root.look_at_io()
        if not self._children:
            return Counts(root.rchar, root.wchar, root.reads, root.writes)
        for process in self._children.values():
            process.count()
            process.look_at_io()
        every = (root, *self._children.values())
        return Counts(
            sum(p.rchar for p in every),
            sum(p.wchar for p in every),
            sum(p.reads for p in every),
            sum(p.writes for p in every),
        )

    @property
    def state(self) -> int:
        """What the station is doing: active if any part of it is."""
        if not self._children:
            return self.root.state
        return overall([self.root.state, *(process.state for process in self._children.values())])

    @property
    def several(self) -> bool:
        """Whether it has more than one thread or process."""
        return bool(self._children) or self.root.several

    @property
    def delay_s(self) -> float:
        """Seconds that its threads have waited for a core."""
        delay = self.root.delay + self._gone_delay
        if self._children:
            delay += sum(process.delay for process in self._children.values())
        return delay / 1e9

    @property
    def switches(self) -> int:
        """How often its threads were put on a core."""
        switches = self.root.switches + self._gone_switches
        if self._children:
            switches += sum(process.switches for process in self._children.values())
        return switches

    def cpu_s(self) -> float:
        """Return the core-seconds of it, of its children, and of those it has waited for (known by ticks of 10 ms)."""
        cpu = self.root.cpu / 1e9
        if self.family:
            words = read(self._stat).rpartition(b")")[2].split()
            if len(words) > 14:
                cpu += (int(words[13]) + int(words[14])) * _TICK_S  # cutime and cstime (proc(5))
            # After that: who has been waited for since the last list is in there, and must not count twice.
            cpu += sum(p.cpu for pid, p in self._children.items() if os.path.exists(f"/proc/{pid}")) / 1e9  # noqa: PTH110
        self._most_cpu_s = max(self._most_cpu_s, cpu)  # a grandchild is missing until its parent is waited for
        return self._most_cpu_s

    def look_for_children(self, now: float) -> None:
        """List the processes below the first, if it looks like it waits for some."""
        known = self._children
        if (not known and self.root.state != WAITING) or now - self._listed < _LIST_S:
            return
        self._listed = now
        self._list()

    def _list(self) -> bool:
        """List the processes below the first; return whether there are new ones."""
        known, before = self._children, len(self._children)
        found: set[int] = set()
        todo = [self.root]
        while todo:
            for pid in todo.pop().children():
                if pid not in found:
                    found.add(pid)
                    if pid not in known:
                        known[pid] = Process(pid)
                    todo.append(known[pid])
        new = len(known) > before
        for pid in known.keys() - found:
            gone = known.pop(pid)
            self._gone_delay += gone.delay
            self._gone_switches += gone.switches
            gone.close()
        self.family = self.family or bool(found)
        return new

    @property
    def hidden(self) -> bool:
        """Whether its counts lack something, see `Process.spliced`."""
        return self.root.spliced or any(process.spliced for process in self._children.values())

    def keeps_temporaries(self, directories: tuple[str, ...]) -> bool:
        """Return whether any of its processes has a file open in one of these directories."""
        return any(p.keeps_temporaries(directories) for p in (self.root, *self._children.values()))

    def close(self) -> None:
        """Let go of all descriptors."""
        for process in (self.root, *self._children.values()):
            process.close()
        if self._stat >= 0:
            os.close(self._stat)
        self._stat = -1
