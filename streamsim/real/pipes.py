"""Who owns which descriptor: what the runner opens for a run, and closes as soon as a process has it.

The runner must keep no end of a pipe: one kept write end and the reader never sees the end of file, one kept read
end and the writer never gets SIGPIPE. All that is opened here is close-on-exec, so that a process has what it was
given and nothing else.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from streamsim.circuit import DEFAULT_PIPE_BYTES
from streamsim.errors import RunError
from streamsim.real import open_files
from streamsim.real.plan import Plan
from streamsim.units import format_bytes

_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only; elsewhere a pipe has the size that it has
_GET_SIZE = getattr(fcntl, "F_GETPIPE_SZ", None)


class Descriptors:
    """All descriptors that the runner holds for a run; leaving the block closes those that are left.
    ``floor`` is the lowest number they may have: what lies below is wanted in the processes, and a
    descriptor that stands where another is to be put would be lost. ``wanted`` is how many there may be, at the most:
    inside the block this process may open so many, where it can have them.
    """

    def __init__(self, floor: int, wanted: int = 0) -> None:
        self._floor, self._wanted = floor, wanted
        self._open: set[int] = set()
        self._raised = ExitStack()

    def keep(self, descriptor: int) -> int:
        """Own a descriptor that was just opened; returns its number, which may be another one now."""
        if descriptor < self._floor:
            low = descriptor
            try:
                descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, self._floor)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from None  # the floor is past the limit
            finally:
                os.close(low)
        self._open.add(descriptor)
        return descriptor

    def open(self, path: str, flags: int, mode: int = 0o666) -> int:
        """Open a file and own it."""
        return self.keep(os.open(path, flags | os.O_CLOEXEC, mode))

    def pipe(self) -> tuple[int, int]:
        """Make a pipe and own both ends: to read, to write."""
        read, write = os.pipe()
        try:
            return self.keep(read), self.keep(write)
        except OSError:
            for end in (read, write):
                if end not in self._open and end >= self._floor:
                    os.close(end)
            raise

    def close(self, *descriptors: int) -> None:
        """Close these, where they are still open."""
        for descriptor in descriptors:
            if descriptor in self._open:
                self._open.remove(descriptor)
                os.close(descriptor)

    def __len__(self) -> int:
        return len(self._open)

    def __enter__(self) -> Descriptors:
        self._raised.enter_context(open_files.room_for(self._wanted + self._floor))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._raised:
            self.close(*tuple(self._open))


class Joint:
    """One pipe between its making and the moment when both of its processes have it."""

    def __init__(self, label: str, read: int, write: int, capacity_bytes: int) -> None:
        self.label, self.read, self.write, self.capacity_bytes = label, read, write, capacity_bytes
        self.inode = os.fstat(read).st_ino


def make_joints(plan: Plan, descriptors: Descriptors) -> tuple[dict[str, Joint], list[str]]:
    """Make all pipes of a plan with their capacities; returns them and warnings.

    Raises RunError where the kernel refuses a capacity that the scenario asks for: an ordinary user has
    /proc/sys/fs/pipe-max-size for one pipe and pipe-user-pages-soft for all together (pipe(7)).
    """
    joints: dict[str, Joint] = {}
    warnings: list[str] = []
    for label, wanted in plan.pipes.items():
        read, write = descriptors.pipe()
        try:
            given = _resize(label, write, wanted)
        except RunError:
            if label not in plan.wishes:
                raise
            given = _resize(label, write, DEFAULT_PIPE_BYTES)
        if given != wanted:
            warnings.append(
                f"pipe {label} has {format_bytes(given)} instead of {format_bytes(wanted)}: "
                f"this user has used up what the kernel gives to pipes ({_all_together()})"
            )
        joints[label] = Joint(label, read, write, given)
    return joints, warnings


def _resize(label: str, descriptor: int, wanted: int) -> int:
    if _SET_SIZE is None or _GET_SIZE is None:
        return DEFAULT_PIPE_BYTES
    given: int = fcntl.fcntl(descriptor, _GET_SIZE)
    if given == wanted:
        return given
    try:
        fcntl.fcntl(descriptor, _SET_SIZE, wanted)
    except OSError as error:
        if wanted <= DEFAULT_PIPE_BYTES:
            return given
        raise RunError(
            f"the kernel refuses a pipe of {format_bytes(wanted)} for {label}: {error.strerror}; {_limit(wanted)}"
        ) from None
    size: int = fcntl.fcntl(descriptor, _GET_SIZE)
    return size


def _limit(wanted: int) -> str:
    """Say which limit a capacity is past, and how to mend it."""
    most = _setting("pipe-max-size")
    if most is not None and wanted > most:
        return (
            f"one pipe of an ordinary user may have {format_bytes(most)} (/proc/sys/fs/pipe-max-size): "
            "ask for less, or let root raise that"
        )
    return f"what this user has in pipes already leaves no room for it ({_all_together()})"


def _all_together() -> str:
    pages = _setting("pipe-user-pages-soft")
    given = "" if not pages else f": {format_bytes(pages * os.sysconf('SC_PAGE_SIZE'))} for all pipes of a user"
    return f"/proc/sys/fs/pipe-user-pages-soft{given}"


def _setting(name: str) -> int | None:
    try:
        return int(Path(f"/proc/sys/fs/{name}").read_text())
    except (OSError, ValueError):
        return None


def try_pipes(plan: Plan) -> list[str]:
    """Make the pipes of a plan for a moment and return what they cannot have; RunError where it could not be started.

    That says more than a comparison with the kernel's limits: root is past them, and what the same user's other
    processes have in pipes counts too.
    """
    try:
        with Descriptors(plan.floor, plan.files) as descriptors:
            return make_joints(plan, descriptors)[1]
    except OSError as error:
        reason = f"{error.strerror} (ulimit -Hn is {open_files.most()})"
        raise RunError(f"{len(plan.pipes)} pipes cannot be had: {reason}") from None
