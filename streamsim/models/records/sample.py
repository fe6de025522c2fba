"""One replication: a table runs past its warm-up and as many records further as are asked for; what it said."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records.runs import Totals, open_run
from streamsim.models.records.table import Table
from streamsim.models.statistics.streaming import BatchMeans, LogHistogram, Mean

Array = NDArray[np.float64]

ROUNDING = 1e-9
"""Sums of a million times agree to about this part of their value."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What one replication does: how many records leave before it begins to count, and how many then (None: all).

    One that is ``alone`` keeps the means of its batches, which stand for replications.
    """

    table: Table
    engine: str
    warm_up: int = 0
    records: int | None = None
    alone: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Times:
    """The response times (s) of some records of a replication; ``counts`` of a `LogHistogram` from ``lowest`` on."""

    mean_s: float
    lowest: int
    counts: NDArray[np.int64]

    def quantile(self, part: float) -> float:
        """Return the response time (s) that this part of the records does not exceed."""
        return LogHistogram.quantile_of(self.lowest, self.counts, part)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """What one replication said: small, however long it was.

    ``records`` left in ``window_s`` after the warm-up, ``all_records`` in ``makespan_s`` in all. ``counts`` are those
    of a `LogHistogram` of their response times from bucket ``lowest`` on. ``little`` is how far the mean number of
    records in the circuit, by the time that stations and pipes account for, is from throughput times mean response
    time, relative; and ``little_allowed`` what the records that were inside at either end of the window can make of it;
    NaN where records multiply, meet or get lost. ``batches`` are mean response times (s) of consecutive records of a
    replication that is alone; ``correlation`` is that of neighbours among them. ``by_source`` are the times of the
    records of each source (its place in the table), where there are several.
    """

    records: int
    window_s: float
    all_records: int
    makespan_s: float
    response_mean_s: float
    lowest: int
    counts: NDArray[np.int64]
    window: Totals
    whole: Totals
    little: float
    little_allowed: float
    batches: Array | None = None
    correlation: float = 0.0
    by_source: dict[int, Times] = field(default_factory=dict)

    @property
    def throughput(self) -> float:
        """Records that left each second."""
        return self.records / self.window_s if self.window_s > 0 else math.nan

    def quantile(self, part: float) -> float:
        """Return the response time (s) that this part of the records does not exceed."""
        return LogHistogram.quantile_of(self.lowest, self.counts, part)


def replication(plan: Plan, seed: np.random.SeedSequence) -> Sample:
    """Run one replication.

    Raises ModelError where nothing is left after the warm-up.

    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> table = Table(stations=(Station(name="make", source=Source(records=9)), Station(name="take", base_s=2.0)),
    ...               pipes=(Pipe(upstream=0, downstream=1, capacity=1),))
    >>> one = replication(Plan(table=table, engine="maxplus", warm_up=4), np.random.SeedSequence(1))
    >>> one.records, one.throughput, one.makespan_s
    (5, 0.5, 19.0)
    """
    run = open_run(plan.table, plan.engine, seed)
    start, clock, seen, done = run.totals(), _Clock(), _Seen(alone=plan.alone), 0
    while done < plan.warm_up:
        born, left = run.advance(plan.warm_up - done)
        if not len(born):
            break
        clock.note(born, left)
        done += len(born)
        if done > plan.warm_up:  # more than were asked for, since they left at one instant
            seen.add(left - born, run.origins(), most=done - plan.warm_up)
            done = plan.warm_up
    began, before = clock.now, run.totals()
    while plan.records is None or seen.responses.count < plan.records:
        born, left = run.advance(2**62 if plan.records is None else plan.records - seen.responses.count)
        if not len(born):
            break
        clock.note(born, left)
        seen.add(left - born, run.origins())
    records = seen.responses.count
    if not records:
        raise ModelError(f"nothing leaves the circuit after the first {done} records")
    if not clock.now > 0.0:
        raise ModelError(
            "all records leave at one instant, since nothing takes any time: say what a record takes (per_record)"
        )
    if not clock.now > began:  # all at once, as from a barrier: what led to that is what there is to see
        began, before, records = 0.0, start, done + records
    after = run.totals()
    little, allowed = _little(plan, before, after, done, seen.responses, clock)
    window = after.since(before)
    lowest, counts = seen.histogram.filled()
    return Sample(
        records=records,
        window_s=clock.now - began,
        all_records=done + seen.responses.count,
        makespan_s=clock.now,
        response_mean_s=seen.responses.mean,
        lowest=lowest,
        counts=counts,
        window=window,
        whole=after,
        little=little,
        little_allowed=allowed,
        batches=seen.batches.means() if plan.alone else None,
        correlation=seen.batches.correlation() if plan.alone else 0.0,
        by_source={source: _times(*found) for source, found in seen.sources.items()},
    )


class _Seen:
    """The response times (s) that count, as far as they are kept; by sources where these are known."""

    def __init__(self, *, alone: bool) -> None:
        self.histogram, self.responses = LogHistogram(), Mean()
        self.batches, self._alone = BatchMeans(), alone
        self.sources: dict[int, tuple[Mean, LogHistogram]] = {}

    def add(self, times: Array, origins: NDArray[np.int64] | None, most: int | None = None) -> None:
        """Take note of response times, of the last `most` where that is said."""
        times = times if most is None else times[-most:]
        self.responses.add(times)
        if self._alone:
            self.batches.add(times)
        self.histogram.add(np.maximum(times, 0.0))
        if origins is None:
            return
        origins = origins if most is None else origins[-most:]
        for source in np.unique(origins).tolist():
            responses, histogram = self.sources.setdefault(source, (Mean(), LogHistogram()))
            own = times[origins == source]
            responses.add(own)
            histogram.add(np.maximum(own, 0.0))


def _times(responses: Mean, histogram: LogHistogram) -> Times:
    lowest, counts = histogram.filled()
    return Times(mean_s=responses.mean, lowest=lowest, counts=counts)


class _Clock:
    """The time of the last departure, and the longest response time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.age = 0.0

    def note(self, born: Array, left: Array) -> None:
        self.now = max(self.now, float(left.max()))
        self.age = max(self.age, float((left - born).max()))


