"""Whether the bottleneck that theory names is the one that simulation finds, on random feed-forward circuits.

Each circuit is a random chain of stations and of splits into branches (copies, in turn, by key) that come together
again; demands, scatter, pipes, servers and cores are random. The simulation, record by record, gives the elasticity of
throughput to every station's demand, and to the cores, by finite differences with common random numbers. A circuit
counts where its two largest elasticities differ by more than 0.05: otherwise nobody can say which it is. A fifth of the
records is enough where one is far ahead; where two are near each other the mean of three whole simulations counts, so
that what scatters within one does not decide between stations that are nearly alike.

    python benchmarks/bottlenecks.py [--circuits 1000] [--first 0] [--records 50000] [--keep simulated.jsonl]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from common import machine

from streamsim.analysis.elasticity import elasticity, throughput
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.relief import candidates, relieved
from streamsim.expansion import servers_of
from streamsim.loading import load
from streamsim.models.records.compiling import Compiled, compile_table
from streamsim.models.records.runs import choose, open_run
from streamsim.models.records.table import Table
from streamsim.placement import HOST
from streamsim.scenario import Scenario

STEP = 0.05
CLEAR = 0.05
FAR = 0.35
"""A fifth of the records is enough where the largest elasticity is so far ahead."""
NEAR, AGAIN = 0.15, 2
"""Elasticities so near each other are simulated so many times more."""
RECORD = 2048
MANY = 64


def circuit(seed: int, records: int) -> Scenario:
    """Make one random circuit."""
    draw = random.Random(seed)
    stations: dict[str, dict[str, Any]] = {}
    service: dict[str, dict[str, Any]] = {"in": {"bytes": records * RECORD, "record_bytes": RECORD}}

    def add(inputs: list[str], share: float) -> str:
        """Add a station that gets this share of the records, from several where there are several inputs."""
        name = f"s{len(stations)}"
        servers = draw.choice([1, 1, 1, 2, 3]) if len(inputs) == 1 else 1
        operator = {"operator": "work", "service": "1 ms"} if len(inputs) == 1 else {"operator": "interleave"}
        partition = draw.choice(["round-robin", "least-loaded"])
        stations[name] = {
            **operator,
            "input": inputs if len(inputs) > 1 else inputs[0],
            "pipe": {"capacity": 4096 << draw.randint(0, 8)},
            **({"parallelism": servers, "partition": partition} if servers > 1 else {}),
        }
        service[name] = {
            "per_record": math.exp(draw.gauss(0, 0.5)) * 1e-3 * servers / share,
            "scv": draw.choice([0, 0.25, 0.5, 1.0, 1.0, 2.0]),
            "record_bytes": RECORD,
        }
        return name

    last = add(["in"], 1.0)
    for _ in range(draw.randint(1, 3)):
        kind = draw.choice(["line", "line", "copy", "round-robin", "key"])
        if kind == "line":
            last = add([last], 1.0)
            continue
        branches = draw.randint(2, 3)
        share = 1.0 if kind == "copy" else 1 / branches
        if kind != "copy":
            stations[last]["split"] = kind
        ends = [add([last], share) for _ in range(branches)]
        ends = [add([end], share) if draw.random() < 0.3 else end for end in ends]
        last = add(ends, share * branches)
    few = draw.random() < 0.3
    return load(
        {
            "name": f"random-{seed}",
            "sources": {"in": {"operator": "generate", "count": records, "kind": "fixed", "size": RECORD}},
            "stations": stations,
            "host": {"cores": draw.randint(1, max(1, len(stations) // 2)) if few else MANY},
            "service": _with_inserted(stations, service),
        }
    )


def _with_inserted(stations: dict[str, dict[str, Any]], service: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Declare that what shapes insert (splits, merges, copies) takes no time."""
    free = {"record_bytes": RECORD}
    readers: dict[str, int] = {}
    for station in stations.values():
        for name in station["input"] if isinstance(station["input"], list) else [station["input"]]:
            readers[name] = readers.get(name, 0) + 1
    inserted = {}
    for name, station in stations.items():
        if station.get("parallelism", 1) > 1:
            inserted |= {f"{name}.split": free, f"{name}.merge": free}
        if readers.get(name, 0) > 1:
            inserted |= {f"{name}.{'route' if 'split' in station else 'copy'}": free}
    return {**service, **inserted}


