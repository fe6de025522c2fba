"""The records of a fan-out whose bytes nobody looked at: its neighbours counted them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamsim.real.plan import Plan, Process
from streamsim.trace import StationTrace


def with_records(stations: Mapping[str, StationTrace], plan: Plan) -> dict[str, StationTrace]:
    """Return the traces, those with uncounted visits given the records that a neighbour at a pipe's other end counted.

    A fan-out gives what it takes: its records are those that its writer gave, or that a reader took which took every
    byte. They are spread over the visits in proportion to bytes. Where no neighbour counts, they stay unknown.
    """
    found = dict(stations)
    for process in plan.processes:  # upstream first: one fan-out may stand behind another
        trace = found[process.name]
        visits = trace.visits
        if visits is None or not (visits["records_in"] < 0).any():
            continue
        total = _told(trace, found, process, plan)
        visits["records_in"] = visits["records_out"] = spread(total or 0, visits["taken"])
        found[process.name] = replace(trace, records_in=total, records_out=total)
    return found


def _told(trace: StationTrace, stations: Mapping[str, StationTrace], process: Process, plan: Plan) -> int | None:
    for name in _writers(process, plan):
        count = stations[name].records_out
        if count is not None and stations[name].bytes_out[-1] == trace.bytes_in[-1]:
            return count
    for name in _readers(process, plan):
        count = stations[name].records_in
        if count is not None and stations[name].bytes_in[-1] == trace.bytes_in[-1]:
            return count
    return None


def _writers(process: Process, plan: Plan) -> Iterable[str]:
    writers = (plan.writer_of(wire.target)[0] for wire in process.reads.values() if wire.kind == "pipe")
    return (writer.parts[-1] if writer.parts else writer.name for writer in writers)


def _readers(process: Process, plan: Plan) -> Iterable[str]:
    return (plan.reader_of(wire.target)[0].name for wire in process.writes.values() if wire.kind == "pipe")


def spread(total: int, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return so many records over chunks of these sizes, in proportion to their bytes; whole, and none lost.

    >>> spread(7, np.array([10, 0, 10, 20])).tolist()
    [1, 0, 2, 4]
    """
    through = np.cumsum(sizes)
    if not len(sizes) or not through[-1]:
        return np.zeros(len(sizes), dtype=np.int64)
    done = np.floor(through * (total / through[-1]) + 1e-9).astype(np.int64)
    done[through == through[-1]] = total
    each: NDArray[np.int64] = np.diff(done, prepend=0)
    return each
