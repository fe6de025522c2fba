"""An hour's worth of records through a circuit that is stopped, slowed down and killed at random: is anything lost?

python benchmarks/soak.py [--minutes 5] [--rate 2000] [--seed 1]

The hour (3600 s at --rate records/s) is run in segments, faster than real time, so that it takes --minutes. While a
segment runs, random processes of it are stopped and continued, made to read in fits and starts, and in every third
one killed: then the run must fail by name, leave no output, and the segment is run again. Each segment's output must
hold every record once. Descriptors, memory and processes of the runner are counted after every segment. Ends with
status 1 where anything is lost or doubled, or grows.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import machine

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.children import descendants
from streamsim.real.launch import Crew, launched
from streamsim.real.observation.assemble import station_traces
from streamsim.real.observation.observe import Observer
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario

SEGMENTS = 36
FAULTY = 3
"""In every so many segments a process is killed."""


class Count(NamedTuple):
    """What the runner holds between two segments."""

    descriptors: int
    resident_kib: int
    processes: int
    files: int


def circuit(first: int, last: int, rate: float, out: Path) -> Scenario:
    """Three readers of one paced source: two that share the records out and meet again, and one that counts."""
    return load(
        {
            "sources": {"numbers": {"command": f"seq {first} {last}", "rate": f"{rate} records/s"}},
            "stations": {
                "odd": {"operator": "filter", "where": "int(record) % 2 == 1", "input": "numbers"},
                "even": {"operator": "filter", "where": "int(record) % 2 == 0", "input": "numbers"},
                "same": {"operator": "map", "to": "record", "input": "even", "fuse": True},
                "join": {"operator": "interleave", "input": ["odd", "same"]},
                "shared": {"operator": "filter", "where": "True", "parallelism": 2, "merge": "ordered"},
                "tool": {"command": "cat"},
                "last": {"operator": "copy"},
                "count": {"command": "wc -l", "input": "numbers"},
            },
            "sinks": {"all": {"file": str(out / "all"), "input": "last"},
                      "count": {"file": str(out / "count"), "input": "count"}},
        }
    )  # fmt: skip


class Trouble(threading.Thread):
    """Does things to the processes of a crew until it is told to end; kills one after a while if ``deadly``."""

    def __init__(self, crew: Crew, chance: random.Random, segment_s: float, *, deadly: bool) -> None:
        super().__init__(daemon=True)
        self.pids = [child.pid for child in crew.children]
        self.chance, self.over = chance, threading.Event()
        self.kill_at = time.monotonic() + chance.uniform(0.1, 0.8) * segment_s if deadly else float("inf")
        self.stops = self.stutters = self.kills = 0

    def run(self) -> None:
        """Trouble one process at a time."""
        while not self.over.wait(self.chance.uniform(0.05, 0.8)):
            pid = self.chance.choice(self.pids)
            if time.monotonic() > self.kill_at:
                self.kill_at = float("inf")
                self.kills += self._send(pid, signal.SIGKILL)
            elif self.chance.random() < 0.6:
                self.stops += self._pause(pid, self.chance.uniform(0.02, 1.5))
            else:
                self.stutters += 1
                for _ in range(40):
                    self._pause(pid, self.chance.uniform(0.001, 0.02))
                    self.over.wait(0.003)

    def _pause(self, pid: int, length_s: float) -> bool:
        done = self._send(pid, signal.SIGSTOP)
        self.over.wait(length_s)
        self._send(pid, signal.SIGCONT)
        return done

    @staticmethod
    def _send(pid: int, number: int) -> bool:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False


def run_segment(scenario: Scenario, chance: random.Random, segment_s: float, *, deadly: bool) -> Trouble:
    """Run a segment under trouble, watched; raises RunError as the run does."""
    with launched(make_plan(scenario), Setting(visits=True)) as crew:
        observer = Observer(crew)
        trouble = Trouble(crew, chance, segment_s, deadly=deadly)
        trouble.start()
        try:
            supervise(crew, observer)
            stations, _ = station_traces(crew, observer)
            assert stations["numbers"].records_out == stations["join"].records_out == stations["last"].records_out
        finally:
            trouble.over.set()
            trouble.join()
            observer.close()
    return trouble


def lost_and_doubled(first: int, last: int, out: Path) -> tuple[int, int]:
    """Return how many records of a segment are missing from its output, and how many are there too often."""
    found = np.loadtxt(out / "all", dtype=np.int64, ndmin=1)
    counts = np.bincount(found - first, minlength=last - first + 1)
    assert len(counts) == last - first + 1, "a record that nobody sent"
    assert int((out / "count").read_text()) == last - first + 1
    return int((counts == 0).sum()), int((counts > 1).sum())


def held(temporary: Path) -> Count:
    """Count what the runner holds; memory that it has freed and the C library keeps is given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return Count(
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        resident_kib=resident,
        processes=len(descendants([os.getpid()])),
        files=len(list(temporary.iterdir())),
    )


def main() -> None:
    """Run the soak and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rate", type=int, default=2000, help="records/s of the hour that is run through")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    each = 3600 * arguments.rate // SEGMENTS
    segment_s = 60 * arguments.minutes / SEGMENTS
    print(
        f"{machine()}; {SEGMENTS * each} records in {SEGMENTS} segments of {segment_s:.1f} s, seed {arguments.seed}\n"
    )
    began, lost, doubled, reruns = time.monotonic(), 0, 0, 0
    stops = stutters = kills = 0
    counts: list[Count] = []
    with tempfile.TemporaryDirectory() as directory:
        out, temporary = Path(directory) / "out", Path(directory) / "tmp"
        out.mkdir()
        temporary.mkdir()
        tempfile.tempdir = str(temporary)
        for number in range(SEGMENTS):
            first, last = number * each + 1, (number + 1) * each
            scenario = circuit(first, last, each / segment_s, out)
            deadly = number % FAULTY == 0
            while True:
                for path in out.iterdir():
                    path.unlink()
                try:
                    trouble = run_segment(scenario, chance, segment_s, deadly=deadly)
                    break
                except RunError as error:
                    if "SIGKILL" not in str(error):
                        raise
                    assert not list(out.iterdir()), "a run that failed has left an output"
                    reruns, deadly, kills = reruns + 1, False, kills + 1
            stops, stutters = stops + trouble.stops, stutters + trouble.stutters
            missing, extra = lost_and_doubled(first, last, out)
            lost, doubled = lost + missing, doubled + extra
            counts.append(held(temporary))
            print(f"segment {number + 1}: {missing} lost, {extra} doubled, {counts[-1]}", flush=True)
        tempfile.tempdir = None
    elapsed = time.monotonic() - began
    third = SEGMENTS // 3
    memory = [
        statistics.median(one.resident_kib for one in counts[at : at + third]) / 1024 for at in (third, 2 * third)
    ]
    settled, end = counts[third], counts[-1]
    print(f"\n{SEGMENTS * each} records in {elapsed:.0f} s: {lost} lost, {doubled} doubled")
    print(f"faults: {stops} stops, {stutters} spells of fitful reading, {kills} kills, {reruns} reruns")
    print(f"after a third: {settled}\nat the end:    {end}")
    print(f"memory, median of the second and of the last third: {memory[0]:.1f} and {memory[1]:.1f} MiB")
    grown = end.descriptors > settled.descriptors or memory[1] > 1.03 * memory[0]
    sys.exit(1 if lost or doubled or grown or end.processes or end.files else 0)


if __name__ == "__main__":
    main()