def truth_of(seed: int, records: int, names: tuple[str, ...]) -> dict[str, float]:
    """Return the elasticities by as many simulations as it takes to tell the two largest apart."""
    found = simulated(compile_table(circuit(seed, records // 5), None), names, seed)
    first, second = largest(found)
    if first - second > FAR:
        return found
    compiled = compile_table(circuit(seed, records), None)
    found = simulated(compiled, names, seed)
    first, second = largest(found)
    if first - second > NEAR:
        return found
    several = [found, *(simulated(compiled, names, seed + 10_000 * (turn + 1)) for turn in range(AGAIN))]
    return {name: statistics.fmean(one[name] for one in several) for name in found}


def largest(found: dict[str, float]) -> tuple[float, float]:
    """Return the two largest elasticities."""
    first, second, *_ = sorted([*found.values(), 0.0, 0.0], reverse=True)
    return first, second


def simulated(compiled: Compiled, names: tuple[str, ...], seed: int) -> dict[str, float]:
    """Return the elasticity of throughput to every station's demand, and to the cores, by one simulation."""
    engine, _ = choose(compiled.table)
    servers = servers_of(compiled.circuit)

    def scaled(name: str, factor: float) -> Table:
        table = compiled.table
        if name == HOST:
            profile = table.hosts[0].profile
            more = msgspec.structs.replace(profile, available_cores=profile.available_cores / factor)
            return dataclasses.replace(table, hosts=(dataclasses.replace(table.hosts[0], profile=more),))
        ours = servers[name]
        rows = tuple(
            dataclasses.replace(row, base_s=row.base_s * factor) if row.name in ours else row for row in table.stations
        )
        return dataclasses.replace(table, stations=rows)

    found = {}
    for name in names:
        if name == HOST and compiled.host.cores >= MANY:
            continue
        slower, faster = (_makespan(scaled(name, 1 + step), engine, seed) for step in (STEP, -STEP))
        found[name] = math.log(slower / faster) / math.log((1 + STEP) / (1 - STEP))
    return found


def _makespan(table: Table, engine: str, seed: int) -> float:
    run = open_run(table, engine, np.random.SeedSequence(seed))
    last = 0.0
    while len(left := run.advance(1 << 16)[1]):
        last = max(last, float(left.max()))
    return last


def predicted(case: Case) -> dict[str, float]:
    """Return the same elasticities by theory."""
    change: Callable[[str], Callable[[Case, float], Case]] = lambda name: lambda c, f: relieved(c, name, f)  # noqa: E731
    return {name: -(elasticity(case, change(name), throughput, step=STEP) or 0.0) for name in candidates(case)}


def main() -> None:
    """Print how often both name the same, and the circuits where they do not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circuits", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first circuit")
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--keep", type=Path, help="a file for what simulation says: read, and added to")
    given = parser.parse_args()
    kept = _read(given.keep, given.records)
    agreed = unclear = missed = 0
    spent = 0.0
    for seed in range(given.first, given.first + given.circuits):
        scenario = circuit(seed, given.records)
        case = case_of(scenario, None)
        began = time.process_time()
        theory = predicted(case)
        spent += time.process_time() - began
        if seed not in kept:
            kept[seed] = truth_of(seed, given.records, tuple(theory))
            _append(given.keep, given.records, seed, kept[seed])
        first, second = largest(kept[seed])
        if first - second <= CLEAR:
            unclear += 1
        elif max(kept[seed], key=kept[seed].__getitem__) == max(theory, key=theory.__getitem__):
            agreed += 1
        else:
            missed += 1
            print(f"  seed {seed}: simulation {_short(kept[seed])}; theory {_short(theory)}", flush=True)
    judged = agreed + missed
    print(f"{machine()}; {given.circuits} circuits from seed {given.first} on, {given.records} records each\n")
    print(f"the same bottleneck: {agreed} of {judged} ({agreed / max(judged, 1):.2%}); too close to call: {unclear}")
    print(f"theory took {1e3 * spent / given.circuits:.1f} core-ms a circuit")


def _read(file: Path | None, records: int) -> dict[int, dict[str, float]]:
    """Return what an earlier run kept of simulations of so many records, by seed."""
    if file is None or not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {line["seed"]: line["elasticities"] for line in lines if line["records"] == records}


def _append(file: Path | None, records: int, seed: int, found: dict[str, float]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"records": records, "seed": seed, "elasticities": found}) + "\n")


def _short(found: dict[str, float]) -> str:
    top = sorted(found.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {value:.2f}" for name, value in top)


if __name__ == "__main__":
    main()
