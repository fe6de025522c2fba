"""What the control channel costs: throughput with it and without, idle, asked and abused; how fast a server answers.

Alternated rounds of one circuit: without control, with it and nobody asking, with a client that asks 1000 times a
second. A run is only compared with those without control right before and after it. Prints medians and quartiles of
these ratios, in wall time (throughput) and in CPU time of the server for the same bytes, which a neighbour on the
machine disturbs less. With --abuse, a row for each of the abuses of tests/end_to_end/test_control_abuse.py.
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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from streamsim.errors import ControlError
from streamsim.loading import load
from streamsim.real.control.client import Client
from streamsim.real.control.runs import directory_of, find
from streamsim.real.launch import Setting, launched
from streamsim.real.place import pin_set
from streamsim.real.plan import make_plan
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario

_FILE_MEGABYTES = 100
"""What is longer is a file read several times."""


def scenario_of(operator: str, path: Path, times: int) -> Scenario:
    """Return a circuit of one operator between a file and nothing."""
    parameters: dict[str, Any] = {"filter": {"where": "len(record) > 3"}, "copy": {}, "sample": {"every": 2}}
    return load(
        {
            "name": f"control-{operator}",
            "sources": {"file": {"command": " ".join(["cat", *[str(path)] * times])}},
            "stations": {"server": {"operator": operator, **parameters[operator]}, "last": {"command": "cat"}},
            "sinks": {"nowhere": {}},
        }
    )


class Run(NamedTuple):
    """What one run took: wall time and CPU time of the server in the middle (s)."""

    wall_s: float
    cpu_s: float

    def over(self, one: Run, other: Run) -> Run:
        """Return throughput and CPU economy of this run, relative to the mean of two others."""
        return Run((one.wall_s + other.wall_s) / 2 / self.wall_s, (one.cpu_s + other.cpu_s) / 2 / self.cpu_s)


Visitor = Callable[[Path, threading.Event], None]
"""Somebody who does things to a socket until a run has ended."""


def once(scenario: Scenario, visitor: Visitor | None = None, *, control: bool = True) -> Run:
    """Run it once, with somebody at its socket or not."""
    plan = make_plan(scenario)
    setting = Setting(control=control, cpus=pin_set(os.cpu_count() or 1, strict=False))
    stop = threading.Event()
    began = time.perf_counter()
    with launched(plan, setting) as crew:
        visiting = threading.Thread(target=visit, args=(plan.name, visitor, stop))
        if visitor is not None:
            visiting.start()
        supervise(crew)
        took = time.perf_counter() - began
        cpu_s = next(child.cpu_s for child in crew.children if child.process.name == "server")
    stop.set()
    if visitor is not None:
        visiting.join()
    return Run(took, cpu_s)


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


def visit(name: str, visitor: Visitor, stop: threading.Event) -> None:
    """Find the server's socket and let the visitor in."""
    while not stop.is_set():
        try:
            run = find(name)
            path = directory_of(run) / str(run.server("server").socket)
            Client(path).close()
        except (ControlError, OSError):
            time.sleep(0.005)
            continue
        visitor(path, stop)
        return


def asking(rate: float, answers: list[float]) -> Visitor:
    """Return who asks so often a second, from a process of its own, and adds how long each answer took (s)."""

    def ask(path: Path, stop: threading.Event) -> None:
        done = subprocess.run([sys.executable, "-c", ASK, str(path), str(rate)], capture_output=True, text=True)
        answers.extend(float(word) for word in done.stdout.split())

    return ask


class Target(NamedTuple):
    """What the abuses know of a server."""

    socket: Path

    def client(self) -> Client:
        """Connect to it."""
        return Client(self.socket)


def abusing(abuse: Callable[[Any], None]) -> Visitor:
    """Return who abuses the socket again and again."""

    def visitor(path: Path, stop: threading.Event) -> None:
        while not stop.is_set():
            with suppress(OSError, ControlError, AssertionError):  # the server ends in the middle of it
                abuse(Target(path))

    return visitor


def quartiles(values: list[float]) -> str:
    """Return the median and quartiles, for people."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def compared(scenario: Scenario, rounds: int, visitors: list[tuple[str, Visitor | None]]) -> dict[str, list[Run]]:
    """Alternate runs without control and with each visitor; return what each had, relative to its neighbours."""
    found: dict[str, list[Run]] = {name: [] for name, _ in visitors}
    before = once(scenario, control=False)
    for _ in range(rounds):
        for name, visitor in visitors:
            run = once(scenario, visitor)
            after = once(scenario, control=False)
            found[name].append(run.over(before, after))
            before = after
    return found


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=100, help="of the slow operators; copy gets twenty times that")
    parser.add_argument("--operators", nargs="+", default=["copy", "filter", "sample"])
    parser.add_argument("--abuse", action="store_true", help="abuse the first of the operators instead")
    parser.add_argument("--visitors", nargs="+", help="some of what is compared, by name")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {given.rounds} rounds of {given.megabytes} MB; relative to runs without control")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lines"
        line = b"some words in a line of ordinary length\nand\n"
        times = max(1, given.megabytes // _FILE_MEGABYTES)
        path.write_bytes(line * (given.megabytes * 1_000_000 // times // len(line)))
        for operator in given.operators[:1] if given.abuse else given.operators:
            scenario = scenario_of(operator, path, times * (20 if operator == "copy" else 1))
            once(scenario, control=False)
            answers: list[float] = []
            visitors: list[tuple[str, Visitor | None]] = [("idle", None), ("1000/s", asking(1000.0, answers))]
            if given.abuse:
                sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
                from tests.end_to_end.test_control_abuse import ABUSES

                visitors = [(abuse.__name__, abusing(abuse)) for abuse in ABUSES]
            if given.visitors:
                visitors = [(name, visitor) for name, visitor in visitors if name in given.visitors]
            for name, runs in compared(scenario, given.rounds, visitors).items():
                wall, cpu = quartiles([run.wall_s for run in runs]), quartiles([run.cpu_s for run in runs])
                print(f"{operator:8} {name:22} throughput {wall}  bytes per CPU second {cpu}", flush=True)
            if answers:
                answers.sort()
                half, most = (answers[int(len(answers) * part)] * 1e3 for part in (0.5, 0.99))
                print(f"{operator:8} answers p50 {half:.2f} ms, p99 {most:.2f} ms ({len(answers)})", flush=True)


if __name__ == "__main__":
    main()
