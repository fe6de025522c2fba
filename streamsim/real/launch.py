"""Starting the processes of a plan, waiting for them, and leaving none behind."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from streamsim.errors import RunError
from streamsim.real import open_files
from streamsim.real.children import Child, descendants, kill_all, uninterrupted
from streamsim.real.control.runs import control_paths, publish
from streamsim.real.guardian import Guardian
from streamsim.real.marks import VARIABLE
from streamsim.real.memory import keeping_memory
from streamsim.real.pipes import Descriptors, Joint, make_joints
from streamsim.real.place import Place, find_program, is_named_pipe, opening_itself, run_directory, settle
from streamsim.real.plan import Plan, Process, Wire
from streamsim.real.sinks import Sinks
from streamsim.real.successors import Successor
from streamsim.real.warm import Action, WarmParent, forkable, worth_it

_GRACE_S = 0.5
"""How long a station has between SIGTERM and SIGKILL."""

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


class Crew:
    """The processes of a run, started; leaving the block stops and reaps whatever still runs."""

    def __init__(
        self, plan: Plan, setting: Setting, directory: Path, sinks: Sinks, descriptors: Descriptors, guardian: Guardian
    ) -> None:  # fmt: skip
        self.plan, self.sinks, self.directory = plan, sinks, directory
        self.children: list[Child] = []
        self.joints: dict[str, Joint] = {}
        self.warnings: list[str] = []
        self.disturbances: list[str] = []
        """What stood still for a while, from without: the times that were measured are not those of the stations."""
        self.feeds: dict[str, int] = {}
        """Our own descriptors to the files on the standard input of commands that are observed (feed.py)."""
        self.setting, self._descriptors, self._guardian = setting, descriptors, guardian
        self._standard: dict[int, int] = {}
        self._poller = select.poll()
        self._asking = True
        self._parent: WarmParent | None = None
        self.overhead_s = 0.0
        """Core-seconds that starting took in other processes than these."""
        self._left = 0

    def start(self) -> None:
        """Start all processes, upstream first, and let go of every descriptor that is theirs."""
        for stream, given in ((0, self.setting.stdin), (1, self.setting.stdout)):
            if given is not None:
                self._standard[stream] = self._descriptors.keep(os.dup(given))
        self.joints, self.warnings = make_joints(self.plan, self._descriptors)
        with Place(self.plan.directory, self.setting.cpus) as place:
            place.call(self._start_all)
        self._descriptors.close(*self._standard.values(), *self.sinks.descriptors.values())
        for child in self.children:
            child.open_pidfd(self._poller)
        if self.setting.control:
            publish(self.directory, self.plan, [child.pid for child in self.children])
        self._asking = any(child.pidfd < 0 for child in self.children)

    def _start_all(self) -> None:
        processes = self.plan.processes
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
        return {**os.environ, VARIABLE: str(self.directory)}

    @property
    def _group(self) -> int:
        return self._guardian.group if self.setting.own_group else os.getpgrp()

    def _start(self, number: int, process: Process) -> None:
        mine: list[int] = []
        actions: list[Action] = []
        try:
            for descriptor, wire in (*process.reads.items(), *process.writes.items()):
                actions.append(self._action(process, wire, descriptor, mine))
            stderr = self._stderr(number) if self.setting.collect else -1
            if stderr >= 0:
                actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
            visits = str(self.directory / f"{number}.visits") if self.setting.visits else None
            own = self._arguments(number, process, visits)
            arguments = opening_itself(process, own)
            started = time.monotonic()
            if self._parent is not None and forkable(process) and arguments is own:
                pid = self._parent.fork(arguments[-1], actions)
            else:
                pid = self._spawn(process, arguments, actions)
            child = Child(process, number, pid, started, stderr, visits if process.spec else None)
            if process.spec is not None and self.setting.control:
                child.page = str(control_paths(self.directory, number)["page"])
            self.children.append(child)
            self._left += 1
            self._guardian.add(pid)
            settle(pid, process, self.setting.cpus)
        finally:
            self._descriptors.close(*mine)

    def _action(self, process: Process, wire: Wire, descriptor: int, mine: list[int]) -> Action:
        writes = descriptor in process.writes
        held = -1
        if wire.kind == "pipe":
            joint = self.joints[wire.target]
            held = joint.write if writes else joint.read
            mine.append(held)
        elif wire.kind == "file" and not is_named_pipe(wire.target):
            try:
                held = self._descriptors.open(wire.target, os.O_RDONLY)
            except OSError as error:
                reason = f"{wire.target!r} cannot be read: {error.strerror}"
                raise RunError(reason, station=process.name) from None
            if self.setting.visits and descriptor == 0 and process.spec is None:
                self.feeds[process.name] = held
            else:
                mine.append(held)
        elif wire.kind == "sink":
            held = self.sinks.descriptors[wire.target]
        elif wire.kind == "standard":
            held = self._standard.get(1 if writes else 0, -1)
        if held < 0:
            return (os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY if writes else os.O_RDONLY, 0)
        return (os.POSIX_SPAWN_DUP2, held, descriptor)

    def _stderr(self, number: int) -> int:
        # A file, for a full pipe would block a talkative tool; appended to, so that it can be cut (see trim_stderr).
        path = self.directory / f"{number}.stderr"
        handle = self._descriptors.open(str(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        path.unlink()
        return handle

    def _arguments(self, number: int, process: Process, visits: str | None) -> list[str]:
        if process.spec is None:
            return list(process.arguments)
        # In a file: one argument may have 128 KiB (execve(2)), and a source of 2000 files needs more.
        spec = {**process.spec, "visits": visits}
        if circle := spec.get("circle"):
            spec["circle"] = {**circle, "file": str(self.directory / circle["file"])}
        path = self.directory / f"{number}.json"
        spec["control"] = None
        if self.setting.control:
            commands = self.setting.replay.get(process.name, [])
            spec["control"] = {**control_paths(self.directory, number), "commands": commands}
            spec["fused"] = [
                {**one, "control": {**control_paths(self.directory, f"{number}.{place}"),
                                    "commands": self.setting.replay.get(one["name"], [])}}
                for place, one in enumerate(spec.get("fused", ()), start=1)
            ]  # fmt: skip
        path.write_bytes(msgspec.json.encode(spec))
        return [*process.arguments, f"@{path}"]

    def _spawn(self, process: Process, arguments: list[str], actions: list[Action]) -> int:
        environment = {**self._environment, **process.environment}
        environment = environment if process.spec is None else keeping_memory(environment)
        program = find_program(arguments[0], environment, self.plan.directory, process.name)

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

    def find(self, program: str, process: Process) -> str:
        """Return the path of a program, as that process would find it; RunError where there is none."""
        return find_program(program, {**os.environ, **process.environment}, self.plan.directory, process.name)

    def succeed(self, process: Process, number: int, held: Mapping[int, int]) -> Child:
        """Start a command in the place of one that has ended; it gets these descriptors, which stay ours too."""
        actions: list[Action] = [(os.POSIX_SPAWN_DUP2, mine, theirs) for theirs, mine in held.items()]
        stderr = self._stderr(number) if self.setting.collect else -1
        if stderr >= 0:
            actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
        started, pids = time.monotonic(), list[int]()
        with Place(self.plan.directory, self.setting.cpus) as place:
            place.call(lambda: pids.append(self._spawn(process, list(process.arguments), actions)))
        child = Child(process, number, pids[0], started, stderr, None)
        self.children.append(child)
        self._left += 1
        self._guardian.add(child.pid)
        settle(child.pid, process, self.setting.cpus)
        child.open_pidfd(self._poller)
        self._asking = self._asking or child.pidfd < 0
        processes = tuple(process if one.name == process.name else one for one in self.plan.processes)
        self.plan = msgspec.structs.replace(self.plan, processes=processes)
        if self.setting.control:
            now = {child.process.name: child.pid for child in self.children}
            publish(self.directory, self.plan, [now[one.name] for one in processes])
        return child

    def ended(self, timeout_s: float | None) -> list[Child]:
        """Wait until a process has ended, at most so long; return those that have, upstream first, not yet reaped."""
        if self._asking:
            return self._ended_by_asking([child for child in self.children if child.status is None], timeout_s)
        found = self._poller.poll(None if timeout_s is None else max(0.0, timeout_s * 1000))
        if not found:
            return []  # as hundreds of times a second, while it is observed
        now = time.monotonic()
        ready = {descriptor for descriptor, _ in found}
        gone = [child for child in self.children if child.pidfd in ready]
        for child in gone:
            child.ended = now
        return gone

    @staticmethod
    def _ended_by_asking(living: list[Child], timeout_s: float | None) -> list[Child]:
        """Do without pidfd_open(2), which other systems and some sandboxes lack: ask every 2 ms."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            gone = [child for child in living if child.is_dead()]
            now = time.monotonic()
            if gone or not living or (until is not None and now >= until):
                for child in gone:
                    child.ended = now
                return gone
            time.sleep(0.002 if until is None else min(0.002, max(0.0, until - now)))

    def reap(self, child: Child) -> None:
        """Take the status of a process that has ended."""
        self._guardian.remove(child.pid)
        child.reap(self._poller)
        self._left -= 1

    @property
    def running(self) -> bool:
        """Whether any process has not been reaped."""
        return self._left > 0

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        with uninterrupted():
            self._stop()
            for child in self.children:
                child.close()

    def _stop(self) -> None:
        """TERM, a short grace, KILL; wait for each."""
        living = [child for child in self.children if child.status is None]
        if not living:
            return
        strays = descendants([child.pid for child in living])
        group = self._guardian.group if self.setting.own_group else None
        kill_all(signal.SIGTERM, group, living, strays)
        until = time.monotonic() + _GRACE_S
        while self.running and (left := until - time.monotonic()) > 0:
            for child in self.ended(left):
                self.reap(child)
        kill_all(signal.SIGKILL, group, [child for child in living if child.status is None], strays)
        while self.running:
            for child in self.ended(None):
                self.reap(child)


