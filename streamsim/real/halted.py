"""Noticing that a station was stopped (SIGSTOP, SIGTSTP) while the runner goes on: nobody may ever continue it.

A moment is forgiven, with a warning, for a debugger or a person may have meant it; after some seconds the run fails and
names the process, as it would otherwise wait in silence. Also noticed: that the runner itself, or the whole machine,
stood still for seconds, after which nothing that was measured is worth much.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from streamsim.errors import RunError
from streamsim.real.children import Child, descendants
from streamsim.real.control.runs import pause_mark
from streamsim.real.procfs import state_of

PATIENCE_S = 10.0
"""After so long the run fails."""

_EVERY_S = 1.0
_OFTEN_S = 0.4
_GAP_S = 3.0
"""The runner looks at least once a second; where it has not for so long, it stood still itself."""


class Halted:
    """Looks once a second at the processes of all stations, those that a command has started among them.

    Who was paused by a command (``streamsim ctl``), which leaves a mark in the run's ``directory``, may be for ever.
    ``often``: more than twice a second, as a measurement needs it.
    """

    def __init__(self, directory: Path, *, often: bool = False) -> None:
        self._directory = directory
        self._every_s = _OFTEN_S if often else _EVERY_S
        self._looked, self._suspended = time.monotonic(), _suspended_s()
        self._gap = 0.0
        self._due = self._looked + self._every_s
        self._since: dict[int, float] = {}
        self._seen: dict[str, float] = {}

    def look(self, children: Sequence[Child]) -> None:
        """Raise RunError for a station that has been stopped for `PATIENCE_S`."""
        now = time.monotonic()
        self._gap, self._looked = max(self._gap, now - self._looked), now
        if now < self._due:
            return
        self._due = now + self._every_s
        since: dict[int, float] = {}
        for child in children:
            if child.status is not None:
                continue
            for pid in _processes(child):
                if is_stopped(pid) and not pause_mark(self._directory, pid).exists():
                    since[pid] = self._since.get(pid, now)
                    self._blame(child, pid, now - since[pid])
        self._since = since

    def _blame(self, child: Child, pid: int, lasted: float) -> None:
        name = child.process.name
        self._seen[name] = max(self._seen.get(name, 0.0), lasted)
        if lasted >= PATIENCE_S:
            raise RunError(
                f"its process {pid} has been stopped for {lasted:.0f} s (SIGSTOP or SIGTSTP) and nobody continued it",
                station=name,
            )

    def warnings(self) -> list[str]:
        """Return what stood still for a while: what was measured meanwhile says little."""
        found = [f"station '{name}' was stopped for {lasted:.0f} s or more" for name, lasted in self._seen.items()]
        if self._gap >= _GAP_S:
            found.append(f"the runner stood still for {self._gap:.0f} s (was it stopped, or the machine halted?)")
        if (away := _suspended_s() - self._suspended) >= 1:
            found.append(f"the machine was suspended for {away:.0f} s")
        return found


def _suspended_s() -> float:
    """Return how long this machine has been suspended since it was started: the monotonic clock leaves that out."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _processes(child: Child) -> list[int]:
    return [child.pid] if child.process.spec is not None else [child.pid, *descendants([child.pid])]


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal; one that a debugger holds (``t``, proc(5)) is not."""
    return state_of(pid) == "T"
