"""What the starts of a circuit put into it in a run."""

from __future__ import annotations

import math

from streamsim.circuit import Circuit
from streamsim.trace import RunTrace


def bytes_put_in(run: RunTrace, circuit: Circuit) -> float | None:
    """Return the bytes that all starts put in each second: of a file that a start opens itself, what it read."""
    starts = [(run.stations[name], bool(circuit.feed_of(name))) for name in circuit.starts()]
    curves = [station.bytes_in if reads else station.bytes_out for station, reads in starts]
    return _each_second([float(curve[-1]) if len(curve) else 0.0 for curve in curves], run)


def records_put_in(run: RunTrace, circuit: Circuit) -> float | None:
    """Return the records that all starts put in each second; None where nobody counted those of a start."""
    return _each_second([_records(run, circuit, name) for name in circuit.starts()], run)


def _records(run: RunTrace, circuit: Circuit, name: str) -> float | None:
    station = run.stations[name]
    if circuit.feed_of(name):
        return station.records_in
    if station.records_out is not None:
        return station.records_out
    readers = [circuit.station(pipe.downstream) for pipe in circuit.outputs_of(name)]
    if len(readers) != 1 or readers[0].role != "source":
        return None
    return run.stations[readers[0].name].records_in  # of a command, what the paced source took that keeps its times


def _each_second(amounts: list[float | None], run: RunTrace) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts) or run.makespan_s <= 0:
        return None
    return math.fsum(known) / run.makespan_s
