"""Where a run takes place: a private directory, a working directory, cores to be pinned to, programs to be found."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from streamsim.errors import RunError
from streamsim.real.control.runs import sweep
from streamsim.real.plan import Process

_CLONE_FS = 0x200  # sched.h


@contextmanager
def run_directory() -> Iterator[Path]:
    """Make the private directory of a run (mode 0700), and remove it; remove what runs left that were killed whole."""
    sweep()
    path = Path(tempfile.mkdtemp(prefix="streamsim-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def pin_set(cores: int, *, strict: bool) -> frozenset[int] | None:
    """Return the first so many CPUs that this process may use; None where this system cannot pin.

    Raises RunError where there are fewer and ``strict``.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed) and strict:
        raise RunError(
            f"host.cores is {cores} and this machine gives {len(allowed)}: measure with "
            f"--set host.cores={len(allowed)}; simulate and predict can tell of more"
        )
    return frozenset(allowed[:cores])


def settle(pid: int, process: Process, cpus: frozenset[int] | None) -> None:
    """Give a process that was just started the priority and the cores that its station asks for.

    That is after its exec: to be in time for its birth, code would have to run between fork and exec. It has not come
    as far as `main` yet, so all that it starts inherits both.

    Raises RunError where ``cores`` names one that is not among those of the run.
    """
    with suppress(ProcessLookupError):  # it has ended already
        if process.cores and hasattr(os, "sched_setaffinity"):
            cpus = cpus or frozenset(os.sched_getaffinity(0))
            away = sorted(set(process.cores) - cpus)
            if away:
                here = ", ".join(map(str, sorted(cpus)))
                raise RunError(f"cores: CPU {away[0]} is not one of those of this run ({here})", station=process.name)
            os.sched_setaffinity(pid, process.cores)
        if process.niceness:
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, pid, min(19, own + process.niceness))


class Place:
    """A thread with a working directory and an affinity of its own, which the processes that it starts inherit.

    So the runner's own stay as they are, and nothing has to be done between fork and exec: that would cost the fast
    way of starting (vfork). Where a thread cannot have a directory of its own, the process changes for the moment.
    """

    def __init__(self, directory: str, cpus: frozenset[int] | None) -> None:
        self._directory, self._cpus = directory, cpus
        self._back: str | None = None

    def __enter__(self) -> Place:
        return self

    def call(self, work: Callable[[], Any]) -> None:
        """Do the work in that thread and wait for it; what it raises is raised here."""
        raised: list[BaseException] = []

        def body() -> None:
            try:
                self._settle()
                work()
            except BaseException as error:  # handed on to the thread that waits
                raised.append(error)

        thread = threading.Thread(target=body, name="streamsim-launch")
        try:
            thread.start()
        except RuntimeError:  # Python's word for a clone(2) that failed
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        try:
            thread.join()
        except KeyboardInterrupt:
            thread.join()  # it takes milliseconds, and what it has started must be known before it is stopped
            raise
        if raised:
            raise raised[0]

    def _settle(self) -> None:
        if self._cpus is not None:
            os.sched_setaffinity(0, self._cpus)
        here = os.getcwd()  # noqa: PTH109  # compared as text
        if self._directory != here:
            if not _own_directory():
                self._back = here
            os.chdir(self._directory)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._back is not None:
            os.chdir(self._back)


def _own_directory() -> bool:
    """Give this thread a working directory of its own (unshare(2)); False where that cannot be."""
    return sys.platform == "linux" and int(ctypes.CDLL(None).unshare(_CLONE_FS)) == 0


def is_named_pipe(path: str) -> bool:
    """Return whether this is a named pipe (mkfifo(3))."""
    return Path(path).is_fifo()


def find_program(word: str, environment: Mapping[str, str], directory: str, station: str) -> str:
    """Return the path of what a station executes, found on its own PATH, relative to its own directory.

    Raises RunError where there is none.
    """
    if "/" in word:
        return str(Path(directory) / word)
    found = shutil.which(word, path=environment.get("PATH", os.defpath))
    if found is None:
        raise RunError(f"there is no program {word!r} on the PATH", station=station)
    return str(Path(directory) / found)


def opening_itself(process: Process, arguments: list[str]) -> list[str]:
    """Let a process open the named pipe on its standard input itself: to open one waits for its writer."""
    wire = process.reads.get(0)
    if wire is None or wire.kind != "file" or not is_named_pipe(wire.target):
        return arguments
    return ["sh", "-c", 'exec "$@" < "$0"', wire.target, *arguments]
