"""Tabulate how far every approximation is from exact or simulated values; writes docs/approximations.md.

    python benchmarks/approximations.py --output docs/approximations.md

Takes about ten minutes, nearly all of it the simulations of the hundred lines; --lines makes it shorter.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line_simulation import fork_join_response, line_throughput

from streamsim.analysis.queueing.amva import linearizer, schweitzer
from streamsim.analysis.queueing.bounds import asymptotic_bounds, balanced_job_bounds, geometric_bounds
from streamsim.analysis.queueing.fork_join import fork_join
from streamsim.analysis.queueing.gg1 import kingman, kraemer_langenbach_belz, marchal
from streamsim.analysis.queueing.ggc import allen_cunneen, whitt
from streamsim.analysis.queueing.lines import (
    finite_network,
    line,
    open_line,
    saturated_line,
    solve_line,
    solve_network,
)
from streamsim.analysis.queueing.lines.network_windows import solve_network_by_windows
from streamsim.analysis.queueing.lines.section import count_states
from streamsim.analysis.queueing.lines.windows import solve_by_windows
from streamsim.analysis.queueing.mapmap1 import ph_ph_1
from streamsim.analysis.queueing.mdc import mdc
from streamsim.analysis.queueing.mva import mva
from streamsim.analysis.queueing.qna import qna

ADDED = "\n## Bottlenecks"
"""What begins here is printed by other scripts, and kept."""

HEAD = """# How far the approximations are off

