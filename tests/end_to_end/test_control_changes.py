"""Runs that change while they run: servers come and go with their keys, and programs are replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import CommandError, ControlError, StreamsimError
from streamsim.loading import load
from streamsim.real.control import rescale as moving
from streamsim.real.control import runs
from streamsim.real.control.recording import Recorded, read_recording, write_recording
from streamsim.real.control.rescale import rescale
from streamsim.real.run import run as run_for_real
from tests.end_to_end.steering import AT_ONCE, FED, connected, feed, finished, numbers, running
from tests.patience import PATIENCE_S, until


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


KEYED = """
name = "numbers"
[sources.make]
command = "sh -c 'n=0; until [ -e STOP ]; do seq $n $((n+749)); n=$((n+750)); sleep 0.05; done'"
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
    moved, stop = [], tmp_path / "stop"
    with running(tmp_path, KEYED.replace("STOP", str(stop))) as (_, run):
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
        with connected(run, "count.split") as split:
            for method, parameters in [
                ("set", {"active": 2}),
                ("swap", {"operator": "partition", "parameters": {"by": "round-robin"}}),
            ]:
                with pytest.raises(ControlError, match="scale moves both"):
                    split.call(method, parameters)
        with pytest.raises(CommandError, match=r"'count' has several servers.*: say count\.split, count\.1, "):
            run.server("count")
        with connected(run, "count.split") as split:
            assert until(lambda: split.call("metrics")["records_out"] >= 750)  # more keys than servers can be without
        for servers in (2, 3, 1, 4):
            moved.append(sum(rescale(run, "count", servers)))
        with pytest.raises(ControlError, match="ask for 1 to 4"):
            rescale(run, "count", 5)
        with pytest.raises(ControlError, match="has one server"):
            rescale(run, "keys", 2)
        stop.touch()
    counts = dict(line.split(b",") for line in (tmp_path / "out").read_bytes().split())
    assert counts
    assert counts == {b"key%d" % number: b"1" for number in range(len(counts))}
    assert min(moved) > 0


