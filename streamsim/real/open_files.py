"""How many files the runner may have open: for a large circuit more than it was started with, as node and Go take.

What it starts keeps the limit that the runner was started with: a tool that calls select(2) cannot wait for descriptors
from 1024 on, and relies on the usual limit to have none. Only who is given about as many gets the higher one.
"""

from __future__ import annotations

import os
import resource
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class _Limit:
    """The limit of this process, shared by all runs in it; ``before`` is what it was, while some run has it raised."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.runs = self.before = 0


_limit = _Limit()


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """Let this process have so many more files open, as far as it may ask for that."""
    with _limit.lock:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        raises = bool(_limit.runs) or (soft != resource.RLIM_INFINITY and files + _used() > soft and _set(hard))
        if raises:
            _limit.before = _limit.before if _limit.runs else soft
            _limit.runs += 1
    try:
        yield
    finally:
        with _limit.lock:
            if raises:
                _limit.runs -= 1
                if not _limit.runs:
                    _set(_limit.before)


def most() -> int:
    """Return how many files this process may open when it asks for it."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def spawn(path: str, arguments: list[str], environment: Mapping[str, str], **how: Any) -> int:
    """Start a program as os.posix_spawn does, with the limit that there was before it was raised.

    A shell sets it: this process cannot lower its own for the moment, since the C library refuses to pass on
    descriptors past it. Who is given more than half as many keeps the raised one: it opens some itself.
    """
    given = max((action[2 if action[0] == os.POSIX_SPAWN_DUP2 else 1] for action in how["file_actions"]), default=0)
    if _limit.runs and 2 * given <= _limit.before:
        script = f'ulimit -Sn {_limit.before}; exec "$0" "$@"'
        arguments = ["sh", "-c", script, path, *arguments[1:]]
        path = shutil.which("sh") or path
    return os.posix_spawn(path, arguments, environment, **how)


def _set(soft: int) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most()))
    except (OSError, ValueError):  # other systems have a hard limit that they do not give
        return False
    return True


def _used() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a path for each name is not wanted
    except OSError:  # there is no /proc, or no descriptor left to read it
        return 0
