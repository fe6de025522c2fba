"""Worker processes of this machine: none outlives who started it, and Ctrl-C is the starter's alone."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent has ended."""


@contextmanager
def local_processes(count: int) -> Iterator[Executor]:
    """Give a pool of so many processes; what is still to do when the block is left by an exception is dropped."""
    # Not fork: the command line may have a thread that draws progress.
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BaseException:
        # A task that is running would be waited for, however long it takes.
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
