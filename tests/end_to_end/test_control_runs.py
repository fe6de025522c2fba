"""Control of whole runs: found by name, steered from outside and by controllers, recorded and done again."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from streamsim.errors import ControlError
from streamsim.loading import load
from streamsim.policies.base import Command, Observation, Policy
from streamsim.real.control import runs
from streamsim.real.control.recording import Recorded, read_recording, write_recording
from streamsim.real.measure import Session
from streamsim.real.run import run as run_for_real
from tests.end_to_end.steering import (
    AT_ONCE,
    FED,
    HELD,
    NUMBERS,
    Witness,
    connected,
    feed,
    finished,
    let_go,
    numbers,
    running,
    without_end,
    witness,
)
from tests.patience import PATIENCE_S, until


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


def test_a_recorded_run_is_done_again_to_the_byte(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with (
        running(tmp_path, NUMBERS.replace(HELD, FED), "--record", str(log)) as (_, run),
        connected(run, "keep") as keep,
        feed(tmp_path) as hold,
    ):
        for place, modulus in enumerate((3, 11, 5)):
            hold.write(numbers(7500 * place + 1, 7500 * (place + 1)))
            assert until(lambda past=7500 * place: keep.call("metrics")["records_in"] > past)
            keep.call("set", {"where": f"int(record) % {modulus} == 0"})
        hold.write(numbers(22_501, 30_000))
    first = (tmp_path / "out").read_bytes()
    commands = read_recording(log)
    assert [command.method for command in commands] == ["set"] * 3
    assert 0 < commands[0].byte < commands[1].byte < commands[2].byte
    assert min(command.work_s for command in commands) > 0
    finished(tmp_path, NUMBERS.replace(HELD, AT_ONCE), "--replay", str(log))
    assert (tmp_path / "out").read_bytes() == first
    counts = {modulus: sum(int(line) % modulus == 0 for line in first.split()) for modulus in (7, 3, 11, 5)}
    assert min(counts.values()) > 0


def test_a_recording_of_another_circuit_is_refused_before_anything_runs(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    (tmp_path / "numbers.toml").write_text(NUMBERS)
    command = [sys.executable, "-m", "streamsim", "run", str(tmp_path / "numbers.toml"), "--replay", str(log)]
    for station, method, byte, says in (
        ("kept", "set", 5, "of another circuit: it has station 'kept'"),
        ("keep", "forget", 5, "operator 'filter' of 'keep' has no 'forget'"),
        ("last", "swap", None, "swap of 'last' cannot be done again"),
    ):
        write_recording(log, [Recorded(1.0, station, method, {}, byte)])
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode != 0
        assert (done.stdout, says in done.stderr) == ("", True)


def test_what_is_a_matter_of_time_is_recorded_and_done_again_when_asked_for(tmp_path: Path) -> None:
    log, again = tmp_path / "log.jsonl", tmp_path / "again.jsonl"
    with (
        running(tmp_path, NUMBERS, "--record", str(log)) as (_, run),
        connected(run, "keep") as keep,
        connected(run, "last") as last,
    ):
        keep.call("pause")
        last.call("set", {"pipe": "16 KiB"})
        last.call("pause")
        last.call("resume")
        keep.call("resume")
        last.call("set", {"pipe": "32 KiB"})
    first, told = (tmp_path / "out").read_bytes(), [(one.station, one.method) for one in read_recording(log)]
    resumed = [("last", "resume"), ("keep", "resume"), ("last", "set")]
    assert told == [("keep", "pause"), ("last", "set"), ("last", "pause"), *resumed]
    with (
        running(tmp_path, NUMBERS, "--replay", str(log), "--timed", "--record", str(again)) as (_, run),
        connected(run, "last") as last,
    ):
        assert until(lambda: last.parameters()["pipe"] == {"keep->last": 32768})  # which is done last
    assert (tmp_path / "out").read_bytes() == first
    assert [(one.station, one.method) for one in read_recording(again)] == told
    with running(tmp_path, NUMBERS, "--replay", str(log), "--record", str(again)):
        pass
    assert read_recording(again) == ()


def _refuse(*given: object) -> None:
    raise PermissionError(errno.EPERM, "Not yours")


def test_a_unix_command_is_paused_tuned_and_refuses_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path, NUMBERS) as (_, run), connected(run, "last") as last:
        assert last.call("pause") is True
        assert last.call("state") == {"process": "stopped"}
        found = last.call("set", {"niceness": 3, "cores": [0], "pipe": "16 KiB"})
        assert (found["niceness"], found["cores"], found["pipe"]) == (3, [0], {"keep->last": 16384})
        for method in ("drain", "snapshot", "restore", "at"):
            with pytest.raises(ControlError, match=f"is a Unix command \\(cat\\): it has no {method}"):
                last.call(method)
        for wrong, reason in [
            ({"cores": [9999]}, "cores: .9999. is not from 0 to"),
            ({"cores": []}, "names no cores; cores are such as 0, '0,1' or '0-3'"),
            ({"cores": "0-"}, "'0-' names no cores"),
            ({"cores": 0.5}, "set: cores: Expected .*, got `float` .it is 0.5."),
            ({"niceness": 20}, "niceness: 20 is not from -20 to 19"),
            ({"pipe": "8 GiB"}, "is not from 1 B to 2 GiB"),
            ({"nicenes": 1}, "did you mean 'niceness'"),
        ]:
            with pytest.raises(ControlError, match=reason):
                last.call("set", wrong)
        everything = {"niceness": 5, "pipe": "32 KiB", "cores": f"0-{os.sysconf('SC_NPROCESSORS_ONLN') - 1}"}
        with monkeypatch.context() as patch:
            patch.setattr(os, "setpriority", _refuse)
            with pytest.raises(ControlError, match="the system refuses: Not yours"):
                last.call("set", everything)
        assert last.call("set", {"cores": "0"}) == found  # of what was refused nothing was done
        assert last.call("resume") is True


def test_a_paused_run_is_no_deadlock(tmp_path: Path) -> None:
    with running(tmp_path, NUMBERS) as (process, run), connected(run, "keep") as keep:
        keep.call("pause")
        time.sleep(3.2)  # the watch for standstills looks once a second and wants to see one twice
        assert process.poll() is None
        keep.call("resume")
    assert len((tmp_path / "out").read_bytes().split()) == len(range(7, 30001, 7))


def test_a_paused_server_of_an_ordered_merge_holds_the_others_up_and_loses_nothing(tmp_path: Path) -> None:
    where = "int(record) % 7 == 0"
    text = NUMBERS.replace(HELD, "sh -c 'cat hold; seq 3000000'")
    text = text.replace(f'where = "{where}"', f'where = "{where}"\nparallelism = 3\nmerge = "ordered"')
    with running(tmp_path, text) as (_, run), connected(run, "keep.2") as one, connected(run, "keep.merge") as merge:
        one.call("pause")
        with connected(run, "keep.1") as other:  # the batch with this byte will be answered in two pieces
            other.call("at", {"byte": 6_000_001, "method": "set", "parameters": {"where": where}})
        assert until(lambda: let_go(tmp_path) and merge.call("state")["counted"]["in"] > 0)
        before = -1
        while (now := merge.call("state")["counted"]["in"]) != before:
            before = now
            time.sleep(0.2)
        with open(f"/proc/{run.server('keep.merge').pid}/status") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        assert (before < 3_000_000 // 7, resident < 60_000) == (True, True)
        one.call("resume")
    assert (tmp_path / "out").read_bytes().split() == [b"%d" % number for number in range(7, 3_000_001, 7)]


def test_a_controller_sheds_what_is_not_served_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shed_enough(seen: Observation) -> bool:
        keep = seen.stations["keep"]
        return keep.records_in - keep.records_out >= 1000

    monkeypatch.setattr(Witness, "satisfied", shed_enough)
    document = {
        "name": "shed",
        "sources": {"make": {"command": without_end(tmp_path), "rate": "3000 records/s"}},
        "stations": {
            "keep": {"operator": "sample", "probability": 1.0},
            "serve": {"operator": "work", "service": "1 ms", "wait": True},
        },
        "sinks": {"nowhere": {}},
        "controllers": {
            "one": {
                "policy": "hold-latency",
                "station": "keep",
                "behind": "serve",
                "target": "50 ms",
                "period": "20 ms",
            },
            "two": witness(tmp_path),
        },
    }
    with Session(cores=1) as session:
        held = session.run_once(load(document, overrides={"host.cores": 1}))
    assert not [warning for warning in held.warnings if "controller" in warning]
    assert {command.station for command in held.commands} == {"keep"}
    given, kept = held.stations["make"].records_out, held.stations["serve"].records_in
    assert given is not None and kept is not None
    assert given == held.stations["keep"].records_in
    assert held.stations["keep"].records_out == kept <= given - 1000
    assert min(command.parameters["probability"] for command in held.commands) < 0.5  # of 3000 a second 1000 are served


class Blind(Policy, frozen=True, kw_only=True):
    """It sets what cannot be set, and tells nobody beforehand."""

    asked: ClassVar[list[float]] = []

    def watched(self) -> tuple[str, ...]:
        return ("keep",)

    def decide(self, memory: Any, seen: Observation) -> tuple[Any, tuple[Command, ...]]:
        self.asked.append(seen.time_s)
        return memory, (Command("keep", {"probability": 0.5}),)


def test_a_controller_that_fails_is_stopped_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Blind, "asked", asked := [])
    monkeypatch.setattr(Witness, "satisfied", lambda _: asked)
    document = {
        "name": "failing",
        "sources": {"make": {"command": without_end(tmp_path), "rate": "5000 records/s"}},
        "stations": {"keep": {"operator": "filter", "where": "len(record) > 0"}},
        "sinks": {"nowhere": {}},
        "controllers": {
            "one": {"policy": f"{__name__}:Blind", "period": "10 ms"},
            "two": witness(tmp_path),
        },
    }
    with Session(cores=1) as session:
        run = session.run_once(load(document, overrides={"host.cores": 1}))
    assert run.stations["keep"].records_in == run.stations["make"].records_out > 0
    said = [warning for warning in run.warnings if "controller" in warning]
    assert (len(said), len(asked)) == (1, 1)
    assert said[0].startswith("controller 'one' was stopped: parameter 'probability'")


FUSED = f"""
name = "numbers"
[sources.make]
command = "{FED}"
[stations.keep]
operator = "filter"
where = "int(record) % 2 == 0"
[stations.digit]
operator = "map"
to = "record + ' a'"
fuse = true
[stations.last]
operator = "filter"
where = "len(record) > 0"
fuse = true
"""


def test_each_of_several_operators_in_a_process_is_steered_and_done_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with (
        running(tmp_path, FUSED, "--record", str(log)) as (_, run),
        connected(run, "keep") as keep,
        connected(run, "digit") as digit,
        connected(run, "last") as last,
    ):
        assert keep.entry.pid == digit.entry.pid == last.entry.pid
        assert keep.document()["info"]["x-parts"] == ["digit", "last"]
        assert (keep.call("metrics")["operator"], digit.call("metrics")["operator"]) == ("filter", "map")
        digit.call("at", {"byte": 40_000, "method": "set", "parameters": {"to": "record + ' b'"}})
        with feed(tmp_path) as hold:
            hold.write(numbers(1, 30_000))
            assert until(lambda: digit.call("metrics")["bytes_in"] > 40_000)
            last.call("set", {"where": "not startswith(record, '1')"})
            with pytest.raises(ControlError, match="reads no pipe"):
                last.call("set", {"pipe": "64 KiB"})
            counted = last.call("state")["counted"]
            assert counted["in"] >= counted["out"]
            hold.write(numbers(30_001, 40_000))
    first = (tmp_path / "out").read_bytes()
    commands = {command.station: command for command in read_recording(log)}
    assert set(commands) == {"digit", "last"}
    assert commands["digit"].byte == 40_000
    assert b" a\n" in first
    assert first.endswith(b" b\n")
    finished(tmp_path, FUSED.replace(FED, "seq 40000"), "--replay", str(log))
    assert (tmp_path / "out").read_bytes() == first


THROUGH = """
name = "numbers"
[sources.make]
command = "sh -c 'cat hold; seq 40000'"
[stations.keep]
operator = "filter"
where = "int(record) % 2 == 0"
[stations.twice]
operator = "map"
to = "record + ',' + record"
[stations.mark]
operator = "map"
to = "record + ' a'"
[stations.tool]
command = "cat"
[stations.last]
operator = "filter"
where = "len(record) > 0"
"""


def test_a_command_takes_effect_downstream_at_the_record_that_it_names_upstream(tmp_path: Path) -> None:
    with running(tmp_path, THROUGH) as (_, run), connected(run, "keep") as keep, connected(run, "mark"):
        with connected(run, "twice"):
            order = {"method": "set", "parameters": {"to": "record + ' b'"}}
            keep.call("at", {"byte": 150_000, "station": "mark", **order})
        with pytest.raises(ControlError, match=r"'tool', a Unix command \(cat\), stands before 'last'"):
            keep.call("at", {"byte": 150_000, "station": "last", **order})
        with pytest.raises(ControlError, match="'make' does not stand behind 'keep'"):
            keep.call("at", {"byte": 150_000, "station": "make", **order})
        with pytest.raises(ControlError, match="is this station itself"):
            keep.call("at", {"byte": 150_000, "station": "keep", **order})
        with pytest.raises(ControlError, match="has no server 'lost'"):
            keep.call("at", {"byte": 150_000, "station": "lost", **order})
    taken = 0
    for number in range(1, 40001):  # the first record that begins at, or behind, the byte that was named
        if taken >= 150_000:
            break
        taken += len(b"%d\n" % number)
    even = [b"%d,%d " % (one, one) for one in range(2, 40001, 2)]
    first = -(-number // 2) - 1
    assert (tmp_path / "out").read_bytes().splitlines() == [
        line + (b"a" if place < first else b"b") for place, line in enumerate(even)
    ]


def test_a_measurement_does_again_what_was_recorded_in_each_of_its_runs(tmp_path: Path) -> None:
    log, text = tmp_path / "log.jsonl", NUMBERS.replace(HELD, AT_ONCE)
    (tmp_path / "numbers.toml").write_text(text)
    half = sum(len(b"%d\n" % number) for number in range(1, 15001))
    write_recording(
        log,
        [
            Recorded(0.0, "last", "set", {"niceness": 1, "cores": [0]}),
            Recorded(0.1, "keep", "set", {"where": "int(record) % 3 == 0"}, half),
            Recorded(0.1, "keep", "swap", {"operator": "copy", "parameters": {}, "state": "new"}, half + 6 * 3000),
        ],
    )
    command = [sys.executable, "-m", "streamsim", "measure", str(tmp_path / "numbers.toml"), "--replay", str(log)]
    command += ["--set", "host.cores=1", "--repetitions", "2", "--output", str(tmp_path / "here"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    kept = [*range(7, 15001, 7), *range(15003, 18001, 3), *range(18001, 30001)]
    found = json.loads((tmp_path / "here" / "measured.json").read_bytes())["stations"]
    assert found["last"]["bytes_in"]["value"] == sum(len(b"%d\n" % number) for number in kept)
    assert not (tmp_path / "here" / "profile.json").exists()


@pytest.mark.parametrize("fused", [False, True])
def test_what_took_effect_behind_the_last_byte_is_done_again_there_and_keeps_the_state(
    tmp_path: Path, fused: bool
) -> None:
    (tmp_path / "in").write_bytes(b"b\na\nc\na\nb\na\n")
    counting = '[stations.top]\noperator = "top"\nk = 3\n' + ("fuse = true\n" if fused else "")
    (tmp_path / "numbers.toml").write_text(
        'name = "numbers"\n[sources.make]\nfile = "in"\n[stations.pass]\noperator = "map"\nto = "record"\n' + counting
    )
    swaps = (
        Recorded(0.1, "top", "swap", {"operator": "top", "parameters": {"k": 1}}, 12),
        Recorded(0.1, "top", "swap", {"operator": "top", "parameters": {"k": 5}}, 13),
    )
    with open(tmp_path / "out", "wb") as out:
        run_for_real(load(tmp_path / "numbers.toml"), stdout=out.fileno(), replay=swaps)
    assert (tmp_path / "out").read_bytes() == b"a,3\n"


def test_what_comes_too_late_or_lies_past_the_end_of_the_input_is_said_not_to_have_been_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").write_bytes(b"b\na\n")
    text = 'name = "n"\n[sources.make]\nfile = "in"\n[stations.pass]\noperator = "map"\nto = "record"\n'
    (tmp_path / "numbers.toml").write_text(text)
    late = Recorded(0.1, "pass", "set", {"to": "record + record"}, 5), Recorded(3600.0, "pass", "pause", {})
    with open(tmp_path / "out", "wb") as out:
        said = run_for_real(load(tmp_path / "numbers.toml"), stdout=out.fileno(), replay=late, timed=True)
    assert said == ("pause of 'pass' was not done again: the run ended before 3600 s",)
    assert (tmp_path / "out").read_bytes() == b"b\na\n"
    assert "set at byte 5 was not done: the input ended after 4" in capfd.readouterr().err
