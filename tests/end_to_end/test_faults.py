"""What goes wrong: failing stations, missing programs, Ctrl-C, a runner that is killed. Nothing is left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError, ScenarioError
from streamsim.loading import load
from streamsim.real.children import descendants
from streamsim.real.launch import launched
from streamsim.real.measure import measure
from streamsim.real.observation import host as real_host
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario
from tests.end_to_end.processes import lives, no_children
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for survivors in /proc")


def supervised(scenario: Scenario, **setting: Any) -> list[str]:
    with launched(make_plan(scenario), Setting(**setting)) as crew:
        return supervise(crew)


# --- stations that fail ---


def test_a_failing_station_is_named_with_the_end_of_its_complaint() -> None:
    scenario = load(
        {"sources": {"a": {"command": "sleep 60"}},
         "stations": {"bad": {"command": "sh -c 'seq 100 >&2; echo the reason >&2; exit 3'", "input": "a"},
                      "c": {"command": "sleep 60"}}}
    )  # fmt: skip
    with pytest.raises(RunError) as caught:
        supervised(scenario)
    assert caught.value.station == "bad"
    assert "exited with status 3: sh -c" in caught.value.message
    lines = caught.value.stderr.splitlines()
    assert lines[-1] == "the reason" and len(lines) == 20 and lines[0] == "82"
    assert no_children()


def test_a_station_that_dies_of_a_signal_says_which() -> None:
    scenario = load({"stations": {"bad": {"command": "sh -c 'kill -SEGV $$'"}}})
    with pytest.raises(RunError, match="station 'bad': was killed by SIGSEGV"):
        supervised(scenario)


def test_of_two_that_fail_at_once_the_upstream_one_is_blamed() -> None:
    scenario = load(
        {"sources": {"a": {"command": "sh -c 'sleep 0.2; exit 4'"}},
         "stations": {"b": {"command": "sh -c 'cat; exit 5'"}}}
    )  # fmt: skip
    with launched(make_plan(scenario), Setting()) as crew:
        for child in crew.children:  # wait until both have ended, and only then look
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(RunError, match="station 'a': exited with status 4"):
            supervise(crew)


def test_an_operator_that_fails_says_why() -> None:
    scenario = load(
        {"sources": {"a": {"command": "printf '1\\nx\\n'"}}, "stations": {"w": {"operator": "group", "key": 1,
         "value": 1, "function": "mean"}}}
    )  # fmt: skip
    with pytest.raises(RunError) as caught:
        supervised(scenario)
    assert caught.value.station == "w"
    assert caught.value.stderr.startswith("w: ")


def test_the_complaints_of_a_plain_run_are_passed_through(tmp_path: Path) -> None:
    script = "from streamsim.loading import load; from streamsim.real.run import run\n"
    script += "try: run(load({'stations': {'b': {'command': 'cat /no/such/file'}}}))\nexcept Exception as e: print(e)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, stdin=subprocess.DEVNULL, check=True)
    assert b"/no/such/file" in done.stderr
    assert done.stdout.decode() == "station 'b': exited with status 1: cat /no/such/file\n"


def test_a_tool_that_complains_of_a_broken_pipe_has_not_failed() -> None:
    script = "import os, sys\ntry:\n while 1: os.write(1, b'x' * 9999)\nexcept BrokenPipeError: sys.exit('Broken pipe')"
    scenario = load(
        {"sources": {"a": {"command": f'{sys.executable} -c "{script}"'}}, "stations": {"h": {"command": "head -c 9"}}}
    )
    assert supervised(scenario) == ["station 'a' exited with status 1 because its reader had gone"]


# --- starts that fail ---


def test_a_missing_program_is_named_and_nothing_is_left() -> None:
    scenario = load({"sources": {"a": {"command": "sleep 60"}}, "stations": {"b": {"command": "nosuchprogram -x"}}})
    with pytest.raises(ScenarioError, match=r"stations\.b\.command: there is no program 'nosuchprogram'"):
        run(scenario)
    with pytest.raises(RunError, match="station 'b': there is no program 'nosuchprogram' on the PATH"):
        supervised(scenario)
    assert no_children()


def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    (tmp_path / "tool").write_bytes(b"\x7fELF nonsense")
    scenario = load({"sources": {"a": {"command": "sleep 60"}}, "stations": {"b": {"command": str(tmp_path / "tool")}}})
    with pytest.raises(RunError, match="station 'b': cannot be started: Permission denied"):
        supervised(scenario)
    assert no_children()


def test_a_pipe_larger_than_the_kernel_gives_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load(
        {"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "cat", "pipe": {"capacity": "1 GiB"}}}}
    )

    def refuse(label: str, descriptor: int, wanted: int) -> int:
        raise RunError(f"the kernel refuses a pipe of 1 GiB for {label}")

    if os.geteuid() == 0:  # root may have any size, memory permitting
        monkeypatch.setattr("streamsim.real.pipes._resize", refuse)
    with pytest.raises(RunError, match="the kernel refuses a pipe of 1 GiB for a->b"):
        supervised(scenario)
    assert no_children()


def test_elsewhere_than_on_linux_measuring_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_host, "_NEEDED", ("/proc/nosuchfile",))
    scenario = load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "cat"}}})
    with pytest.raises(RunError, match=r"observing a run needs Linux and its /proc, and /proc/nosuchfile is missing"):
        measure(scenario)


def test_without_the_calls_of_linux_a_circuit_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr("streamsim.real.pipes._SET_SIZE", None)
    monkeypatch.setattr("streamsim.real.place._own_directory", lambda: False)
    scenario = Scenario(
        name="s",
        file=str(tmp_path / "s.toml"),
        circuit=load({"sources": {"a": {"command": "seq 5000"}}, "stations": {"b": {"command": "wc -l"}},
                      "host": {"cores": 1}, "sinks": {"o": {"file": str(tmp_path / "out")}}}).circuit,
    )  # fmt: skip
    before = Path.cwd()
    run(scenario)
    assert (tmp_path / "out").read_text() == "5000\n"
    assert Path.cwd() == before
    bad = load(
        {"sources": {"a": {"command": "sleep 60"}}, "stations": {"b": {"command": "false"}}, "host": {"cores": 1}}
    )
    with pytest.raises(RunError, match="station 'b'"):
        run(bad)
    assert no_children()


# --- sinks ---


def test_a_failed_run_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old\n")
    scenario = load(
        {"stations": {"bad": {"command": "sh -c 'echo new; exit 1'"}}, "sinks": {"o": {"file": str(target)}}}
    )
    with pytest.raises(RunError):
        supervised(scenario)
    assert target.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [target]


def test_a_sink_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old\n")
    real.chmod(0o640)
    link.symlink_to(real)
    supervised(load({"stations": {"a": {"command": "echo new"}}, "sinks": {"o": {"file": str(link)}}}))
    assert link.is_symlink() and real.read_text() == "new\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_sink_may_be_a_device() -> None:
    supervised(load({"stations": {"a": {"command": "echo new"}}, "sinks": {"o": {"file": "/dev/null"}}}))
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_is_the_stations_failure() -> None:
    scenario = load({"stations": {"a": {"command": "seq 99"}}, "sinks": {"o": {"file": "/dev/full"}}})
    with pytest.raises(RunError, match=r"station 'a': exited with status 1") as caught:
        supervised(scenario)
    assert "No space left" in caught.value.stderr


def test_a_sink_without_a_place_is_named(tmp_path: Path) -> None:
    scenario = load({"stations": {"a": {"command": "seq 9"}}, "sinks": {"o": {"file": str(tmp_path / "no" / "out")}}})
    with pytest.raises(RunError, match=r"sink 'o': .* cannot be written: No such file or directory"):
        supervised(scenario)


# --- the runner goes ---

LONG = """
import sys
from streamsim.loading import load
from streamsim.real.{module} import {verb}
scenario = load({{
    "sources": {{"a": {{"command": "sh -c 'sleep 3600 & exec sleep 3600'"}}}},
    "stations": {{"b": {{"command": "timeout 3600 cat"}}, "c": {{"operator": "copy"}},
                 "d": {{"command": "setsid cat"}}}},
    "sinks": {{"o": {{"file": sys.argv[1]}}}},
}})
try:
    {verb}(scenario)
