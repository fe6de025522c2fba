"""How long a circuit of many servers takes to come up, and what they hold together: forked, and started one by one.

python benchmarks/servers.py [--rounds 9] [--servers 100]

Up means: a record that was written into the first server has come out of the last, through all of them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

from common import machine

from streamsim.loading import load
from streamsim.real import warm
from streamsim.real.launch import launched
from streamsim.real.plan import Plan, make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise

OPERATORS = [
    {"operator": "copy"},
    {"operator": "filter", "where": "len(record) > 3"},
    {"operator": "map", "to": "record"},
    {"operator": "sample", "every": 1},
]


def chain(servers: int) -> Plan:
    """A chain of so many servers, of four operators in turn."""
    return make_plan(load({"stations": {f"s{n}": OPERATORS[n % len(OPERATORS)] for n in range(servers)}}))


def bring_up(plan: Plan) -> tuple[float, float, float]:
    """Seconds until a record has come through; then MiB of memory (proportional set size) and core-seconds of all."""
    into, out = os.pipe(), os.pipe()
    began = time.perf_counter()
    with launched(plan, Setting(stdin=into[0], stdout=out[1])) as crew:
        os.close(into[0])
        os.close(out[1])
        os.write(into[1], b"a record of some length\n")
        os.read(out[0], 100)
        elapsed = time.perf_counter() - began
        held = sum(map(proportional_kib, (child.pid for child in crew.children))) / 1024
        os.close(into[1])
        supervise(crew)
        used = sum(child.cpu_s for child in crew.children)
    os.close(out[0])
    return elapsed, held, used


def proportional_kib(pid: int) -> int:
    """The KiB of a process, pages that it shares counted in parts (PSS, proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def main() -> None:
    """Print medians and ranges for both ways, alternated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, 2, 4, 100])
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.rounds} rounds, alternated; median (range)\n")
    print("| servers | how | up after (ms) | hold together (MiB) | core time of all (ms) |")
    print("| --- | --- | --- | --- | --- |")
    ways = {"forked": 1, "one by one": 1 << 30}
    for servers in arguments.servers:
        plan = chain(servers)
        found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, least in ways.items():
                warm.WARM_FROM = least
                found[way].append(bring_up(plan))
        for way, rows in found.items():
            up = sorted(1e3 * row[0] for row in rows)
            held, used = statistics.median(row[1] for row in rows), 1e3 * statistics.median(row[2] for row in rows)
            cells = f"{statistics.median(up):.0f} ({up[0]:.0f} to {up[-1]:.0f}) | {held:.0f} | {used:.0f}"
            print(f"| {servers} | {way} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
