"""Answers about a table: how long to run it, past which warm-up and how often, until intervals are narrow enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records.check import check
from streamsim.models.records.lengths import (
    LONGEST,
    PILOTS,
    drawn,
    ends,
    find_warm_up,
    in_words,
    pilot,
    records_of,
    refuse_too_long,
    seconds_each,
)
from streamsim.models.records.runs import choose
from streamsim.models.records.sample import Plan, Sample, replication
from streamsim.models.records.table import Table
from streamsim.models.statistics.precision import how_many, widest
from streamsim.models.statistics.replications import replicate
from streamsim.models.statistics.streaming import LogHistogram, around, mean_of
from streamsim.result import Estimate
from streamsim.visits import WARM_UP

Array = NDArray[np.float64]

FEWEST = 10
"""Replications of an answer: with fewer, intervals of Student's t are wide."""
SCOUTS = 20
"""Replications that say how many records are needed, and say nothing else."""
TARGET = 20
"""Replications of a table that does not end; their length is chosen so that they do."""
MARGIN = 2.2
"""More records than the scouts ask for: widths estimated from 20 replications are so uncertain, and it must be seldom
that the answer's own width decides."""
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What the replications of a table say together.

    ``reached`` is the widest half-width relative to its value; ``settled`` whether a steady part was found. ``warm_up``
    and ``records`` are of each replication; ``seconds`` is what it took.
    """

    table: Table
    engine: str
    why: str
    samples: tuple[Sample, ...]
    warm_up: int
    precision: float
    settled: bool
    terminating: bool
    seconds: float

    def mean(self, values: Callable[[Sample], float], unit: str, *, level: float = 0.95) -> Estimate:
        """Return the mean of a number that every replication has."""
        return mean_of(np.array([values(sample) for sample in self.samples]), unit, level=level)

    def quantile(self, part: float, *, level: float = 0.95) -> Estimate:
        """Return the response time (s) that this part of the records does not exceed."""
        parts = np.array([sample.quantile(part) for sample in self.samples])
        return around(self._pooled.quantile(part), parts, "s", level=level)

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """The sources (places in the table) whose records have response times of their own: where there are several."""
        known = {source for sample in self.samples for source in sample.by_source}
        rows = {source: self.table.stations[source].source for source in sorted(known)}
        return tuple(source for source, row in rows.items() if row is not None and row.arrivals != "saturated")

    def of_source(self, source: int, part: float | None = None, *, level: float = 0.95) -> Estimate:
        """Return the mean response time (s) of the records of a source, or what a part of them does not exceed.

        Replications in which none of them left say nothing.
        """
        found = [sample.by_source[source] for sample in self.samples if source in sample.by_source]
        if part is None:
            return mean_of(np.array([times.mean_s for times in found]), "s", level=level)
        pooled = LogHistogram()
        for times in found:
            pooled.merge(times.lowest, times.counts)
        return around(pooled.quantile(part), np.array([times.quantile(part) for times in found]), "s", level=level)

    @cached_property
    def _pooled(self) -> LogHistogram:
        """The response times of all replications."""
        pooled = LogHistogram()
        for sample in self.samples:
            pooled.merge(sample.lowest, sample.counts)
        return pooled

    def response_mean(self, *, level: float = 0.95) -> Estimate:
        """Return the mean response time (s); by batch means where there is one replication alone."""
        alone = self.samples[0].batches
        if len(self.samples) == 1 and alone is not None and len(alone) > 1:
            return around(self.samples[0].response_mean_s, alone, "s", level=level)
        return self.mean(lambda sample: sample.response_mean_s, "s", level=level)

    def steering(self) -> list[Estimate]:
        """Return the estimates that decide when it is enough: those that are answered of the circuit.

        Throughput; response times, mean and quantiles, of all records and of those of each source where there are
        several, unless every source gives as fast as it is taken: then nobody waits to be; how long it takes to end.
        """
        found = [self.mean(lambda sample: sample.throughput, "records/s")]
        if any(row.source is not None and row.source.arrivals != "saturated" for row in self.table.stations):
            found += [self.response_mean(), *(self.quantile(part) for _, part in QUANTILES)]
        for source in self.sources:
            found += [self.of_source(source), *(self.of_source(source, part) for _, part in QUANTILES)]
        if self.terminating:
            found.append(self.mean(lambda sample: sample.makespan_s, "s"))
        return found

    @property
    def reached(self) -> float:
        """The widest interval."""
        return widest(self.steering())

    @property
    def records(self) -> int:
        """Records that left in all replications, warm-up included."""
        return sum(sample.all_records for sample in self.samples)

    def little(self) -> tuple[float, bool]:
        """Return the worst difference from Little's law, and whether all replications kept within what is allowed."""
        known = [sample for sample in self.samples if not math.isnan(sample.little)]
        worst = max((abs(sample.little) for sample in known), default=math.nan)
        return worst, all(abs(sample.little) <= sample.little_allowed for sample in known)


