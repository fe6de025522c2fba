"""Stations whose number of servers changes while they run, though what moves is no group: nothing, keys, windows."""

from __future__ import annotations

from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import CommandError, ControlError
from streamsim.real.control import rescale as moving
from streamsim.real.control import runs
from streamsim.real.control.recording import read_recording
from streamsim.real.control.rescale import rescale
from streamsim.verbs import replayed
from tests.end_to_end.steering import connected, running
from tests.patience import until


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


SEVERAL = 'parallelism = 3\npartition = "key"\nmerge = "unordered"\n'
SOURCE = """
name = "numbers"
[sources.make]
command = "sh -c 'n=1; until [ -e STOP ]; do seq $n $((n+4999)); n=$((n+5000)); done'"
[stations.keys]
operator = "map"
to = "str(int(record) % 97) + ',' + record"
"""
UNDER_LOAD = f"""
{SOURCE}
[stations.same]
operator = "map"
to = "record + ',same'"
partition_key = 1
{SEVERAL}
[stations.seven]
operator = "window"
input = "keys"
size = 7
key = 1
column = 2
function = "max"
{SEVERAL}
[stations.once]
operator = "dedup"
input = "keys"
column = 1
{SEVERAL}
[sinks.table]
input = "same"
file = "same"
[sinks.windows]
input = "seven"
file = "seven"
[sinks.firsts]
input = "once"
file = "once"
"""


