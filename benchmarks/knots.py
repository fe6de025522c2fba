"""Splits by key through narrow pipes: what `predict` says of them, against simulation record by record.

Random circuits of one station with two to four servers that share its records by key, and a station behind their
merge, as fast as they can; demands are Erlang, exponential or hyperexponential. Where a pipe holds next to nothing
`predict` warns that its answer may be some per cent off.

    python benchmarks/knots.py [--circuits 8] [--records 200000] [--places 1 2 4 8]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from typing import Any

import numpy as np
from common import machine

from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.finite import finite, seconds_needed
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.segments import segments_of
from streamsim.loading import load
from streamsim.models.records.compiling import compile_table
from streamsim.models.records.runs import open_run
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile

RECORD = 4096
"""Bytes: one a page, so that a pipe holds as many records as it has slots."""
LAWS: tuple[dict[str, Any], ...] = (
    {"scv": 1.0},
    {"scv": 0.5, "distribution": "erlang"},
    {"scv": 2.0, "distribution": "hyperexponential"},
)
HOST = HostProfile(cores=64, available_cores=64.0, speed=(1.0,) * 64, wake_near_s=0.0, wake_far_s=0.0)


def circuit(seed: int, places: int, records: int) -> Scenario:
    """Make one random circuit whose pipes hold so many records."""
    draw = random.Random(seed)
    servers = draw.randint(2, 4)
    pipe = {"capacity": places * RECORD}

    def demand(mean_s: float) -> dict[str, Any]:
        return {"per_record": mean_s * math.exp(draw.gauss(0, 0.25)), "record_bytes": RECORD, **draw.choice(LAWS)}

    return load(
        {
            "sources": {"in": {"operator": "generate", "count": records, "kind": "fixed", "size": RECORD}},
            "stations": {
                "shared": {"command": "cat", "pipe": pipe, "parallelism": servers, "partition": "key"},
                "after": {"command": "cat", "pipe": pipe},
            },
            "host": {"cores": 64},
            "service": {
                "in": {"bytes": records * RECORD, "record_bytes": RECORD},
                "shared": demand(servers * 1e-3),
                "after": demand(draw.choice((0.3, 1.0)) * 1e-3),
            },
        }
    )


def error(seed: int, places: int, records: int) -> float:
    """Return by how much the predicted throughput is off the simulated one, relative to that."""
    scenario = circuit(seed, places, records)
    case = case_of(scenario, Profile(), host=HOST)
    found = finite(case)
    if isinstance(found, str):
        raise SystemExit(f"circuit {seed}: {found}")
    predicted = records / seconds_needed(case, solve(segments_of(case)[0], HOST))
    run = open_run(compile_table(scenario, None, HOST).table, "compiled", np.random.SeedSequence(seed))
    count, last = 0, 0.0
    while len((part := run.advance(1 << 16))[1]):
        count, last = count + len(part[1]), max(last, float(part[1].max()))
    return predicted / (count / last) - 1


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circuits", type=int, default=8)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--places", type=int, nargs="+", default=[1, 2, 4, 8])
    given = parser.parse_args()
    print(f"{machine()}; {given.circuits} random circuits, {given.records} records each\n")
    print("| a pipe holds | throughput: mean error | worst |")
    print("| ---: | ---: | ---: |")
    for places in given.places:
        errors = [error(seed, places, given.records) for seed in range(given.circuits)]
        print(f"| {places} | {statistics.fmean(errors):+.1%} | {max(errors, key=abs):+.1%} |".replace("%", " %"))


if __name__ == "__main__":
    main()
