"""Which processes live: those of a run must not outlive it, whatever other tests have left standing."""

from __future__ import annotations

import os
from multiprocessing import resource_tracker
from pathlib import Path

from streamsim.real.children import descendants

_standing: dict[int, str] = {}


def remember() -> None:
    """Take what is below this process now for others': pools of workers, trackers of shared memory."""
    _standing.clear()
    _standing.update(descendants([os.getpid()]))


def no_children() -> bool:
    """Whether nothing is below this process that was not there when `remember` was called.

    Python's own tracker of shared memory, which is started where a pool first needs it, does not count.
    """
    ours = getattr(resource_tracker._resource_tracker, "_pid", None)
    return not [pid for pid, born in descendants([os.getpid()]).items() if pid != ours and _standing.get(pid) != born]


def lives(pid: int, born: str) -> bool:
    """Whether this very process runs still; a zombie that nobody has reaped yet does not."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return words[0] != "Z" and words[19] == born
