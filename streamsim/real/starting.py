"""Starting the processes of a plan one by one: with what descriptors, arguments and surroundings."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from streamsim.errors import RunError
from streamsim.real import open_files
from streamsim.real.children import Child
from streamsim.real.control.runs import control_paths
from streamsim.real.guardian import Guardian
from streamsim.real.marks import VARIABLE
from streamsim.real.memory import keeping_memory
from streamsim.real.pipes import Descriptors, Joint
from streamsim.real.place import Place, find_program, is_named_pipe, opening_itself, settle
from streamsim.real.plan import Plan, Process, Wire
from streamsim.real.sinks import Sinks
from streamsim.real.successors import Successor
from streamsim.real.warm import Action, WarmParent, forkable, worth_it

_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
"""What Python (or who started it) ignores and a station must not: an ignored signal stays so across exec."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a plan is started with.

    ``stdin`` and ``stdout`` are descriptors for the wires that say ``standard``, None: /dev/null. ``collect``:
    standard error goes to files whose tails the errors show, instead of the runner's own. ``control``: servers of
    ours open a control channel, and do again what ``replay`` has for their station (see control/recording.py);
    ``successors`` follow commands then (see replacing.py). ``cpus``
    is what the stations are pinned to. ``own_group``: the stations are a process group of their own, away from the
    terminal's. ``say`` is told what the run waits for, where that is nothing of its own.
    """

    stdin: int | None = None
    stdout: int | None = None
    collect: bool = True
    visits: bool = False
    control: bool = True
    replay: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    successors: Mapping[str, list[Successor]] = field(default_factory=dict)
    cpus: frozenset[int] | None = None
    own_group: bool = True
    say: Callable[[str], None] | None = None


class Starter:
    """Starts processes; ``started`` is told of each as soon as there is one, whatever goes wrong afterwards.

    ``feeds`` are our own descriptors to the files on the standard input of commands that are observed (feed.py).
    """

    def __init__(
        self,
        plan: Plan,
        setting: Setting,
        directory: Path,
        sinks: Sinks,
        descriptors: Descriptors,
        guardian: Guardian,
        started: Callable[[Child], None],
    ) -> None:
        self._plan, self._setting, self._directory, self._sinks = plan, setting, directory, sinks
        self._descriptors, self._guardian, self.started = descriptors, guardian, started
        self._joints: Mapping[str, Joint] = {}
        self._standard: dict[int, int] = {}
        self._parent: WarmParent | None = None
        self.feeds: dict[str, int] = {}
        self.overhead_s = 0.0
        """Core-seconds that starting took in other processes than these."""

    def start_all(self, joints: Mapping[str, Joint]) -> None:
        """Start all processes, upstream first, and let go of every descriptor that is theirs."""
        self._joints = joints
        for stream, given in ((0, self._setting.stdin), (1, self._setting.stdout)):
            if given is not None:
                self._standard[stream] = self._descriptors.keep(os.dup(given))
        with Place(self._plan.directory, self._setting.cpus) as place:
            place.call(self._start_each)
        self._descriptors.close(*self._standard.values(), *self._sinks.descriptors.values())

    def _start_each(self) -> None:
        processes = self._plan.processes
        with ExitStack() as stack:
            if worth_it(processes):
                parent = WarmParent(processes, self._group, self._guardian.roll, _DEFAULT_SIGNALS, self._environment)
                self._parent = stack.enter_context(parent)
            for number, process in enumerate(processes):
                self._start(number, process)
        if self._parent is not None:
            self.overhead_s, self._parent = self._parent.cpu_s, None

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, VARIABLE: str(self._directory)}

    @property
    def _group(self) -> int:
        return self._guardian.group if self._setting.own_group else os.getpgrp()

    def _start(self, number: int, process: Process) -> None:
        mine: list[int] = []
        actions: list[Action] = []
        try:
            for descriptor, wire in (*process.reads.items(), *process.writes.items()):
                actions.append(self._action(process, wire, descriptor, mine))
            stderr = self._stderr(number) if self._setting.collect else -1
            if stderr >= 0:
                actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
            visits = str(self._directory / f"{number}.visits") if self._setting.visits else None
            own = self._arguments(number, process, visits)
            arguments = opening_itself(process, own)
            started = time.monotonic()
            if self._parent is not None and forkable(process) and arguments is own:
                pid = self._parent.fork(arguments[-1], actions)
            else:
                pid = self._spawn(process, arguments, actions)
            child = Child(process, number, pid, started, stderr, visits if process.spec else None)
            if process.spec is not None and self._setting.control:
                child.page = str(control_paths(self._directory, number)["page"])
            self._enter(child)
        finally:
            self._descriptors.close(*mine)

    def succeed(self, process: Process, number: int, held: Mapping[int, int]) -> Child:
        """Start a command in the place of one that has ended; it gets these descriptors, which stay ours too."""
        actions: list[Action] = [(os.POSIX_SPAWN_DUP2, mine, theirs) for theirs, mine in held.items()]
        stderr = self._stderr(number) if self._setting.collect else -1
        if stderr >= 0:
            actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
        started, pids = time.monotonic(), list[int]()
        with Place(self._plan.directory, self._setting.cpus) as place:
            place.call(lambda: pids.append(self._spawn(process, list(process.arguments), actions)))
        child = Child(process, number, pids[0], started, stderr, None)
        self._enter(child)
        return child

    def _enter(self, child: Child) -> None:
        self.started(child)
        self._guardian.add(child.pid)
        settle(child.pid, child.process, self._setting.cpus)

    def _action(self, process: Process, wire: Wire, descriptor: int, mine: list[int]) -> Action:
        writes = descriptor in process.writes
        held = -1
        if wire.kind == "pipe":
            joint = self._joints[wire.target]
            held = joint.write if writes else joint.read
            mine.append(held)
        elif wire.kind == "file" and not is_named_pipe(wire.target):
            try:
                held = self._descriptors.open(wire.target, os.O_RDONLY)
            except OSError as error:
                reason = f"{wire.target!r} cannot be read: {error.strerror}"
                raise RunError(reason, station=process.name) from None
            if self._setting.visits and descriptor == 0 and process.spec is None:
                self.feeds[process.name] = held
            else:
                mine.append(held)
        elif wire.kind == "sink":
            held = self._sinks.descriptors[wire.target]
        elif wire.kind == "standard":
            held = self._standard.get(1 if writes else 0, -1)
        if held < 0:
            return (os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY if writes else os.O_RDONLY, 0)
        return (os.POSIX_SPAWN_DUP2, held, descriptor)

    def _stderr(self, number: int) -> int:
        # A file, for a full pipe would block a talkative tool; appended to, so that it can be cut (see trim_stderr).
        path = self._directory / f"{number}.stderr"
        handle = self._descriptors.open(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        path.unlink()
        return handle

    def _arguments(self, number: int, process: Process, visits: str | None) -> list[str]:
        if process.spec is None:
            return list(process.arguments)
        # In a file: one argument may have 128 KiB (execve(2)), and a source of 2000 files needs more.
        spec = {**process.spec, "visits": visits}
        if circle := spec.get("circle"):
            spec["circle"] = {**circle, "file": str(self._directory / circle["file"])}
        path = self._directory / f"{number}.json"
        spec["control"] = None
        if self._setting.control:
            commands = self._setting.replay.get(process.name, [])
            spec["control"] = {**control_paths(self._directory, number), "commands": commands}
            spec["fused"] = [
                {**one, "control": {**control_paths(self._directory, f"{number}.{place}"),
                                    "commands": self._setting.replay.get(one["name"], [])}}
                for place, one in enumerate(spec.get("fused", ()), start=1)
            ]  # fmt: skip
        path.write_bytes(msgspec.json.encode(spec))
        return [*process.arguments, f"@{path}"]

    def _spawn(self, process: Process, arguments: list[str], actions: list[Action]) -> int:
        environment = {**self._environment, **process.environment}
        environment = environment if process.spec is None else keeping_memory(environment)
        program = find_program(arguments[0], environment, self._plan.directory, process.name)

        def spawn(path: str, words: list[str]) -> int:
            return open_files.spawn(path, words, environment, file_actions=actions,
                                    setpgroup=self._group, setsigmask=(), setsigdef=_DEFAULT_SIGNALS)  # fmt: skip

        try:
            try:
                return spawn(program, arguments)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                return spawn("/bin/sh", ["sh", program, *arguments[1:]])  # as a shell does without a "#!" line
        except OSError as error:
            raise RunError(f"cannot be started: {error.strerror}: {process.program}", station=process.name) from None
