"""All pieces of a segment at once: what `fluid` does step by step, where one segment alone is under way.

Then nothing that a piece does changes another, and arrays over the pieces take the place of a loop over them: a
segment whose demand changes along its stream has some hundred, and who asks for relief solves thousands of cases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamsim.placement import HOST
from streamsim.service import HostProfile

if TYPE_CHECKING:
    from streamsim.analysis.prediction.fluid import FluidResult, Piecewise

Array = NDArray[np.float64]

MANY = 12
"""From so many pieces on arrays are faster than lists."""
THREADED = 60
"""So many rounds at most until servers with threads and the others share the cores."""
PLAIN = 8
"""So many where no server has threads."""


def run_alone(result: FluidResult, piece: Piecewise, place: int, left: float, host: HostProfile, name: str) -> float:
    """Run a segment from a piece on to its end while no other is under way; return how long that takes (s).

    Parameters
    ----------
    result : takes what each station did, and what held the segment back.
    place : the piece that is under way, of which the part ``left`` is still to do.
    name : of the segment.
    """
    work = np.array([work[place:] for work, _ in piece.columns]).T
    waiting = np.outer(piece.length[place:], piece.waits)
    times, guilty, threads = _settled(piece, place, work, waiting, host)
    parts = np.ones(len(work))
    parts[0] = left
    steps = times * parts
    total = work.sum(axis=1)
    held = result.held.setdefault(name, {})
    for k in np.unique(guilty).tolist():
        station = piece.stations[k] if k >= 0 else HOST
        held[station] = held.get(station, 0.0) + float(steps[guilty == k].sum())
    crowded = guilty < 0
    if crowded.any():
        shares = np.divide(work, total[:, None], out=np.zeros_like(work), where=total[:, None] > 0)
        for station, seconds in zip(piece.stations, (steps[crowded] @ shares[crowded]).tolist(), strict=True):
            held[station] = held.get(station, 0.0) + seconds
    busy = np.divide(total * parts, steps, out=np.ones_like(steps), where=steps > 0)
    cpu = work * parts[:, None] / _speeds(host, np.minimum(busy, host.available_cores))[:, None]
    running = cpu / threads / np.array(piece.servers)
    at_work = running + waiting * parts[:, None] / np.array(piece.servers)
    for found, each in ((result.cpu, cpu), (result.running, running), (result.busy, at_work)):
        for station, amount in zip(piece.stations, each.sum(axis=0).tolist(), strict=True):
            found[station] = found.get(station, 0.0) + amount
    return float(steps.sum())


def _settled(
    piece: Piecewise, place: int, work: Array, waiting: Array, host: HostProfile
) -> tuple[Array, NDArray[np.int64], Array]:
    """Return how long each piece takes (s), which station holds it back (−1: the cores), and the cores that each of its
    servers has while it runs. A piece keeps what it had in the round in which it settled."""
    servers, available = np.array(piece.servers, dtype=np.float64), max(host.available_cores, 1e-9)
    most = np.array([threads[place:] for _, threads in piece.columns]).T
    threads = most.copy()
    threaded: NDArray[np.bool_] = np.any(most > 1.0, axis=1)
    busy = np.full(len(work), float(min(host.cores, sum(piece.servers))))
    needs, load = np.zeros_like(work), np.zeros(len(work))
    still = np.arange(len(work))
    for turn in range(THREADED):
        speed = np.maximum(_speeds(host, busy[still]), 1e-9)[:, None]
        needs[still] = (work[still] / speed / threads[still] + waiting[still]) / servers
        alone = needs[still].max(axis=1, keepdims=True)
        each = np.divide(work[still] / speed, alone, out=np.zeros((len(still), len(servers))), where=alone > 0)
        load[still] = each.sum(axis=1)
        settled = np.minimum(load[still], available)
        open_yet = np.abs(settled - busy[still]) >= 1e-6
        if threaded.any():
            before = threads[still]
            others = np.maximum(0.0, load[still][:, None] - each)
            found = np.minimum(most[still], np.maximum(1.0, (available - others) / servers))
            threads[still] = (before + found) / 2 if turn else found
            open_yet |= (np.abs(threads[still] - before) >= 1e-6).any(axis=1)
        busy[still] = settled
        still = still[open_yet & (threaded[still] | (turn + 1 < PLAIN))]
        if not len(still):
            break
    alone = needs.max(axis=1)
    stretch = np.maximum(1.0, load / available)
    guilty = np.where((stretch > 1.0 + 1e-9) | (alone == 0), -1, needs.argmax(axis=1))
    times = alone * stretch
    apart = np.array(piece.apart[place:])
    if apart.any():
        times[apart] = np.maximum(times[apart], together(needs[apart], host.available_cores))
    return times, guilty, threads


def _speeds(host: HostProfile, busy: Array) -> Array:
    """Return the speed of each core with so many of them busy (`HostProfile.speed_when`)."""
    return np.interp(busy, np.arange(1.0, len(host.speed) + 1), host.speed)


def together(needs: Array, available_cores: float) -> Array:
    """Return when the last of some tasks ends that start at once and share the cores equally, each on one at most (s).

    The shares of those that have ended go to the others. Nobody knows which is the longest, so it is held up by the
    short ones, even where the cores would be enough for all.

    Parameters
    ----------
    needs : of the tasks (s), along the last axis.

    >>> together(np.array([[10.0, 1.0, 1.0], [10.0, 1.0, 0.0]]), 2.0).tolist()
    [10.5, 10.0]
    >>> together(np.array([3.0, 1.0]), 1.0).tolist()
    4.0
    """
    left = np.arange(needs.shape[-1], 0, -1)
    waits: Array = np.diff(np.sort(needs, axis=-1), axis=-1, prepend=0.0) / np.minimum(1.0, available_cores / left)
    total: Array = waits.sum(axis=-1)
    return total
