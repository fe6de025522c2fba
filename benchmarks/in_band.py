"""Commands inside the data stream against the control channel: cost of a record, delay behind a full pipe, survival.

The in-band filter is the plainest one that can work: every record is looked at for a prefix that no data has. The
out-of-band filter is the same without that look, its commands come over its socket.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from streamsim.errors import ControlError
from streamsim.operators import create
from streamsim.operators.base import RecordOperator, Traits
from streamsim.real.control.appointments import pieces
from streamsim.real.control.client import Client
from streamsim.real.control.markers import Awaited, fresh
from streamsim.real.control.runs import control_paths
from streamsim.real.plan import WORKER

MARK = b"\x01set "
"""A record that begins so is a command: no text begins with the byte 1."""


class InBand(RecordOperator):
    """Keep records longer than a limit that records of the stream itself can change."""

    traits = Traits(state="bounded")

    def process(self, records: list[bytes]) -> list[bytes]:
        kept, limit = [], self.limit
        for record in records:
            if record.startswith(MARK):
                self.limit = limit = int(record[len(MARK) :])
                kept.append(record)  # whoever stands downstream may want it too
            elif len(record) > limit:
                kept.append(record)
        return kept

    limit = 3


class OutOfBand(RecordOperator):
    """The same, without looking for commands."""

    traits = Traits(state="bounded")

    def process(self, records: list[bytes]) -> list[bytes]:
        limit = self.limit
        return [record for record in records if len(record) > limit]

    limit = 3


def cost(kind: type[RecordOperator], blocks: list[bytes]) -> float:
    """Return the nanoseconds of CPU that a record costs."""
    operator = kind({}, create("copy").codec)
    before, records = time.process_time(), 0
    for block in blocks:
        operator.feed(block)
    records = operator.records_in
    return (time.process_time() - before) / records * 1e9


class Waiting:
    """What `pieces` needs of a server with a filter, for which `markers` are on their way."""

    def __init__(self, markers: int) -> None:
        self.appointments = [Awaited(fresh(), "above", (0,), (), None, {}) for _ in range(markers)]
        self.bytes_in = 0
        self.operator = OutOfBand({}, create("copy").codec)

    def cost(self, blocks: list[bytes]) -> float:
        """Return the nanoseconds of CPU that a record costs."""
        before = time.process_time()
        for block in blocks:
            self.bytes_in += len(block)
            if self.appointments:
                for piece in pieces(self, self, block, 0):
                    self.operator.feed(piece)
            else:
                self.operator.feed(block)
        return (time.process_time() - before) / self.operator.records_in * 1e9


def in_band_delay(records_a_second: float) -> float:
    """Return the seconds from writing a command into a full pipe until its reader comes to it.

    The pipe holds 64 KiB of records of 64 bytes, its reader takes so many of them a second.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    record = b"x" * 63 + b"\n"
    while True:
        try:
            os.write(write, record)
        except BlockingIOError:
            break
    began = time.perf_counter()
    command = MARK + b"5\n"
    sent = False
    due = began
    while True:
        data = os.read(read, 64)
        if MARK in data:
            break
        if not sent:
            try:
                sent = os.write(write, command) > 0
            except BlockingIOError:
                sent = False
        due += 1 / records_a_second
        time.sleep(max(0.0, due - time.perf_counter()))
    os.close(read)
    os.close(write)
    return time.perf_counter() - began


def channel_delay(rounds: int) -> list[float]:
    """Return the seconds that `set` takes on a server whose output is full and stays so."""
    with tempfile.TemporaryDirectory() as directory:
        spec = {
            "name": "server", "operator": "filter", "parameters": {"where": "len(record) > 3"},
            "control": control_paths(Path(directory), 0),
        }  # fmt: skip
        command = [sys.executable, "-S", "-E", "-P", WORKER, json.dumps(spec)]
        with subprocess.Popen(["yes", "some words"], stdout=subprocess.PIPE) as source:
            server = subprocess.Popen(command, stdin=source.stdout, stdout=subprocess.PIPE)
            try:
                client = connected(Path(directory) / "0.socket")
                client.call("set", {"where": "len(record) > 4"})  # loads the libraries
                while not client.call("metrics")["unwritten_bytes"]:
                    time.sleep(0.01)
                taken = []
                for number in range(rounds):
                    before = time.perf_counter()
                    client.call("set", {"where": f"len(record) > {number % 5}"})
                    taken.append(time.perf_counter() - before)
                return taken
            finally:
                server.kill()
                server.wait()
                source.kill()


def connected(path: Path) -> Client:
    """Connect as soon as the server is up."""
    until = time.monotonic() + 20
    while True:
        try:
            return Client(path)
        except ControlError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def survival() -> list[tuple[str, str]]:
    """Return what Unix tools do to three commands that stand in a stream of 3000 records."""
    records = [b"%s\n" % word for word in (b"delta", b"alpha", b"alpha", b"charlie", b"bravo") * 600]
    for place in (500, 1500, 2500):
        records.insert(place, MARK + b"7\n")
    found = []
    for command in (
        "sort",
        "sort -u",
        "grep alpha",
        "grep -v bravo",
        "uniq",
        "cut -c1-3",
        "tr a-z A-Z",
        "wc -l",
        "head -n 1000",
    ):
        out = subprocess.run(
            command, shell=True, input=b"".join(records), stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}
        ).stdout.splitlines()
        places = [place for place, line in enumerate(out) if line == MARK + b"7"]
        found.append((command, f"{len(places)} of 3 left, at {places}" if places else "none left"))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, medians (quartiles) of {given.rounds} rounds, alternated")
    blocks = [b"some words of a line\nand\nmore of them\n" * 1700] * 200
    costs: dict[str, list[float]] = {"in band": [], "out of band": []}
    for _ in range(given.rounds):
        costs["in band"].append(cost(InBand, blocks))
        costs["out of band"].append(cost(OutOfBand, blocks))
    for name, values in costs.items():
        print(f"cost of a record, {name}: {shown(values, lambda value: f'{value:.0f} ns')}")
    waiting: dict[int, list[float]] = {0: [], 1: [], 8: []}
    for _ in range(given.rounds):
        for markers, values in waiting.items():
            values.append(Waiting(markers).cost(blocks))
    for markers, values in waiting.items():
        print(f"cost of a record, {markers} markers awaited: {shown(values, lambda value: f'{value:.1f} ns')}")
    for rate in (1000.0, 10_000.0, 100_000.0):
        delays = [in_band_delay(rate) for _ in range(3)]
        print(f"delay behind a full pipe, in band, reader at {rate:,.0f} records/s: {statistics.median(delays):.3f} s")
    delays = channel_delay(1000)
    print(f"delay of the control channel, output full: {shown(delays, lambda value: f'{value * 1e3:.3f} ms')}")
    for command, what in survival():
        print(f"{command:14} {what}")


def shown(values: list[float], text: Callable[[float], str]) -> str:
    """Return the median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{text(middle)} ({text(low)} to {text(high)})"


if __name__ == "__main__":
    main()
