"""What the system lets one do to any process of a run: pause, resume, niceness, affinity, the capacity of its pipes.

A Unix tool has no API. What it cannot do is refused by name, with what can be done instead.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

from streamsim.errors import ControlError, ScenarioError
from streamsim.operators.base import control, readable
from streamsim.policies.base import SYSTEM as SYSTEM
from streamsim.real.control.replace import replace
from streamsim.real.control.rpc import BadParameters
from streamsim.real.control.runs import RunEntry, ServerEntry, alive, directory_of, pause_mark
from streamsim.real.procfs import fields_of
from streamsim.units import parse_bytes, parse_cores

_LARGEST_PIPE = 1 << 31
"""What the kernel takes at most (pipe(7)); an ordinary user has /proc/sys/fs/pipe-max-size."""

_CORES = os.sysconf("SC_NPROCESSORS_CONF")

_STATES = {"R": "running", "S": "sleeping", "D": "waiting for a disk", "T": "stopped", "Z": "ended"}


class Usage(TypedDict):
    """What the kernel knows of a process: bytes, system calls, CPU time (s)."""

    station: str
    program: str
    pid: int
    bytes_in: int
    bytes_out: int
    reads: int
    writes: int
    cpu_s: float


class Parameters(TypedDict):
    """What the system lets one set: the niceness, the numbers of the cores, the bytes that each input pipe holds."""

    niceness: int
    cores: list[int]
    pipe: dict[str, int]


class Busy(ControlError):
    """It cannot be done at this moment, but may be at another."""


class System:
    """A process as the system sees it; the same methods as a server of ours has, as far as they exist.

    >>> System(ServerEntry(name="a", kind="command", program="cat", pid=0, started="1")).drain()
    Traceback (most recent call last):
    ...
    streamsim.errors.ControlError: 'a' is a Unix command (cat): it has no drain; pause, resume, state, metrics, parameters, set (niceness, cores, pipe) and swap is what can be done
    """  # noqa: E501

    saved: tuple[str, ...] = ()

    def __init__(self, server: ServerEntry, run: RunEntry | None = None) -> None:
        self._server, self._run = server, run

    @readable
    def process(self) -> str:
        """What the process is doing, in the kernel's words (proc(5))."""
        self._check()
        text = fields_of(self._read("stat"))[0]
        return _STATES.get(text, text)

    @control
    def state(self) -> dict[str, str]:
        """Return what the process is doing."""
        return {"process": self.process()}

    @control
    def metrics(self) -> Usage:
        """Return what it has read and written (bytes, system calls) and its CPU time (s)."""
        self._check()
        counts = dict(line.split(": ") for line in self._read("io").splitlines())
        fields = fields_of(self._read("stat"))
        ticks = os.sysconf("SC_CLK_TCK")
        return {
            "station": self._server.name,
            "program": self._server.program,
            "pid": self._server.pid,
            "bytes_in": int(counts["rchar"]),
            "bytes_out": int(counts["wchar"]),
            "reads": int(counts["syscr"]),
            "writes": int(counts["syscw"]),
            "cpu_s": (int(fields[11]) + int(fields[12])) / ticks,
        }

    @control
    def parameters(self) -> Parameters:
        """Return its niceness, the cores that it may use, and the capacities of its input pipes (bytes)."""
        self._check()
        pid = self._server.pid
        try:
            niceness, cores = os.getpriority(os.PRIO_PROCESS, pid), sorted(os.sched_getaffinity(pid))
        except OSError as error:
            raise ControlError(f"station {self._server.name!r}: {error.strerror}") from None
        return {
            "niceness": niceness,
            "cores": cores,
            "pipe": {label: self._with_pipe(fd, fcntl.F_GETPIPE_SZ) for fd, label in self._server.inputs.items()},
        }

    @control
    def set(
        self, niceness: int | None = None, cores: list[int] | int | str | None = None, pipe: int | str | None = None
    ) -> Parameters:
        """Change the niceness (-20 to 19), the cores (0, '0,1', '0-3'), or how much each input pipe holds ('1 MiB')."""
        self.verify(niceness, cores, pipe)
        before = self.parameters()
        done: list[Callable[[], object]] = []
        try:
            if pipe is not None:
                for descriptor, label in self._server.inputs.items():
                    done.append(partial(self._with_pipe, descriptor, fcntl.F_SETPIPE_SZ, before["pipe"][label]))
                    self._with_pipe(descriptor, fcntl.F_SETPIPE_SZ, _pipe_size(pipe))
            if cores is not None:
                done.append(partial(self._pin, before["cores"]))
                self._pin(_cores(cores))
            if niceness is not None:  # last: an ordinary user could not take it back
                for task in self._tasks():
                    os.setpriority(os.PRIO_PROCESS, task, niceness)
        except OSError as error:
            for undo in done:
                with suppress(OSError, ControlError):
                    undo()
            if error.errno == errno.EBUSY:
                raise Busy(f"{self._server.name}: a pipe holds more than that; read it empty first") from None
            raise ControlError(f"{self._server.name}: the system refuses: {error.strerror}") from None
        return self.parameters()

    def verify(
        self, niceness: int | None = None, cores: list[int] | int | str | None = None, pipe: int | str | None = None
    ) -> None:
        """Raise ControlError where `set` could not do it, as far as that is known beforehand; change nothing."""
        self._check()
        if niceness is not None and not -20 <= niceness <= 19:  # the kernel would take the nearest that there is
            raise BadParameters(f"niceness: {niceness} is not from -20 to 19")
        if cores is not None and _cores(cores)[-1] >= _CORES:
            raise BadParameters(f"cores: {cores} is not from 0 to {_CORES - 1}")
        if pipe is not None:
            _pipe_size(pipe)
            if not self._server.inputs:
                raise ControlError(f"{self._server.name!r} reads no pipe")

    @control
    def pause(self) -> bool:
        """Stop it (SIGSTOP), for as long as you like; returns whether it was running."""
        before = self.process() != "stopped"
        if self._run is not None:
            with suppress(OSError):  # the run has just ended
                pause_mark(directory_of(self._run), self._server.pid).touch()
        self._signal(signal.SIGSTOP)
        until = time.monotonic() + 1.0
        while self.process() not in ("stopped", "ended") and time.monotonic() < until:
            time.sleep(0.001)  # the signal takes effect when it leaves the kernel
        return before

    @control
    def resume(self) -> bool:
        """Let it go on (SIGCONT); returns whether it was stopped."""
        before = self.process() == "stopped"
        self._signal(signal.SIGCONT)
        if self._run is not None:
            pause_mark(directory_of(self._run), self._server.pid).unlink(missing_ok=True)
        return before

    @control
    def swap(self, command: str, state: Literal["keep", "new"] = "keep") -> dict[str, Any]:
        """Run another command in its place; with state = 'new' what the old one knows is given up.

        The old one ends as at the end of its input; no byte is lost, and none comes twice. Returns the new process.
        """
        if self._run is None:
            raise ControlError(self.refusal("swap"))
        return dict(replace(self._run, self._server.name, command, state=state))

    def drain(self) -> None:
        """Refused: a Unix command has no such thing."""
        raise ControlError(self.refusal("drain"))

    def refusal(self, method: str) -> str:
        """Return why something cannot be done to a command."""
        return (
            f"{self._server.name!r} is a Unix command ({self._server.program}): it has no {method}; pause, resume, "
            "state, metrics, parameters, set (niceness, cores, pipe) and swap is what can be done"
        )

    def _pin(self, cores: Iterable[int]) -> None:
        for task in self._tasks():
            os.sched_setaffinity(task, cores)

    def _tasks(self) -> list[int]:
        return [int(task.name) for task in Path(f"/proc/{self._server.pid}/task").iterdir()]

    def _with_pipe(self, descriptor: int, command: int, argument: int = 0) -> int:
        try:
            held = os.open(f"/proc/{self._server.pid}/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:  # it has ended, or closed that input
            raise ControlError(f"station {self._server.name!r}: {error.strerror}") from None
        try:
            return fcntl.fcntl(held, command, argument)
        finally:
            os.close(held)

    def _signal(self, number: int) -> None:
        self._check()
        try:
            os.kill(self._server.pid, number)
        except OSError as error:
            raise ControlError(f"{self._server.name}: {error.strerror}") from None

    def _check(self) -> None:
        if not alive(self._server):
            raise ControlError(f"station {self._server.name!r} has ended")

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self._server.pid}/{name}").read_text()
        except OSError as error:
            raise ControlError(f"station {self._server.name!r}: {error.strerror}") from None


def _cores(given: list[int] | int | str) -> tuple[int, ...]:
    try:
        return parse_cores(given)
    except ValueError as error:
        raise BadParameters(f"cores: {error}") from None


def _pipe_size(given: int | str) -> int:
    """Return how large a pipe is to be; fcntl would cut a number off that has more than 32 bits."""
    try:
        size = int(parse_bytes(given))
    except (ValueError, ScenarioError) as error:
        raise BadParameters(f"pipe: {error}") from None
    if not 1 <= size <= _LARGEST_PIPE:
        raise BadParameters(f"pipe: {given!r} is not from 1 B to 2 GiB")
    return size
