"""The speed probe: how fast each core is with so many busy, and how long a process takes to wake up.

The same work took from 1 to 2 times as long within seconds on a shared machine, and nothing in /proc shows it. So a
known piece of work is timed before, between and after the runs, by processes that sleep meanwhile.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from streamsim.errors import RunError

_SPIN_S = 0.025
_PINGS = 150
_MOST_ALONE = 4
"""A core alone is probed on at most so many cores in turn."""


class Speeds(NamedTuple):
    """What one probe found: ``rates[k-1]`` is units of work in a core-second with k cores busy.

    ``time`` is its end on the monotonic clock (s).
    """

    time: float
    rates: tuple[float, ...]


class Wake(NamedTuple):
    """Seconds from a write until the reader runs, on the same core and on another, idle one."""

    near_s: float
    far_s: float


class Probe:
    """A sleeping process on each core of the run; leaving the block ends them (as does the end of the runner)."""

    def __init__(self, cpus: Sequence[int]) -> None:
        self._cpus = list(cpus)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._turn = 0

    def __enter__(self) -> Probe:
        try:
            for cpu in self._cpus:
                self._processes.append(self._start(cpu))
            for process in self._processes:
                self._answer(process)
        except BaseException:
            self._end()
            raise
        return self

    @staticmethod
    def _start(cpu: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-S", "-E", "-P", str(Path(__file__).with_name("spin.py")), str(cpu)]
        try:
            # Away from the terminal's group: Ctrl-C is the runner's, and these end with their input.
            return subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                process_group=0,
            )
        except OSError as error:
            raise RunError(f"the speed probe cannot be started: {error.strerror}") from None

    @staticmethod
    def _tell(process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None, "it was started with a pipe"
        os.write(process.stdin.fileno(), data)

    @staticmethod
    def _answer(process: subprocess.Popen[bytes]) -> list[str]:
        assert process.stdout is not None, "it was started with a pipe"
        answer = b""
        while not answer.endswith(b"\n"):
            data = os.read(process.stdout.fileno(), 256)
            if not data:
                raise RunError("the speed probe has died")
            answer += data
        return answer.decode().split()

    def _spin(self, places: Sequence[int]) -> float:
        """Let these cores spin at once; return units in a core-second."""
        for place in places:
            self._tell(self._processes[place], b"spin %f\n" % _SPIN_S)
        units = seconds = 0.0
        for place in places:
            done, used = self._answer(self._processes[place])
            units += float(done)
            seconds += float(used)
        return units / seconds

    def speeds(self) -> Speeds:
        """Probe the cores alone and together; takes some 25 ms for each count of busy cores."""
        count = len(self._processes)
        alone = []
        for _ in range(min(count, _MOST_ALONE)):
            self._turn += 1
            alone.append(self._spin([self._turn % count]))
        found = {1: statistics.fmean(alone)}
        for busy in _counts(count):
            found[busy] = self._spin([(self._turn + place) % count for place in range(busy)])
        return Speeds(time.monotonic(), _filled(found, count))

    def wake(self) -> Wake:
        """Time the waking of a reader on the runner's core and on another one."""
        near = self._wake(0, self._cpus[0])
        far = self._wake(1, self._cpus[0]) if len(self._cpus) > 1 else near
        return Wake(near, far)

    def _wake(self, place: int, own_cpu: int) -> float:
        process = self._processes[place]
        assert process.stdout is not None, "it was started with a pipe"
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {own_cpu})
        try:
            self._tell(process, b"wake %d\n" % _PINGS)
            os.read(process.stdout.fileno(), 1)  # so that the line and the first ping are two reads
            for _ in range(_PINGS):
                self._tell(process, time.monotonic_ns().to_bytes(8, sys.byteorder))
                os.read(process.stdout.fileno(), 1)
        finally:
            os.sched_setaffinity(0, before)
        return int(self._answer(process)[0]) / 1e9

    def _end(self) -> None:
        for process in self._processes:
            for end in (process.stdin, process.stdout):
                if end is not None:
                    end.close()
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self._processes = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


def _counts(count: int) -> list[int]:
    """Return how many cores are probed together: powers of two, and all.

    >>> _counts(6)
    [2, 4, 6]
    """
    powers = [1 << power for power in range(1, count.bit_length()) if 1 << power < count]
    return [*powers, count] if count > 1 else []


def _filled(found: dict[int, float], count: int) -> tuple[float, ...]:
    """Interpolate between the counts that were probed.

    >>> _filled({1: 10.0, 3: 6.0}, 3)
    (10.0, 8.0, 6.0)
    """
    known = sorted(found)
    rates = []
    for busy in range(1, count + 1):
        low = max(k for k in known if k <= busy)
        high = min(k for k in known if k >= busy)
        part = (busy - low) / (high - low) if high > low else 0.0
        rates.append(found[low] + (found[high] - found[low]) * part)
    return tuple(rates)
