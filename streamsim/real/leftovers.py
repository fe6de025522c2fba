"""Noticing a pipe that never ends because something that a station left behind holds it open.

A tool may end and leave a child in the background that still writes. After some seconds it is said who holds the pipe,
since the run waits for that. Where it does nothing at all for long, and all stations that are left wait for it, the run
would wait for ever, and fails.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from streamsim.errors import RunError
from streamsim.real.children import Child
from streamsim.real.pipes import Joint
from streamsim.real.procfs import state_of

HINT_S = 5.0
"""After so long it is said who holds a pipe."""

PATIENCE_S = 30.0
"""After so long without any of them having been on a core the run fails."""

_EVERY_S = 1.0


class Leftovers:
    """Looks once a second; that costs something only while a station has ended and another that reads it has not."""

    def __init__(self, joints: Mapping[str, Joint], say: Callable[[str], None] | None = None) -> None:
        self._joints, self._say = joints, say
        self._hints: dict[str, tuple[float, float]] = {}
        """For each pipe: since when its writer is gone, and when to look who holds it."""
        self.warnings: list[str] = []
        self._due = time.monotonic() + _EVERY_S
        self._quiet_since = self._due
        self._before: list[bytes] = []

    def look(self, children: Sequence[Child]) -> None:
        """Raise RunError where everybody waits for what a station that has ended left behind."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        for child, label in _open_ended(children):
            self._hint(child, label, children, now)
        orphaned = _orphaned(children)
        seen = [_moved(child.pid) for child in children if child.status is None] if orphaned else []
        if orphaned and now - self._quiet_since >= PATIENCE_S / 2:  # to look for them all takes milliseconds
            holders = {pid: child for child, label in orphaned for pid in self._holders(label, children)}
            seen += [_moved(pid) for pid in sorted(holders)]
            if seen == self._before and now - self._quiet_since >= PATIENCE_S and holders:
                _accuse(*next(iter(holders.items())))
        if seen[: len(self._before)] != self._before or not orphaned:
            self._quiet_since = now
        self._before = seen

    def _hint(self, child: Child, label: str, children: Sequence[Child], now: float) -> None:
        since, due = self._hints.setdefault(label, (now, now + HINT_S))
        if now < due or not any(
            state_of(one.pid) == "S" for one in children if one.status is None and _reads(one, label)
        ):
            return
        self._hints[label] = since, now + (now - since)  # to look costs milliseconds: ever less often
        for pid in self._holders(label, children):
            self._hints[label] = since, math.inf
            told = (
                f"station '{child.process.name}' has ended, but {_named(pid)}, which it left behind, holds its output"
            )
            self.warnings.append(f"{told} open for {now - since:.0f} s or more")
            if self._say is not None:
                self._say(f"{told} open; the run waits for that")
            return

    def _holders(self, label: str, children: Sequence[Child]) -> Iterator[int]:
        """Yield the processes, no stations themselves, that could still write into a pipe."""
        stations = {str(child.pid) for child in children} | {str(os.getpid())}
        wanted = f"pipe:[{self._joints[label].inode}]"
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and process.name not in stations and _writes(process, wanted):
                yield int(process.name)


def _open_ended(children: Sequence[Child]) -> list[tuple[Child, str]]:
    """Return stations that have ended while somebody reads them still, with the pipe."""
    ended = {
        wire.target: child
        for child in children
        if child.status is not None
        for wire in child.process.writes.values()
        if wire.kind == "pipe"
    }
    read = [wire for child in children if child.status is None for wire in child.process.reads.values()]
    return [(ended[wire.target], wire.target) for wire in read if wire.kind == "pipe" and wire.target in ended]


def _orphaned(children: Sequence[Child]) -> list[tuple[Child, str]]:
    """Return the same, but nothing where anybody may go on.

    A source may, and so may who reads something else than pipes.
    """
    found = _open_ended(children)
    over = {label for _, label in found}
    for child in children:
        inputs = [wire for wire in child.process.reads.values() if wire.kind != "null"]
        may_go_on = not inputs or any(wire.kind != "pipe" for wire in inputs)
        if child.status is None and may_go_on and not any(wire.target in over for wire in inputs):
            return []
    return found


def _reads(child: Child, label: str) -> bool:
    return any(wire.kind == "pipe" and wire.target == label for wire in child.process.reads.values())


def _writes(process: Path, pipe: str) -> bool:
    with suppress(OSError):  # another's, or it has ended
        for descriptor in (process / "fd").iterdir():
            if str(descriptor.readlink()) == pipe:
                flags = (process / "fdinfo" / descriptor.name).read_text().split("flags:")[1].split()[0]
                if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                    return True
    return False


def _moved(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/schedstat").read_bytes()
    return b""


def _named(pid: int) -> str:
    name = "?"
    with suppress(OSError):
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    return f"process {pid} ({name})"


def _accuse(pid: int, child: Child) -> None:
    raise RunError(
        f"it has ended, but {_named(pid)}, which it left behind, holds its output open and does nothing",
        station=child.process.name,
    )
