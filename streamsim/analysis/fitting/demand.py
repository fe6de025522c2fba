"""From the curves of one server to its demand: phases, the demand curve along the stream, setup against bytes.

All of it works on the *reference* work curve: measured core-seconds times the speed that the cores had just then,
so that what neighbours on the silicon did in the calibration does not end up in the profile.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, nnls

from streamsim.analysis.fitting.gather import FEWEST_SAMPLES, STANDS_STILL, Reading, standstill
from streamsim.service import CurvePoint, Regime
from streamsim.trace import RunTrace, StationTrace

Array = NDArray[np.float64]

CURVE_MATTERS = 0.03
"""A demand curve is kept where it strays further than this (as a part of the total) from a straight line."""
CURVE_TOLERANCE = 0.004
CURVE_BENDS = 0.08
"""Without plateaus a bend must be this large: the speed of a shared machine drifts by several per cent within a run."""
CURVE_HOLDS = 0.5
"""A curve must leave less than this part of the squared error that a straight line leaves, on runs it has not seen."""
LEAST_RUNNING_S = 0.01
THREADS_MATTER = 1.15


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a server's life: work (reference core-seconds), core-seconds, wall times and bytes within it."""

    work: float
    cpu: float
    running: float
    waiting: float
    taken: float
    given: float

    @property
    def threads(self) -> float:
        """Cores used at once while it ran; 1 unless clearly more."""
        several = self.cpu / self.running if self.running > 0.01 else 1.0
        return several if several > THREADS_MATTER else 1.0


@dataclass(frozen=True, kw_only=True)
class Phases:
    """The life of a server: before its first byte, while it reads, between input and output, while it only writes."""

    startup: Phase
    reading: Phase
    finish: Phase
    output: Phase
    barrier: bool
    read_from: int
    read_to: int
    seen: float = 1.0
    """The part of its core-seconds in a loop during which it was seen running: less where processes come and go."""


def reference_work(run: RunTrace, station: StationTrace) -> Array:
    """Return the cumulative work (reference core-seconds) at each sample of a station.

    Between two samples the speed is that of the mean number of busy cores in between (`HostProfile.speed_when`).
    """
    cpu = station.cpu_s
    if cpu.size == 0:
        return cpu
    if run.busy_time_s.size == 0:
        return cpu * run.host.speed[0]
    middle = np.concatenate([[station.time_s[0]], (station.time_s[1:] + station.time_s[:-1]) / 2])
    busy = np.interp(middle, run.busy_time_s, run.busy_cores)
    grid = np.linspace(0, len(run.host.speed), 33)
    speed = np.interp(busy, grid, [run.host.speed_when(float(level)) for level in grid])
    return np.cumsum(np.diff(cpu, prepend=0.0) * speed)


def split_phases(run: RunTrace, station: StationTrace, *, source: bool) -> Phases:
    """Cut a server's life where its input began, where it ended, and where its output began.

    A *barrier* gave at most one write's worth (4096 bytes or 0.5 %), and no more than half, before its input had ended.
    A source has no input, or none that it waits for: it reads while it writes.
    """
    work = reference_work(run, station)
    taken = station.bytes_out if source else station.bytes_in
    total_in, total_out = float(taken[-1]), float(station.bytes_out[-1])
    first = int(np.argmax(taken > 0)) if total_in > 0 else len(taken) - 1
    start = max(first - 1, 0)
    end = int(np.argmax(taken >= total_in * (1 - 1e-9))) if total_in > 0 else start
    # Seldom does a sample fall between the last read and the first write, so the one before the end is asked.
    before = end - 1 if end > start and taken[end - 1] >= total_in / 2 else end
    early = float(station.bytes_out[before])
    barrier = not source and total_in > 0 and early <= max(min(4096.0, 0.5 * total_out), 0.005 * total_out)
    last = len(taken) - 1
    if barrier:
        after = np.flatnonzero(station.bytes_out > early)
        output_start = max(int(after[0]) - 1, end) if after.size else last
    else:
        output_start = last
        end = last if source else end
    return Phases(
        startup=_phase(station, work, None, start),
        reading=_phase(station, work, start, end),
        finish=_phase(station, work, end, output_start),
        output=_phase(station, work, output_start, last),
        barrier=barrier,
        read_from=start,
        read_to=end,
    )


