"""Fluid model of a saturated circuit: how long it takes when every source gives as fast as it is taken.

A circuit is cut at its barriers. What lies between two cuts is a *segment*: its stations move together (the pipes
between them are small against the stream), so one number, the progress x in [0, 1], says how far it is. At progress
x station i needs w_i(x) core-seconds for each unit of progress, on at most p_i cores at once (all its servers), and the
segment cannot move faster than its slowest station, and all segments that are under way share the cores:

    dx/dt = min( min_i p_i·v / w_i(x),  share of  A·v / Σ_i w_i(x) )

with A the available cores and v their speed when so many are busy. A server that can use several cores at once (its
threads) has as many as the others leave while it runs, at least one. Where stations are pinned, those that may use the
cores K alone have the same bound with what K gives for A, for every such K (`within`). This is the utilisation law
(Denning and Buzen, "The operational analysis of queueing network models", Computing Surveys 10(3), 1978, p. 233)
applied piece by piece.
It leaves out the variability of single chunks, which pipes of many chunks absorb.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from streamsim.analysis.prediction.alone import MANY, PLAIN, THREADED, run_alone, together
from streamsim.analysis.prediction.within import capped, granted, within
from streamsim.errors import ModelError
from streamsim.placement import HOST, Limits, are_cores, stations_inside
from streamsim.service import HostProfile


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one station does within one segment.

    ``done`` is the cumulative work (reference core-seconds) at each progress ``at`` (both from 0, rising);
    ``threads[k]`` the cores used at once by one server between ``at[k]`` and ``at[k+1]``; ``waiting`` the seconds
    without a core, spread evenly. ``servers`` share all of it evenly.
    """

    station: str
    at: tuple[float, ...]
    done: tuple[float, ...]
    threads: tuple[float, ...]
    waiting: float = 0.0
    servers: int = 1


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Stations that move together between two cuts; it starts when all of ``after`` have ended.

    ``apart``: stretches of the progress (from, to) in which each has some work of its own to do and none waits for
    another, as while a sorter works on a full buffer and the others fill the pipes (`rhythm`).
    """

    name: str
    works: tuple[Work, ...]
    after: tuple[str, ...] = ()
    apart: tuple[tuple[float, float], ...] = ()


@dataclass(kw_only=True)
class FluidResult:
    """When each segment began and ended (s), and how long each station was at work in it (s, wall, a server)."""

    makespan: float = 0.0
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    """What ``running`` is, and what its work waits for besides: a timer, a disk."""
    cpu: dict[str, float] = field(default_factory=dict)
    held: dict[str, dict[str, float]] = field(default_factory=dict)
    """For each segment: seconds for which a station, or cores, held it back. With cores used up relief of a station
    inside brings as much as it uses of them."""

    def held_back(self, segments: list[Segment], *, but: str = "") -> dict[str, float]:
        """Return for how many seconds of the makespan a station, or cores, held the circuit back (s).

        Only what the end waited for counts: the segment that ended last, the one before it that ended last, and so on.

        Parameters
        ----------
        but : the name of a segment that is left out.
        """
        after = {segment.name: segment.after for segment in segments}
        found: dict[str, float] = {}
        names: Iterable[str] = self.ended
        while names:
            last = max(names, key=self.ended.__getitem__)
            names = after[last]
            for name, seconds in self.held[last].items() if last != but else ():
                found[name] = found.get(name, 0.0) + seconds
        return found


class Piecewise:
    """The works of a segment on one common grid: for each piece one number a station.

    Plain lists: a segment has a few stations and seldom more than one piece, which numpy would only slow down. Those
    of many pieces are there as arrays, too (`alone`).
    """

    def __init__(self, segment: Segment) -> None:
        self.stations = [work.station for work in segment.works]
        self.servers = [work.servers for work in segment.works]
        marks = [0.0, 1.0]
        if any(len(work.at) > 2 for work in segment.works):
            marks = sorted({0.0, 1.0, *(point for work in segment.works for point in work.at)})
        pieces = range(len(marks) - 1)
        self.length = [marks[k + 1] - marks[k] for k in pieces]
        self.apart = _inside(segment.apart, marks)
        self.columns = [_spread(work, marks) for work in segment.works]
        self.waits = [work.waiting for work in segment.works]
        self.work = [list(each) for each in zip(*(work for work, _ in self.columns), strict=True)] or [[]]
        self.threads = [list(each) for each in zip(*(threads for _, threads in self.columns), strict=True)] or [[]]
        self.waiting = [[wait * length for wait in self.waits] for length in self.length]

    def needs(self, index: int, speed: float, threads: list[float]) -> list[float]:
        """Return how long each station would take for a piece on its own (s), all its servers together."""
        return [
            (work / speed / at_once + waiting) / servers
            for work, at_once, waiting, servers in zip(
                self.work[index], threads, self.waiting[index], self.servers, strict=True
            )
        ]

    def spread(self, index: int, time: float, load: float, speed: float, available: float) -> list[float]:
        """Return how many cores each server has while it runs: one, or as many of its threads as others leave cores.

        Parameters
        ----------
        time : of the whole piece (s); ``load`` are the cores that all stations use meanwhile.
        """
        found = []
        for work, threads, servers in zip(self.work[index], self.threads[index], self.servers, strict=True):
            others = load - work / speed / time if time > 0 else 0.0
            found.append(min(threads, max(1.0, (available - max(0.0, others)) / servers)))
        return found


def _spread(work: Work, marks: list[float]) -> tuple[list[float], list[float]]:
    """Return the work and the threads of one station on each piece of the grid."""
    if len(work.at) == 2 and len(marks) == 2:
        return [work.done[1] - work.done[0]], [work.threads[0]]
    done = np.interp(marks, work.at, work.done)
    amount = (done[1:] - done[:-1]).tolist()
    if len(set(work.threads)) == 1:
        return amount, [work.threads[0]] * len(amount)
    middle = (np.array(marks[:-1]) + np.array(marks[1:])) / 2
    place = np.clip(np.searchsorted(work.at, middle, side="right") - 1, 0, len(work.threads) - 1)
    return amount, [work.threads[k] for k in place.tolist()]


def _inside(stretches: Sequence[tuple[float, float]], marks: list[float]) -> list[bool]:
    """Return whether each piece of the grid starts within one of some stretches."""
    if not stretches:
        return [False] * (len(marks) - 1)
    starts = np.array(marks[:-1])
    found = np.zeros(len(starts), dtype=bool)
    for start, end in stretches:
        found[np.searchsorted(starts, start) : np.searchsorted(starts, end)] = True
    return found.tolist()


def solve(segments: list[Segment], host: HostProfile, limits: Limits | None = None) -> FluidResult:
    """Return when everything ends.

    Parameters
    ----------
    limits : who may use which of the cores, where not all may use all.

    Raises ModelError where segments wait for each other in a circle.

    >>> one = Segment(name="s", works=(Work(station="a", at=(0, 1), done=(0, 2), threads=(1,)),
    ...                                Work(station="b", at=(0, 1), done=(0, 1), threads=(1,))))
    >>> solve([one], HostProfile(cores=2, available_cores=2, speed=(1, 1))).makespan
    2.0
    >>> solve([one], HostProfile(cores=1, available_cores=1, speed=(1,))).makespan
    3.0
    """
    result = FluidResult()
    pieces = {segment.name: Piecewise(segment) for segment in segments}
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
        if limits is None and len(ready) == 1 and len(pieces[ready[0]].length) - place[ready[0]] >= MANY:
            name = ready[0]
            now += run_alone(result, pieces[name], place[name], left[name], host, name)
            result.ended[name] = now
            continue
        times, guilty, at_once = _times([(pieces[name], place[name]) for name in ready], host, limits)
        step = min(times[k] * left[name] for k, name in enumerate(ready))
        parts = [min(1.0, step / times[k], left[name]) if times[k] > 0 else left[name] for k, name in enumerate(ready)]
        work = _work([(pieces[name], place[name]) for name in ready], parts)
        for k, (name, part) in enumerate(zip(ready, parts, strict=True)):
            _blame(result.held.setdefault(name, {}), guilty[k], step, work, limits)
            _account(result, pieces[name], place[name], part, step, host, at_once[k])
            left[name] -= part
            if left[name] <= 1e-12:
                place[name] += 1
                left[name] = 1.0
                if place[name] == len(pieces[name].length):
                    result.ended[name] = now + step
        now += step
    result.makespan = now
    return result


def _times(
    current: list[tuple[Piecewise, int]], host: HostProfile, limits: Limits | None
) -> tuple[list[float], list[str], list[list[float]]]:
    """Return how long each current piece would take at the present shares, what holds it back, and the cores that each
    of its servers has while it runs."""
    busy = float(min(host.cores, sum(sum(piece.servers) for piece, _ in current)))
    needs: list[list[float]] = []
    load, available = 0.0, max(host.available_cores, 1e-9)
    at_once = [piece.threads[index] for piece, index in current]
    if limits is not None:
        at_once = [capped(piece, index, limits) for piece, index in current]
    several = limits is None and any(threads > 1.0 for piece in at_once for threads in piece)
    # the speed depends on how many are busy, which depends on the speed, and so do the cores that are left for threads:
    # a few rounds settle it
    for turn in range(THREADED if several else PLAIN):
        speed = max(host.speed_when(busy), 1e-9)
        needs = [piece.needs(index, speed, threads) for (piece, index), threads in zip(current, at_once, strict=True)]
        alone = [max(times, default=0.0) for times in needs]
        load = sum(
            sum(piece.work[index]) / speed / time
            for (piece, index), time in zip(current, alone, strict=True)
            if time > 0
        )
        if limits is not None:
            load = granted(current, speed, alone, limits)[1]
        settled = min(load, available)
        before = at_once
        if several:
            at_once = [
                [(old + new) / 2 if turn else new for old, new in zip(known, found, strict=True)]
                for known, found in (
                    (known, piece.spread(index, time, load, speed, available))
                    for known, (piece, index), time in zip(at_once, current, alone, strict=True)
                )
            ]
        if abs(settled - busy) < 1e-6 and (not several or _alike(before, at_once)):
            break
        busy = settled
    stretch = max(1.0, load / max(host.available_cores, 1e-9))
    guilty = [
        HOST if stretch > 1.0 + 1e-9 or time == 0 else piece.stations[times.index(time)]
        for (piece, _), times, time in zip(current, needs, alone, strict=True)
    ]
    if limits is not None:
        return *within(current, speed, needs, limits), at_once
    found = []
    for (piece, index), each, time in zip(current, needs, alone, strict=True):
        slowed = float(together(np.array(each), host.available_cores)) if piece.apart[index] else time
        found.append(max(time * stretch, slowed))
    return found, guilty, at_once


def _alike(before: list[list[float]], now: list[list[float]]) -> bool:
    return all(
        abs(old - new) < 1e-6
        for some, others in zip(before, now, strict=True)
        for old, new in zip(some, others, strict=True)
    )


def _work(current: list[tuple[Piecewise, int]], parts: list[float]) -> dict[str, float]:
    """Return what each station has to do for such parts of the current pieces (reference core-seconds)."""
    found: dict[str, float] = {}
    for (piece, index), part in zip(current, parts, strict=True):
        for name, work in zip(piece.stations, piece.work[index], strict=True):
            found[name] = found.get(name, 0.0) + work * part
    return found


def _blame(held: dict[str, float], guilty: str, step: float, work: dict[str, float], limits: Limits | None) -> None:
    held[guilty] = held.get(guilty, 0.0) + step
    if are_cores(guilty):
        inside = stations_inside(limits.placement if limits else None, guilty, work)
        whole = sum(work[name] for name in inside)
        for name in inside if whole > 0 else ():
            held[name] = held.get(name, 0.0) + step * work[name] / whole


def _account(
    result: FluidResult,
    piece: Piecewise,
    index: int,
    part: float,
    step: float,
    host: HostProfile,
    at_once: list[float],
) -> None:
    total = sum(piece.work[index])
    busy = min(host.available_cores, total * part / step) if step > 0 else 1.0
    speed = max(host.speed_when(busy), 1e-9)
    each = zip(piece.stations, piece.servers, piece.work[index], at_once, piece.waiting[index], strict=True)
    for station, servers, work, threads, waiting in each:
        cpu = work * part / speed
        result.cpu[station] = result.cpu.get(station, 0.0) + cpu
        running = cpu / threads / servers
        result.running[station] = result.running.get(station, 0.0) + running
        result.busy[station] = result.busy.get(station, 0.0) + running + waiting * part / servers
