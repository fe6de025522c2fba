"""Runs to steer: circuits that cannot end before the test lets them, and clients connected to their servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, ClassVar

from streamsim.errors import ControlError
from streamsim.policies.base import Command, Observation, Policy
from streamsim.real.control import runs
from streamsim.real.control.reach import Server
from streamsim.real.control.runs import RunEntry
from tests.patience import PATIENCE_S, until

HELD = "sh -c 'seq 15000; cat hold; seq 15001 30000'"
"""Half of the numbers at once, the others when the test lets the run end: `hold` is a named pipe that it makes."""

AT_ONCE = "seq 30000"
"""The same numbers without waiting for anybody, for a run that nobody steers."""

FED = "cat hold"
"""What the test gives by `feed`, and nothing else."""

NUMBERS = f"""
name = "numbers"
[sources.make]
command = "{HELD}"
[stations.keep]
operator = "filter"
where = "int(record) % 7 == 0"
[stations.last]
command = "cat"
"""


def numbers(first: int, last: int) -> bytes:
    """Return what ``seq FIRST LAST`` prints."""
    return b"".join(b"%d\n" % number for number in range(first, last + 1))


@contextmanager
def running(
    directory: Path, text: str, *arguments: str, status: int = 0
) -> Iterator[tuple[subprocess.Popen[bytes], RunEntry]]:
    """Run a circuit; who waits in it for the end of the named pipe `hold` gets that when the block ends."""
    if not (directory / "hold").exists():
        os.mkfifo(directory / "hold")
    process = _started(directory, text, *arguments)
    try:
        assert until(lambda: runs.runs() or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield process, runs.find("numbers")
        assert until(lambda: let_go(directory) and process.poll() is not None)
        assert process.returncode == status, process.stderr and process.stderr.read()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


def finished(directory: Path, text: str, *arguments: str) -> None:
    """Run a circuit that waits for nobody to its end: it may have ended before anybody could look at it."""
    process = _started(directory, text, *arguments)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said


def _started(directory: Path, text: str, *arguments: str) -> subprocess.Popen[bytes]:
    (directory / "numbers.toml").write_text(text)
    command = [sys.executable, "-m", "streamsim", "run", str(directory / "numbers.toml"), *arguments]
    environment = {**os.environ, "TMPDIR": str(directory)}
    with open(directory / "out", "wb") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.PIPE)


def let_go(directory: Path) -> bool:
    """End what reads `hold` now, if anything does; whoever has yet to open it needs another call."""
    with suppress(OSError):  # nobody reads it
        os.close(os.open(directory / "hold", os.O_WRONLY | os.O_NONBLOCK))
    return True


@contextmanager
def feed(directory: Path) -> Iterator[BinaryIO]:
    """Write what a run reads from `hold`, piece by piece; when the block ends there is no more."""
    with open(directory / "hold", "wb", buffering=0) as hold:
        yield hold


class Witness(Policy, frozen=True, kw_only=True):
    """A controller that changes nothing, and lets the source of its run end once what the test waits for is seen.

    Controllers take turns: what one that was asked before has decided has been done, or has stopped it.
    """

    file: str
    satisfied: ClassVar[Callable[[Observation], object]] = bool

    def watched(self) -> tuple[str, ...]:
        return ("keep",)

    def decide(self, memory: None, seen: Observation) -> tuple[None, tuple[Command, ...]]:
        if type(self).satisfied(seen):
            Path(self.file).touch()
        return memory, ()


def witness(directory: Path) -> dict[str, str]:
    """Return the section of a scenario that has a `Witness` in it."""
    return {"policy": f"{__name__}:Witness", "period": "20 ms", "file": str(directory / "seen")}


def without_end(directory: Path) -> str:
    """Return a command that prints lines of 100 bytes until a `witness` has seen what it waits for."""
    return f"sh -c 'until [ -e {directory / 'seen'} ]; do seq -f %099.0f 100; done'"


def connected(run: RunEntry, name: str) -> Server:
    found: list[Server] = []

    def connects() -> bool:
        with suppress(ControlError):
            found.append(Server(run, run.server(name), timeout_s=PATIENCE_S))
        return bool(found)

    assert until(connects), f"{name} does not listen"
    return found[0]


def until_full(server: Server) -> None:
    """Wait until what this server writes finds no room: the same bytes wait to be written, twice."""
    seen = [(0, 0)]

    def blocked() -> bool:
        found = server.call("metrics")
        seen.append((found["unwritten_bytes"], found["bytes_out"]))
        return seen[-1] == seen[-2] and seen[-1][0] > 0 and seen[-1][1] > 4096

    assert until(blocked)
