"""What visits say: service times, waits in pipes, and how long a record takes from its source to the end.

A visit is one chunk at one server (`trace.VISIT`). Only operators of ours and simulated stations keep visits; every
function here returns None, or an empty array, where they are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamsim.circuit import Circuit
from streamsim.scenario import Load
from streamsim.trace import Array, RunTrace, StationTrace

Visits = NDArray[np.void]

WARM_UP = 0.1
"""This part of the records, the first, is left out of response times.

A fixed part rather than one found from the data (MSER-5): measured and simulated runs of one scenario have the same
number of records, so that both leave out the same ones.
"""

WITH_THE_CHUNK = "response times: of records that leave a station with the chunk that they were read in"
ONE_BY_ONE = "response times: of records that are served and handed on one by one"
"""What a response time is of. Real tools read chunks, most models take records: at 70 % load that makes a third."""


def chunk_visits(station: StationTrace) -> Visits | None:
    """Return the visits that moved a chunk: those that took bytes, or gave some where none takes any (a source).

    The visit at the end of the input (a barrier giving its answer) took nothing and does not count as a chunk.
    """
    visits = station.visits
    if visits is None:
        return None
    took = visits["taken"] > 0
    chunks = visits[took] if took.any() else visits[visits["given"] > 0]
    return chunks if len(chunks) else None


def service_times(station: StationTrace) -> Array | None:
    """Return how long the server worked on each chunk (s, from having it to having served it)."""
    chunks = chunk_visits(station)
    if chunks is None:
        return None
    times: Array = chunks["served"] - chunks["got"]
    return times


def arrivals(run: RunTrace, circuit: Circuit, name: str, loads: Mapping[str, Load]) -> Array | None:
    """Return when each chunk of a station arrived (s): a paced source's when due, others' in the pipe.

    A chunk is in the pipe as soon as the upstream visit that brought its first byte has sent its answer; by then the
    reader may have begun with the front of a long answer, so an arrival is never later than when the chunk was got.
    None where either end keeps no visits, where several inputs mix, or where the writer gives different records to
    different readers.
    """
    chunks = chunk_visits(run.stations[name])
    if chunks is None:
        return None
    load = loads.get(name)
    if load is not None and load.open:
        due: Array = np.minimum(chunks["asked"], chunks["got"])
        return due
    pipes = circuit.inputs_of(name)
    if len(pipes) != 1 or len(circuit.station(name).inputs) != 1 or circuit.station(name).parallelism > 1:
        return None
    if circuit.station(pipes[0].upstream).ports or _shares_out(circuit, pipes[0].upstream):
        return None
    upstream = run.stations[pipes[0].upstream].visits
    if upstream is None or not len(upstream):
        return None
    first_byte = np.cumsum(chunks["taken"]) - chunks["taken"]
    brought = np.searchsorted(np.cumsum(upstream["given"]), first_byte, side="right")
    sent = np.append(upstream["sent"], np.inf)[brought]  # beyond what the upstream visits account for: no wait
    came: Array = np.minimum(sent, chunks["got"])
    return came


def _shares_out(circuit: Circuit, name: str) -> bool:
    """Whether a station gives each of its several readers a part only."""
    return circuit.station(name).role == "split" and len(circuit.outputs_of(name)) > 1


def due_times(source: StationTrace) -> Array:
    """Return when each record of a paced source was due (s).

    The first record of a chunk was due at the visit's `asked`; those after it are spread evenly up to the first of
    the next chunk, those of the last chunk at the mean gap of all.

    >>> import numpy as np; from types import SimpleNamespace; from streamsim.trace import VISIT
    >>> visits = np.zeros(3, VISIT); visits["asked"] = 0, 2, 3; visits["records_out"] = 2, 1, 2
    >>> due_times(SimpleNamespace(visits=visits)).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    visits = _counted(source.visits, "records_out")
    if visits is None:
        return np.zeros(0)
    counts = visits["records_out"]
    first = np.cumsum(counts) - counts
    total = int(counts.sum())
    due: Array = np.interp(np.arange(total), first, visits["asked"])
    gap = (visits["asked"][-1] - visits["asked"][0]) / first[-1] if first[-1] else 0.0
    tail = np.arange(total - int(first[-1]))
    due[int(first[-1]) :] = visits["asked"][-1] + tail * gap
    return due


def departures(end: StationTrace) -> Array:
    """Return when each record left the circuit (s): when an end had sent it.

    An end that gives no records, such as a sink, is done with those that it took.
    """
    for field in ("records_out", "records_in"):
        visits = _counted(end.visits, field)
        if visits is not None:
            left: Array = np.repeat(visits["sent"], visits[field])
            return left
    return np.zeros(0)


def response_times(run: RunTrace, circuit: Circuit, loads: Mapping[str, Load]) -> Array:
    """Return how long the records took from being due to leaving (s), after the warm-up, over all ends.

    Records leave in the order in which they came (FIFO); where a station gives fewer or more than it takes, the k-th of
    M that leave belongs to the record at the same fraction of the N that came, ⌈k·N/M⌉. Empty where no source has a
    load of its own or where visits are missing at either side.
    """
    found = []
    for end in circuit.ends():
        sources = [name for name in _above(circuit, end) if name in loads and loads[name].open]
        dues = [due_times(run.stations[name]) for name in sources]
        left = departures(run.stations[end])
        if not dues or not len(left) or not all(len(due) for due in dues):
            continue
        came = np.sort(np.concatenate(dues))
        rank = np.arange(1, len(left) + 1)
        origin = (rank * len(came) + len(left) - 1) // len(left) - 1
        found.append((left - came[origin])[int(WARM_UP * len(left)) :])
    return np.concatenate(found) if found else np.zeros(0)


def lateness(run: RunTrace, loads: Mapping[str, Load]) -> float:
    """Return how late the last record of an open source was put in, relative to the span of its due times.

    0 where every source keeps up; the largest over the sources.
    """
    worst = 0.0
    for name, load in loads.items():
        visits = chunk_visits(run.stations[name]) if load.open and name in run.stations else None
        if visits is not None and (span := float(visits["asked"][-1] - visits["asked"][0])) > 0:
            worst = max(worst, float(visits["sent"][-1] - visits["asked"][-1]) / span)
    return worst


def _counted(visits: Any, field: str) -> Visits | None:
    """Return the visits that moved records, in their order; None where there is none."""
    if visits is None:
        return None
    kept: Visits = visits[visits[field] > 0]
    return kept if len(kept) else None


def _above(circuit: Circuit, name: str) -> list[str]:
    """Return a station and all that its bytes come from."""
    seen = [name]
    for station in seen:  # grows while it is walked
        seen += [pipe.upstream for pipe in circuit.inputs_of(station) if pipe.upstream not in seen]
    return seen