def accounted(table: Table, engine: str) -> bool:
    """Whether the time of every record in the circuit is in the sums of stations and pipes, and counted there once."""
    for number, station in enumerate(table.stations):
        outputs = table.outputs(number)
        multiplies = station.yields != Fraction(1) or station.barrier or station.when_full == "drop"
        copies = station.split == "copy" and len(outputs) > 1
        counts_bytes = any(table.pipes[pipe].unit != "records" for pipe in outputs)
        if multiplies or copies or counts_bytes or station.pick == "join" or station.takes is not None:
            return False
        late = station.source is not None and station.source.arrivals in ("gaps", "times")
        if late and engine != "maxplus":  # a source that is held up lets records wait where no pipe counts them
            works = station.base_s > 0 or station.per_byte_s > 0 or station.delay_s > 0
            if works or any(table.pipes[pipe].capacity is not None for pipe in outputs):
                return False
    return True


def _little(
    plan: Plan, before: Totals, after: Totals, done: int, responses: Mean, clock: _Clock
) -> tuple[float, float]:
    """Return how far time-weighted and per-record statistics are apart, and how far they may be."""
    if not accounted(plan.table, plan.engine):
        return math.nan, math.nan
    window = after.since(before)
    by_records = responses.mean * responses.count
    by_time = float(window.inside.sum())
    if by_records == 0.0:
        return by_time, ROUNDING
    allowed = ROUNDING * max(1.0, clock.now / by_records)
    if plan.engine != "maxplus":  # recursions answer whole ways: nobody is inside at an end of the window
        sources = [number for number, station in enumerate(plan.table.stations) if station.source is not None]
        inside = [
            int(totals.taken[sources].sum()) - left
            for totals, left in ((before, done), (after, done + responses.count))
        ]
        # Of these only a part of their time is on one of the sides; whoever has not left may stay twice as long as any.
        allowed += (inside[0] + 2 * inside[1]) * clock.age / by_records
    return by_time / by_records - 1.0, allowed
