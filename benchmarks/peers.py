"""How much faster the max-plus recursions are than SimPy and cimba, random numbers included, and whether they agree.

Each pair runs in turn, ours and the peer's, in processes of their own; what is compared is CPU time for
each record and station. Imports and just-in-time compilation do not count. cimba is left out where it is not installed.

    python benchmarks/peers.py [--pairs 5] [--python PYTHON_THAT_HAS_THE_PEERS]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import machine, median_ratio

PEERS = Path(__file__).resolve().parent / "peers"
KNOWN = {"mm1": 5.0, "tandem": 15.92287, "mm4": 1.74554059}
"""Mean response times: closed form, QBD with 168 phases, Erlang C."""
STATIONS = {"mm1": 1, "tandem": 3, "mm4": 1}
RECORDS = {"ours": 4_000_000, "ours with all": 4_000_000, "simpy_store": 60_000, "cimba_store": 1_000_000}


def seconds_each(who: str, model: str, seed: int, python: str) -> tuple[float, float]:
    """CPU seconds for each record and station, and the mean response time."""
    script = "ours" if who.startswith("ours") else who
    records = RECORDS[who] // STATIONS[model]
    environment = os.environ | {"STREAMSIM_ALL": "1" if who == "ours with all" else "0"}
    interpreter = sys.executable if script == "ours" else python
    done = subprocess.run(
        [interpreter, str(PEERS / f"{script}.py"), model, str(records), str(seed)],
        capture_output=True, text=True, check=True, env=environment, cwd=PEERS,
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["cpu_s"] / records / STATIONS[model], answer["mean_s"]


def draw_ns() -> float:
    """CPU time (ns) of an exponential number of NumPy, the most of what a recursion takes: how fast the machine is."""
    rng, numbers = np.random.default_rng(1), np.empty(4096)
    began = time.process_time()
    for _ in range(500):
        rng.standard_exponential(out=numbers)
    return (time.process_time() - began) / 500 / len(numbers) * 1e9


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has simpy and cimba")
    chosen = parser.parse_args()
    peers = ["simpy_store"]
    has_cimba = subprocess.run([chosen.python, "-c", "import cimba"], capture_output=True).returncode == 0
    if has_cimba:
        peers.append("cimba_store")
    print(f"{machine()}; medians of {chosen.pairs} pairs, quartiles in brackets\n")
    heads = [f"× {peer}" for peer in peers]
    print(
        "| model | ours (ns a record and station) | with all answers (ns) | "
        + " | ".join(heads)
        + " | mean: ours, known |"
    )
    print("| --- |" + " ---: |" * (3 + len(peers)))
    draws: list[float] = []
    for model in KNOWN:
        ours: list[float] = []
        whole: list[float] = []
        means: list[float] = []
        theirs: dict[str, list[float]] = {peer: [] for peer in peers}
        for seed in range(1, chosen.pairs + 1):
            draws.append(draw_ns())
            took, mean = seconds_each("ours", model, seed, chosen.python)
            ours.append(took)
            means.append(mean)
            for peer in peers:
                theirs[peer].append(seconds_each(peer, model, seed, chosen.python)[0])
            whole.append(seconds_each("ours with all", model, seed, chosen.python)[0])
        cells = []
        for peer in peers:
            middle, low, high = median_ratio(theirs[peer], ours)
            cells.append(f"{middle:.0f} ({low:.0f} to {high:.0f})")
        print(
            f"| {model} | {statistics.median(ours) * 1e9:.1f} | {statistics.median(whole) * 1e9:.1f} | "
            + " | ".join(cells)
            + f" | {statistics.mean(means):.3f}, {KNOWN[model]:.3f} |",
            flush=True,
        )
    print(
        f"\nNumPy drew an exponential number in {statistics.median(draws):.2f} ns "
        f"({min(draws):.2f} to {max(draws):.2f}); a record takes two, and four in the tandem"
    )
    if not has_cimba:
        print("\ncimba is not installed there (pip install cimba): left out.")


if __name__ == "__main__":
    main()
