"""Runs to steer: a small circuit, started as a process of its own, and clients connected to its servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamsim.errors import ControlError
from streamsim.real.control import runs
from streamsim.real.control.reach import Server
from streamsim.real.control.runs import RunEntry

NUMBERS = """
name = "numbers"
[sources.make]
operator = "generate"
count = 30000
rate = "20000 records/s"
[stations.keep]
operator = "filter"
where = "int(record) % 7 == 0"
[stations.last]
command = "cat"
"""


@contextmanager
def running(
    directory: Path, text: str, *arguments: str, status: int = 0
) -> Iterator[tuple[subprocess.Popen[bytes], RunEntry]]:
    (directory / "numbers.toml").write_text(text)
    command = [sys.executable, "-m", "streamsim", "run", str(directory / "numbers.toml"), *arguments]
    environment = {**os.environ, "TMPDIR": str(directory)}
    with open(directory / "out", "wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while not runs.runs():
            assert time.monotonic() < until
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.005)
        yield process, runs.find("numbers")
        assert process.wait(30) == status, process.stderr and process.stderr.read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def connected(run: RunEntry, name: str) -> Server:
    until = time.monotonic() + 20
    while True:
        try:
            return Server(run, run.server(name))
        except ControlError:
            assert time.monotonic() < until
            time.sleep(0.005)
