"""How full a pipe is, asked through an end that is borrowed from one of its processes for some microseconds.

A supervisor that keeps an end breaks SIGPIPE and the end of file. This one duplicates the end (pidfd_getfd(2), Linux
5.6), asks, and closes: should the process end just then, its peer learns of it those microseconds later. Where the
call is forbidden, the reader's end is opened by its name in /proc, to the same effect.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import sys
import termios
from contextlib import suppress

from streamsim.real.children import Child

_PIDFD_GETFD = 438  # one number on all architectures (asm-generic/unistd.h)
_libc = ctypes.CDLL(None, use_errno=True)
_FOUR = bytes(4)


class Holder:
    """A process and the descriptor under which it holds an end of the pipe."""

    __slots__ = ("_child", "_descriptor")

    def __init__(self, child: Child, descriptor: int) -> None:
        self._child, self._descriptor = child, descriptor

    def borrow(self) -> int:
        """Duplicate the end; -1 where the process has gone or has closed it."""
        if self._child.pidfd < 0:
            return -1
        return int(_libc.syscall(_PIDFD_GETFD, self._child.pidfd, self._descriptor, 0))

    def open_by_name(self) -> int:
        """Open the end anew; for reading only, for opening to write could revive a pipe that has ended."""
        if self._child.status is not None:
            return -1
        try:
            return os.open(f"/proc/{self._child.pid}/fd/{self._descriptor}", os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return -1


class Gauge:
    """The level of one pipe."""

    def __init__(self, label: str, inode: int, capacity_bytes: int, writer: Holder, reader: Holder) -> None:
        self.label, self.capacity_bytes = label, capacity_bytes
        self._inode, self._writer, self._reader = inode, writer, reader
        self._by_name = False

    def level(self) -> int | None:
        """Return how many bytes it holds; None where no process can be asked."""
        end = -1 if self._by_name else self._reader.borrow()
        if end < 0:
            end = self._reader.open_by_name()
            if end < 0:
                return None
            self._by_name = True  # the call is forbidden here
        try:
            if os.fstat(end).st_ino != self._inode:
                return None  # the process has put something else in its place
            return int.from_bytes(fcntl.ioctl(end, termios.FIONREAD, _FOUR), sys.byteorder)
        except OSError:
            return None
        finally:
            os.close(end)

    def full(self) -> bool:
        """Return whether a write would block now: that depends on pages, not on bytes."""
        end = self._writer.borrow()
        if end < 0:
            return False
        with suppress(OSError):
            try:
                poller = select.poll()
                poller.register(end, select.POLLOUT)
                return os.fstat(end).st_ino == self._inode and not poller.poll(0)
            finally:
                os.close(end)
        return False
