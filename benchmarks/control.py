"""What the control channel costs: throughput with it and without, idle, asked and abused; how fast a server answers.

Idle: whole runs in turn, with a control channel and without. A run is only compared with those right before and after.

Asked 1000 times a second, or abused (--abuse: each of the abuses of tests/end_to_end/test_control_abuse.py): within a
run the visitor is at work and silent in turn, and the server's page says how many bytes it took in each of these
windows. A window is only compared with the silent ones right before and after, so that what a neighbour on the machine
does, and what only starting takes, fall out. The first window of a run is left out: it loads libraries.

Prints medians and quartiles of these ratios, in wall time (throughput) and in CPU time of the server.
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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from streamsim.errors import ControlError
from streamsim.loading import load
from streamsim.real.control.client import Client
from streamsim.real.control.page import ENDED, Reader
from streamsim.real.control.runs import directory_of, find
from streamsim.real.launch import launched
from streamsim.real.place import pin_set
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario

_ASK_S, _ABUSE_S = 0.06, 0.4
"""How long a window is."""
_CALM_S = 0.015
"""How long a server needs to notice that nobody asks any more (attention.py)."""
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


Visitor = Callable[[str, threading.Event], None]
"""Somebody who does things to the server of a run, by name, until it has ended."""


def once(scenario: Scenario, visitor: Visitor | None = None, *, control: bool = True) -> Run:
    """Run it once, with somebody at its socket or not."""
    plan = make_plan(scenario)
    setting = Setting(control=control, cpus=pin_set(os.cpu_count() or 1, strict=False))
    stop = threading.Event()
    began = time.perf_counter()
    with launched(plan, setting) as crew:
        visiting = threading.Thread(target=visitor or _nobody, args=(plan.name, stop))
        if visitor is not None:
            visiting.start()
        supervise(crew)
        took = time.perf_counter() - began
        cpu_s = next(child.cpu_s for child in crew.children if child.process.name == "server")
    stop.set()
    if visitor is not None:
        visiting.join()
    return Run(took, cpu_s)


def _nobody(name: str, stop: threading.Event) -> None:
    pass


ASK = """
import sys, time
from streamsim.real.control.client import Client
path, rate, window_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
now = time.perf_counter
with Client(path) as client:
    for line in sys.stdin:
        taken, due = [], now()
        end = due + window_s
        while now() < end:
            before = now()
            client.call("metrics")
            taken.append(now() - before)
            due += 1 / rate
            time.sleep(max(0.0, due - now()))
        print(*taken, flush=True)
"""


class Window(NamedTuple):
    """How fast the server was meanwhile: bytes per second, bytes per second of its CPU time."""

    wall: float
    cpu: float

    def over(self, one: Window, other: Window) -> Window:
        """Return both relative to the mean of two others."""
        return Window(2 * self.wall / (one.wall + other.wall), 2 * self.cpu / (one.cpu + other.cpu))


class Edge(NamedTuple):
    """What a server had done at some moment."""

    taken_bytes: int
    time_ns: int
    cpu_ns: int

    def until(self, other: Edge) -> Window:
        """Return how fast it was from here to there."""
        moved = other.taken_bytes - self.taken_bytes
        return Window(moved / (other.time_ns - self.time_ns), moved / max(1, other.cpu_ns - self.cpu_ns))


class Watched:
    """A server that is looked at from outside, in its page and in /proc: that costs it nothing."""

    def __init__(self, name: str) -> None:
        run = find(name)
        server = run.server("server")
        self.socket = directory_of(run) / str(server.socket)
        self._reader = Reader(str(directory_of(run) / str(server.page)))
        Client(self.socket).close()
        self._pid = server.pid

    def edge(self) -> Edge:
        """Return what it has done; OSError where it has ended."""
        counters = self._reader.read()
        if counters["state"] == ENDED:
            raise ProcessLookupError(self._pid)
        cpu_ns = int(Path(f"/proc/{self._pid}/schedstat").read_text().split()[0])
        return Edge(counters["bytes_in"], counters["time_ns"], cpu_ns)

    def client(self) -> Client:
        """Connect to it."""
        return Client(self.socket)


def watched(name: str, stop: threading.Event) -> Watched | None:
    """Return the server of a run as soon as it answers."""
    while not stop.is_set():
        try:
            return Watched(name)
        except (ControlError, OSError):
            time.sleep(0.005)
    return None


Work = Callable[[Watched], None]
"""What a visitor does in a window."""


class Visits:
    """What was found in the windows of all runs: of each window in which the visitor was at work, its speeds."""

    def __init__(self, work: Callable[[Watched], AbstractContextManager[Work]], window_s: float) -> None:
        self._work, self._window_s = work, window_s
        self.found: list[Window] = []

    def __call__(self, name: str, stop: threading.Event) -> None:
        """Be at work and silent in turn until the run has ended."""
        server = watched(name, stop)
        if server is None:
            return
        with suppress(OSError, ControlError), self._work(server) as work:
            work(server)  # the first time, see above
            before = self._silence(server)
            while True:
                begin = server.edge()
                work(server)
                at_work = begin.until(server.edge())
                after = self._silence(server)
                self.found.append(at_work.over(before, after))
                before = after

    def _silence(self, server: Watched) -> Window:
        time.sleep(_CALM_S)
        begin = server.edge()
        time.sleep(self._window_s)
        return begin.until(server.edge())


def asking(rate: float, window_s: float, answers: list[float]) -> Callable[[Watched], AbstractContextManager[Work]]:
    """Return who asks so often a second, from a process of its own, and adds how long each answer took (s)."""

    @contextmanager
    def ask(server: Watched) -> Iterator[Work]:
        command = [sys.executable, "-c", ASK, str(server.socket), str(rate), str(window_s)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as asker:
            assert asker.stdin and asker.stdout
            to, answered = asker.stdin, asker.stdout

            def work(_: Watched) -> None:
                to.write("go\n")
                to.flush()
                answers.extend(float(word) for word in answered.readline().split())

            try:
                yield work
            finally:
                with suppress(BrokenPipeError):
                    to.close()

    return ask


def abusing(abuse: Callable[[Any], None], window_s: float) -> Callable[[Watched], AbstractContextManager[Work]]:
    """Return who abuses the socket again and again, for so long at least."""

    def work(server: Watched) -> None:
        until = time.perf_counter() + window_s
        while time.perf_counter() < until:
            server.edge()  # it has not ended
            with suppress(OSError, ControlError, AssertionError):  # the server ends in the middle of it
                abuse(SimpleNamespace(socket=server.socket, client=server.client))

    return lambda server: nullcontext(work)


def quartiles(values: list[float]) -> str:
    """Return the median and quartiles, for people."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def idle(scenario: Scenario, rounds: int) -> list[Run]:
    """Alternate runs without control and with it; return the latter, relative to their neighbours."""
    found = []
    before = once(scenario, control=False)
    for _ in range(rounds):
        run = once(scenario)
        after = once(scenario, control=False)
        found.append(run.over(before, after))
        before = after
    return found


