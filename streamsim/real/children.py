"""One started process, its descendants, and how they are told to end."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from streamsim.real.control.page import PAUSED, SLEEPING, Reader
from streamsim.real.endings import tail_of
from streamsim.real.plan import Process
from streamsim.real.procfs import born

_STDERR_BYTES = 16 << 20
"""More than this of standard error is not kept on disk; its tail is."""


class Child:
    """A station's process, from its start until it has been reaped.

    Times are of the monotonic clock (s). ``status`` is the wait status, None before; ``cpu_s`` the core-seconds of it
    and of its own children that it waited for. ``stderr`` is the file of its standard error, -1 where that is the
    runner's; ``visits`` the file that an operator leaves its visits in, ``page`` that of its counters; ``lost``: the
    status could not be had.
    """

    def __init__(
        self, process: Process, number: int, pid: int, started: float, stderr: int, visits: str | None
    ) -> None:
        self.process, self.number, self.pid, self.started = process, number, pid, started
        self.stderr, self.visits = stderr, visits
        self.pidfd = -1
        self.page: str | None = None
        self.ended: float | None = None
        self.status: int | None = None
        self.lost = False
        self.cpu_s = 0.0
        self._cut = ""

    def open_pidfd(self, poller: select.poll) -> None:
        """Get a descriptor that says when the process has ended, where the system has such (Linux 5.3)."""
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self.pidfd = os.pidfd_open(self.pid)
                poller.register(self.pidfd, select.POLLIN)

    def is_dead(self) -> bool:
        """Return whether it has ended, without reaping it."""
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return True

    @property
    def resting(self) -> bool:
        """Whether this server moves nothing of its own accord: it was paused, or sleeps until a record is due."""
        if self.page is None:
            return False
        with suppress(OSError, ValueError):
            return Reader(self.page).read()["state"] in (PAUSED, SLEEPING)
        return False

    def reap(self, poller: select.poll) -> None:
        """Take the status; the process must have ended."""
        if self.pidfd >= 0:
            poller.unregister(self.pidfd)
            os.close(self.pidfd)
            self.pidfd = -1
        try:
            _, self.status, usage = os.wait4(self.pid, 0)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        except ChildProcessError:  # whoever started the runner has it ignore SIGCHLD
            self.status, self.lost = 0, True
        if self.ended is None:
            self.ended = time.monotonic()

    def error_tail(self) -> str:
        """Return the end of what it wrote to standard error, if that was collected."""
        if self.stderr < 0:
            return ""
        return tail_of(self.stderr) or self._cut

    def trim_stderr(self) -> None:
        """Keep a talkative tool from filling the disk: it appends, so the file may be cut under its hands."""
        if self.stderr >= 0 and os.fstat(self.stderr).st_size > _STDERR_BYTES:
            self._cut = tail_of(self.stderr)
            os.ftruncate(self.stderr, 0)

    def close(self) -> None:
        """Let go of what is left."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def descendants(pids: Sequence[int]) -> dict[int, str]:
    """Return the processes below these, with the time of their start (which tells a reused id from the old one)."""
    found: dict[int, str] = {}
    todo = list(pids)
    while todo:
        for pid in _children_of(todo.pop()):
            if pid not in found and (start := born(pid)):
                found[pid] = start
                todo.append(pid)
    return found


def _children_of(pid: int) -> Iterable[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_bytes().split())
    return found


def kill_all(number: int, group: int | None, children: Sequence[Child], strays: dict[int, str]) -> None:
    """Send a signal to the group, to each of these children, and to those strays that are still themselves."""
    if group is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for child in children:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(child.pid, number)  # it has not been reaped, so the id is still its own
    for pid, start in strays.items():
        if born(pid) == start:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
    if number == signal.SIGTERM and group is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGCONT)  # a stopped process would not see it


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back while children are being taken down; it is raised when that is done."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
