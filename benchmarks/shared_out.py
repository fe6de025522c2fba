"""How far theory is off where stations have several servers: mean and 99th percentile of the response time.

Two stations of 1.45 ms a record under Poisson arrivals, each dealing out to its servers in turn (or by key), on cores
enough for all or on fewer, simulated record by record; the table is that of docs/analyst.md.

    python benchmarks/shared_out.py [--records 40000] [--partition round-robin]
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from common import machine

import streamsim

SERVICE_S = 1.45e-3
CIRCUITS = ((16, 500), (2, 500), (2, 600), (4, 1100))
"""Cores, records a second."""
SERVERS = ((2, 1), (2, 2), (3, 2), (4, 4))
BUSIEST = 0.9
"""Stations whose servers would be at work for more than this are left out."""


def scenario(servers: tuple[int, int], cores: int, rate: float, scv: float, given: argparse.Namespace) -> Any:
    """Two stations, each with so many servers."""
    names = ("first", "second")
    stations = {
        name: {"command": "cat", "parallelism": count, "partition": given.partition}
        for name, count in zip(names, servers, strict=True)
    }
    load = {"operator": "generate", "count": given.records, "rate": f"{rate} records/s", "arrivals": "poisson"}
    needs: dict[str, Any] = {name: {"per_record": SERVICE_S, "scv": scv} for name in names}
    return streamsim.load(
        {
            "sources": {"in": load},
            "stations": stations,
            "service": {"in": {}, **needs},
            "host": {"cores": cores},
            "simulate": {"precision": 0.03},
        }
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--partition", choices=("round-robin", "key"), default="round-robin")
    given = parser.parse_args()
    print(f"{machine()}; {given.partition}\n")
    print("| servers | cores | records/s | scv | mean (ms) | theory | error | p99 (ms) | theory | error |")
    print("| --- |" + " ---: |" * 9)
    errors: dict[str, list[float]] = {"mean": [], "p99": []}
    for cores, rate in CIRCUITS:
        for servers in SERVERS:
            if rate * SERVICE_S / min(servers) > BUSIEST:
                continue
            for scv in (0.0, 1.0, 4.0):
                asked = scenario(servers, cores, rate, scv, given)
                theory = streamsim.predict(asked).circuit.response_time
                seen = streamsim.simulate_result(asked, engine="auto").circuit.response_time
                if theory is None or seen is None:
                    print(f"| {servers} | {cores} | {rate} | {scv:g} | saturated in one of the worlds |")
                    continue
                cells = []
                for name in ("mean", "p99"):
                    said, was = getattr(theory, name).value, getattr(seen, name).value
                    errors[name].append(said / was - 1)
                    cells.append(f"{1e3 * was:.2f} | {1e3 * said:.2f} | {errors[name][-1]:+.1%}")
                print(f"| {servers[0]}, {servers[1]} | {cores} | {rate} | {scv:g} | {' | '.join(cells)} |", flush=True)
    for name, found in errors.items():
        sizes = sorted(abs(one) for one in found)
        print(f"\n{name}: median error {statistics.median(sizes):.1%}, worst {sizes[-1]:.1%}", end="")
    print()


if __name__ == "__main__":
    main()