def test_no_record_is_lost_doubled_or_overtaken_by_another_of_its_key_while_servers_come_and_go(tmp_path: Path) -> None:
    moved: dict[str, int] = defaultdict(int)
    log = tmp_path / "log.jsonl"
    with running(tmp_path, UNDER_LOAD.replace("STOP", str(tmp_path / "stop")), "--record", str(log)) as (_, run):
        with connected(run, "seven.split") as split:
            assert until(lambda: split.call("metrics")["records_in"] > 10_000)
        for servers in (1, 3, 2, 3, 1, 2):
            for station in ("same", "seven", "once"):
                moved[station] += sum(rescale(run, station, servers))
        (tmp_path / "stop").touch()
    assert [one.parameters["servers"] for one in read_recording(log) if one.station == "seven"] == [1, 3, 2, 3, 1, 2]
    rows = [line.split(b",") for line in (tmp_path / "same").read_bytes().splitlines()]
    numbers = [int(row[1]) for row in rows]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    by_key = defaultdict(list)
    for key, number, mark in rows:
        assert mark == b"same"
        by_key[key].append(int(number))
    assert all(found == sorted(found) for found in by_key.values())
    assert moved["same"] == 0
    windows = [line.split(b",") for line in (tmp_path / "seven").read_bytes().splitlines()]
    expected = [
        (b"%d" % (place + 1), key, max(found[7 * place : 7 * place + 7]))
        for key, found in by_key.items()
        for place in range(-(-len(found) // 7))
    ]
    assert sorted((number, key, int(value)) for number, key, value in windows) == sorted(expected)
    assert moved["seven"] > 0
    firsts = Counter(line.split(b",")[0] for line in (tmp_path / "once").read_bytes().splitlines())
    assert firsts == dict.fromkeys(by_key, 1)
    assert moved["once"] > 0


HELD_UP = f"""
name = "numbers"
[sources.make]
command = "sh -c 'until [ -e SET ]; do sleep 0.02; done; seq 2000; until [ -e GO ]; do sleep 0.02; done; seq 2001 4000'"
[stations.keys]
operator = "map"
to = "str(int(record) % 97) + ',' + record"
[stations.same]
operator = "filter"
where = "True"
partition_key = 1
{SEVERAL}
"""


def test_keys_wait_for_what_a_merge_has_not_taken_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members, merged, move = ("same.1", "same.2", "same.3"), [], moving._move

    def moved(*given: Any) -> list[int]:
        with connected(run, "same.merge") as other:
            merged.append(other.call("metrics")["records_in"])
        return move(*given)

    def scale() -> None:
        moving.rescale(run, "same", 1)
        (tmp_path / "go").touch()

    monkeypatch.setattr(moving, "_move", moved)

    with (
        ThreadPoolExecutor(1) as aside,
        running(tmp_path, HELD_UP.replace("GO", str(tmp_path / "go")).replace("SET", str(tmp_path / "set"))) as (
            _,
            run,
        ),
        connected(run, "same.merge") as merge,
    ):
        merge.call("pause")
        (tmp_path / "set").touch()
        servers = [connected(run, name) for name in members]
        assert until(lambda: sum(one.call("metrics")["records_in"] for one in servers) == 2000)
        done = aside.submit(scale)
        assert until(lambda: done.done() or all(one.call("metrics")["paused"] for one in servers))
        merge.call("resume")
        done.result(60)
        for one in servers:
            one.__exit__(None, None, None)
    assert merged == [2000]
    by_key = defaultdict(list)
    for line in (tmp_path / "out").read_bytes().splitlines():
        by_key[line.split(b",")[0]].append(int(line.split(b",")[1]))
    assert sorted(number for found in by_key.values() for number in found) == list(range(1, 4001))
    assert all(found == sorted(found) for found in by_key.values())


ANY = """
name = "numbers"
[sources.make]
command = "sh -c 'until [ -e GO ]; do sleep 0.02; done; seq 60000; cat hold'"
[stations.turns]
operator = "map"
to = "record"
parallelism = 3
merge = "ordered"
[stations.tool]
command = "tr 0-9 a-j"
one_to_one = true
parallelism = 2
merge = "ordered"
[stations.least]
operator = "map"
to = "record + ',' + record"
parallelism = 3
partition = "least-loaded"
merge = "unordered"
"""


def test_servers_that_may_get_any_record_come_and_go_at_bytes_that_are_done_again(tmp_path: Path) -> None:
    log, again = tmp_path / "log.jsonl", tmp_path / "again.jsonl"
    text = ANY.replace("GO", str(tmp_path / "go"))
    with (
        running(tmp_path, text, "--record", str(log)) as (_, run),
        connected(run, "turns.split") as split,
        connected(run, "turns.2") as second,
        connected(run, "least.3") as third,
    ):
        assert rescale(run, "turns", 1) == [0, 0, 0]
        assert rescale(run, "least", 2) == [0, 0, 0]
        split.call("at", {"record": 30_000, "method": "set", "parameters": {"active": 0}})
        with pytest.raises(ControlError, match="an ordered merge would wait for ever"):
            rescale(run, "tool", 1)
        (tmp_path / "go").touch()
        assert until(lambda: second.call("metrics")["records_in"])
        assert third.call("metrics")["records_in"] == 0
    letters = bytes.maketrans(b"0123456789", b"abcdefghij")
    lines = [b"%d" % number for number in range(1, 60_001)]
    expected = sorted(b"%b,%b" % (line, line) for line in (one.translate(letters) for one in lines))
    assert sorted((tmp_path / "out").read_bytes().splitlines()) == expected
    half = sum(len(line) + 1 for line in lines[:30_000])
    told = [(one.station, one.method, one.parameters["active"], one.byte) for one in read_recording(log)]
    assert told == [
        ("turns.split", "set", 1, 0),
        ("least.split", "set", 2, 0),
        ("turns.split", "set", 0, half),
    ]
    with running(tmp_path, text, "--replay", str(log), "--record", str(again)):
        pass
    assert sorted((one.station, one.byte) for one in read_recording(again)) == sorted((one[0], one[3]) for one in told)
    found = replayed(log)
    assert [(change.byte, change.parameters) for change in found.placed["turns.split"]] == [
        (0, {"active": 1}),
        (half, {"active": 0}),
    ]


REFUSED = f"""
name = "numbers"
[sources.make]
command = "sh -c 'until [ -e STOP ]; do seq 100; sleep 0.02; done'"
[stations.tool]
command = "tr a-z A-Z"
{SEVERAL}
[stations.some]
operator = "sample"
every = 3
{SEVERAL}
"""


def test_what_nobody_can_part_is_not_scaled(tmp_path: Path) -> None:
    with running(tmp_path, REFUSED.replace("STOP", str(tmp_path / "stop"))) as (_, run):
        with pytest.raises(CommandError, match=r"'tool\.1' is a Unix command \(tr a-z A-Z\): nobody can tell"):
            rescale(run, "tool", 1)
        with pytest.raises(ControlError, match=r"'sample' of 'some\.\d' does not keep its state by keys"):
            rescale(run, "some", 1)
        with connected(run, "some.split") as split:
            assert split.call("metrics")["paused"] is False
        (tmp_path / "stop").touch()
