"""Tools that fill a buffer before they work on it: how much they gather, and what the filling costs by itself.

While such a tool works nothing is taken, so everything upstream stands still as soon as the pipes are full; a mean per
byte would let both go on at once. ``sort`` takes some 700 KB and sorts them, ``gzip -dc`` inflates 256 KiB at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.trace import StationTrace

Array = NDArray[np.float64]

STANDS_STILL = 0.3
"""Tools that work on what they have just read score 0.00 here, sort and gzip -dc 0.3 to 0.75 (docs/accuracy.md)."""
SHORT_S = 0.015
LEAST_WORK_S = 0.5e-3
"""What a tool must be seen to do at one place for it to count as standing there: the kernel's accounts are coarse."""
FEWEST_FILLS = 8
FEWEST_SAMPLES = 20
FEWEST_GAPS = 4
FEWEST_BITES = 4
SAME_PHASE = 0.5
OFF_PLACE = 0.2
"""A buffer holds about the same each time (sort keeps a table of the lines in it too), within this part."""
MOST_IN_PLACE = 0.8
PAGE = 4096.0


class Reading(NamedTuple):
    """The samples of one run's reading phase: its station, its work curve, and the first and last sample of it."""

    station: StationTrace
    work: Array
    begin: int
    end: int

    @property
    def inside(self) -> slice:
        """All samples of the phase."""
        return slice(self.begin, self.end + 1)


class Gathering(NamedTuple):
    """``bytes`` are in the buffer when work on them begins; ``filling_per_byte`` (reference core-s) before that."""

    bytes: float
    filling_per_byte: float = 0.0


NOTHING = Gathering(0.0)


def gathering(readings: list[Reading], read_bytes: float) -> Gathering:
    """Return how much a tool gathers, over several reads, before it works on it; `NOTHING` where it does not.

    Parameters
    ----------
    readings : of all runs: a tool stands still at the same bytes in each of them.
    read_bytes : the most that one read takes; who works on what one read gave gathers nothing.
    """
    size = _by_phase(readings, read_bytes)
    if size:
        return Gathering(size)
    places = [_places([reading], read_bytes) for reading in readings]
    size = _by_gaps(readings, places, read_bytes)
    if not size:
        return NOTHING
    filling = _by_bites(readings)
    if filling is None:
        filling = _between(readings, _places(readings, read_bytes), size)
    moved = sum(float(np.ptp(reading.station.bytes_in[reading.inside])) for reading in readings)
    work = sum(float(np.ptp(reading.work[reading.inside])) for reading in readings)
    return Gathering(size, filling) if filling * moved < (1.0 - STANDS_STILL) * work else NOTHING


def standstill(readings: list[Reading]) -> float:
    """Return the part of a tool's work that it does while it takes nothing: a sorter with a full buffer.

    Seen in samples close together (`SHORT_S`): the work of those in which the bytes grew by less than a tenth of what
    the work would let expect, over the work of all.
    """
    still = total = 0.0
    for reading in readings:
        taken, work = reading.station.bytes_in[reading.inside], reading.work[reading.inside]
        if len(taken) < 4 or np.ptp(taken) <= 0 or np.ptp(work) <= 0:
            continue
        bytes_part, work_part = (np.diff(curve)[1:] / np.ptp(curve) for curve in (taken, work))
        close = np.diff(reading.station.time_s[reading.inside])[1:] < SHORT_S
        total += float(work_part[close].sum())
        still += float(work_part[close & (bytes_part < 0.1 * work_part)].sum())
    return still / total if total > 0 else 0.0


def _by_phase(readings: list[Reading], read_bytes: float) -> float:
    """Find a buffer of 2^n bytes, always filled whole, by the phase of what has been taken; 0 where there is none.

    gzip fills a buffer of 256 KiB though a pipe gives 64 KiB at most (fill_inbuf in its util.c). Then whatever it is
    seen to work on, it has taken the same bytes modulo that size. The resultant length of those phases is 1 where
    all agree and near 0 where they are spread evenly (Fisher 1993, "Statistical Analysis of Circular Data", p. 32).
    """
    taken, weight = [], []
    for reading in readings:
        running = np.diff(reading.station.running_s[reading.inside])
        taken.append(reading.station.bytes_in[reading.inside][1:])
        weight.append(running * (np.diff(reading.station.starved_s[reading.inside]) < running))
    places, weights = np.concatenate(taken), np.concatenate(weight)
    total = float(weights.sum())
    if total <= 0 or len(places) < FEWEST_SAMPLES or standstill(readings) <= STANDS_STILL:
        return 0.0
    found = 0.0
    for power in range(17, 24):
        size = float(1 << power)
        if not 2 * read_bytes <= size <= float(places.max()) / FEWEST_FILLS:
            continue
        phases = np.exp(2j * np.pi * places / size)
        if float(np.abs((phases * weights).sum())) / total > SAME_PHASE:
            found = size
    return found


