"""What a process sleeps for: which pipes of the circuit, and who has it in hand that it goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from streamsim.real.children import Child
from streamsim.real.observation.proc import EPOLLING, POLLING, opened, read, state_of
from streamsim.real.states import BLOCKED, STARVED


class Sleeper(NamedTuple):
    """A process that sleeps in pipes of the circuit; any one of ``pipes`` (labels) would wake it.

    ``moved`` changes whenever it has been on a core.
    """

    child: Child
    state: int
    pipes: tuple[str, ...]
    moved: bytes

    @property
    def name(self) -> str:
        """The station, or server, that it is."""
        return self.child.process.name

    def __str__(self) -> str:
        verb = "cannot write" if self.state == BLOCKED else "waits for"
        return f"{self.name} {verb} {' or '.join(self.pipes)}"


def sleeper_of(child: Child, pipes: Mapping[str, str]) -> Sleeper | None:
    """Return what a process sleeps for; None where it does not sleep, or for something else.

    ``pipes`` has the labels by what /proc/PID/fd calls the pipes.
    """
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
    return Sleeper(child, state, (label,), _once(f"{base}/schedstat")) if label is not None else None


def _pipe_at(base: str, descriptor: bytes, pipes: Mapping[str, str]) -> str | None:
    try:  # by what it is, not by its number: `cat /dev/fd/3` opens the pipe again under another one
        return pipes.get(os.readlink(f"{base}/fd/{int(descriptor, 16)}"))  # noqa: PTH115
    except OSError:
        return None


def _listener(child: Child, base: str, state: int) -> Sleeper | None:
    """Return the same of a server of ours, which waits for pipes and for commands together (control/attention.py)."""
    process = child.process
    wires = process.reads if state == POLLING else process.writes
    labels = tuple(wire.target for wire in wires.values() if wire.kind == "pipe")
    others = [wire for wire in wires.values() if wire.kind != "pipe"]
    if not labels or child.resting or not all(wire.kind == "file" and Path(wire.target).is_file() for wire in others):
        return None
    entry = process.spec is not None and process.spec["operator"] == "loop"
    # The entry of a loop wakes every few milliseconds to look at its counters; it gives nothing unless others moved.
    moved = b"" if entry else _once(f"{base}/schedstat")
    return Sleeper(child, STARVED if state == POLLING else BLOCKED, labels, moved)


def _once(path: str) -> bytes:
    descriptor = opened(path)
    if descriptor < 0:
        return b""
    try:
        return read(descriptor)
    finally:
        os.close(descriptor)


class Waits:
    """Who waits for whom, where all sleep."""

    def __init__(self, sleepers: Sequence[Sleeper], writers: Mapping[str, str], readers: Mapping[str, str]) -> None:
        self.sleepers = {one.name: one for one in sleepers}
        self._for: dict[str, list[str]] = {}
        for one in sleepers:
            others = [(readers if one.state == BLOCKED else writers)[label] for label in one.pipes]
            self._for[one.name] = [name for name in others if name in self.sleepers]  # nothing comes of who has ended

    @property
    def closed(self) -> bool:
        """Whether each waits for one of them; else somebody unknown has the other end, who may move it."""
        return all(self._for.values())

    def cycle(self, name: str) -> tuple[Sleeper, ...]:
        """Return the shortest cycle of waiting through a process, beginning with it; empty where there is none."""
        before: dict[str, str] = {}
        todo = list(self._for[name])
        before.update(dict.fromkeys(todo, name))
        for one in todo:  # grows while it is walked
            if one == name:
                return self._way_back(name, before)
            for other in self._for[one]:
                if other not in before:
                    before[other] = one
                    todo.append(other)
        return ()

    def _way_back(self, name: str, before: Mapping[str, str]) -> tuple[Sleeper, ...]:
        way = [before[name]]
        while way[-1] != name:
            way.append(before[way[-1]])
        return tuple(self.sleepers[one] for one in reversed(way))

    def cycles(self, names: Iterable[str] | None = None) -> list[tuple[Sleeper, ...]]:
        """Return the cycles through these (default: all)."""
        found = (self.cycle(name) for name in (self.sleepers if names is None else names))
        return [cycle for cycle in found if cycle]
