"""What /proc tells about a process, read on descriptors that stay open: 1 to 3 µs a read.

Facts that this rests on (proc(5), and the kernel's text where that is silent):

- ``schedstat`` of a task is "ns on a core, ns waiting for one, times put on one"; while the last is the same, and the
  task slept, it sleeps still. A running task's ns on a core are brought up to date at timer ticks and when it stops.
- The CPU clock of another process, ``(~pid << 3) | 2`` (CPUCLOCK_SCHED, linux/posix-timers.h), counts all of its
  threads, ended ones too; more than the first task has means that there are others.
- ``wchan`` is the kernel function in which a task sleeps, "0" for one that does not.
- All of them, and ``io``, stay readable and are final once the process is a zombie, until it is reaped.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from streamsim.real.states import ACTIVE, BLOCKED, STARVED, WAITING

POLLING, EPOLLING = 4, 5
"""Asleep in poll(2) or its like, and in epoll_wait(2): for what, the pipes must tell."""


def read(descriptor: int) -> bytes:
    """Read a /proc file anew; empty where it is gone."""
    try:
        return os.pread(descriptor, 512, 0)
    except OSError:
        return b""


def opened(path: str) -> int:
    """Open a /proc file; -1 where it is gone or closed to us."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return -1


_STATES: dict[bytes, int] = {}
"""What the kernel functions seen so far mean."""


def state_of(wchan: bytes) -> int:
    """Say what a task waits for, from the kernel function in which it sleeps.

    >>> [state_of(name) for name in (b"0", b"anon_pipe_read", b"pipe_write", b"hrtimer_nanosleep", b"do_poll.part.0")]
    [0, 1, 2, 3, 4]
    >>> [state_of(name) for name in (b"pipe_wait_readable", b"pipe_wait_writable")]  # splice(2) and tee(2), Linux 5.5
    [1, 2]
    >>> state_of(b"do_epoll_wait"), state_of(b"ep_poll")
    (5, 5)
    """
    if wchan in (b"0", b""):
        return ACTIVE
    if any(part in wchan for part in (b"pipe_read", b"pipe_wait_readable", b"splice_from_pipe", b"ipipe_prep")):
        return STARVED
    if any(part in wchan for part in (b"pipe_write", b"pipe_wait_writable", b"wait_for_space", b"opipe_prep")):
        return BLOCKED
    if b"epoll" in wchan or b"ep_poll" in wchan:
        return EPOLLING
    if b"poll" in wchan or b"select" in wchan:
        return POLLING
    return WAITING


def is_splice(wchan: bytes) -> bool:
    """Say whether bytes move inside the kernel there, where no counter sees them."""
    return any(part in wchan for part in (b"splice", b"pipe_wait_", b"wait_for_space", b"pipe_prep"))


class Task:
    """One thread: its ns on a core and waiting for one, how often it got one, and what it was last seen doing."""

    __slots__ = ("_last", "_schedstat", "_wchan", "cpu", "delay", "spliced", "state", "switches")

    def __init__(self, pid: int, tid: int) -> None:
        base = f"/proc/{pid}/task/{tid}"
        self._schedstat, self._wchan = opened(f"{base}/schedstat"), opened(f"{base}/wchan")
        self._last = b""
        self.cpu = self.delay = self.switches = 0
        self.state, self.spliced = ACTIVE, False

    def look(self) -> bool:
        """Bring everything up to date; return whether it has been on a core since, or is active.

        This is done hundreds of times a second and finds cold caches: every call in it costs a microsecond.
        """
        try:
            data = os.pread(self._schedstat, 64, 0)
            if data == self._last and self.state:
                return False
            wchan = os.pread(self._wchan, 64, 0)
        except OSError:  # it has gone
            self.state = WAITING
            return False
        state = _STATES.get(wchan)
        if state is None:
            state = _STATES[wchan] = state_of(wchan)
        self.state = state
        if data != self._last:
            self._last = data
            words = data.split()
            self.cpu, self.delay, self.switches = int(words[0]), int(words[1]), int(words[2])
            if state and is_splice(wchan):
                self.spliced = True
        return True

    def close(self) -> None:
        """Let go of the descriptors."""
        for descriptor in (self._schedstat, self._wchan):
            if descriptor >= 0:
                os.close(descriptor)
        self._schedstat = self._wchan = -1


