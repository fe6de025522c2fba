"""Looking whether a pipe has room, and making it larger, while the circuit runs."""

from __future__ import annotations

import fcntl
import os
import select

from streamsim.real.children import Child
from streamsim.real.observation.gauge import Holder
from streamsim.real.pipes import Joint


def has_room(writer: Child, descriptor: int) -> bool:
    """Whether a write into this pipe would go on now; False where it cannot be asked."""
    end = Holder(writer, descriptor).borrow()
    if end < 0:
        return False
    try:
        poller = select.poll()
        poller.register(end, select.POLLOUT)
        return bool(poller.poll(0))
    finally:
        os.close(end)


def grow(joint: Joint, reader: Child, descriptor: int) -> int:
    """Double the capacity of a pipe through an end that is borrowed for some microseconds; return it (bytes).

    The kernel wakes who waits to write (fs/pipe.c, pipe_resize_ring). Raises OSError where it refuses: an ordinary user
    has /proc/sys/fs/pipe-max-size for one pipe and pipe-user-pages-soft for all together; or where the pipe has gone.
    """
    holder = Holder(reader, descriptor)
    end = holder.borrow()
    if end < 0:
        end = holder.open_by_name()
    if end < 0:
        raise ProcessLookupError(f"nobody holds {joint.label} any more")
    try:
        if os.fstat(end).st_ino != joint.inode:
            raise ProcessLookupError(f"nobody holds {joint.label} any more")
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 2 * joint.capacity_bytes)
        joint.capacity_bytes = fcntl.fcntl(end, fcntl.F_GETPIPE_SZ)
    finally:
        os.close(end)
    return joint.capacity_bytes
