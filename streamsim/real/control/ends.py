"""The pipe ends of a server, which block or return at once, whichever it wants, and what it waits for them with."""

from __future__ import annotations

import os
from select import EPOLLIN, EPOLLOUT, POLLIN, epoll, poll

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any

_WAITERS = 8
"""For so many outputs the descriptor to wait with is kept; of hundreds each would have one (ulimit -n)."""

_S_IFMT, _S_IFIFO = 0o170000, 0o010000  # stat.h: the module `stat` is one import more


class Ends:
    """Pipe ends with descriptions of their own, by their numbers."""

    def __init__(self) -> None:
        self._are: dict[int, tuple[int, int]] = {}

    def own(self, descriptor: int, how: int) -> None:
        """Open a pipe end anew, under the same number.

        Not by a flag on the description that is there: others may share it. What is no pipe stays as it is, as does
        the end of a pipe whose reader has gone (ENXIO): its next write says so.
        """
        try:
            found = os.fstat(descriptor)
            if found.st_mode & _S_IFMT != _S_IFIFO:
                return
            fresh = os.open(f"/proc/self/fd/{descriptor}", how | os.O_NONBLOCK)
        except OSError:
            return
        self.put(descriptor, fresh)

    def put(self, descriptor: int, fresh: int) -> None:
        """Put a pipe end that was just opened in the place of another."""
        os.dup2(fresh, descriptor, inheritable=False)
        os.close(fresh)
        found = os.fstat(descriptor)
        self._are[descriptor] = found.st_dev, found.st_ino

    def set_blocking(self, value: bool) -> None:
        """Let calls wait, or return at once where they would."""
        for descriptor, identity in tuple(self._are.items()):
            try:
                found = os.fstat(descriptor)
            except OSError:
                found = None
            if found is None or (found.st_dev, found.st_ino) != identity:  # closed, and perhaps something else by now
                self._are.pop(descriptor, None)  # a signal may have come in between, and done the same
            else:
                os.set_blocking(descriptor, value)


class Waiters:
    """What waits for data or room, and together with that, or not, for whoever asks at ``descriptor``."""

    def __init__(self, descriptor: int) -> None:
        self._asked = descriptor
        self._readers: dict[tuple[tuple[int, ...], bool], Any] = {}
        self._writers: dict[tuple[int, bool], Any] = {}

    def for_data(self, wanted: tuple[int, ...], timeout_s: float | None, *, both: bool) -> list[int]:
        """Wait for input; return the descriptors that have something."""
        waiting = self._readers.get((wanted, both))
        if waiting is None:
            waiting = self._readers[wanted, both] = poll()
            for descriptor in (*wanted, self._asked) if both else wanted:
                waiting.register(descriptor, POLLIN)
        return [one for one, _ in waiting.poll(None if timeout_s is None else 1000 * timeout_s)]

    def for_room(self, descriptor: int, timeout_s: float | None, *, both: bool) -> list[int]:
        """Wait for room in an output; return the descriptors that have something."""
        waiting = self._writers.get((descriptor, both))
        if waiting is None:
            if len(self._writers) >= _WAITERS:
                self._writers.pop(next(iter(self._writers)))
            waiting = self._writers[descriptor, both] = _waiter()
            waiting.register(descriptor, EPOLLOUT)
            if both:
                waiting.register(self._asked, EPOLLIN)
        unit = 1 if isinstance(waiting, epoll) else 1000  # epoll counts seconds, poll milliseconds
        return [one for one, _ in waiting.poll(None if timeout_s is None else unit * timeout_s)]

    def forget(self, descriptor: int) -> None:
        """Another pipe has its number now."""
        for key in [key for key in self._writers if key[0] == descriptor]:
            del self._writers[key]


def _waiter() -> Any:
    """Return what waits for room: without a descriptor to spare it looks from outside like waiting for input."""
    try:
        return epoll()
    except OSError:
        return poll()
