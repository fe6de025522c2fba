"""How far theory's response times are off along lines under a load: mean, median, 95th and 99th percentile.

Random lines, each station served record by record (as `[service]` declares it) or chunk by chunk (as real servers do
it: all that has come is taken, and let go when all of it is served), against a recursion of departure times in NumPy
that shares no code with streamsim.

    python benchmarks/percentiles.py [--lines 40] [--records 400000] [--seed 1]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from line_simulation import Array, gamma_times, tandem_responses

from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.prediction.network import predict_case
from streamsim.loading import load
from streamsim.service import HostProfile, Profile, ServiceModel, StationProfile

LOADS = (0.5, 0.7, 0.9)
BURSTS = 4.0
"""The scv of the gaps of bursty arrivals."""
SCVS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
HOST = HostProfile(cores=32, available_cores=32.0, speed=(1.0,) * 32)


def case(rate: float, times: Sequence[float], scvs: Sequence[float], arrivals: str, *, chunks: bool) -> Case:
    """Return such a line as theory sees it; `times` in s."""
    services = {
        f"s{place}": {"per_record": time, "scv": scv, "record_bytes": 1}
        for place, (time, scv) in enumerate(zip(times, scvs, strict=True))
    }
    source: dict[str, Any] = {"operator": "generate", "count": 10**6, "kind": "fixed", "size": 1}
    arrive = {"arrivals": arrivals, "scv": BURSTS} if arrivals == "bursty" else {"arrivals": arrivals}
    document = {
        "name": "line",
        "sources": {"in": {**source, "rate": f"{rate} records/s", **arrive}},
        "stations": {name: {"command": "cat"} for name in services},
        "host": {"cores": HOST.cores},
        "service": {"in": {"bytes": 10**6, "record_bytes": 1}, **services},
    }
    scenario = load(document)
    if not chunks:
        return case_of(scenario, Profile(host=HOST))
    declared = scenario.services
    whole = {"bytes_in": 1e6, "bytes_out": 1e6, "records_in": 1e6, "records_out": 1e6}
    fitted = {name: StationProfile(service=_by_record(declared[name].service), **whole) for name in services}
    fitted["in"] = StationProfile(bytes_out=1e6, records_out=1e6)
    return case_of(scenario, Profile(host=HOST, stations=fitted))


def _by_record(service: ServiceModel) -> ServiceModel:
    import msgspec

    found: ServiceModel = msgspec.structs.replace(service, scatters="by-record")
    return found


def row(name: str, errors: Sequence[Array]) -> str:
    """Return the mean of the absolute errors and their mean, mean and percentiles; and the worst at the 99th."""
    found = np.array(errors)
    absolute, signed = 100 * np.abs(found).mean(axis=0), 100 * found.mean(axis=0)
    worst = 100 * found[np.abs(found[:, 3]).argmax(), 3]
    cells = [f"{one:.1f} % ({other:+.1f})" for one, other in zip(absolute, signed, strict=True)]
    return f"| {name} | {len(errors)} | {' | '.join(cells)} | {worst:+.1f} % |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=40, help="how many random lines of each kind")
    parser.add_argument("--records", type=int, default=400_000, help="in each simulation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(
        "| lines | number | mean | median | p95 | p99 | p99, worst |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for kind, chunks, arrivals, most in (
        ("record by record, Poisson", False, ("poisson",), 6),
        ("record by record, even or bursty", False, ("even", "bursty"), 6),
        ("chunk by chunk, Poisson, 1 to 3 stations", True, ("poisson",), 3),
        ("chunk by chunk, Poisson, 4 to 6 stations", True, ("poisson",), 6),
    ):
        random = np.random.default_rng([given.seed, most, chunks, len(arrivals)])
        errors: dict[float, list[Array]] = {ratio: [] for ratio in LOADS}
        for number in range(given.lines):
            stations = int(random.integers(4 if chunks and most > 3 else 1, most + 1))
            times = random.uniform(0.3, 1.0, stations)
            times /= times.max()
            scvs = random.choice(SCVS, stations)
            ratio, arrive = LOADS[number % len(LOADS)], arrivals[number // len(LOADS) % len(arrivals)]
            right = tandem_responses(
                gamma_times(random, 1 / ratio, 1.0, given.records) if arrive == "poisson"
                else np.full(given.records, 1 / ratio) if arrive == "even"
                else bursty(random, ratio, given.records),
                [gamma_times(random, time, scv, given.records) for time, scv in zip(times, scvs, strict=True)],
                chunks=chunks,
            )[given.records // 10 :]  # fmt: skip
            found = predict_case(case(ratio, times.tolist(), scvs.tolist(), arrive, chunks=chunks))
            times_found = found.circuit.response_time
            assert times_found is not None, "the load is below saturation"
            values = [
                one.value or math.nan for one in (times_found.mean, times_found.p50, times_found.p95, times_found.p99)
            ]
            errors[ratio].append(np.array(values) / [right.mean(), *np.quantile(right, (0.5, 0.95, 0.99))] - 1)
        for ratio in LOADS:
            print(row(f"{kind}, load {ratio}", errors[ratio]), flush=True)


def bursty(random: np.random.Generator, rate: float, count: int) -> Array:
    """Return hyperexponential gaps of scv `BURSTS`, with balanced means."""
    chance = (1 + math.sqrt((BURSTS - 1) / (BURSTS + 1))) / 2
    often = random.random(count) < chance
    return np.asarray(random.exponential(1 / rate, count) / np.where(often, 2 * chance, 2 * (1 - chance)))


if __name__ == "__main__":
    main()