class Process:
    """One process: the CPU time of all its threads (ns) and what it has read and written (bytes, system calls)."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._clock = (~pid << 3) | 2
        self._io = opened(f"/proc/{pid}/io")
        self._children = opened(f"/proc/{pid}/task/{pid}/children")
        self._directory = f"/proc/{pid}/task"
        self._links = 0
        self._gone_delay = self._gone_switches = 0
        self.first = Task(pid, pid)
        self.tasks: dict[int, Task] = {pid: self.first}
        self.cpu = 0
        self.rchar = self.wchar = self.reads = self.writes = 0

    def look(self) -> bool:
        """Bring the states and times of its threads up to date; return whether anything has happened since."""
        changed = self.first.look()
        if len(self.tasks) == 1:
            self.cpu = max(self.cpu, self.first.cpu)
            return changed
        return self.count() or changed

    def count(self) -> bool:
        """Bring the CPU time of all threads up to date, looking at those that there are beside the first."""
        try:
            cpu = time.clock_gettime_ns(self._clock)
        except OSError:  # reaped
            return False
        changed = cpu > self.cpu
        self.cpu = max(self.cpu, cpu)
        # The clock was read after the first task: what it may have run since is less than a millisecond.
        if len(self.tasks) > 1 or cpu > self.first.cpu + 1_000_000:
            self._look_at_threads()
        return changed

    def _look_at_threads(self) -> None:
        try:
            links = os.stat(self._directory).st_nlink  # noqa: PTH116  # 2 + threads: cheaper than listing
        except OSError:
            return
        if links != self._links:
            self._links = links
            with suppress(OSError):
                self._list_threads()
        for task in self.tasks.values():
            if task is not self.first:
                task.look()

    def _list_threads(self) -> None:
        now = {int(name) for name in os.listdir(self._directory)}  # noqa: PTH208  # thrice as fast
        for tid in now - self.tasks.keys():
            self.tasks[tid] = Task(self.pid, tid)
        for tid in self.tasks.keys() - now - {self.pid}:
            gone = self.tasks.pop(tid)
            self._gone_delay += gone.delay
            self._gone_switches += gone.switches
            gone.close()

    def look_at_io(self) -> None:
        """Bring the counts of input and output up to date."""
        words = read(self._io).split()
        if len(words) >= 8:
            self.rchar, self.wchar, self.reads, self.writes = (int(words[place]) for place in (1, 3, 5, 7))

    @property
    def several(self) -> bool:
        """Whether it has more than one thread now."""
        return len(self.tasks) > 1

    @property
    def delay(self) -> int:
        """Nanoseconds that its threads have waited for a core."""
        if len(self.tasks) == 1:
            return self.first.delay + self._gone_delay
        return sum(task.delay for task in self.tasks.values()) + self._gone_delay

    @property
    def switches(self) -> int:
        """How often its threads were put on a core."""
        if len(self.tasks) == 1:
            return self.first.switches + self._gone_switches
        return sum(task.switches for task in self.tasks.values()) + self._gone_switches

    @property
    def state(self) -> int:
        """What the process as a whole is doing: active if any thread is."""
        return overall([task.state for task in self.tasks.values()]) if len(self.tasks) > 1 else self.first.state

    @property
    def spliced(self) -> bool:
        """Whether its counts lack something: it was seen to move bytes inside the kernel, or they are closed to us."""
        return self._io < 0 or any(task.spliced for task in self.tasks.values())

    def children(self) -> list[int]:
        """Return the processes that its first thread has started and not yet waited for."""
        return [int(word) for word in read(self._children).split()]

    def keeps_temporaries(self, directories: tuple[str, ...]) -> bool:
        """Return whether it has a file open in one of these directories beside its first three descriptors."""
        base = f"/proc/{self.pid}/fd"
        with suppress(OSError):
            for name in os.listdir(base):  # noqa: PTH208
                if int(name) > 2 and os.readlink(f"{base}/{name}").startswith(directories):  # noqa: PTH115
                    return True
        return False

    def close(self) -> None:
        """Let go of the descriptors."""
        for task in self.tasks.values():
            task.close()
        for descriptor in (self._io, self._children):
            if descriptor >= 0:
                os.close(descriptor)
        self._io = self._children = -1


def overall(states: list[int]) -> int:
    """Return the state of a whole whose parts are in these states.

    Parts that wait for a timer or for each other say least: a pool's idle threads, a shell that waits for its child.

    >>> overall([WAITING, STARVED]), overall([STARVED, ACTIVE]), overall([WAITING, WAITING])
    (1, 0, 3)
    """
    for state in (ACTIVE, BLOCKED, STARVED, EPOLLING, POLLING):
        if state in states:
            return state
    return WAITING
