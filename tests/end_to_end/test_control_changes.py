"""Runs that change while they run: servers come and go with their keys, and programs are replaced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streamsim.errors import ControlError
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
