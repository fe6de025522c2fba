"""Waking a server of ours that may have missed that somebody wants something (control/attention.py).

The kernel tells it by SIGURG. Where that comes between its last instruction and the system call in which it waits for
data, it is noticed when the call returns only, which on a silent input it never does. So the runner, which looks once a
second anyway, sends the signal again to who has stood still since its look before: the server then waits for data and
clients together, and its page of counters is exact.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from streamsim.real.children import Child
from streamsim.real.control.page import RUNNING, Reader

_EVERY_S = 1.0


class Rousing:
    """Looks once a second at the pages of all servers; rouses one once for as long as nothing moves in it."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _EVERY_S
        self._times: dict[int, int] = {}
        self._roused: dict[int, tuple[int, ...]] = {}

    def look(self, children: Sequence[Child]) -> None:
        """Send the signal to who needs it; who has not begun, or has ended, is harmed by none (signal(7))."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        for child in children:
            if child.status is None and child.page is not None:
                with suppress(OSError, ValueError):  # it has no page yet, or has ended
                    self._rouse(child, Reader(child.page).read())

    def _rouse(self, child: Child, counts: dict[str, int]) -> None:
        moved = counts["bytes_in"], counts["bytes_out"], counts["chunks"]
        still = self._times.get(child.pid) == counts["time_ns"]
        self._times[child.pid] = counts["time_ns"]
        if still and counts["state"] == RUNNING and self._roused.get(child.pid) != moved:
            self._roused[child.pid] = moved
            os.kill(child.pid, signal.SIGURG)
