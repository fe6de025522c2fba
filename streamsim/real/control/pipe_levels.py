"""How full a pipe is, from outside, without keeping its end."""

from __future__ import annotations

import fcntl
import os
import termios


def pipe_of(pid: int, descriptor: int) -> tuple[int, int]:
    """Return how many bytes are in the pipe at this descriptor of a process, and how many it holds at most.

    Its end is held for these two calls only: who holds one longer keeps a writer from hearing that its reader has gone.
    """
    held = os.open(f"/proc/{pid}/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK)
    try:
        level = int.from_bytes(fcntl.ioctl(held, termios.FIONREAD, b"\0\0\0\0"), "little")
        return level, fcntl.fcntl(held, fcntl.F_GETPIPE_SZ)
    finally:
        os.close(held)
