"""Where the address space is limited (`ulimit -v`): refusing libraries that would end the process for want of room.

OpenBLAS, which numpy and scipy bring, takes memory for each of its threads while it is loaded, and calls exit(3) where
it gets none. No exception comes of that, so it is asked beforehand whether there is room.
"""

from __future__ import annotations

import os
import sys
from resource import RLIM_INFINITY, RLIMIT_AS, getrlimit

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_BRING_OPENBLAS = frozenset(["numpy", "scipy.linalg", "datasketches"])
"""The last imports numpy, and prints what goes wrong with that before it raises it."""
_OWN_MIB, _THREAD_MIB = 60, 45
"""What loading numpy takes, with a tenth more: it was 83 MiB with one thread and 123 with two."""


def address_space() -> int | None:
    """Return how many bytes this process may map, where that is limited; without a limit, memory is not the cause."""
    limit = getrlimit(RLIMIT_AS)[0]
    return None if limit == RLIM_INFINITY else limit


def watch_room() -> None:
    """Let an import raise MemoryError where OpenBLAS would end the process; does nothing without a limit."""
    if address_space() is not None and not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Stands before those who find modules, and finds none."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name in _BRING_OPENBLAS:
            _take(_OWN_MIB + _THREAD_MIB * _threads())
        return None


def _threads() -> int:
    """Return how many threads OpenBLAS will have: no more than cores, whatever it is told."""
    told = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    cores = len(os.sched_getaffinity(0))
    return min(int(told), cores) if told.isdigit() and int(told) else cores


def _take(mib: int) -> None:
    """Raise MemoryError where so much cannot be mapped."""
    from mmap import mmap

    try:
        mmap(-1, mib << 20).close()
    except OSError:
        raise MemoryError(f"{mib} MiB cannot be had") from None
