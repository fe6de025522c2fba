"""Which part of what a station gave went where, where different readers get different records."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.circuit import Circuit
from streamsim.trace import RunTrace


def shares_of(circuit: Circuit, name: str, runs: Sequence[RunTrace]) -> dict[str, float]:
    """Return the shares of a profile (see `traffic.shares`): by port, or by the reader of a split.

    They come from what the readers took. One reader among them that reads other inputs too gets the rest; nothing is
    known where there are two of those. Empty where all readers get all.
    """
    station, pipes = circuit.station(name), circuit.outputs_of(name)
    splits = station.role == "split" and station.parameters.get("by") != "copy" and len(pipes) > 1
    if not station.ports and not splits:
        return {}
    given = math.fsum(float(run.stations[name].bytes_out[-1]) for run in runs)
    keys = {pipe.label: pipe.port if station.ports else pipe.downstream for pipe in pipes}
    parts: dict[str, float] = dict.fromkeys(station.ports, 0.0)
    unknown = []
    for pipe in pipes:
        if len(circuit.station(pipe.downstream).inputs) > 1:
            unknown.append(keys[pipe.label])
        elif given:
            taken = math.fsum(float(run.stations[pipe.downstream].bytes_in[-1]) for run in runs)
            parts[keys[pipe.label]] = min(1.0, taken / given)
    if len(unknown) > 1 or not given:
        return {}
    for key in unknown:
        parts[key] = max(0.0, 1.0 - math.fsum(parts.values()))
    parts.pop("", None)  # the main output gets what the ports do not
    return parts
