"""Deadlocks and termination: nothing hangs in silence, nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.run import run
from tests.patience import PATIENCE_S

FORK_JOIN = {
    "name": "fork-join",
    "sources": {"numbers": {"command": "seq 300000"}},
    "stations": {
        "left": {"command": "cat", "input": "numbers"},
        "right": {"command": "cat", "input": "numbers"},
        "join": {"command": "cat {left} {right}", "input": ["left", "right"]},
    },
}


def test_a_full_pipe_that_stops_the_circuit_is_made_larger_and_named() -> None:
    found = run_once(load(FORK_JOIN))
    assert found.stations["join"].bytes_in[-1] == 2 * 1988895
    (warning,) = [warning for warning in found.warnings if "pipe right->join was made larger" in warning]
    assert "join waits for left->join" in warning
    assert found.pipes["right->join"].capacity_bytes > found.pipes["left->join"].capacity_bytes == 65536


def test_a_plain_run_says_so_on_standard_error(tmp_path: Path) -> None:
    with open(os.devnull, "wb") as nowhere:
        warnings = run(load(FORK_JOIN), stdout=nowhere.fileno())
    assert any("right->join was made larger" in warning for warning in warnings)


def test_the_pipes_grow_within_their_bound_and_then_the_cycle_is_named() -> None:
    with pytest.raises(RunError, match=r"stands still.*right cannot write right->join.*host\.pipe_growth"):
        run_once(load(FORK_JOIN | {"host": {"pipe_growth": "256 KiB"}}))


LONGER = {"sources": {"numbers": {"command": "seq 700000"}}}


def test_the_kernel_s_bound_for_one_pipe_is_named_too() -> None:
    """An ordinary user may have 1 MiB in one pipe; for root the test gives the capability to have more away."""
    code = (
        "import os; from streamsim.loading import load; from streamsim.real.run import run\n"
        f"run(load({FORK_JOIN | LONGER!r}), stdout=os.open(os.devnull, os.O_WRONLY))\n"
    )
    ordinary = ["setpriv", "--bounding-set", "-sys_resource"] if os.getuid() == 0 else []
    if ordinary and shutil.which("setpriv") is None:
        pytest.skip("setpriv, of util-linux, is needed to run as an ordinary user")
    if int(Path("/proc/sys/fs/pipe-max-size").read_text()) > 1 << 20:
        pytest.skip("users may have larger pipes here")
    found = subprocess.run([*ordinary, sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S)
    assert "The kernel lets" in found.stderr
    assert "pipe-max-size" in found.stderr


BUFFERED = {
    "sources": {"a": {"command": "seq 100"}},
    "stations": {
        "b": {"operator": "route", "where": "int(record) % 7 == 0", "input": ["a", "c"]},
        "c": {"command": "sed 's/.*/7/'", "one_to_one": True, "input": "b.rest"},
        "d": {"command": "cat", "input": "b"},
    },
}


def test_a_loop_with_a_tool_that_keeps_its_output_to_itself_is_named_and_ended() -> None:
    with pytest.raises(RunError, match=r"the loop b -> c -> b stands still: c \(sed .*stdbuf -oL"):
        run_once(load(BUFFERED))


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
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    assert errors == b""
    assert list(tmp_path.rglob("sort*")) == []