def split_round(run: RunTrace, station: StationTrace) -> Phases:
    """Cut the life of a server in a loop: it reads and writes until its end, and is never a barrier.

    Where visits say how long it worked on what it read, the rest is what it took to start. A command works on one
    record alone: where it has several processes they hand on to each other, so that it uses one core at a time, and
    only what is left of its time then was spent without one.
    """
    work = reference_work(run, station)
    last, seen = len(work) - 1, 1.0
    start = max(int(np.argmax(station.bytes_in > 0)) - 1, 0)
    startup, reading = _phase(station, work, None, start), _phase(station, work, start, last)
    if station.visits is not None and station.cpu_s[last] > 0:
        part = min(1.0, float(station.visits["cpu"].sum() / station.cpu_s[last]))
        whole = _phase(station, work, None, last)
        startup = replace(whole, work=whole.work * (1 - part), waiting=startup.waiting)
        reading = replace(whole, work=whole.work * part, waiting=reading.waiting)
    elif station.visits is None:
        seen = reading.running / reading.cpu if reading.cpu > 0 else 1.0
        idle = max(0.0, reading.running + reading.waiting - reading.cpu)
        reading = replace(reading, running=reading.cpu, waiting=idle)
    nothing = _phase(station, work, last, last)
    return Phases(
        startup=startup, reading=reading, finish=nothing, output=nothing, barrier=False, read_from=start, read_to=last,
        seen=seen,
    )  # fmt: skip


def _phase(station: StationTrace, work: Array, begin: int | None, end: int) -> Phase:
    def change(curve: Array) -> float:
        return float(curve[end] - (curve[begin] if begin is not None else 0.0))

    return Phase(
        work=change(work),
        cpu=change(station.cpu_s),
        running=change(station.running_s),
        waiting=change(station.waiting_s),
        taken=change(station.bytes_in),
        given=change(station.bytes_out),
    )


def demand_curve(readings: list[Reading]) -> tuple[CurvePoint, ...]:
    """Return the demand curve of the reading phase, or nothing where a mean per byte tells as much.

    Cumulative work against cumulative bytes, both as fractions. A tool does the same at the same byte in every run, so
    the samples of all runs make one curve: sorted by bytes, made to rise by isotonic regression (Barlow et al. 1972,
    "Statistical Inference under Order Restrictions", p. 13) and thinned by Ramer–Douglas–Peucker (Douglas and Peucker
    1973, "Algorithms for the reduction of the number of points", The Canadian Cartographer 10(2), p. 112).
    """
    runs = [found for reading in readings if (found := _steps(reading)) is not None]
    if sum(len(rows) for rows in runs) < FEWEST_SAMPLES:
        return ()
    rows, x, y = _merged(runs)
    bend = float(np.abs(x - y).max())
    if bend < CURVE_MATTERS or not (standstill(readings) > STANDS_STILL or (bend > CURVE_BENDS and _holds(runs))):
        return ()
    kept = _thin(x, y, CURVE_TOLERANCE)
    points = [CurvePoint(0.0, 0.0)]
    for left, right in itertools.pairwise(kept):
        cpu, running = rows[left:right, 2:].sum(axis=0) if right > left else (0.0, 0.0)
        several = float(cpu / running) if running > LEAST_RUNNING_S else 1.0
        points.append(
            CurvePoint(
                round(float(x[right]), 5),
                round(float(y[right]), 5),
                round(several, 2) if several > THREADS_MATTER else 1.0,
            )
        )
    return tuple(points)


def _merged(runs: list[Array]) -> tuple[Array, Array, Array]:
    """Return the samples of these runs in the order of their bytes, and the rising curve through them from 0 to 1."""
    rows = np.concatenate(runs)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    rising = np.clip(isotonic_regression(rows[:, 1]).x, 0.0, 1.0)
    return rows, np.concatenate([[0.0], rows[:, 0], [1.0]]), np.concatenate([[0.0], rising, [1.0]])


def _holds(runs: list[Array]) -> bool:
    """Whether the curve of the other runs tells more of a run than a straight line does (leave one out).

    What neighbours did to the speed of the cores bends every run's curve too, but never twice in the same place.
    """
    if len(runs) < 2:
        return True
    line = curve = 0.0
    for place, left_out in enumerate(runs):
        _, x, y = _merged([rows for other, rows in enumerate(runs) if other != place])
        line += float(((left_out[:, 1] - left_out[:, 0]) ** 2).sum())
        curve += float(((left_out[:, 1] - np.interp(left_out[:, 0], x, y)) ** 2).sum())
    return curve < CURVE_HOLDS * line