except KeyboardInterrupt:
    sys.exit(130)
"""
EXPECTED = ["cat", "cat", "sleep", "sleep", "timeout"]


@contextmanager
def runner(module: str, verb: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[int, str]]]:
    """A runner with a circuit that never ends, and all of its descendants: two of them have left the group."""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").write_text("old\n")
    process = subprocess.Popen(
        [sys.executable, "-c", LONG.format(module=module, verb=verb), str(tmp_path / "out")],
        stdin=subprocess.DEVNULL, env=environment, start_new_session=True,
    )  # fmt: skip
    found: dict[int, str] = {}

    def complete() -> bool:
        found.clear()
        found.update(descendants([process.pid]))
        return sorted(name for name in map(name_of, found) if name in ("cat", "sleep", "timeout")) == EXPECTED

    try:
        assert until(complete), "the circuit has not started"
        yield process, found
    finally:
        process.kill()
        process.wait()
        for pid, born in found.items():
            if lives(pid, born):
                os.kill(pid, signal.SIGKILL)


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.mark.parametrize(("module", "verb"), [("run", "run"), ("measure", "measure")])
def test_nothing_survives_a_runner_that_is_killed(module: str, verb: str, tmp_path: Path) -> None:
    with runner(module, verb, tmp_path) as (process, found):
        process.kill()
        process.wait()
        assert until(lambda: not any(lives(pid, born) for pid, born in found.items()))
        assert until(lambda: not list((tmp_path / "tmp").iterdir()))
        assert (tmp_path / "out").read_text() == "old\n"
        assert until(lambda: len(list(tmp_path.iterdir())) == 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_termination_stop_everything(number: int, tmp_path: Path) -> None:
    with runner("measure", "measure", tmp_path) as (process, found):
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_S) == (130 if number == signal.SIGINT else -signal.SIGTERM)
        assert until(lambda: not any(lives(pid, born) for pid, born in found.items()))
        assert until(lambda: not list((tmp_path / "tmp").iterdir()))
        assert (tmp_path / "out").read_text() == "old\n"


TERMINAL = """
import sys
from streamsim.loading import load
from streamsim.real.run import run
try:
    run(load({{"stations": {{"a": {{"command": "{command}"}}, "b": {{"command": "cat"}}}}}}))
