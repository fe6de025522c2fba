"""How long one warm prediction of a circuit of 10 stations takes, and 10,000 what-ifs of it.

A what-if is a prediction of a variant: other demands, servers, cores, load. Medians and quartiles over rounds in which
the contenders take turns.

    python benchmarks/predict_speed.py [--rounds 9] [--whatifs 10000]
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from common import alternate, machine

from streamsim.analysis.elasticity import figures
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.prediction.network import predict, predict_case
from streamsim.loading import load
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile

CALLS = 50
STATIONS = 9
"""Beside the source."""


def line(cores: int, *, paced: bool) -> Scenario:
    """A source and nine stations, each a little slower than the one before; the sum of the work is 10 ms a record."""
    names = [f"station-{place}" for place in range(STATIONS)]
    needs: dict[str, Any] = {
        name: {"per_record": (1 + place / 20) * 0.92e-3, "scv": 1.0, "record_bytes": 100}
        for place, name in enumerate(names)
    }
    source = {"operator": "generate", "count": 100000, "kind": "fixed", "size": 100}
    pace = {"rate": "500 records/s", "arrivals": "poisson"} if paced else {}
    return load(
        {
            "name": "line",
            "sources": {"in": {**source, **pace}},
            "stations": {name: {"command": "cat"} for name in names},
            "host": {"cores": cores},
            "service": {"in": {"bytes": 10000000, "record_bytes": 100}, **needs},
        }
    )


def seconds(calls: int, ask: Any) -> float:
    """Time so many calls; core-seconds for each, so that who else uses the machine counts less."""
    began = time.process_time()
    for number in range(calls):
        ask(number)
    return (time.process_time() - began) / calls


def whatif(case: Case, number: int) -> None:
    """Ask one what-if: another demand, another load, and every third another number of servers or cores."""
    varied = case.with_demand(f"station-{number % STATIONS}", 0.5 + number % 97 / 97)
    varied = varied.with_rate(0.5 + number % 89 / 178) if case.scenario.open else varied
    if number % 3 == 1:
        varied = varied.with_servers(f"station-{number % 7}", 1 + number % 4)
    if number % 3 == 2:
        varied = varied.with_cores(4 + number % 13)
    figures(varied)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--whatifs", type=int, default=10_000)
    given = parser.parse_args()
    contenders = {}
    for kind, paced, cores in (
        ("saturated, 16 cores", False, 16),
        ("Poisson load, 16 cores", True, 16),
        ("Poisson load, 6 cores shared", True, 6),
    ):
        scenario = line(cores, paced=paced)
        profile = Profile(host=HostProfile(cores=cores, available_cores=float(cores), speed=(1.0,) * cores))
        case = case_of(scenario, profile)
        contenders[f"predict, {kind}"] = lambda s=scenario, p=profile: seconds(CALLS, lambda _: predict(s, p))
        contenders[f"predict of a case, {kind}"] = lambda c=case: seconds(CALLS, lambda _: predict_case(c))
    for ask in contenders.values():
        ask()  # warm
    print(f"{machine()}; {given.rounds} rounds of {CALLS} calls, {STATIONS + 1} stations\n")
    print("| one prediction (core-ms) | median | quartiles |\n| --- | ---: | ---: |")
    for name, times in alternate(given.rounds, contenders).items():
        low, middle, high = (1e3 * value for value in statistics.quantiles(times, n=4))
        print(f"| {name} | {middle:.3f} | {low:.3f} to {high:.3f} |")
    print(f"\n| {given.whatifs:,} what-ifs | core-seconds |\n| --- | ---: |")
    for kind, paced in (("saturated", False), ("Poisson load, cores partly shared", True)):
        case = case_of(
            line(16, paced=paced), Profile(host=HostProfile(cores=16, available_cores=16.0, speed=(1.0,) * 16))
        )
        print(f"| {kind} | {given.whatifs * seconds(given.whatifs, lambda n, c=case: whatif(c, n)):.2f} |")


if __name__ == "__main__":
    main()
