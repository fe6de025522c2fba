"""Independent replications, one after the other or in processes: the same results in the same order either way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import TypeVar

import numpy as np

from streamsim.models.statistics.workers import local_processes

T = TypeVar("T")

WORTH_S = 2.0
"""Seconds of work that must be left before processes are started for it: they need half a second to come up."""


def replicate(
    task: Callable[[np.random.SeedSequence], T],
    seed: np.random.SeedSequence,
    wanted: Callable[[Sequence[T]], int],
    *,
    workers: int = 1,
    executor: Callable[[int], AbstractContextManager[Executor]] = local_processes,
    progress: Callable[[int, int], None] | None = None,
) -> list[T]:
    """Run a task with seed after seed until there are as many results as are wanted.

    Parameters
    ----------
    task : makes one replication; picklable where `workers` > 1.
    seed : its children, in their order, are the seeds: replication k of two variants of a circuit meets the same luck.
    wanted : from the results so far, how many there should be; asked again when there are so many.
    executor : makes the pool of so many workers; only where enough work is left.
    progress : called with how many are done and how many are wanted for now.

    How many workers there are changes nothing but the time: decisions are made on whole stages.

    >>> replicate(lambda seed: seed.spawn_key[-1], np.random.SeedSequence(1), lambda found: 3)
    [0, 1, 2]
    """
    found: list[T] = []
    total = wanted(found)
    began = time.monotonic()
    while len(found) < total:
        found.append(task(_child(seed, len(found))))
        if progress is not None:
            progress(len(found), total)
        each = (time.monotonic() - began) / len(found)
        if workers > 1 and (total - len(found)) * each > WORTH_S:
            with executor(workers) as pool:
                return _in_pool(pool, task, seed, found, total, wanted, progress)
        if len(found) == total:
            total = max(total, wanted(found))
    return found


def _in_pool(
    pool: Executor,
    task: Callable[[np.random.SeedSequence], T],
    seed: np.random.SeedSequence,
    found: list[T],
    total: int,
    wanted: Callable[[Sequence[T]], int],
    progress: Callable[[int, int], None] | None,
) -> list[T]:
    while len(found) < total:
        stage = [pool.submit(task, _child(seed, number)) for number in range(len(found), total)]
        for future in stage:
            found.append(future.result())
            if progress is not None:
                progress(len(found), total)
        total = max(total, wanted(found))
    return found


def _child(seed: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return the seed that spawning would give, without counting how often it was asked."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