def answer(
    table: Table,
    *,
    precision: float,
    seed: int = 1,
    at_most: int = 30,
    engine: str = "auto",
    workers: int = 1,
    progress: Callable[[float, float], None] | None = None,
) -> Answer:
    """Simulate a table until every interval is as narrow as is asked for.

    A table that ends by itself is run from its start to its end, again and again; the first tenth of its records is
    left out, but for one with a barrier. One that does not end is run past its warm-up, which MSER-5 finds from pilots,
    and then for as many records as about 20 replications need for the precision.

    Parameters
    ----------
    precision : relative half-width of the 95 % intervals that `Answer.steering` names.
    at_most : replications; fewer where they do.
    workers : processes; how many changes nothing but the time.

    Raises ModelError where the table cannot be run, or not by the engine that is asked for.

    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> table = Table(stations=(Station(name="make", source=Source(records=100)), Station(name="take")),
    ...               pipes=(Pipe(upstream=0, downstream=1, capacity=1),))
    >>> found = answer(table, precision=0.02)
    >>> len(found.samples), found.samples[0].throughput, found.engine
    (1, 1.0, 'maxplus')
    """
    began = time.monotonic()
    check(table)
    root = np.random.SeedSequence(seed)
    chosen, why = choose(table, engine)
    terminating, varies = ends(table), drawn(table)
    if table.commands and not terminating:
        raise ModelError(
            "what changes at a time changes a run that begins and ends, and this load has no end: give it one "
            "(measure.records, measure.duration)"
        )
    steady, before = True, 1.0 if terminating else 0.0
    if terminating:
        refuse_too_long(table, chosen, root, 1 + SCOUTS + FEWEST if varies else 1)
        count = records_of(table, chosen, root)
        # What leaves a barrier leaves at the end: there is nothing to see after a first tenth of it.
        barrier = any(row.barrier for row in table.stations)
        plan = Plan(table=table, engine=chosen, warm_up=0 if barrier else int(WARM_UP * count))
    else:
        cut, steady = find_warm_up(table, chosen, root)
        # Where nothing settles, more records only make the answer later.
        plan = Plan(table=table, engine=chosen, warm_up=cut, records=max(19 * cut if steady else cut, 10_000))

    def so_far(samples: Sequence[Sample], plan: Plan) -> Answer:
        return Answer(
            table=table, engine=chosen, why=why, samples=tuple(samples), warm_up=plan.warm_up, precision=precision,
            settled=steady, terminating=terminating, seconds=time.monotonic() - began,
        )  # fmt: skip

    def tell(done: float, total: float) -> None:
        if progress is not None:
            progress(before + done, before + total)

    def run(plan: Plan, first: int, length: float) -> list[Sample]:
        def wanted(samples: Sequence[Sample]) -> int:
            if not samples:
                return first
            return how_many(len(samples), so_far(samples, plan).reached, precision, at_most)

        def told(done: int, total: int) -> None:
            tell(SCOUTS + done * length, SCOUTS + total * length)

        return replicate(partial(replication, plan), root, wanted, workers=workers, progress=told)

    if not varies:
        return so_far([replication(plan, root)], plan)
    plan = replace(plan, alone=at_most == 1)
    # What a run says of its own width must not decide when it stops: it would stop where it errs. So others say how
    # much is needed, and only where that was not enough, which is seldom, more is added.
    scouts = replicate(
        partial(replication, plan), pilot(root, PILOTS), lambda found: SCOUTS, workers=workers,
        progress=lambda done, total: tell(done, SCOUTS + TARGET),
    )  # fmt: skip
    reached = so_far(scouts, plan).reached
    needed = MARGIN * SCOUTS * min(reached / precision, 1e9) ** 2  # a float's square has bounds
    times = 1.0
    if not terminating:
        # Where an interval is missing no length of the run brings it about.
        times, needed = max(1.0, needed / min(TARGET, at_most)) if math.isfinite(reached) else 1.0, TARGET
        plan = _longer(plan, times, precision, root)
    return so_far(run(plan, min(max(FEWEST, math.ceil(min(needed, at_most))), at_most), times), plan)


def _longer(plan: Plan, times: float, precision: float, root: np.random.SeedSequence) -> Plan:
    """Return the plan with so many times the records; raises ModelError where that is more than `LONGEST`."""
    assert plan.records is not None, "a table that does not end"
    records = plan.records * times
    if records > LONGEST:
        seconds = seconds_each(plan.table, plan.engine, root)
        raise ModelError(
            f"a precision of {precision:.2g} needs about {records:.2g} records in each of {TARGET} replications, which "
            f"would take {in_words(seconds * records * TARGET)} on one core (the most is {LONGEST:.0e}); ask for "
            "less (simulate.precision)"
        )
    return replace(plan, records=math.ceil(records))
