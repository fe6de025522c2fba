"""The processes of a run from their start to their end: waiting for them, and leaving none behind."""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from streamsim.errors import RunError
from streamsim.real import open_files
from streamsim.real.children import Child, descendants, kill_all, uninterrupted
from streamsim.real.control.runs import publish
from streamsim.real.guardian import Guardian
from streamsim.real.pipes import Descriptors, Joint, make_joints
from streamsim.real.place import find_program, run_directory
from streamsim.real.plan import Plan, Process
from streamsim.real.sinks import Sinks
from streamsim.real.starting import Setting, Starter

_GRACE_S = 0.5
"""How long a station has between SIGTERM and SIGKILL."""


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
        self.setting, self._descriptors, self._guardian = setting, descriptors, guardian
        self._poller = select.poll()
        self._asking = True
        self._left = 0
        self._starter = Starter(plan, setting, directory, sinks, descriptors, guardian, self._note)

    def start(self) -> None:
        """Start all processes, upstream first; none of the descriptors that are theirs is ours any more."""
        self.joints, self.warnings = make_joints(self.plan, self._descriptors)
        self._starter.start_all(self.joints)
        for child in self.children:
            child.open_pidfd(self._poller)
        if self.setting.control:
            publish(self.directory, self.plan, [child.pid for child in self.children])
        self._asking = any(child.pidfd < 0 for child in self.children)

    def _note(self, child: Child) -> None:
        self.children.append(child)
        self._left += 1

    @property
    def feeds(self) -> Mapping[str, int]:
        """Our own descriptors to the files on the standard input of commands that are observed (feed.py)."""
        return self._starter.feeds

    @property
    def overhead_s(self) -> float:
        """Core-seconds that starting took in other processes than these."""
        return self._starter.overhead_s

    def find(self, program: str, process: Process) -> str:
        """Return the path of a program, as that process would find it; RunError where there is none."""
        return find_program(program, {**os.environ, **process.environment}, self.plan.directory, process.name)

    def succeed(self, process: Process, number: int, held: Mapping[int, int]) -> Child:
        """Start a command in the place of one that has ended; it gets these descriptors, which stay ours too."""
        child = self._starter.succeed(process, number, held)
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