def _by_gaps(readings: list[Reading], places: list[Array], read_bytes: float) -> float:
    """Find a buffer of any size by the places where the tool stood still, at work, in each run; 0 where there is none.

    Places that nobody saw (the observer looks seldom once a run gets long) leave a gap of several buffers. So the
    smallest gaps say how large one is, and most of the others must be whole multiples of it. A short read shifts all
    places of a run after it, so those of different runs are not put together.
    """
    gaps = np.concatenate([np.diff(seen, prepend=0.0) for seen in places])
    if gaps.size < FEWEST_GAPS:
        return 0.0
    single = gaps[gaps < 1.5 * float(np.quantile(gaps, 0.2, method="lower"))]
    size = float(np.median(single))
    counts = np.round(gaps / size)
    in_place = np.abs(gaps / size - counts) < OFF_PLACE * np.maximum(counts, 1)
    largest = max(float(reading.station.bytes_in[reading.end]) for reading in readings)
    if (
        single.size < FEWEST_GAPS
        or size < 2 * read_bytes
        or float(in_place.mean()) < MOST_IN_PLACE
        or largest < FEWEST_FILLS * size
    ):
        return 0.0
    return float(sum(seen[-1] for seen in places if seen.size) / counts.sum())


def _by_bites(readings: list[Reading]) -> float | None:
    """Return what it costs to take a byte into the buffer, by bites (see `StationTrace`); None: there are too few.

    The median, for the memory of the first buffer is new to the process, and taking into it costs three times as much.
    """
    costs = []
    for reading in readings:
        if reading.station.bites is None or not reading.work[reading.end] > 0:
            continue
        speed = reading.work[reading.end] / reading.station.cpu_s[reading.end]
        costs.append(speed * reading.station.bites[:, 1] / reading.station.bites[:, 0])
    every = np.concatenate(costs) if costs else np.zeros(0)
    return float(np.median(every)) if every.size >= FEWEST_BITES else None


def _places(readings: list[Reading], read_bytes: float) -> Array:
    """Return the bytes taken at which the tool was seen at work between two samples, neither of which took any."""
    found = []
    for reading in readings:
        station, inside = reading.station, reading.inside
        taken = station.bytes_in[inside]
        still = (
            (np.diff(taken) == 0)
            & (taken[1:] > 0)
            & (np.diff(station.running_s[inside]) > 0.5 * np.diff(station.time_s[inside]))
            & (np.diff(reading.work[inside]) > LEAST_WORK_S)
        )
        found.append(taken[1:][still])
    every = np.sort(np.concatenate(found)) if found else np.zeros(0)
    if not every.size:
        return every
    return np.array([group.mean() for group in np.split(every, np.flatnonzero(np.diff(every) > read_bytes) + 1)])


def _between(readings: list[Reading], places: Array, size: float) -> float:
    """Return what it costs to take a byte into the buffer of a tool that hardly ever starves: roughly, by its samples.

    Between two samples that were both taken while the buffer was being filled, the tool took b bytes and worked on k
    full buffers: the work is f·b + h·k, with h such that the whole stream costs what it did. Least squares give f.
    """
    full, sure = _every_place(places, size, max(float(reading.station.bytes_in[reading.end]) for reading in readings))
    across = along = 0.0
    for reading in readings:
        taken, work = reading.station.bytes_in[reading.inside], reading.work[reading.inside]
        nearest = np.abs(taken[:, None] - full[None, :])
        between = np.all(nearest > np.where(sure, PAGE, OFF_PLACE * size)[None, :], axis=1) & (taken > 0)
        steps = np.diff(np.column_stack([taken, work, np.searchsorted(full, taken)])[between], axis=0)
        if len(steps) == 0:
            continue
        a_fill = np.ptp(taken) / max(len(full), 1)
        a_work = np.ptp(work) / max(len(full), 1)
        beyond = steps[:, 0] - a_fill * steps[:, 2]
        across += float(beyond @ (steps[:, 1] - a_work * steps[:, 2]))
        along += float(beyond @ beyond)
    return max(0.0, across / along) if along > 0 else 0.0


def _every_place(places: Array, size: float, end: float) -> tuple[Array, NDArray[np.bool_]]:
    """Return all places where the buffer is full, those that nobody saw put in between; and which were seen."""
    found: list[float] = []
    sure: list[bool] = []
    last = 0.0
    for place in (*places, end):
        count = max(1, round((place - last) / size))
        inside = [last + (place - last) * number / count for number in range(1, count)]
        found += [*inside, place]
        sure += [False] * len(inside) + [True]
        last = place
    return np.array(found), np.array(sure)
