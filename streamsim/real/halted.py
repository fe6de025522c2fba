"""Noticing that a station was stopped (SIGSTOP, SIGTSTP) while the runner goes on: nobody may ever continue it.

A moment is forgiven, with a warning, for a debugger or a person may have meant it; after some seconds the run fails and
names the process, as it would otherwise wait in silence.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from streamsim.errors import RunError
from streamsim.real.children import Child, descendants
from streamsim.real.observation.proc import opened, read

PATIENCE_S = 10.0
"""After so long the run fails."""

_EVERY_S = 1.0


class Halted:
    """Looks once a second at the processes of all stations, those that a command has started among them."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _EVERY_S
        self._since: dict[int, float] = {}
        self._seen: dict[str, float] = {}

    def look(self, children: Sequence[Child]) -> None:
        """Raise RunError for a station that has been stopped for `PATIENCE_S`."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        since: dict[int, float] = {}
        for child in children:
            if child.status is not None:
                continue
            for pid in _processes(child):
                if is_stopped(pid):
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
        """Return which stations were seen stopped: what was measured of them says little."""
        return [f"station '{name}' was stopped for {lasted:.0f} s or more" for name, lasted in self._seen.items()]


def _processes(child: Child) -> list[int]:
    return [child.pid] if child.process.spec is not None else [child.pid, *descendants([child.pid])]


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal; one that a debugger holds (``t``, proc(5)) is not."""
    descriptor = opened(f"/proc/{pid}/stat")
    if descriptor < 0:
        return False
    try:
        return read(descriptor).rpartition(b")")[2].split()[:1] == [b"T"]
    finally:
        os.close(descriptor)