except KeyboardInterrupt:
    sys.exit(130)
"""


def in_terminal(command: str) -> tuple[int, int]:
    """Run a pipeline in the foreground of a terminal of its own; returns its process and the terminal's other side."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", TERMINAL.format(command=command)])
    return pid, terminal


def shown(terminal: int) -> str:
    text = b""
    with suppress(OSError):  # the terminal's end
        while data := os.read(terminal, 4096):
            text += data
    return text.decode()


def test_a_pipeline_may_read_the_terminal() -> None:
    pid, terminal = in_terminal("head -n 1")
    os.write(terminal, b"typed\n")
    text = shown(terminal)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert text.split() == ["typed", "typed"]  # its echo, and what came through


def test_ctrl_c_on_a_terminal_stops_a_pipeline() -> None:
    pid, terminal = in_terminal("sleep 3600")
    found: dict[int, str] = {}
    assert until(lambda: found.update(descendants([pid])) or {"sleep", "cat"} <= set(map(name_of, found)))
    os.write(terminal, b"\x03")
    shown(terminal)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert until(lambda: not any(lives(pid, born) for pid, born in found.items()))


def test_a_station_that_ignores_termination_is_killed() -> None:
    scenario = load(
        {"sources": {"a": {"command": "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 60; done'"}},
         "stations": {"b": {"command": "sh -c 'read x; exit 9'"}}}
    )  # fmt: skip
    with pytest.raises(RunError, match="station 'b': exited with status 9"):
        supervised(scenario)
    assert no_children()
