"""What a station leaves behind: children in the background, daemons. They may finish; nothing outlives the run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real import leftovers
from streamsim.real.launch import launched
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from tests.end_to_end.processes import lives
from tests.end_to_end.test_faults import name_of, supervised
from tests.patience import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for survivors in /proc")


def test_what_a_station_leaves_behind_may_finish_its_output(tmp_path: Path) -> None:
    scenario = load({"stations": {"a": {"command": "bash -c '(sleep 0.5; echo late) & echo early'"},
                                  "b": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with launched(make_plan(scenario), Setting()) as crew:
        supervise(crew)
    assert (tmp_path / "out").read_bytes() == b"early\nlate\n"


def test_what_a_run_waits_for_is_said_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "HINT_S", 0.0)
    go = tmp_path / "go"
    (tmp_path / "tool").write_text(f"(while [ ! -e {go} ]; do sleep 0.01; done; echo late) &\necho early\n")
    scenario = load({"stations": {"a": {"command": f"sh {tmp_path}/tool"}, "b": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        go.touch()

    run(scenario, say=say)
    (told,) = said
    assert re.fullmatch(
        r"station 'a' has ended, but process \d+ \(\w+\), which it left behind, holds its output open; "
        r"the run waits for that",
        told,
    )
    assert (tmp_path / "out").read_bytes() == b"early\nlate\n"


def test_what_a_station_leaves_behind_and_never_ends_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE_S", 0.5)
    scenario = load({"stations": {"a": {"command": f"bash -c 'sleep 3600 & echo $! > {tmp_path}/pid; echo early'"},
                                  "b": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with pytest.raises(RunError) as caught, launched(make_plan(scenario), Setting()) as crew:
        supervise(crew)
    pid = int((tmp_path / "pid").read_text())
    assert caught.value.station == "a"
    assert f"it has ended, but process {pid} (sleep), which it left behind, holds its output open" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert until(lambda: not lives(pid, born_of(pid)))


def test_what_a_station_left_in_the_background_ends_with_the_run(tmp_path: Path) -> None:
    scenario = load({"stations": {"a": {"command": f"sh -c 'sleep 3600 & echo $! > {tmp_path}/pid'"}}})
    supervised(scenario)
    pid = int((tmp_path / "pid").read_text())
    assert until(lambda: name_of(pid) != "sleep" or not lives(pid, Path(f"/proc/{pid}/stat").read_text().split()[21]))


DAEMON = "setsid -f sh -c 'echo $$ > %s/pid.part; mv %s/pid.part %s/pid; exec sleep 3600' > /dev/null 2>&1"


def born_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def daemon_of(tmp_path: Path) -> tuple[int, str]:
    pid = int((tmp_path / "pid").read_text())
    return pid, born_of(pid)


def test_a_daemon_that_a_station_made_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text(
        f"{DAEMON % ((tmp_path,) * 3)}\nwhile [ ! -e {tmp_path}/pid ]; do sleep 0.01; done\n"
    )
    found: list[tuple[int, str]] = []
    with launched(make_plan(load({"stations": {"a": {"command": f"sh {tmp_path}/tool"}}})), Setting()) as crew:
        supervise(crew)
        found.append(daemon_of(tmp_path))
        assert lives(*found[0])
    assert until(lambda: not lives(*found[0]))


def test_a_daemon_that_a_station_made_ends_with_a_runner_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text(f"{DAEMON % ((tmp_path,) * 3)}\nexec sleep 3600\n")
    code = "from streamsim.loading import load; from streamsim.real.run import run\n"
    code += f"run(load({{'stations': {{'a': {{'command': 'sh {tmp_path}/tool'}}}}}}))"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL) as process:
        try:
            assert until((tmp_path / "pid").exists)
            daemon = daemon_of(tmp_path)
        finally:
            process.kill()
    assert until(lambda: not lives(*daemon))