@contextmanager
def launched(plan: Plan, setting: Setting) -> Iterator[Crew]:
    """Start a plan; the sinks are put in place when the block ends without an error, and nothing outlives it.

    Raises
    ------
    RunError : a program or a file is missing, or the machine lacks descriptors, processes or memory. Whatever
        had been started is stopped and reaped.
    """
    with ExitStack() as stack:
        with _start_errors():
            descriptors = stack.enter_context(Descriptors(plan.floor, plan.files))
            sinks = stack.enter_context(Sinks(plan.sinks, descriptors))
            directory = stack.enter_context(run_directory())
            guardian = stack.enter_context(Guardian(str(directory), sinks.unfinished, descriptors))
            crew = stack.enter_context(Crew(plan, setting, directory, sinks, descriptors, guardian))
            crew.start()
        yield crew
        sinks.commit()


@contextmanager
def _start_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ""
        if error.errno in (errno.EMFILE, errno.ENFILE):
            hint = f" (this process may have {open_files.most()}: ulimit -Hn)"
        elif error.errno == errno.EAGAIN:
            hint = f" (this user may have {resource.getrlimit(resource.RLIMIT_NPROC)[0]} processes: ulimit -u)"
        where = f": {error.filename}" if error.filename else ""
        raise RunError(f"the circuit cannot be started: {error.strerror}{hint}{where}") from None
