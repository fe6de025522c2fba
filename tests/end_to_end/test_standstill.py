"""Deadlocks and termination: nothing hangs in silence, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.run import run

FORK_JOIN = {
    "name": "fork-join",
    "sources": {"numbers": {"command": "seq 300000"}},
    "stations": {
        "left": {"command": "cat", "input": "numbers"},
        "right": {"command": "cat", "input": "numbers"},
        "join": {"command": "cat {left} {right}", "input": ["left", "right"]},
    },
}


def test_a_circuit_that_stands_still_is_named_and_ended() -> None:
    with pytest.raises(RunError, match=r"stands still.*right cannot write right->join"):
        run_once(load(FORK_JOIN))


def test_a_plain_run_that_stands_still_ends_too() -> None:
    with open(os.devnull, "wb") as nowhere, pytest.raises(RunError, match="stands still"):
        run(load(FORK_JOIN), stdout=nowhere.fileno())


def test_a_larger_pipe_lets_the_same_circuit_through() -> None:
    stations = FORK_JOIN["stations"] | {  # type: ignore[operator]
        name: {"command": command, "input": source, "pipe": {"capacity": "1 MiB"}}
        for name, command, source in (
            ("left", "cat", "numbers"),
            ("right", "cat", "numbers"),
            ("join", "cat {left} {right}", ["left", "right"]),
        )
    }
    small = FORK_JOIN | {"stations": stations, "sources": {"numbers": {"command": "seq 100000"}}}
    found = run_once(load(small))
    assert found.stations["join"].bytes_in[-1] == 2 * 588895


def test_a_slow_station_is_no_standstill() -> None:
    slow = {"sources": {"numbers": {"command": "seq 9"}}, "stations": {"wait": {"command": "bash -c 'sleep 3; cat'"}}}
    with open(os.devnull, "wb") as nowhere:
        run(load(slow), stdout=nowhere.fileno())


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    line = "seq 1 100000000 | sort -S 20M | wc -l"
    with subprocess.Popen(
        [sys.executable, "-m", "streamsim", "run", "--shell", line],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
    ) as process:
        while process.poll() is None and not list(tmp_path.rglob("sort*")):
            os.sched_yield()  # wait for the first temporary file of sort
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 143
    assert errors == b""
    assert list(tmp_path.rglob("sort*")) == []
