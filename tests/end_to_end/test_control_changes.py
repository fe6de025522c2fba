"""Runs that change while they run: servers come and go with their keys, and programs are replaced."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import ControlError
from streamsim.real.control import rescale as moving
from streamsim.real.control import runs
from streamsim.real.control.rescale import rescale
from tests.end_to_end.steering import connected, running


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


KEYED = """
name = "numbers"
[sources.make]
operator = "generate"
count = 60000
rate = "15000 records/s"
[stations.keys]
operator = "map"
to = "'key' + record"
[stations.count]
operator = "group"
key = 1
parallelism = 4
partition = "key"
"""


def test_a_keyed_station_changes_its_number_of_servers_with_its_state(tmp_path: Path) -> None:
    moved = []
    with running(tmp_path, KEYED) as (_, run):
        with connected(run, "count.split"):
            pass
        with connected(run, "count.3") as third:
            third.call("pause")
            with pytest.raises(ControlError, match=r"'count\.3' is paused"):
                rescale(run, "count", 2)
            assert third.call("resume") is True
        with ThreadPoolExecutor(6) as several:  # six at once take turns: none sees half of the keys
            assert (
                len([list(found) for found in several.map(lambda n: rescale(run, "count", n), (1, 4, 2, 3, 1, 4))]) == 6
            )
        rescale(run, "count", 4)  # whichever of the six was the last
        for servers in (2, 3, 1, 4):
            time.sleep(0.15)
            moved.append(sum(rescale(run, "count", servers)))
        with pytest.raises(ControlError, match="ask for 1 to 4"):
            rescale(run, "count", 5)
        with pytest.raises(ControlError, match="has one server"):
            rescale(run, "keys", 2)
    counts = dict(line.split(b",") for line in (tmp_path / "out").read_bytes().split())
    assert counts == {b"key%d" % number: b"1" for number in range(1, 60001)}
    assert min(moved) > 0


ROUNDS = """
name = "numbers"
[sources.make]
command = "sh -c 'until [ -e STOP ]; do seq 1000 5999; sleep 0.02; done'"
[stations.count]
operator = "group"
key = 1
parallelism = 3
partition = "key"
"""
KILLED = """
import os, signal, sys
from streamsim.real.control import rescale, runs
runs.tempfile.tempdir = sys.argv[1]
before, after = sys.argv[3] == "before", getattr(rescale, sys.argv[4])
def killed(*given):
    None if before else after(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(rescale, sys.argv[4], killed)
rescale.rescale(runs.find("numbers"), "count", int(sys.argv[2]))
"""


def test_keys_survive_who_is_killed_while_moving_them(tmp_path: Path) -> None:
    def killed(servers: int, when: str, where: str) -> None:
        words = [sys.executable, "-c", KILLED, str(tmp_path), str(servers), when, where]
        assert subprocess.run(words, timeout=60).returncode == -signal.SIGKILL

    stop = tmp_path / "stop"
    with running(tmp_path, ROUNDS.replace("STOP", str(stop))) as (_, run), connected(run, "count.split") as split:

        def wait_until(condition: Callable[[], bool]) -> None:
            until = time.monotonic() + 20
            while not condition():
                assert time.monotonic() < until
                time.sleep(0.01)

        def at_rest() -> bool:
            return not list(runs.directory_of(run).glob("*.keys"))

        for servers, when, where, active in [
            (2, "after", "_drain", 0),
            (2, "after", "_come_to_rest", 0),
            (2, "before", "_decide", 0),
            (2, "after", "_decide", 2),
            (1, "before", "_move", 2),
            (1, "after", "_move", 2),
        ]:
            taken = split.call("metrics")["records_in"]
            wait_until(lambda past=taken: split.call("metrics")["records_in"] > past + 5000)  # type: ignore[misc]
            killed(servers, when, where)
            wait_until(at_rest)  # the runner sees that nobody moves them any more
            assert (split.call("metrics")["paused"], split.parameters()["active"]) == (False, active)
        killed(1, "before", "_decide")
        assert sum(rescale(run, "count", 3)) > 0  # who comes next sees it too
        assert at_rest()
        stop.touch()
    counts = dict(line.split(b",") for line in (tmp_path / "out").read_bytes().split())
    assert sorted(counts) == [b"%d" % number for number in range(1000, 6000)]
    assert len(set(counts.values())) == 1
    assert (tmp_path / "out").read_bytes().count(b"\n") == 5000


def test_no_server_goes_on_by_itself_while_keys_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decide, refused = moving._decide, []

    def meddle(*given: Any) -> None:
        for name in ("count.split", "count.1", "count.4"):
            with connected(run, name) as server:
                for method, parameters in {"resume": {}, "swap": {"operator": "count", "parameters": {}}}.items():
                    with pytest.raises(ControlError, match=r"on their way|is not that of"):
                        server.call(method, parameters)
                    refused.append(method)
        decide(*given)

    monkeypatch.setattr(moving, "_decide", meddle)
    with running(tmp_path, KEYED) as (_, run):
        assert rescale(run, "count", 2)
    assert len(refused) == 6
    counts = dict(line.split(b",") for line in (tmp_path / "out").read_bytes().split())
    assert counts == {b"key%d" % number: b"1" for number in range(1, 60001)}


REPLACED = """
name = "numbers"
[sources.make]
operator = "generate"
count = 90000
rate = "20000 records/s"
[stations.keep]
operator = "filter"
where = "len(record) > 0"
[stations.change]
command = "tr 0-9 a-j"
[stations.last]
command = "cat"
"""


def test_a_unix_command_is_replaced_and_no_byte_is_lost_or_comes_twice(tmp_path: Path) -> None:
    with running(tmp_path, REPLACED) as (_, run), connected(run, "change") as change:
        old = change.entry.pid
        found = change.call("swap", {"command": "sed s/^/+/"})
        now = runs.find("numbers")
        assert found["pid"] == now.server("change").pid != old
        assert now.server("change").program == "sed s/^/+/"
        with connected(now, "change") as changed:
            with pytest.raises(ControlError, match="'sed' may know something of what it has read"):
                changed.call("swap", {"command": "cat"})
            with pytest.raises(ControlError, match="noSuchTool"):
                changed.call("swap", {"command": "noSuchTool", "state": "new"})
        with connected(now, "last") as last, pytest.raises(ControlError, match="'change', which writes to 'last'"):
            last.call("swap", {"command": "cat"})
    lines = (tmp_path / "out").read_bytes().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(b"+"))
    letters = bytes.maketrans(b"0123456789", b"abcdefghij")
    numbers = [b"%d" % number for number in range(1, 90001)]
    assert 0 < place < 90000
    assert lines == [line.translate(letters) for line in numbers[:place]] + [b"+" + line for line in numbers[place:]]