Written by `python benchmarks/approximations.py --output docs/approximations.md`; every number below is a relative
error, (approximate − right) / right, against a chain or a recursion that is exact, or against a simulation with its
standard error. "mean" is the mean of the absolute errors, "worst" the largest, with its sign. What stands under
"Bottlenecks" and "Percentiles of response times" is by the scripts that they name.
"""

Errors = dict[str, list[float]]


def rows(title: str, text: str, errors: Errors) -> str:
    """Return a section with one row an approximation."""
    lines = [f"\n## {title}\n\n{text}\n", "| method | cases | mean | worst |", "| --- | ---: | ---: | ---: |"]
    for name, values in errors.items():
        worst = max(values, key=abs)
        mean = math.fsum(map(abs, values)) / len(values)
        lines.append(f"| {name} | {len(values)} | {100 * mean:.2f} % | {100 * worst:+.2f} % |")
    return "\n".join(lines) + "\n"


def single_servers() -> Iterable[str]:
    """G/G/1 formulas against PH/PH/1, by how variable arrivals are."""
    formulas: dict[str, Callable[..., object]] = {
        "Kingman": kingman, "Krämer and Langenbach-Belz": kraemer_langenbach_belz, "Marchal": marchal,
    }  # fmt: skip
    for label, arrival_scvs in (("even arrivals, c²a < 1", (0.25, 0.5)), ("bursty arrivals, c²a > 1", (2.0, 4.0))):
        errors: Errors = {name: [] for name in formulas}
        for ratio, ca2, cs2 in itertools.product((0.5, 0.7, 0.8, 0.9, 0.95), arrival_scvs, (0.25, 0.5, 1.0, 2.0, 4.0)):
            exact = ph_ph_1(ratio, 1.0, ca2, cs2).wait
            for name, formula in formulas.items():
                errors[name].append(formula(ratio, 1.0, ca2, cs2).wait / exact - 1)  # type: ignore[attr-defined]
        text = (
            "Wait of G/G/1 against PH/PH/1 at ρ = 0.5 to 0.95 and service scv 0.25 to 4 (Poisson arrivals are exact)."
        )
        yield rows(f"One server, {label}", text, errors)


def several_servers() -> Iterable[str]:
    """G/G/c formulas against exact chains: PH/PH/c, and M/D/c."""
    errors: Errors = {}
    for servers, ratio in itertools.product((2, 4, 8), (0.5, 0.7, 0.9)):
        rate = servers * ratio
        cases = [(1.0, 0.0, mdc(rate, 1.0, servers).wait)]
        for ca2, cs2 in itertools.product((0.5, 1.0, 4.0), (0.5, 1.0, 4.0)):
            if (ca2, cs2) != (1.0, 1.0):
                exact = open_line(rate, [1.0], [], arrival_scv=ca2, service_scvs=[cs2], servers=[servers])
                assert exact.response_time is not None
                cases.append((ca2, cs2, exact.response_time - 1))
        for ca2, cs2, wait in cases:
            for name, formula in (("Allen and Cunneen", allen_cunneen), ("Whitt 1993", whitt)):
                for kind in ("all", "ρ = 0.9" if ratio == 0.9 else None):
                    if kind:
                        found = formula(rate, 1.0, servers, ca2, cs2).wait
                        assert found is not None
                        errors.setdefault(f"{name}, {kind}", []).append(found / wait - 1)
    yield rows("Several servers", "Wait against PH/PH/c and M/D/c, c = 2, 4, 8, ρ = 0.5, 0.7, 0.9, scv 0.5 to 4.",
               errors)  # fmt: skip


def tandems() -> Iterable[str]:
    """QNA against the exact chain of two stations, the pipe between them long enough to never matter."""
    errors: Errors = {}
    for ratios, ca2, first, second in itertools.product(((0.75, 0.5), (0.5, 0.75)), (0.5, 2.0), (0.5, 2.0), (0.5, 2.0)):
        exact = open_line(1.0, ratios, [36], arrival_scv=ca2, service_scvs=[first, second])
        found = qna([1.0, 0.0], [[0, 1], [0, 0]], ratios, arrival_scvs=[ca2, 1.0], service_scvs=[first, second])
        assert exact.response_time is not None and found.response_time is not None
        errors.setdefault("QNA", []).append(found.response_time / exact.response_time - 1)
    yield rows("Open networks", "Response time of two stations in a row against their chain, ρ 0.75, 0.5, scv 0.5, 2.",
               errors)  # fmt: skip


def closed_networks(random: np.random.Generator) -> Iterable[str]:
    """Schweitzer, linearizer and bounds against exact MVA on random networks."""
    errors: Errors = {"Schweitzer": [], "linearizer": []}
    bounds: Errors = {}
    for _ in range(200):
        classes, stations = int(random.integers(1, 3)), int(random.integers(2, 6))
        populations = [int(random.integers(1, 9)) for _ in range(classes)]
        demands = random.uniform(0.1, 2.0, (classes, stations)).tolist()
        think = [float(random.choice([0.0, 5.0])) for _ in range(classes)]
        exact = mva(populations, demands, think_times=think).throughputs
        for name, solve in (("Schweitzer", schweitzer), ("linearizer", linearizer)):
            found = solve(populations, demands, think_times=think).throughputs
            errors[name] += [one / other - 1 for one, other in zip(found, exact, strict=True)]
        if classes == 1:
            for bound in (asymptotic_bounds, balanced_job_bounds, geometric_bounds):
                answer = bound(populations[0], demands[0], think[0])
                for side, value in (("low", answer.lowest_throughput), ("high", answer.highest_throughput)):
                    bounds.setdefault(f"{answer.method}, {side}", []).append(value / exact[0] - 1)
    yield rows("Closed networks", "Throughput of each class of 200 random networks; exact MVA is right.",
               errors)  # fmt: skip
    yield rows(
        "Bounds on closed networks", "How far each bound on throughput is from it, networks with one class.", bounds
    )


def fork_joins() -> Iterable[str]:
    """Nelson and Tantawi against simulation."""
    lines = [
        "\n## Fork and join\n",
        "Response time by Nelson and Tantawi against a simulation of 2 million records (± standard error).\n",
        "| branches | ρ | simulated | formula | error |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for branches, ratio in itertools.product((3, 4, 8, 16, 32), (0.3, 0.6, 0.9)):
        right, spread = fork_join_response(ratio, branches, seed=branches, replications=400, records=5000)
        found = fork_join(ratio, 1.0, branches).response_time
        assert found is not None
        lines.append(
            f"| {branches} | {ratio} | {right:.3f} ± {spread:.3f} | {found:.3f} | {100 * (found / right - 1):+.1f} % |"
        )
    yield "\n".join(lines) + "\n"


def windows_against_chains(random: np.random.Generator) -> Iterable[str]:
    """Windows of one, two and three pipes against the exact chain of the whole line."""
    errors: Errors = {}
    loads: Errors = {}
    for number in range(60):
        stations = int(random.integers(4, 8))
        times = random.uniform(0.5, 1.5, stations).tolist()
        places = [int(count) for count in random.integers(0, 5, stations - 1)]
        scvs = None if number % 2 else random.choice([0.5, 1.0, 3.0], stations).tolist()
        question = line(times, places, service_scvs=scvs)
        if count_states(question, 0, stations - 1) > 30_000:
            continue
        exact = solve_line(question, method="exact").throughput
        for width in range(1, min(3, stations - 2) + 1):
            kind = "exponential" if scvs is None else "scv 0.5 to 3"
            found = solve_by_windows(question, width).throughput
            errors.setdefault(f"windows of {width}, {kind}", []).append(found / exact - 1)
        if scvs is None and count_states(question, 0, stations - 1) < 300:
            for share in (0.5, 0.7, 0.9):
                right = open_line(share * exact, times, places, method="exact").response_time
                answer = open_line(share * exact, times, places, method="windows")
                if answer.exact or answer.response_time is None or right is None:
                    continue
                loads.setdefault(f"windows, {share:.0%} of capacity", []).append(answer.response_time / right - 1)
    yield rows("Saturated lines: windows against the whole chain",
               "Throughput of random lines of 4 to 7 stations with 0 to 4 waiting places.", errors)  # fmt: skip
    if loads:
        yield rows(
            "Open lines: windows against the whole chain",
            "Response time of those lines, exponential, whose levels have less than 600 states.",
            loads,
        )


def networks_against_chains(random: np.random.Generator) -> Iterable[str]:
    """Windows against the exact chain on splits and merges: a source, two or three branches, a merge, a tail."""
    errors: Errors = {}
    for number in range(40):
        branches = 2 + number % 2
        count = branches + 3
        chances = random.dirichlet(np.full(branches, 5.0)).tolist()
        routing = [[0.0] * count for _ in range(count)]
        for branch, chance in enumerate(chances, 1):
            routing[0][branch], routing[branch][branches + 1] = chance, 1.0
        routing[branches + 1][branches + 2] = 1.0
        times = [1.0, *(random.uniform(0.7, 1.4) / chance for chance in chances), *random.uniform(0.7, 1.2, 2).tolist()]
        places = [1, *(int(value) for value in random.integers(1, 5 if branches == 2 else 3, count - 1))]
        shape = [1.0] * count if number % 4 < 2 else random.choice([0.5, 1.0, 3.0], count).tolist()
        network = finite_network(times, places, routing, saturated=[0], service_scvs=shape)
        exact = solve_network(network)
        found = solve_network_by_windows(network, wide_states=250)
        errors.setdefault(f"{branches} branches", []).append(found.throughput / exact.throughput - 1)
        worst = max(abs(a.blocked - b.blocked) for a, b in zip(found.stations, exact.stations, strict=True))
        errors.setdefault("time share blocked, any station (absolute)", []).append(worst)
    yield rows("Splits and merges: windows against the whole chain",
               "Throughput of a source, branches, a merge and a tail; windows below 250 states.", errors)  # fmt: skip


def long_lines(random: np.random.Generator, count: int) -> Iterable[str]:
    """The decomposition against simulation on lines whose chain is too large."""
    errors: list[float] = []
    noise: list[float] = []
    by_stations: dict[int, list[float]] = {}
    while len(errors) < count:
        stations = 3 + len(errors) % 8
        times = np.exp(random.uniform(-math.log(2), math.log(2), stations) / 2).tolist()
        longest = 2.5 * 100_000 ** (1 / (stations - 1))
        places = [int(value) for value in random.uniform(0, longest, stations - 1)]
        if count_states(line(times, places), 0, stations - 1) <= 100_000:
            continue
        answer = saturated_line(times, places)
        right, spread = line_throughput(times, places, seed=len(errors), replications=500, records=8000)
        errors.append(answer.throughput / right - 1)
        noise.append(spread / right)
        by_stations.setdefault(stations, []).append(errors[-1])
        print(f"{len(errors):4} {answer.method:20} {stations} stations {100 * errors[-1]:+.3f} %", flush=True)
    text = (
        f"{count} random exponential lines of 3 to 10 stations whose chain has more than 100,000 states: service times "
        "between 0.7 and 1.4, waiting places from 0 to as many as it takes, against 4 million simulated records each "
        f"(standard error {100 * math.fsum(noise) / len(noise):.3f} % on average)."
    )
    table: Errors = {"all": errors} | {f"{n} stations": by_stations[n] for n in sorted(by_stations)}
    yield rows("Saturated lines above the exact limit, against simulation", text, table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="the page to write")
    parser.add_argument("--lines", type=int, default=100, help="how many long lines are simulated")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    sections = itertools.chain(
        single_servers(), several_servers(), tandems(), closed_networks(random), fork_joins(),
        windows_against_chains(random), networks_against_chains(random),
        long_lines(np.random.default_rng(options.seed + 1), options.lines),
    )  # fmt: skip
    page = HEAD
    before = options.output.read_text(encoding="utf-8") if options.output and options.output.is_file() else ""
    kept = before[before.index(ADDED) :] if ADDED in before else ""
    for section in sections:
        print(section, flush=True)
        page += section
        if options.output:
            options.output.write_text(page + kept, encoding="utf-8")


if __name__ == "__main__":
    main()
