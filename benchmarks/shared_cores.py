"""How far theory is off where stations share too few cores: mean and 99th percentile of the response time.

Lines of stations under Poisson arrivals, simulated record by record with the compiled kernel, at three scatters of the
service; the table is that of docs/analyst.md.

    python benchmarks/shared_cores.py [--records 60000] [--seeds 3]
"""

from __future__ import annotations

import argparse
import math
import statistics

import numpy as np
from common import machine

from streamsim.analysis.prediction.network import predict
from streamsim.loading import load
from streamsim.models.records.engine import Kernel
from streamsim.models.records.streams import Drawn
from streamsim.models.records.table import Host, Pipe, Source, Station, Table
from streamsim.result import ResponseTime
from streamsim.service import HostProfile, Profile

CIRCUITS: tuple[tuple[tuple[float, ...], float, float], ...] = (
    ((1, 1), 1, 400),
    ((1, 1, 1), 1, 250),
    ((1, 1, 1), 2, 500),
    ((2, 1, 0.5), 1, 200),
    ((2, 1, 0.5), 2, 380),
    ((1,) * 5, 2, 340),
    ((1,) * 5, 3, 480),
    ((1,) * 4, 1.5, 330),
    ((1,) * 10, 4, 350),
)
"""Demands (ms a record), cores available, records a second."""


def host(cores: float) -> HostProfile:
    """Cores that are all alike, and wake nobody late."""
    whole = math.ceil(cores)
    return HostProfile(cores=whole, available_cores=cores, speed=(1.0,) * whole, wake_near_s=0.0, wake_far_s=0.0)


def law(scv: float) -> Drawn | None:
    """A factor of mean 1 and this scv: constant, or gamma (exponential at 1)."""
    return Drawn(lambda rng, count: rng.gamma(1 / scv, scv, count)) if scv else None


def simulated(
    demands: tuple[float, ...], cores: float, rate: float, scv: float, given: argparse.Namespace
) -> np.ndarray:
    """Return the response times (s) of all seeds, without the first tenth of each."""
    gaps = Drawn(lambda rng, count: rng.standard_exponential(count) / rate)
    stations = [Station(name="in", source=Source(arrivals="gaps", stream=gaps, records=given.records), base_s=0.0)]
    for place, demand in enumerate(demands):
        stations.append(Station(name=f"s{place}", host=0, base_s=demand * 1e-3, service=law(scv)))
    pipes = tuple(Pipe(upstream=place, downstream=place + 1) for place in range(len(demands)))
    table = Table(stations=tuple(stations), pipes=pipes, hosts=(Host(name="host", profile=host(cores)),))
    found = []
    for seed in range(given.seeds):
        engine = Kernel(table, np.random.SeedSequence(seed))
        engine.run()
        _, times = engine.exits()
        found.append((times[:, 0] - times[:, 1])[given.records // 10 :])
    return np.concatenate(found)


def predicted(demands: tuple[float, ...], cores: float, rate: float, scv: float) -> ResponseTime:
    """Return what theory says."""
    service = {
        f"s{place}": {"per_record": demand * 1e-3, "scv": scv, "record_bytes": 100}
        for place, demand in enumerate(demands)
    }
    source = {"operator": "generate", "count": 10000, "size": 100, "rate": rate, "arrivals": "poisson"}
    scenario = load(
        {
            "sources": {"in": source},
            "stations": {name: {"command": "cat"} for name in service},
            "service": {"in": {"bytes": 1000000, "record_bytes": 100}, **service},
        }
    )
    found = predict(scenario, Profile(), host=host(cores)).circuit.response_time
    assert found is not None, "none of these is saturated"
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    print(f"{machine()}; {given.seeds} × {given.records} records\n")
    print("| demands (ms) | cores | records/s | scv | mean (ms) | theory | error | p99 (ms) | theory | error |")
    print("| --- |" + " ---: |" * 9)
    errors: dict[str, list[float]] = {"mean": [], "p99": []}
    for demands, cores, rate in CIRCUITS:
        for scv in (0.0, 1.0, 4.0):
            times, theory = simulated(demands, cores, rate, scv, given), predicted(demands, cores, rate, scv)
            cells = []
            for name, seen, said in (
                ("mean", times.mean(), theory.mean),
                ("p99", np.quantile(times, 0.99), theory.p99),
            ):
                assert said.value is not None, "there is a steady state"
                errors[name].append(said.value / seen - 1)
                cells.append(f"{1e3 * seen:.2f} | {1e3 * said.value:.2f} | {errors[name][-1]:+.1%}")
            needs = f"{len(demands)} × 1" if len(set(demands)) == 1 else ", ".join(f"{one:g}" for one in demands)
            print(f"| {needs} | {cores:g} | {rate:g} | {scv:g} | {' | '.join(cells)} |")
    for name, all_of in errors.items():
        sizes = sorted(abs(one) for one in all_of)
        print(f"\n{name}: median error {statistics.median(sizes):.1%}, worst {sizes[-1]:.1%}", end="")
    print()


if __name__ == "__main__":
    main()
