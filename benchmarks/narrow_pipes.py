"""Lines with narrow pipes, under a load of their own and with so many records in flight, against simulation.

Random lines of 2 to 4 exponential or phase-type stations whose pipes hold 1 to 8 records. Under a Poisson load of half
to nine tenths of what holds: the mean response by stations alone (pipes that never fill) and as `predict` answers it.
With 2 to 8 records in flight: throughput by mean value analysis and as `predict` answers it. A line counts where
`predict` has its chain.

    python benchmarks/narrow_pipes.py [--lines 40] [--records 100000]
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
from streamsim.analysis.prediction.closed_loop import closed_loop
from streamsim.analysis.prediction.finite import finite, seconds_needed
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.narrow import open_line_of
from streamsim.analysis.prediction.open_load import open_load
from streamsim.analysis.prediction.segments import segments_of
from streamsim.loading import load
from streamsim.models.records.compiling import compile_table
from streamsim.models.records.runs import open_run
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile

RECORD = 4096
"""Bytes: one a page, so that a pipe holds as many records as it has slots."""
HOST = HostProfile(cores=64, available_cores=64.0, speed=(1.0,) * 64, wake_near_s=0.0, wake_far_s=0.0)


def line(seed: int, records: int, source: dict[str, Any]) -> Scenario:
    """Make one random line behind a source of this load."""
    draw = random.Random(seed)
    names = [f"s{place}" for place in range(draw.randint(2, 4))]
    needs: dict[str, Any] = {
        name: {"per_record": math.exp(draw.gauss(0, 0.25)) * 1e-3, "record_bytes": RECORD, **draw.choice(LAWS)}
        for name in names
    }
    stations = {name: {"command": "cat", "pipe": {"capacity": 4096 << draw.randint(0, 3)}} for name in names}
    made = {"operator": "generate", "count": records, "kind": "fixed", "size": RECORD, **source}
    return load(
        {
            "sources": {"in": made},
            "stations": stations,
            "host": {"cores": 64},
            "service": {"in": {"bytes": records * RECORD, "record_bytes": RECORD}, **needs},
        }
    )


LAWS: tuple[dict[str, Any], ...] = (
    {"scv": 1.0},
    {"scv": 0.5, "distribution": "erlang"},
    {"scv": 2.0, "distribution": "hyperexponential"},
)


def simulated(scenario: Scenario, seed: int) -> tuple[float, float]:
    """Return the mean response (s), the first tenth left out, and the records per second."""
    run = open_run(compile_table(scenario, None, HOST).table, "compiled", np.random.SeedSequence(seed))
    due, left = [], []
    while len((part := run.advance(1 << 16))[1]):
        due.append(part[0])
        left.append(part[1])
    went, came = np.concatenate(left), np.concatenate(due)
    return float((went - came)[len(went) // 10 :].mean()), len(went) / float(went.max())


def under_load(seed: int, part: float, records: int) -> tuple[float, float, float] | None:
    """Return the mean response as simulated, by stations alone, and by the whole line; None where it has no chain."""
    case = case_of(line(seed, records, {}), None, host=HOST)
    most = records / seconds_needed(case, solve(segments_of(case)[0], HOST))
    scenario = line(seed, records, {"rate": part * most, "arrivals": "poisson"})
    case = case_of(scenario, Profile(), host=HOST)
    answer = open_load(case, solve(segments_of(case)[0], HOST))
    whole = open_line_of(case, finite(case, any_load=True), answer)
    if isinstance(whole, str) or answer.response_mean_s is None or whole.response_mean_s is None:
        return None
    return simulated(scenario, seed)[0], answer.response_mean_s, whole.response_mean_s


def in_flight(seed: int, count: int, records: int) -> tuple[float, float, float] | None:
    """Return records per second as simulated, by mean value analysis, and by the whole line."""
    scenario = line(seed, records, {"arrivals": "closed", "in_flight": count})
    case = case_of(scenario, Profile(), host=HOST)
    alone, whole = closed_loop(case), closed_loop(case, whole=True)
    if alone is None or whole is None or not whole.line:
        return None
    return simulated(scenario, seed)[1], alone.rate, whole.rate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--records", type=int, default=100_000)
    given = parser.parse_args()
    print(f"{machine()}; {given.lines} random lines, {given.records} records each\n")
    print("| lines | with a chain | stations alone: mean | worst | the whole line: mean | worst |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for part in (0.5, 0.7, 0.9):
        found = [under_load(seed, part, given.records) for seed in range(given.lines)]
        print(row(f"mean response at {part:.0%} of what holds", found))
    for count in (2, 4, 8):
        found = [in_flight(seed, count, given.records) for seed in range(given.lines)]
        print(row(f"throughput with {count} in flight", found))


def row(name: str, found: list[tuple[float, float, float] | None]) -> str:
    """Return one row: the errors of both methods against simulation."""
    known = [one for one in found if one is not None]
    cells = []
    for place in (1, 2):
        errors = [one[place] / one[0] - 1 for one in known]
        cells += [f"{statistics.fmean(map(abs, errors)):.2%}", f"{max(errors, key=abs):+.2%}"] if errors else ["–", "–"]
    return f"| {name} | {len(known)} | {' | '.join(cells)} |".replace("%", " %")


if __name__ == "__main__":
    main()
