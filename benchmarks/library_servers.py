"""How soon servers that are made of a library are ready and what they hold, alone or forked from a warm parent.

"Ready": it waits for its first record. "Of its own": what it shares with nobody (Private in /proc/PID/smaps_rollup).

python benchmarks/library_servers.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from common import asleep, machine

from streamsim.loading import load
from streamsim.real.launch import launched
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting

OPERATORS: dict[str, dict[str, Any]] = {
    "filter": {"where": "len(record) > 3"},
    "moments": {"format": {"name": "rows", "columns": ["f8"]}},
    "distinct": {},
    "quantiles": {},
}
"""The first is made of no library, the second of numpy, the others of DataSketches, which would import numpy."""

FORKED = 10
"""Servers that share a warm parent (real/warm.py); its own start is in the time of each."""


def started(operator: str, servers: int) -> tuple[float, float, float]:
    """Seconds until all servers are ready, for each; MiB that the last holds, and of its own."""
    stations = {
        f"s{number}": {"operator": operator, **OPERATORS[operator], "input": f"hold{number}"}
        for number in range(servers)
    }
    sources = {f"hold{number}": {"command": "sleep 60"} for number in range(servers)}
    plan = make_plan(load({"sources": sources, "stations": stations}))
    began = time.perf_counter()
    with launched(plan, Setting(collect=False)) as crew:
        ours = [child for child in crew.children if child.process.spec is not None]
        for child in ours:
            while not asleep(child.pid):
                assert child.status is None and not child.is_dead(), f"{operator} has ended"
                time.sleep(0.0005)
        elapsed = time.perf_counter() - began
        sizes = {}
        for line in Path(f"/proc/{ours[-1].pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, size = line.split()[:2]
            sizes[key] = int(size) / 1024
    return elapsed / servers, sizes["Rss:"], sizes["Private_Clean:"] + sizes["Private_Dirty:"]


def main() -> None:
    """Print medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"{machine()}; {rounds} rounds\n", flush=True)
    print("| operator | servers | ready after, each (ms; range) | holds (MiB) | of its own (MiB) |")
    print("| --- | --- | --- | --- | --- |")
    for operator in OPERATORS:
        for servers in (1, FORKED):
            found = [started(operator, servers) for _ in range(rounds)]
            times = sorted(1e3 * each for each, _, _ in found)
            how = "1, alone" if servers == 1 else f"{servers}, forked"
            print(
                f"| `{operator}` | {how} | {statistics.median(times):.0f} ({times[0]:.0f} to {times[-1]:.0f}) "
                f"| {max(size for _, size, _ in found):.1f} | {max(own for *_, own in found):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
