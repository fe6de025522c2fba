"""How fast the compiled kernel is: against our own SimPy interpreter, by stations, and by records.

python benchmarks/simulate_speed.py [--part ratio|stations|records|all] [--rounds 5] [--most 1e8] [--plot FILE]

The circuits are general ones, which no recursion answers: blocks of a drawn split over three stations, an unordered
merge, and a way back to the split, one after the other; with all stations on shared cores, and with a core each. What
is timed is CPU time in this process, set-up and random numbers included; both engines run the same circuit in turn, the
order reversed every other round.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import alternate, machine, median_ratio

from streamsim.models.records import layout as at
from streamsim.models.records.built import kernel_module
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.streams import Drawn, Variate
from streamsim.models.records.table import Host, Pipe, Source, Station, Table
from streamsim.service import HostProfile


def exponential(mean: float) -> Variate:
    """Exponential times."""
    return Drawn(lambda rng, count: mean * rng.standard_exponential(count))


def general(stations: int, records: int, *, shared: bool) -> Table:
    """A circuit of about so many stations, in blocks: split, three workers, and merge with a way back.

    Where there is no place for a block it is a line.
    """
    blocks = (stations - 2) // 5
    rows = [
        Station(name="source", base_s=0.0, source=Source(arrivals="gaps", stream=exponential(1.0), records=records))
    ]
    pipes: list[Pipe] = []
    before = 0
    for block in range(blocks):
        split, merge = len(rows), len(rows) + 4
        rows.append(
            Station(name=f"split{block}", service=exponential(0.05), split="drawn", weights=(1, 1, 1), pick="arrival")
        )
        rows += [Station(name=f"work{block}.{place}", service=exponential(0.3)) for place in range(3)]
        rows.append(
            Station(name=f"merge{block}", service=exponential(0.05), split="drawn", weights=(9, 1), pick="arrival")
        )
        pipes.append(Pipe(upstream=before, downstream=split, capacity=16))
        pipes += [Pipe(upstream=split, downstream=split + 1 + place, capacity=8) for place in range(3)]
        pipes += [Pipe(upstream=split + 1 + place, downstream=merge, capacity=8) for place in range(3)]
        before = merge
        if block:  # the way on comes before the way back, as the weights have it
            pipes.append(Pipe(upstream=merge - 5, downstream=split - 5))
    for place in range(1 if blocks else stations - 1):
        rows.append(Station(name=f"end{place}", service=exponential(0.05)))
        pipes.append(Pipe(upstream=before, downstream=len(rows) - 1, capacity=16))
        if blocks:
            pipes.append(Pipe(upstream=before, downstream=before - 4))
        before = len(rows) - 1
    if not shared:
        return check(Table(stations=tuple(rows), pipes=tuple(pipes)))
    cores = max(2, len(rows) // 3)
    host = Host(name="host", profile=HostProfile(cores=cores, available_cores=float(cores)))
    placed = tuple(replace(row, host=0) if row.source is None else row for row in rows)
    return check(Table(stations=placed, pipes=tuple(pipes), hosts=(host,)))


def kernel_s(table: Table, seed: int = 1) -> tuple[float, int]:
    """CPU seconds of a run of the kernel, its set-up included, and the departures."""
    began = time.process_time()
    one = Kernel(table, np.random.SeedSequence(seed), log="none")
    one.run()
    return time.process_time() - began, sum(one.cell(station, at.GIVEN) for station in one.stations)


def simpy_s(table: Table, seed: int = 1) -> tuple[float, int]:
    """CPU seconds of a run of the interpreter, its set-up included, and the departures."""
    began = time.process_time()
    one = Interpreter(table, np.random.SeedSequence(seed), log=False)
    one.run()
    return time.process_time() - began, sum(station.given for station in one.stations)


def against_simpy(rounds: int) -> None:
    """Print the ratio of CPU time for each departure, SimPy to kernel; the kernel runs 40 times as many records."""
    for stations, records in ((7, 4000), (100, 300)):
        for shared in (True, False):
            short, long = general(stations, records, shared=shared), general(stations, 40 * records, shared=shared)

            def each(run: object, table: Table) -> float:
                seconds, departures = run(table)  # type: ignore[operator]
                return seconds / departures

            times = alternate(
                rounds,
                {"simpy": lambda short=short: each(simpy_s, short), "kernel": lambda long=long: each(kernel_s, long)},
            )
            middle, low, high = median_ratio(times["simpy"], times["kernel"])
            print(
                f"{len(short.stations):4} stations, {'shared cores' if shared else 'a core each '}: "
                f"{middle:.0f} times SimPy (quartiles {low:.0f} to {high:.0f}); "
                f"{1e9 * statistics.median(times['kernel']):.0f} ns a departure"
            )


def by_stations() -> dict[bool, list[tuple[int, float]]]:
    """Print and return the cost of a departure (ns) for circuits of 2 to 1000 stations."""
    found: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
    for shared in (True, False):
        for stations in (2, 5, 10, 20, 50, 100, 200, 500, 1000):
            table = general(stations, max(500, 600_000 // stations), shared=shared)
            seconds, departures = min(kernel_s(table) for _ in range(2))
            found[shared].append((len(table.stations), 1e9 * seconds / departures))
            print(
                f"{len(table.stations):5} stations, {'shared' if shared else 'own   '}: {found[shared][-1][1]:.0f} ns"
            )
    return found


def by_records(most: float) -> list[tuple[int, float, float]]:
    """Print and return the cost of a departure (ns) and the memory (MiB) for 1e5 records and more."""
    found = []
    records = 100_000
    while records <= most:
        seconds, departures = kernel_s(general(2, records, shared=False))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found.append((records, 1e9 * seconds / departures, memory))
        print(
            f"{records:.0e} records: {departures:.3g} departures, {found[-1][1]:.0f} ns each, {memory:.0f} MiB at most"
        )
        records *= 10
    return found


def plot(stations: dict[bool, list[tuple[int, float]]], records: list[tuple[int, float, float]], file: Path) -> None:
    """Draw both costs."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for shared, points in stations.items():
        left.plot(*zip(*points, strict=True), "o-", label="shared cores" if shared else "a core each")
    left.set(xscale="log", ylim=0, xlabel="stations", ylabel="ns a departure", title="Cost by stations")
    left.legend()
    counts, costs, memory = zip(*records, strict=True)
    right.plot(counts, costs, "o-", label="ns a departure")
    right.plot(counts, memory, "s--", label="memory (MiB)")
    right.set(xscale="log", ylim=0, xlabel="records", title="Cost and memory by records")
    right.legend()
    figure.savefig(file)


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["ratio", "stations", "records", "all"], default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, default=1e8)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    print(f"{machine()}; kernel {'compiled' if kernel_module().COMPILED else 'not compiled'}\n")
    parts = {"ratio", "stations", "records"} if options.part == "all" else {options.part}
    records = by_records(options.most) if "records" in parts else []  # first: what the others need would hide a growth
    if "ratio" in parts:
        against_simpy(options.rounds)
    stations = by_stations() if "stations" in parts else {}
    if options.plot and stations and records:
        plot(stations, records, options.plot)


if __name__ == "__main__":
    main()
