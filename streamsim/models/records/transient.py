"""How a circuit gets to its steady state, and how it follows a step in its load: means against time, with bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.runs import steered
from streamsim.models.records.table import Command, Table
from streamsim.models.statistics.replications import replicate
from streamsim.result import Estimate, Transient, estimate

Array = NDArray[np.float64]

SPANS = 50
"""Parts that the time is cut into: each has its own mean."""
FEWEST = 10
"""Replications: with fewer, bands of Student's t are wide."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Plan:
    table: Table
    engine: str
    edges: Array


def transient(
    table: Table,
    *,
    over_s: float,
    commands: Sequence[Command] = (),
    steps: tuple[str, ...] = (),
    spans: int = SPANS,
    replications: int = 30,
    seed: int = 1,
    engine: str = "auto",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Transient:
    """Run a table from empty, again and again, and average what happens at the same time of each run.

    Sources go on to the end, whatever ends them otherwise (but for a list of times). No record is due after it, but all
    that were due before leave: so nothing is left out that took long. Averages over replications at each time: Welch
    (1983), "The Statistical Analysis of Simulation Results", in Lavenberg (ed.), Computer Performance Modeling
    Handbook, ch. 6.

    Parameters
    ----------
    over_s : how long records come (s), above 0.
    commands : what changes on the way; `steps` says it in words.
    spans : parts of equal length, each with a mean of its own.
    replications : runs, at least `FEWEST`.
    engine : ``"compiled"``, ``"simpy"`` or ``"auto"``; controllers need SimPy.

    Raises ModelError where the table cannot be run, or the engine cannot stop on the way.

    >>> from streamsim.models.records.streams import Even
    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> load = Source(arrivals="times", stream=Even(1.0))
    >>> slow = Table(stations=(Station(name="make", base_s=0.0, source=load), Station(name="take", base_s=2.0)),
    ...              pipes=(Pipe(upstream=0, downstream=1),))
    >>> found = transient(slow, over_s=4.0, spans=2, replications=10)  # twice as much as it can carry: 2, 3, 4, 5 s
    >>> [one.value for one in found.response_time], [one.value for one in found.records_inside]
    ([2.5, 4.5], [1.5, 2.5])
    """
    if not 0.0 < over_s < float("inf"):
        raise ModelError(f"curves against time need a time above 0 s, not {over_s:g} s")
    late = [command for command in commands if command.time_s >= over_s]
    if late:
        raise ModelError(f"the step of {late[0].target!r} at {late[0].time_s:g} s comes after the end, {over_s:g} s")
    ended = tuple(
        row if row.source is None else replace(row, source=replace(row.source, until_s=over_s, records=None))
        for row in table.stations
    )
    ordered = tuple(sorted(commands, key=lambda command: command.time_s))
    plan = _Plan(
        table=check(replace(table, stations=ended, commands=ordered)),
        engine=_engine(table, engine),
        edges=np.linspace(0.0, over_s, spans + 1),
    )
    runs = max(FEWEST, replications)
    found = replicate(
        partial(_course, plan), np.random.SeedSequence(seed), lambda done: runs, workers=workers, progress=progress
    )
    response, rate, inside = (np.array(rows) for rows in zip(*found, strict=True))
    return Transient(
        engine=plan.engine,
        replications=runs,
        steps=steps,
        times_s=tuple(plan.edges[1:].tolist()),
        response_time=_bands(response, "s"),
        records_per_s=_bands(rate, "records/s"),
        records_inside=_bands(inside, "records") if _counted(table) else None,
    )


def _engine(table: Table, wanted: str) -> str:
    if wanted == "maxplus":
        raise ModelError("max-plus recursions know no time to stop at; --engine compiled draws curves against time")
    return "compiled" if wanted == "auto" else wanted


def _course(plan: _Plan, seed: np.random.SeedSequence) -> tuple[Array, Array, Array]:
    """Return for each span of one run: mean response time (s), records that left each second, records inside."""
    born, left = _run(plan, seed)
    edges, width = plan.edges, float(plan.edges[1])
    spans = len(edges) - 1
    place = np.minimum(np.searchsorted(edges, born, side="right") - 1, spans - 1)
    count = np.bincount(place, minlength=spans)
    total = np.bincount(place, weights=left - born, minlength=spans)
    response = np.divide(total, count, out=np.full(spans, np.nan), where=count > 0)
    rate = np.histogram(left[left < edges[-1]], bins=edges)[0] / width
    return response, rate, np.diff(_since(born, edges) - _since(left, edges)) / width


def _since(times: Array, edges: Array) -> Array:
    """Return the sum of the time that has passed since each of some times, at each edge."""
    ordered = np.sort(times)
    before = np.searchsorted(ordered, edges)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    found: Array = before * edges - sums[before]
    return found


def _run(plan: _Plan, seed: np.random.SeedSequence) -> tuple[Array, Array]:
    """Return when the records of one run were due and when they left (s)."""
    if plan.engine == "compiled":
        kernel = Kernel(plan.table, seed, log="exits")
        steered(kernel)()
        times = kernel.exits()[1]
        return times[:, 1], times[:, 0]
    from streamsim.models.records.interpret import Interpreter  # SimPy, which the kernel does without

    law = Interpreter(plan.table, seed)
    steered(law)()
    found = np.array([(born, left) for left, born, *_ in law.exits]).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _bands(runs: Array, unit: str) -> tuple[Estimate, ...]:
    return tuple(estimate(column.tolist(), unit) for column in runs.T)


def _counted(table: Table) -> bool:
    """Whether every record that comes leaves, once: then those inside are those that came and have not left."""
    return not any(
        row.yields != Fraction(1)
        or row.barrier
        or row.when_full == "drop"
        or row.pick == "join"
        or row.takes is not None
        or (row.split == "copy" and len(table.outputs(number)) > 1)
        for number, row in enumerate(table.stations)
    )
