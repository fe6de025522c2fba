"""Pieces of the fluid model on cores of which not every station may use each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsim.placement import HOST, Asking, Limits, fill, tasks

if TYPE_CHECKING:
    from streamsim.analysis.prediction.fluid import Piecewise


def capped(piece: Piecewise, index: int, limits: Limits) -> list[float]:
    """Return how many cores each server of a piece uses at once: its threads, but no more than it may use."""
    return [
        max(1.0, min(threads, limits.most(name)))
        for name, threads in zip(piece.stations, piece.threads[index], strict=True)
    ]


def granted(
    current: list[tuple[Piecewise, int]], speed: float, alone: list[float], limits: Limits
) -> tuple[list[float], float, list[int | None]]:
    """Return at which part of its own pace each piece can move, the cores busy then, and which limit holds it down."""
    asking = []
    for (piece, index), time in zip(current, alone, strict=True):
        cores = {
            name: work / speed / time if time > 0 else 0.0
            for name, work in zip(piece.stations, piece.work[index], strict=True)
        }
        asking.append(Asking(limits.placement.loads(cores), 1.0))
    rates, held = fill(limits.rooms, asking)
    return rates, sum(rate * one.loads[-1] for rate, one in zip(rates, asking, strict=True)), held


def within(
    current: list[tuple[Piecewise, int]], speed: float, needs: list[list[float]], limits: Limits
) -> tuple[list[float], list[str]]:
    """Return how long each piece takes, held back by what its own stations share, and what holds it back."""
    alone = [max(times, default=0.0) for times in needs]
    rates, _, held = granted(current, speed, alone, limits)
    found, guilty = [], []
    for (piece, index), each, time, rate, place in zip(current, needs, alone, rates, held, strict=True):
        slowed = _apart(piece, each, limits) if piece.apart[index] else time
        found.append(max(time / rate if rate > 0 else time, slowed))
        if place is not None:
            guilty.append(limits.label(place))
        else:
            guilty.append(piece.stations[each.index(time)] if time > 0 else HOST)
    return found, guilty


def _apart(piece: Piecewise, needs: list[float], limits: Limits) -> float:
    """Return when the last of some tasks ends that start at once (`together`), each on cores of its own station."""
    left = {name: need for name, need in zip(piece.stations, needs, strict=True) if need > 0}
    now = 0.0
    while left:
        counts = [(limits.placement.group[name], 1.0, 1.0) for name in left]
        rates = fill(limits.rooms, tasks(limits.placement, counts)).rates
        shares = {name: rate * limits.placement.of(name).weight for name, rate in zip(left, rates, strict=True)}
        step, first = min((left[name] / shares[name], name) for name in left)
        now += step
        left = {name: max(0.0, left[name] - step * shares[name]) for name in left if name != first}
    return now
