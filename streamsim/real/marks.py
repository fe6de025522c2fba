"""A word in the environment of all that a run starts, by which it is found wherever it has gone.

A process that forks twice and calls setsid(2), as daemons do, is no longer below its station, nor in its group; what it
inherited it still has. PR_SET_CHILD_SUBREAPER would bring such processes back to the runner, but with them those of
whoever calls this library, and their zombies; a control group needs a right that few have. Only who empties its own
environment as well is missed, and what belongs to another user.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from streamsim.real.procfs import born

VARIABLE = "STREAMSIM_RUN"
"""Holds the private directory of the run, so no two runs have the same."""


def marked(value: str) -> set[tuple[int, str]]:
    """Return the living processes that have the mark: the id of each and the time of its start (proc(5))."""
    word = f"{VARIABLE}={value}".encode()
    found: set[tuple[int, str]] = set()
    try:
        names = os.listdir("/proc")  # noqa: PTH208  # twice as fast
    except OSError:  # no Linux, or no descriptor to be had
        return found
    for name in names:
        if name.isdigit() and _has(name, word) and (start := born(int(name))):
            found.add((int(name), start))
    return found


def _has(pid: str, word: bytes) -> bool:
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # another's, or it has ended
        return False
    try:
        data = b""
        while block := os.read(descriptor, 1 << 16):
            data += block
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return word in data.split(b"\0")


def kill_marked(value: str) -> None:
    """Kill all that have the mark, also what they fork meanwhile."""
    known: set[tuple[int, str]] = set()
    while new := marked(value) - known:
        for pid, _ in new:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)  # a stopped process forks no more
        known |= new
    for pid, _ in known & marked(value):  # those that are still themselves
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
