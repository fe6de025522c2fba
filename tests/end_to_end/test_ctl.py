"""Commands as they are typed: `streamsim ctl` at a run that is going on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streamsim.cli import completing
from streamsim.real.control import runs
from streamsim.real.control.reach import Server
from streamsim.real.place import run_directory
from tests.end_to_end.command_line import Run, one_line
from tests.end_to_end.steering import HELD, NUMBERS, connected, running, until_full
from tests.patience import PATIENCE_S, until


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


@contextmanager
def lasting(directory: Path, text: str, station: str) -> Iterator[Server]:
    """Run a circuit that does not end meanwhile, since one of its stations is paused."""
    with running(directory, text) as (_, going), connected(going, station) as server:
        server.call("pause")
        yield server
        server.call("resume")


BLOCKED = NUMBERS.replace(f'command = "{HELD}"', 'operator = "generate"')  # without end
WRONG = [
    ("numbres", "there is no run 'numbres'; did you mean 'numbers'?"),
    (". kep", "has no server 'kep'; did you mean 'keep'?"),
    (". keep puase", "there is no method 'puase'; did you mean 'pause'?"),
    (". last drain", "it has no drain"),
    (". keep set were=1", "did you mean 'where'?"),
    (". keep set where=BAD", "where"),
    (". last set nicenes=5", "did you mean 'niceness'?"),
    (". last set niceness=40", "niceness: 40 is not from -20 to 19"),
    (". last set niceness=1 niceness=2", "'niceness' is given twice"),
    (". keep set niceness", "'niceness' is not NAME=VALUE"),
    (". keep get nothing", "there is no 'nothing'"),
    (". keep swap operator=grup parameters={}", "did you mean 'group'?"),
    (". keep at byte=1 record=1 method=pause", "say either record or byte"),
    (". keep at byte=100000000 method=puase", "'puase' cannot be done at a position"),
    (". keep turn descriptor=1 file=/x", "servers call 'turn' of each other"),
    (". keep scale 2", "'keep' has one server and no split"),
]


def test_what_names_nothing_or_does_not_fit_is_wrong_input(tmp_path: Path, run: Run) -> None:
    with lasting(tmp_path, NUMBERS, "keep"):
        for words, says in WRONG:
            ran = run("ctl", *words.split())
            assert (words, ran.status, ran.out) == (words, 2, "")
            assert says in one_line(ran.err)
        assert run("ctl", ".", "last", "get", "niceness").out == f"{os.nice(0)}\n"
    assert run("ctl", ".").status == 1  # nothing is wrong with that: there is no run


def test_set_changes_all_that_it_names_or_nothing(tmp_path: Path, run: Run) -> None:
    with lasting(tmp_path, NUMBERS, "keep") as keep:
        before = keep.parameters()
        for words, says in [
            (["where=BAD", "niceness=5"], "where"),
            (["where=len(record) > 2", "niceness=50"], "niceness: 50"),
            (["where=len(record) > 2", "pipe=1 XB"], "pipe"),
            (["where=len(record) > 2", "cores=4096"], "cores: 4096"),
            (["niceness=5", "cores=0", "wehre=len(record) > 2"], "did you mean 'where'?"),
        ]:
            ran = run("ctl", ".", "keep", "set", *words)
            assert (ran.status, keep.parameters()) == (2, before)
            assert says in one_line(ran.err)
        assert run("ctl", ".", "keep", "set", "where=len(record) > 2", "niceness=5").status == 0
        assert {**before, "where": "len(record) > 2", "niceness": 5} == keep.parameters()


def test_swap_hands_on_the_parameters_of_the_new_operator(tmp_path: Path, run: Run) -> None:
    with lasting(tmp_path, NUMBERS, "keep") as keep:
        ran = run("ctl", ".", "keep", "swap", "operator=sample", "state=new", "evry=10")
        assert (ran.status, "did you mean 'every'?" in one_line(ran.err)) == (2, True)
        assert run("ctl", ".", "keep", "swap", "operator=sample", "state=new", "every=10").status == 0
        assert keep.parameters()["every"] == 10
        assert (
            run("ctl", ".", "keep", "swap", "operator=filter", 'parameters={"where": "record"}', "state=new").status
            == 0
        )
        assert keep.parameters()["where"] == "record"


def test_what_was_done_is_said_where_the_system_refuses_the_rest(tmp_path: Path, run: Run) -> None:
    with running(tmp_path, BLOCKED, status=130) as (process, going), connected(going, "keep") as keep:
        keep.call("pause")
        label = "make->keep"
        with connected(going, "make") as make:
            until_full(make)
        ran = run("ctl", ".", "keep", "set", "where=len(record) > 2", "pipe=4 KiB")
        assert ran.status == 1
        assert one_line(ran.err).endswith("a pipe holds more than that; read it empty first (where: this has been set)")
        assert keep.parameters()["where"] == "len(record) > 2"
        assert keep.parameters()["pipe"][label] == 65536
        process.send_signal(signal.SIGINT)


WIDE = f"""
name = "numbers"
[sources.make]
command = "{HELD}"
[stations.a-rather-long-name]
operator = "group"
key = 1
[stations.last]
command = "awk '{{ if ($1 > 0) print $1, $2, $3, $4, $5, $6, $7, $8; else print $0; }}'"
"""


def test_stations_have_a_line_each_and_long_values_are_cut_for_people(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, WIDE) as (_, going), connected(going, "a-rather-long-name") as group:
        assert until(lambda: group.call("state")["groups"] >= 100)
        group.call("pause")
        words = ("ctl", ".", "a-rather-long-name")
        assert "(--json: all of it)" in run(*words, "get").out
        assert len(json.loads(run(*words, "get", "--json").out)["first_groups"]) == 100
        assert len(run(*words, "get", "first_groups").out.splitlines()) == 100
        (watched,) = run(*words, "watch", "--times", "1").out.splitlines()
        assert watched.startswith("uptime_s=") and " records_in=" in watched and "first_groups" not in watched
        assert "first_groups" in run(*words, "watch", "--times", "1", "--json").out
        assert "$8; else print $0; }'" in run("ctl", ".").out
        monkeypatch.setenv("FORCE_COLOR", "1")
        for columns in (120, 80, 50, 45):
            monkeypatch.setenv("COLUMNS", str(columns))
            shown = re.sub(r"\x1b\[[0-9;]*m", "", run("ctl", ".").out).splitlines()
            assert max(map(len, shown)) <= columns
            (row, *_) = (line for line in shown if line.startswith("a-rather-long-name"))
            assert ("group" in row) == (columns > 80)
            assert str(group.call("metrics")["records_in"]) in " ".join(shown)  # no number is broken or cut
        group.call("resume")


def test_a_run_that_was_killed_whole_is_none_and_the_next_one_removes_what_it_left(tmp_path: Path, run: Run) -> None:
    command = [sys.executable, "-m", "streamsim", "run", str(tmp_path / "numbers.toml")]
    (tmp_path / "numbers.toml").write_text(BLOCKED)
    runner = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL)
    assert until(runs.runs)
    going = runs.find()
    os.kill(runner.pid, signal.SIGSTOP)  # so that nobody is told of the others' end
    for children in Path(f"/proc/{runner.pid}/task").glob("*/children"):  # the guardian, the servers
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    assert until(lambda: not any(map(runs.alive, going.servers)))
    assert run("ctl").out == "nothing is running\n"
    with run_directory() as another:
        assert set(tmp_path.glob("streamsim-*")) == {another, runs.directory_of(going)}  # its runner may go on
    runner.kill()
    runner.wait(PATIENCE_S)
    elsewhere = tmp_path / "streamsim-elsewhere"  # such as another container with the same directory
    elsewhere.mkdir(0o700)
    entry = msgspec.structs.replace(going, numbers="pid:[1]")
    (elsewhere / "run.json").write_bytes(msgspec.json.encode(entry))
    with run_directory() as another:
        assert set(tmp_path.glob("streamsim-*")) == {another, elsewhere}


INSIDE = """
name = "numbers"
[sources.make]
command = "sh -c 'until [ -e done ]; do sleep 0.01; done; seq 20000'"
[sources.steer]
operator = "exec"
program = '''sh -c "PYTHON -m streamsim ctl . keep set 'where=len(record) > 3' --json; touch done"'''
[stations.keep]
operator = "filter"
input = "make"
where = "len(record) > 0"
[stations.last]
command = "cat"
input = "steer"
[sinks.nowhere]
input = "keep"
[sinks.answer]
input = "last"
file = "answer"
"""


def test_a_station_steers_the_run_that_it_is_in(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "inside.toml").write_text(INSIDE.replace("PYTHON", sys.executable))
    with lasting(tmp_path, NUMBERS, "keep") as keep:  # another of the same name
        inside = run("run", str(tmp_path / "inside.toml"))
        assert (inside.status, inside.err) == (0, "")
        assert keep.parameters()["where"] == "int(record) % 7 == 0"
    assert json.loads((tmp_path / "answer").read_bytes())["where"] == "len(record) > 3"


def test_a_shell_completes_runs_stations_methods_and_parameters(tmp_path: Path) -> None:
    def line(*words: str) -> Any:
        return SimpleNamespace(params=dict(zip(("run", "station", "action"), words, strict=False)))

    assert completing.complete_runs("") == []
    assert completing.complete_given(line(".", "keep", "set"), "") == []
    shared = NUMBERS.replace("[stations.keep]", '[stations.keep]\nparallelism = 2\npartition = "key"')
    with lasting(tmp_path, shared, "keep.1"):
        going = runs.find()
        assert completing.complete_runs("num") == ["numbers"]
        assert completing.complete_runs(going.id[:3]) == [going.id]
        assert completing.complete_stations(line("."), "keep") == [
            *("keep.split", "keep.1", "keep.2", "keep.merge"),
            "keep",
        ]
        assert completing.complete_actions(line(".", "keep"), "") == ["scale"]
        assert completing.complete_actions(line(".", "nope"), "") == []
        assert completing.complete_actions(line(".", "keep.1"), "s") == ["set", "state", "snapshot", "swap"]
        assert completing.complete_given(line(".", "keep.1", "set"), "w") == ["where="]
        assert completing.complete_given(line(".", "last", "set"), "") == ["niceness=", "cores=", "pipe="]
        assert completing.complete_given(line(".", "keep.1", "get"), "records") == ["records_in", "records_out"]
        assert completing.complete_given(line(".", "keep.1", "snapshot"), "") == ["file="]
