"""What the control channel costs: throughput with it and without, idle and asked; and how fast a busy server answers.

Alternated rounds of one circuit in one session: without control, with it and nobody asking, with a client that asks
1000 times a second. Prints medians and quartiles of the ratios to the run without control beside it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from streamsim.errors import ControlError
from streamsim.loading import load
from streamsim.real.control.client import Client
from streamsim.real.control.runs import directory_of, find
from streamsim.real.launch import Setting, launched
from streamsim.real.place import pin_set
from streamsim.real.plan import make_plan
from streamsim.real.supervise import supervise


def scenario_of(operator: str, path: Path, times: int) -> object:
    """Return a circuit of one operator between a file and nothing."""
    parameters = {"filter": {"where": "len(record) > 3"}, "copy": {}, "sample": {"every": 2}}[operator]
    return load(
        {
            "name": f"control-{operator}",
            "sources": {"file": {"command": " ".join(["cat", *[str(path)] * times])}},
            "stations": {"server": {"operator": operator, **parameters}, "last": {"command": "cat"}},
            "sinks": {"nowhere": {}},
        }
    )


def once(scenario: object, *, control: bool, rate: float = 0.0, answers: list[float] | None = None) -> float:
    """Run it once and return the seconds that it took."""
    plan = make_plan(scenario)  # type: ignore[arg-type]
    setting = Setting(control=control, cpus=pin_set(os.cpu_count() or 1, strict=False))
    stop = threading.Event()
    asking = threading.Thread(target=ask, args=(plan.name, rate, stop, answers))
    began = time.perf_counter()
    with launched(plan, setting) as crew:
        if rate:
            asking.start()
        supervise(crew)
    took = time.perf_counter() - began
    stop.set()
    if rate:
        asking.join()
    return took


ASK = """
import sys, time
from streamsim.real.control.client import Client
path, rate = sys.argv[1], float(sys.argv[2])
taken = []
try:
    with Client(path) as client:
        client.call("metrics")
        due = time.perf_counter()
        while True:
            before = time.perf_counter()
            client.call("metrics")
            taken.append(time.perf_counter() - before)
            due += 1 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
except Exception:  # the server has ended, as every run does: what was timed until then counts
    pass
print(*taken)
"""


def ask(name: str, rate: float, stop: threading.Event, answers: list[float] | None) -> None:
    """Ask the server in the middle, from a process of its own, until it ends."""
    while not stop.is_set():
        try:
            run = find(name)
            path = directory_of(run) / str(run.server("server").socket)
            Client(path).close()
        except (ControlError, OSError):
            time.sleep(0.005)
            continue
        done = subprocess.run([sys.executable, "-c", ASK, str(path), str(rate)], capture_output=True, text=True)
        if answers is not None:
            answers += [float(word) for word in done.stdout.split()]
        return


def quartiles(values: list[float]) -> str:
    """Return the median and quartiles, for people."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=200, help="of the slow operators; copy gets ten times as much")
    parser.add_argument("--operators", nargs="+", default=["copy", "filter", "sample"])
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {given.rounds} rounds of {given.megabytes} MB; throughput / without control")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lines"
        line = b"some words in a line of ordinary length\nand\n"
        path.write_bytes(line * (given.megabytes * 1_000_000 // len(line)))
        for operator in given.operators:
            scenario = scenario_of(operator, path, 10 if operator == "copy" else 1)
            idle, asked, answers = [], [], []  # type: list[float], list[float], list[float]
            once(scenario, control=False)
            for _ in range(given.rounds):
                without = once(scenario, control=False)
                idle.append(without / once(scenario, control=True))
                without = once(scenario, control=False)
                asked.append(without / once(scenario, control=True, rate=1000.0, answers=answers))
            answers.sort()
            half, most = (answers[int(len(answers) * part)] * 1e3 for part in (0.5, 0.99))
            print(
                f"{operator:8} idle {quartiles(idle)}  1000/s {quartiles(asked)}  "
                f"answers p50 {half:.2f} ms, p99 {most:.2f} ms ({len(answers)})",
                flush=True,
            )


if __name__ == "__main__":
    main()
