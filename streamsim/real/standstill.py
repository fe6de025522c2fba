"""Noticing a deadlock: every station sleeps in a pipe that only another of them could move.

A fork whose branches meet again stands still when one branch is full while the join reads the other. Nothing outside
can end that, so it is an error and no wait. Who reads or writes anything from outside, or waits for something else than
a pipe of the circuit, may go on by itself, and then nothing is said.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from streamsim.real.budget import BLOCKED, STARVED
from streamsim.real.children import Child
from streamsim.real.pipes import Joint
from streamsim.real.proc import EPOLLING, POLLING, opened, read, state_of

_EVERY_S = 1.0


class Standstill:
    """Looks once a second; two looks in a row that find the same standstill are a deadlock."""

    def __init__(self, joints: Mapping[str, Joint]) -> None:
        self._pipes = {f"pipe:[{joint.inode}]": label for label, joint in joints.items()}
        self._due = time.monotonic() + _EVERY_S
        self._before: tuple[tuple[str, bytes], ...] | None = None

    def look(self, children: Sequence[Child]) -> str | None:
        """Return what stands still and why, None where something may still move."""
        now = time.monotonic()
        if now < self._due:
            return None
        self._due = now + _EVERY_S
        found = [_sleeper(child, self._pipes) for child in children if child.status is None]
        if not found or None in found or not any(one[2] == BLOCKED for one in found if one is not None):
            self._before = None
            return None
        sleepers = [one for one in found if one is not None]
        seen = tuple((name, moved) for name, moved, _, _ in sleepers)
        again, self._before = seen == self._before, seen
        if not again:
            return None
        parts = [
            f"{name} {'cannot write' if state == BLOCKED else 'waits for'} {pipe}" for name, _, state, pipe in sleepers
        ]
        return (
            f"the circuit stands still, each waiting for another: {'; '.join(parts)}. A larger pipe may help: "
            'pipe = { capacity = "1 MiB" } at the station that reads the full one'
        )


def _sleeper(child: Child, pipes: dict[str, str]) -> tuple[str, bytes, int, str] | None:
    """Return the name, times on a core, state and pipe of a process that sleeps in a pipe of the circuit; else None."""
    base = f"/proc/{child.pid}"
    state = state_of(_once(f"{base}/wchan"))
    if child.process.spec is not None and state in (POLLING, EPOLLING):
        return _listener(child, base, state)
    if state not in (STARVED, BLOCKED):
        return None
    words = _once(f"{base}/syscall").split()  # number of the call, then its arguments: the descriptor first (proc(5))
    if len(words) < 4 or not words[1].startswith(b"0x"):
        return None
    label = _pipe_at(base, words[1], pipes)
    if label is None and state == BLOCKED:  # splice(2) from a private pipe: the output is its third argument
        label = _pipe_at(base, words[3], pipes)
    return (child.process.name, _once(f"{base}/schedstat"), state, label) if label is not None else None


def _pipe_at(base: str, descriptor: bytes, pipes: dict[str, str]) -> str | None:
    try:  # by what it is, not by its number: `cat /dev/fd/3` opens the pipe again under another one
        return pipes.get(os.readlink(f"{base}/fd/{int(descriptor, 16)}"))  # noqa: PTH115
    except OSError:
        return None


def _listener(child: Child, base: str, state: int) -> tuple[str, bytes, int, str] | None:
    """Return the same of a server of ours, which waits for pipes and for commands together (control/attention.py)."""
    process = child.process
    wires = process.reads if state == POLLING else process.writes
    labels = [wire.target for wire in wires.values() if wire.kind == "pipe"]
    if not labels or len(labels) < len(wires) or child.resting:
        return None
    moved = _once(f"{base}/schedstat")
    return process.name, moved, STARVED if state == POLLING else BLOCKED, " or ".join(labels)


def _once(path: str) -> bytes:
    descriptor = opened(path)
    if descriptor < 0:
        return b""
    try:
        return read(descriptor)
    finally:
        os.close(descriptor)