def say(operator: str, name: str, wall: list[float], cpu: list[float]) -> None:
    """Print a row."""
    words = f"throughput {quartiles(wall)}  bytes per CPU second {quartiles(cpu)}  ({len(wall)})"
    print(f"{operator:8} {name:15} {words}", flush=True)


def visited(scenario: Scenario, rounds: int, operator: str, name: str, visits: Visits) -> None:
    """Print the row of a visitor."""
    for _ in range(rounds):
        once(scenario, visits)
    if len(visits.found) < 2:
        print(f"{operator:8} {name:15} the runs are too short for two windows: give more --megabytes", flush=True)
        return
    say(operator, name, [window.wall for window in visits.found], [window.cpu for window in visits.found])


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=100, help="of the slow operators; copy gets twenty times that")
    parser.add_argument("--operators", nargs="+", default=["copy", "filter", "sample"])
    parser.add_argument("--abuse", action="store_true", help="abuse the first of the operators instead")
    parser.add_argument("--visitors", nargs="+", help="some of what is compared, by name")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, {given.rounds} rounds of {given.megabytes} MB", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lines"
        line = b"some words in a line of ordinary length\nand\n"
        times = max(1, given.megabytes // _FILE_MEGABYTES)
        path.write_bytes(line * (given.megabytes * 1_000_000 // times // len(line)))
        for operator in given.operators[:1] if given.abuse else given.operators:
            scenario = scenario_of(operator, path, times * (20 if operator == "copy" else 1))
            once(scenario, control=False)
            if given.abuse:
                sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
                from tests.end_to_end.test_control_abuse import ABUSES

                for abuse in ABUSES:
                    if abuse.__name__ in (given.visitors or [abuse.__name__]):
                        visits = Visits(abusing(abuse, _ABUSE_S), _ABUSE_S)
                        visited(scenario, given.rounds, operator, abuse.__name__, visits)
                continue
            if "idle" in (given.visitors or ["idle"]):
                runs = idle(scenario, given.rounds)
                say(operator, "idle", [run.wall_s for run in runs], [run.cpu_s for run in runs])
            if "1000/s" in (given.visitors or ["1000/s"]):
                answers: list[float] = []
                visited(scenario, given.rounds, operator, "1000/s", Visits(asking(1000.0, _ASK_S, answers), _ASK_S))
                if answers:
                    answers.sort()
                    half, most = (answers[int(len(answers) * part)] * 1e3 for part in (0.5, 0.99))
                    print(f"{operator:8} answers p50 {half:.2f} ms, p99 {most:.2f} ms ({len(answers)})", flush=True)


if __name__ == "__main__":
    main()
