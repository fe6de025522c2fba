"""How long a table is run: whether it ends, what leaves it, what its warm-up is, and what is too much to run at all."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError
from streamsim.models.records.runs import open_run
from streamsim.models.records.streams import ROLES, Even, Listed, variate_of
from streamsim.models.records.table import Source, Station, Table
from streamsim.models.statistics.warmup import grows, settled, warm_up

Array = NDArray[np.float64]

PILOTS = 8
"""Runs whose average shows the warm-up: averaging them leaves the trend and takes the noise (Welch 1983)."""
FIRST_LOOK = 4096
"""Records of a pilot; twice as many each time that they do not settle."""
LONGEST_LOOK = 1 << 20
LONGEST = 10**9
"""Records of one replication at most."""
SAMPLED = 20_000
"""Records of each source whose time says how long many would take."""
ENDLESS = 1 << 62


def ends(table: Table) -> bool:
    """Whether every source ends, by itself or because all who read from it end early."""
    return all(
        row.source is None
        or row.source.records is not None
        or row.source.until_s < math.inf
        or isinstance(row.source.stream, Listed)
        or _is_cut(table, number)
        for number, row in enumerate(table.stations)
    )


def _is_cut(table: Table, source: int) -> bool:
    """Whether no record of a source gets out of the circuit but through a station that ends early."""
    seen, waiting = {source}, [source]
    while waiting:
        station = waiting.pop()
        if table.stations[station].takes is not None:
            continue
        if not table.outputs(station):
            return False
        following = {table.pipes[pipe].downstream for pipe in table.outputs(station)} - seen
        seen |= following
        waiting += following
    return True


def drawn(table: Table) -> bool:
    """Whether two replications can differ."""
    for number, station in enumerate(table.stations):
        variates = (variate_of(station, role, len(table.outputs(number))) for role in ROLES)
        if any(variate is not None and not isinstance(variate, Even | Listed) for variate in variates):
            return True
    return False


def records_of(table: Table, engine: str, root: np.random.SeedSequence) -> int:
    """Return about how many records leave a table that ends."""
    run, count = open_run(table, engine, pilot(root, 0)), 0
    while len(block := run.advance(ENDLESS)[0]):
        count += len(block)
    return count


def find_warm_up(table: Table, engine: str, root: np.random.SeedSequence) -> tuple[int, bool]:
    """Return how many records to leave out, twice what MSER-5 says of an average of pilots, and whether it settled."""
    length = FIRST_LOOK
    while True:
        pilots = [_responses(table, engine, pilot(root, number), length) for number in range(PILOTS)]
        shortest = min(len(pilot) for pilot in pilots)
        series = np.mean([pilot[:shortest] for pilot in pilots], axis=0)
        cut = warm_up(series)
        steady = settled(series, cut) and not grows([pilot[cut:shortest] for pilot in pilots])
        if steady or length >= LONGEST_LOOK or shortest < length:
            return max(2 * cut if steady else length // 16, FIRST_LOOK // 4), steady  # what grows has no warm-up
        length *= 2


def _responses(table: Table, engine: str, seed: np.random.SeedSequence, count: int) -> Array:
    run, found, done = open_run(table, engine, seed), [], 0
    while done < count:
        born, left = run.advance(count - done)
        if not len(born):
            break
        found.append(left - born)
        done += len(born)
    return np.concatenate(found) if found else np.zeros(0)


def pilot(root: np.random.SeedSequence, number: int) -> np.random.SeedSequence:
    """Return a seed that no replication has."""
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, 1 << 30, number))


def refuse_too_long(table: Table, engine: str, root: np.random.SeedSequence, runs: int) -> None:
    """Raise ModelError, with the time that it would take, where a table ends, but after more than `LONGEST` records.

    Parameters
    ----------
    runs : how many replications an answer takes at least.
    """
    planned = [(number, _planned(row)) for number, row in enumerate(table.stations) if row.source is not None]
    if sum(count for _, count in planned) <= LONGEST:
        return
    seconds = seconds_each(table, engine, root)
    number, count = max(planned, key=lambda one: one[1])
    raise ModelError(
        f"source {table.stations[number].name!r} gives about {count:.3g} records in each run: {runs} runs of so many "
        f"would take {in_words(seconds * count * runs)} on one core (the most is {LONGEST:.0e} a run); give "
        "fewer, or no end at all (measure.records, measure.duration): then it is run until its intervals are narrow"
    )


def seconds_each(table: Table, engine: str, root: np.random.SeedSequence) -> float:
    """Return how many seconds a record of a table takes here, from a short run of it."""

    def shortened(row: Station) -> Station:
        if row.source is None:
            return row
        return replace(row, source=replace(row.source, records=min(SAMPLED, row.source.records or SAMPLED)))

    short = replace(table, stations=tuple(shortened(row) for row in table.stations))
    run, began = open_run(short, engine, pilot(root, 0)), time.monotonic()
    while len(run.advance(ENDLESS)[0]):
        pass
    sources = [number for number, row in enumerate(table.stations) if row.source is not None]
    return (time.monotonic() - began) / max(1, int(run.totals().taken[sources].sum()))


def in_words(seconds: float) -> str:
    """Return a long time as one would say it.

    >>> in_words(90.0), in_words(5000.0), in_words(532_262.0), in_words(8.1e8)
    ('90 s', '83 minutes', '6.2 days', '26 years')
    """
    for unit, size, most in (
        ("s", 1.0, 120.0),
        ("minutes", 60.0, 7200.0),
        ("hours", 3600.0, 172_800.0),
        ("days", 86_400.0, 6.3e7),
    ):
        if seconds < most:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds / 31_557_600.0:.2g} years"


def _planned(row: Station) -> float:
    """Return about how many records a source that ends will give; 0 where only what reads it says that."""
    source = row.source
    assert source is not None, "asked of sources"
    most = math.inf if source.records is None else float(source.records)
    if source.until_s < math.inf and (rate := _rate(source)) is not None:
        most = min(most, source.until_s * rate)
    return most if math.isfinite(most) else 0.0


def _rate(source: Source) -> float | None:
    """Return how many records are due in a second, about; None where that depends on who takes them."""
    if isinstance(source.stream, Even):
        return source.stream.rate
    if source.arrivals != "gaps" or source.stream is None:
        return None
    gaps = next(source.stream.blocks(np.random.default_rng(1)))
    mean = float(np.mean(gaps))
    return 1.0 / mean if mean > 0 else math.inf