def test_a_filter_pauses_at_a_record_that_is_named_while_it_runs(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    with running(tmp_path, KEYED.replace("STOP", str(stop))) as (_, run), connected(run, "keys") as keys:
        assert until(lambda: keys.call("metrics")["records_in"])
        keys.call("pause")  # so that the record has not passed when it is named
        taken = keys.call("metrics")["records_in"]
        keys.call("at", {"record": taken + 10_001, "method": "pause"})
        keys.call("resume")
        assert until(lambda: keys.call("metrics")["paused"])
        assert keys.call("metrics")["records_in"] == taken + 10_001
        keys.call("resume")
        stop.touch()


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
        assert subprocess.run(words, timeout=PATIENCE_S).returncode == -signal.SIGKILL

    stop = tmp_path / "stop"
    with running(tmp_path, ROUNDS.replace("STOP", str(stop))) as (_, run), connected(run, "count.split") as split:

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
            assert until(lambda past=taken: split.call("metrics")["records_in"] > past + 5000)
            killed(servers, when, where)
            assert until(at_rest)  # the runner sees that nobody moves them any more
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
                    with pytest.raises(ControlError, match=r"on their way|is not that of|scale moves both"):
                        server.call(method, parameters)
                    refused.append(method)
        decide(*given)

    monkeypatch.setattr(moving, "_decide", meddle)
    stop = tmp_path / "stop"
    with running(tmp_path, KEYED.replace("STOP", str(stop))) as (_, run), connected(run, "count.split") as split:
        assert until(lambda: split.call("metrics")["records_out"] >= 750)
        assert rescale(run, "count", 2)
        stop.touch()
    assert len(refused) == 6
    counts = dict(line.split(b",") for line in (tmp_path / "out").read_bytes().split())
    assert counts
    assert counts == {b"key%d" % number: b"1" for number in range(len(counts))}


REPLACED = f"""
name = "numbers"
[sources.make]
command = "{FED}"
[stations.keep]
operator = "filter"
where = "len(record) > 0"
[stations.change]
command = "tr 0-9 a-j"
[stations.last]
command = "cat"
"""


def test_a_unix_command_is_replaced_and_no_byte_is_lost_or_comes_twice(tmp_path: Path) -> None:
    with (
        running(tmp_path, REPLACED) as (_, run),
        connected(run, "keep") as keep,
        connected(run, "change") as change,
        feed(tmp_path) as hold,
    ):
        hold.write(numbers(1, 45_000))
        assert until(lambda: keep.call("metrics")["records_out"])
        old = change.entry.pid
        found = change.call("swap", {"command": "sed s/^/+/"})
        hold.write(numbers(45_001, 90_000))
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
    given = numbers(1, 90_000).split()
    assert 0 < place < 90_000
    assert lines == [line.translate(letters) for line in given[:place]] + [b"+" + line for line in given[place:]]


def test_commands_that_were_put_in_the_place_of_others_are_put_there_again_at_the_same_bytes(tmp_path: Path) -> None:
    log, again = tmp_path / "log.jsonl", tmp_path / "again.jsonl"
    with (
        running(tmp_path, REPLACED, "--record", str(log)) as (_, run),
        connected(run, "keep") as keep,
        feed(tmp_path) as hold,
    ):
        for place, swap in enumerate(({"command": "sed s/^/+/"}, {"command": "tr 0-9 A-J", "state": "new"})):
            hold.write(numbers(30_000 * place + 1, 30_000 * (place + 1)))
            assert until(lambda past=30_000 * place: keep.call("metrics")["records_out"] > past)
            with connected(runs.find("numbers"), "change") as change:
                change.call("swap", swap)
        hold.write(numbers(60_001, 90_000))
    first, commands = (tmp_path / "out").read_bytes(), read_recording(log)
    assert [(one.station, one.method, one.behind) for one in commands] == [("change", "swap", "keep")] * 2
    assert [one.parameters for one in commands] == [
        {"command": "sed s/^/+/", "state": "keep"},
        {"command": "tr 0-9 A-J", "state": "new"},
    ]
    places = [first.index(mark) for mark in (b"+", b"A")]
    assert 0 < places[0] < places[1]
    finished(tmp_path, REPLACED.replace(FED, "seq 90000"), "--replay", str(log), "--record", str(again))
    assert (tmp_path / "out").read_bytes() == first
    assert [(one.parameters, one.byte) for one in read_recording(again)] == [
        (one.parameters, one.byte) for one in commands
    ]


def test_a_command_whose_byte_never_comes_is_not_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    swap = Recorded(0.1, "change", "swap", {"command": "wc -l"}, 10_000_000, behind="keep")
    write_recording(log, [swap])
    finished(tmp_path, REPLACED.replace(FED, AT_ONCE), "--replay", str(log))
    letters = bytes.maketrans(b"0123456789", b"abcdefghij")
    assert (tmp_path / "out").read_bytes() == numbers(1, 30_000).translate(letters)


@pytest.mark.parametrize(
    ("station", "command", "behind", "says"),
    [
        ("change", "noSuchTool", "keep", "noSuchTool"),
        ("change", "", "keep", "an empty command"),
        ("keep", "cat", "make", "swap of 'keep' cannot be done again: it is an operator here"),
        ("last", "cat", "change", "swap of 'last' cannot be done again: 'change' is no operator here"),
        ("last", "cat", "keep", "'change', which writes to 'last', is a Unix command"),
        ("change", "cat", "make", "before it stands 'keep' here, not 'make'"),
    ],
)
def test_a_recorded_command_that_cannot_be_put_there_is_refused_before_anything_runs(
    tmp_path: Path, station: str, command: str, behind: str, says: str
) -> None:
    (tmp_path / "numbers.toml").write_text(REPLACED.replace(f'command = "{FED}"', 'operator = "generate"'))
    commands = (Recorded(0.1, station, "swap", {"command": command}, 5, behind=behind),)
    out = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(StreamsimError, match=says):
            run_for_real(load(tmp_path / "numbers.toml"), stdout=out, replay=commands)
    finally:
        os.close(out)
    assert (tmp_path / "out").read_bytes() == b""


def test_a_tee_that_is_turned_to_other_files_leaves_each_with_what_passed_meanwhile(tmp_path: Path) -> None:
    first, *others = copies = [tmp_path / name for name in "abc"]
    out = tmp_path / "out"
    text = f"""
name = "numbers"
[sources.make]
command = "sh -c 'n=0; until [ -e {tmp_path}/stop ]; do echo $n; n=$((n+1)); sleep 0.01; done'"
[stations.copy]
operator = "tee"
file = "{first}"
"""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused = {tmp_path / "absent" / "x": "No such file", pipe: "No such device", Path("/dev/fd/99"): "Bad file"}
    with running(tmp_path, text) as (going, run), connected(run, "copy") as copy:
        for file in others:
            for wrong, why in refused.items():
                with pytest.raises(ControlError, match=f"{wrong}: {why}"):
                    copy.call("swap", {"operator": "tee", "parameters": {"file": str(wrong)}})
            seen = out.stat().st_size
            assert until(lambda seen=seen: out.stat().st_size > seen)
            copy.call("swap", {"operator": "tee", "parameters": {"file": str(file)}})
        (tmp_path / "stop").touch()
        assert going.wait(PATIENCE_S) == 0
    assert b"".join(file.read_bytes() for file in copies) == out.read_bytes()
    assert first.stat().st_size and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("fused", [False, True])
def test_a_tee_that_was_put_where_another_stood_leaves_no_part_when_the_run_is_ended(
    tmp_path: Path, fused: bool
) -> None:
    text = f"""
name = "numbers"
[sources.make]
operator = "generate"
rate = "100 records/s"
[stations.first]
operator = "copy"
fuse = {str(fused).lower()}
[stations.copy]
operator = "tee"
file = "{tmp_path / "first"}"
fuse = {str(fused).lower()}
"""
    with running(tmp_path, text, status=130) as (going, run):
        with connected(run, "copy") as copy:
            copy.call("swap", {"operator": "tee", "parameters": {"file": str(tmp_path / "second")}})
        assert (tmp_path / "second.part").exists()
        going.send_signal(signal.SIGINT)
    assert not list(tmp_path.glob("second*"))