def _steps(reading: Reading) -> Array | None:
    """Return for each sample: bytes and work so far as fractions, core-seconds and running time since the last."""
    inside = reading.inside
    taken = reading.station.bytes_in[inside] - reading.station.bytes_in[reading.begin]
    spent = reading.work[inside] - reading.work[reading.begin]
    if taken.size < 2 or taken[-1] <= 0 or spent[-1] <= 0:
        return None
    cpu, running = np.diff(reading.station.cpu_s[inside]), np.diff(reading.station.running_s[inside])
    return np.column_stack([taken[1:] / taken[-1], spent[1:] / spent[-1], cpu, running])


def _thin(x: Array, y: Array, tolerance: float) -> list[int]:
    kept = {0, len(x) - 1}
    todo = [(0, len(x) - 1)]
    while todo:
        left, right = todo.pop()
        if right - left < 2:
            continue
        run, rise = x[right] - x[left], y[right] - y[left]
        norm = float(np.hypot(run, rise))
        inside = slice(left + 1, right)
        if norm == 0:
            continue
        away = np.abs(run * (y[inside] - y[left]) - rise * (x[inside] - x[left])) / norm
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            place = left + 1 + worst
            kept.add(place)
            todo += [(left, place), (place, right)]
    return sorted(kept)


def setup_and_slope(calls: Array, records: Array, sizes: Array, works: Array) -> tuple[float, float, float]:
    """Split work into a part for each call, each record and each byte by non-negative least squares.

    Rows are windows (or single visits), weighted by 1/√size so that large ones do not drown the small; where chunks
    hardly vary in size the parts cannot be told apart and everything goes to the bytes (or, without bytes, calls).

    >>> n = np.array([1.0, 1, 1, 1]); b = np.array([1000.0, 2000, 4000, 8000])
    >>> [round(part, 9) for part in setup_and_slope(n, n * 0, b, 5e-6 * n + 1e-9 * b)]
    [5e-06, 0.0, 1e-09]
    """
    total = float(works.sum())
    if total <= 0:
        return 0.0, 0.0, 0.0
    weight = 1.0 / np.sqrt(np.maximum(sizes, 1.0))
    columns = (calls, records, sizes)
    used = [k for k, column in enumerate(columns) if float(column.sum()) > 0]
    if not used:
        return total / max(float(len(works)), 1.0), 0.0, 0.0
    ratios = sizes[calls > 0] / calls[calls > 0]
    if ratios.size < 4 or float(np.quantile(ratios, 0.95)) < 2 * float(np.quantile(ratios, 0.05)):
        used = [k for k in used if k == max(used)] if 2 in used else used[:1]
    scales = [float((columns[k] * weight).max()) for k in used]
    matrix = np.column_stack([columns[k] * weight / scale for k, scale in zip(used, scales, strict=True)])
    solution, _ = nnls(matrix, works * weight)
    parts = [0.0, 0.0, 0.0]
    for k, value, scale in zip(used, solution, scales, strict=True):
        parts[k] = float(value) / scale
    explained = parts[0] * calls.sum() + parts[1] * records.sum() + parts[2] * sizes.sum()
    correction = total / float(explained) if explained > 0 else 0.0
    return parts[0] * correction, parts[1] * correction, parts[2] * correction


def regimes(calls: Array, sizes: Array, works: Array) -> tuple[Regime, ...]:
    """Return the demand per byte by size of chunk (powers of two), where a size made up at least 2 % of the bytes."""
    kept = (calls > 0) & (sizes > 0)
    if not kept.any():
        return ()
    calls, sizes, works = calls[kept], sizes[kept], works[kept]
    level = np.round(np.log2(sizes / calls)).astype(int)
    found = []
    for value in np.unique(level):
        here = level == value
        if sizes[here].sum() >= 0.02 * sizes.sum():
            found.append(
                Regime(
                    chunk_bytes=round(float(sizes[here].sum() / calls[here].sum()), 1),
                    demand_per_byte=float(works[here].sum() / sizes[here].sum()),
                    chunks=int(calls[here].sum()),
                )
            )
    return tuple(found)
