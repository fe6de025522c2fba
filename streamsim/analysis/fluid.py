"""Fluid model of a saturated circuit: how long it takes when every source gives as fast as it is taken.

A circuit is cut at its barriers. What lies between two cuts is a *segment*: its stations move together (the pipes
between them are small against the stream), so one number, the progress x in [0, 1], says how far it is. At progress
x station i needs w_i(x) core-seconds for each unit of progress, on at most p_i cores at once; the segment cannot move
faster than its slowest station, and all segments that are under way share the cores:

    dx/dt = min( min_i p_i·v / w_i(x),  share of  A·v / Σ_i w_i(x) )

with A the available cores and v their speed when so many are busy. This is the utilisation law (Denning and Buzen,
"The operational analysis of queueing network models", Computing Surveys 10(3), 1978, p. 233) applied piece by piece.
It leaves out the variability of single chunks, which pipes of many chunks absorb.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.service import HostProfile

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one station does within one segment.

    ``done`` is the cumulative work (reference core-seconds) at each progress ``at`` (both from 0, rising);
    ``threads[k]`` the cores used at once between ``at[k]`` and ``at[k+1]``; ``waiting`` the seconds without a core,
    spread evenly.
    """

    station: str
    at: tuple[float, ...]
    done: tuple[float, ...]
    threads: tuple[float, ...]
    waiting: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Stations that move together between two cuts; it starts when all of ``after`` have ended."""

    name: str
    works: tuple[Work, ...]
    after: tuple[str, ...] = ()


@dataclass(kw_only=True)
class FluidResult:
    """When each segment began and ended (s), and how long each station was at work in it (s, wall)."""

    makespan: float = 0.0
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    constrained: dict[str, float] = field(default_factory=dict)
    """Seconds during which a station (or ``"host"``) was what held its segment back."""


class _Piecewise:
    """The works of a segment on one common grid, as matrices (pieces × stations)."""

    def __init__(self, segment: Segment) -> None:
        marks = sorted({0.0, 1.0, *(point for work in segment.works for point in work.at)})
        self.stations = [work.station for work in segment.works]
        self.length = np.diff(np.array(marks))
        middle = np.array(marks[:-1]) + self.length / 2
        columns, threads, waiting = [], [], []
        for work in segment.works:
            amount = np.diff(np.interp(marks, work.at, work.done))
            columns.append(amount)
            place = np.clip(np.searchsorted(work.at, middle, side="right") - 1, 0, len(work.threads) - 1)
            threads.append(np.array(work.threads)[place])
            waiting.append(work.waiting * self.length)
        self.work = np.array(columns).T.reshape(len(self.length), -1)
        self.threads = np.array(threads).T.reshape(len(self.length), -1)
        self.waiting = np.array(waiting).T.reshape(len(self.length), -1)


def solve(segments: list[Segment], host: HostProfile) -> FluidResult:
    """Return when everything ends.

    Raises ModelError where segments wait for each other in a circle.

    >>> one = Segment(name="s", works=(Work(station="a", at=(0, 1), done=(0, 2), threads=(1,)),
    ...                                Work(station="b", at=(0, 1), done=(0, 1), threads=(1,))))
    >>> solve([one], HostProfile(cores=2, available_cores=2, speed=(1, 1))).makespan
    2.0
    >>> solve([one], HostProfile(cores=1, available_cores=1, speed=(1,))).makespan
    3.0
    """
    result = FluidResult()
    pieces = {segment.name: _Piecewise(segment) for segment in segments}
    place = dict.fromkeys(pieces, 0)
    left = dict.fromkeys(pieces, 1.0)  # the part of the current piece still to do
    now = 0.0
    while len(result.ended) < len(segments):
        ready = [
            segment.name
            for segment in segments
            if segment.name not in result.ended and all(name in result.ended for name in segment.after)
        ]
        if not ready:
            stuck = ", ".join(name for name in pieces if name not in result.ended)
            raise ModelError(f"these parts of the circuit wait for each other: {stuck}")
        for name in ready:
            result.began.setdefault(name, now)
        times, guilty = _times([(pieces[name], place[name]) for name in ready], host)
        step = min(times[k] * left[name] for k, name in enumerate(ready))
        for k, name in enumerate(ready):
            part = min(1.0, step / times[k]) if times[k] > 0 else left[name]
            part = min(part, left[name])
            _account(result, pieces[name], place[name], part, step, guilty[k], host)
            left[name] -= part
            if left[name] <= 1e-12:
                place[name] += 1
                left[name] = 1.0
                if place[name] == len(pieces[name].length):
                    result.ended[name] = now + step
        now += step
    result.makespan = now
    return result


def _times(current: list[tuple[_Piecewise, int]], host: HostProfile) -> tuple[list[float], list[str]]:
    """Return how long each current piece would take at the present shares, and what holds it back."""
    busy = float(min(host.cores, sum(len(piece.stations) for piece, _ in current)))
    alone: list[float] = []
    for _ in range(8):  # the speed depends on how many are busy, which depends on the speed: a few rounds settle it
        speed = max(host.speed_when(busy), 1e-9)
        alone = [_alone(piece, index, speed) for piece, index in current]
        load = sum(
            float(piece.work[index].sum()) / speed / time
            for (piece, index), time in zip(current, alone, strict=True)
            if time > 0
        )
        settled = min(load, host.available_cores)
        if abs(settled - busy) < 1e-6:
            break
        busy = settled
    stretch = max(1.0, load / max(host.available_cores, 1e-9))
    guilty = []
    for (piece, index), time in zip(current, alone, strict=True):
        if stretch > 1.0 + 1e-9 or time == 0:
            guilty.append("host")
        else:
            needs = piece.work[index] / speed / piece.threads[index] + piece.waiting[index]
            guilty.append(piece.stations[int(np.argmax(needs))])
    return [time * stretch for time in alone], guilty


def _alone(piece: _Piecewise, index: int, speed: float) -> float:
    if piece.work.shape[1] == 0:
        return 0.0
    return float((piece.work[index] / speed / piece.threads[index] + piece.waiting[index]).max())


def _account(
    result: FluidResult, piece: _Piecewise, index: int, part: float, step: float, guilty: str, host: HostProfile
) -> None:
    result.constrained[guilty] = result.constrained.get(guilty, 0.0) + step
    total = float(piece.work[index].sum())
    busy = min(host.available_cores, total * part / step) if step > 0 else 1.0
    speed = max(host.speed_when(busy), 1e-9)
    for column, station in enumerate(piece.stations):
        cpu = float(piece.work[index, column]) * part / speed
        result.cpu[station] = result.cpu.get(station, 0.0) + cpu
        wall = cpu / float(piece.threads[index, column])
        result.running[station] = result.running.get(station, 0.0) + wall
