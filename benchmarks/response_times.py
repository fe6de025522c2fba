"""Response times of scenarios/poisson.toml by theory and by simulation, at several loads, from its committed profile.

python benchmarks/response_times.py [--rates 200 350 500 600] [--seconds 12]
"""

from __future__ import annotations

import argparse

from common import SCENARIOS, machine

import streamsim
from streamsim import verbs
from streamsim.result import Result


def row(result: Result) -> list[str]:
    """Mean, median and 99th percentile in milliseconds, with the half-width of the mean's interval where it has one."""
    found = result.circuit.response_time
    if found is None:
        return ["cannot be carried", "", ""]
    spread = f" ± {100 * found.mean.spread:.0f} %" if found.mean.spread else ""
    return [f"{1e3 * (each.value or float('nan')):.1f}" for each in (found.mean, found.p50, found.p99)] + [spread]


def main() -> None:
    """Print one line a load and world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=int, nargs="+", default=[200, 350, 500, 600], help="records/s")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long each load lasts")
    given = parser.parse_args()
    print(machine())
    print("| load (records/s) | world | mean (ms) | median (ms) | p99 (ms) |\n| ---: | --- | ---: | ---: | ---: |")
    for rate in given.rates:
        changes = {"sources.requests.rate": f"{rate} records/s", "sources.requests.count": round(rate * given.seconds)}
        scenario = streamsim.load(SCENARIOS / "poisson.toml", overrides=changes)
        simulated = verbs.summarise(verbs.simulate(scenario), scenario)
        for world, result in (("simulated", simulated), ("predicted", verbs.predict(scenario))):
            mean, median, p99, *spread = row(result)
            print(f"| {rate} | {world} | {mean}{''.join(spread)} | {median} | {p99} |", flush=True)


if __name__ == "__main__":
    main()
