"""What servers and tools do wrong while a circuit runs: it is named, nothing hangs, no half output looks whole."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real import halted
from streamsim.real.control import runs
from streamsim.real.control.tools import System
from streamsim.real.launch import Crew, launched
from streamsim.real.measure import run_once
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario
from tests.end_to_end.processes import no_children
from tests.patience import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for survivors in /proc")

OURS: dict[str, Any] = {
    "sources": {"n": {"operator": "generate"}},
    "stations": {"a": {"operator": "copy"}, "b": {"operator": "filter", "where": "len(record) > 0"}},
}
TOOLS: dict[str, Any] = {
    "sources": {"n": {"command": "yes"}},
    "stations": {"a": {"command": "cat"}, "b": {"command": "bash -c 'cat | cat'"}},
}


def endless(document: dict[str, Any], out: Path) -> Scenario:
    return load({**document, "sinks": {"o": {"file": str(out)}}})


def while_it_runs(scenario: Scenario, act: Callable[[Crew], None]) -> list[str]:
    """Supervise a circuit to its end, and do something to it as soon as bytes have come out of it."""
    with launched(make_plan(scenario), Setting()) as crew:
        (aside,) = crew.sinks.unfinished

        def later() -> None:
            assert until(lambda: Path(aside).stat().st_size > 0)
            act(crew)

        thread = threading.Thread(target=later)
        thread.start()
        try:
            return supervise(crew)
        finally:
            thread.join()


def pid_of(crew: Crew, name: str) -> int:
    return next(child.pid for child in crew.children if child.process.name == name)


@pytest.mark.parametrize("victim", ["b.split", "b.2", "b.merge"])
def test_a_server_that_is_killed_is_named_and_not_the_merge_that_misses_its_answer(victim: str, tmp_path: Path) -> None:
    shared = {"operator": "filter", "where": "len(record) > 0", "parallelism": 3, "merge": "ordered"}
    scenario = endless({"sources": OURS["sources"], "stations": {"b": shared}}, tmp_path / "out")
    with pytest.raises(RunError, match=f"station '{victim}': was killed by SIGKILL"):
        while_it_runs(scenario, lambda crew: os.kill(pid_of(crew, victim), signal.SIGKILL))
    assert list(tmp_path.iterdir()) == []
    assert no_children()


@pytest.mark.parametrize("document", [OURS, TOOLS], ids=["ours", "tools"])
@pytest.mark.parametrize("victim", ["n", "a", "b"])
def test_a_station_that_is_killed_is_named_and_its_output_is_dropped(
    document: dict[str, Any], victim: str, tmp_path: Path
) -> None:
    scenario = endless(document, tmp_path / "out")
    with pytest.raises(RunError, match=f"station '{victim}': was killed by SIGKILL"):
        while_it_runs(scenario, lambda crew: os.kill(pid_of(crew, victim), signal.SIGKILL))
    assert list(tmp_path.iterdir()) == []
    assert no_children()


@pytest.mark.parametrize("document", [OURS, TOOLS], ids=["ours", "tools"])
def test_a_station_that_is_stopped_is_named(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halted, "PATIENCE_S", 0.1)
    scenario = endless(document, tmp_path / "out")
    with pytest.raises(RunError, match=r"station 'a': its process \d+ has been stopped .* nobody continued it"):
        while_it_runs(scenario, lambda crew: os.kill(pid_of(crew, "a"), signal.SIGSTOP))
    assert list(tmp_path.iterdir()) == []
    assert no_children()


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the processes that the runner will have found stopped, one entry a look."""
    found: list[int] = []
    is_stopped = halted.is_stopped

    def noting(pid: int) -> bool:
        stopped = is_stopped(pid)
        found.extend([pid] * stopped)
        return stopped

    monkeypatch.setattr(halted, "is_stopped", noting)
    return found


def waiting_source(directory: Path) -> dict[str, Any]:
    """Return a source of all numbers up to 200,000; after half of them it waits for the file `go`."""
    wait = f"until [ -e {directory / 'go'} ]; do sleep 0.01; done"
    return {"n": {"command": f"sh -c 'seq 100000; {wait}; seq 100001 200000'"}}


ALL = b"".join(b"%d\n" % number for number in range(1, 200_001))


def test_a_command_that_was_paused_may_be_so_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halted, "PATIENCE_S", 0.1)
    found = looked_at(monkeypatch)
    scenario = load({"sources": waiting_source(tmp_path), "stations": {"a": {"command": "cat"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip

    def pause(crew: Crew) -> None:
        (run,) = [one for one in runs.runs() if one.id == crew.directory.name.removeprefix(runs.PREFIX)]
        system = System(run.server("a"), run)
        system.pause()
        assert until(lambda: len(found) == 3)
        system.resume()
        (tmp_path / "go").touch()

    assert not [text for text in while_it_runs(scenario, pause) if "stopped" in text]
    assert (tmp_path / "out").read_bytes() == ALL


def test_a_process_that_a_station_started_and_that_is_stopped_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halted, "PATIENCE_S", 0.1)
    scenario = load({"stations": {"a": {"command": "bash -c 'bash -c \"kill -STOP \\$\\$\"; echo never'"}}})
    with pytest.raises(RunError, match=r"station 'a': its process \d+ has been stopped"), launched(
        make_plan(scenario), Setting()
    ) as crew:  # fmt: skip
        supervise(crew)
    assert no_children()


def test_a_station_that_is_stopped_for_a_moment_only_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = looked_at(monkeypatch)
    scenario = load({"sources": waiting_source(tmp_path),
                     "stations": {"a": {"command": "cat"}, "b": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip

    def pause(crew: Crew) -> None:
        os.kill(pid_of(crew, "b"), signal.SIGSTOP)
        assert until(lambda: found)
        os.kill(pid_of(crew, "b"), signal.SIGCONT)
        (tmp_path / "go").touch()

    assert [text for text in while_it_runs(scenario, pause) if "stopped" in text]
    assert (tmp_path / "out").read_bytes() == ALL


def test_a_run_in_which_a_station_was_stopped_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_stopped = halted.is_stopped

    def continued(pid: int) -> bool:
        if stopped := is_stopped(pid):
            os.kill(pid, signal.SIGCONT)
        return stopped

    monkeypatch.setattr(halted, "is_stopped", continued)
    done = tmp_path / "done"
    (tmp_path / "tool").write_text(f"echo once >> {done}\n[ $(wc -l < {done}) = 2 ] || kill -STOP $$\nexec cat\n")
    scenario = load({"sources": {"f": {"command": "seq 9"}}, "stations": {"a": {"command": f"sh {tmp_path}/tool"}}})
    trace = run_once(scenario)
    (said,) = [text for text in trace.warnings if "stopped" in text]
    assert re.fullmatch(r"a run was thrown away and done again: station 'a' was stopped for \d s or more", said)
    assert done.read_text() == "once\nonce\n"
    assert trace.stations["a"].bytes_in[-1] == 18


@pytest.mark.parametrize("station", [{"operator": "group", "key": 1, "value": 1, "function": "mean"},
                                     {"operator": "map", "to": "str(int(record))"}])  # fmt: skip
def test_garbage_is_refused_by_the_station_that_gets_it(station: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(random.Random(1).randbytes(1_000_000))
    scenario = load({"sources": {"noise": {"file": str(tmp_path / "in")}},
                     "stations": {"reader": station}, "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with pytest.raises(RunError) as caught, launched(make_plan(scenario), Setting()) as crew:
        supervise(crew)
    assert caught.value.station == "reader"
    assert caught.value.stderr.startswith("reader: record 1") and len(caught.value.stderr) < 1000
    assert caught.value.stderr.isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_garbage_passes_through_what_does_not_look_at_it(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(1_000_000)
    (tmp_path / "in").write_bytes(content)
    scenario = load({"sources": {"f": {"file": str(tmp_path / "in")}},
                     "stations": {"a": {"operator": "copy"}, "b": {"command": "cat"},
                                  "c": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    found = run_once(scenario)
    assert (tmp_path / "out").read_bytes() == content
    assert {float(one.bytes_in[-1]) for one in found.stations.values()} == {1e6}


def test_one_that_closes_its_input_early_ends_what_is_above_it(tmp_path: Path) -> None:
    scenario = load({"sources": {"n": {"operator": "generate"}},
                     "stations": {"a": {"operator": "copy"},
                                  "b": {"command": "bash -c 'head -c 100000; exec <&-; sleep 0.2; echo end'"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    found = run_once(scenario).stations
    text = (tmp_path / "out").read_bytes()
    assert len(text) == 100_004 and text.endswith(b"end\n")
    # What was written and not read lay in a pipe or in a server that found nobody to give it to.
    for upper, lower in (("n", "a"), ("a", "b")):
        assert found[lower].bytes_in[-1] <= found[upper].bytes_out[-1] <= found[lower].bytes_in[-1] + 65536
    assert 100_000 <= found["b"].bytes_in[-1] <= 100_000 + 65536


def test_one_that_closes_its_output_early_ends_what_is_below_it(tmp_path: Path) -> None:
    scenario = load({"sources": {"n": {"command": "seq 5"}},
                     "stations": {"a": {"command": "bash -c 'head -n 2; exec >&-; sleep 0.3'"},
                                  "b": {"operator": "count"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    run_once(scenario)
    assert (tmp_path / "out").read_bytes() == b"2 4\n"


def test_a_station_that_fills_its_standard_error_neither_blocks_nor_fills_the_disk(tmp_path: Path) -> None:
    noisy = "bash -c 'yes complaint | head -c 80000000 >&2; cat; echo last >&2'"
    scenario = load({"sources": {"n": {"command": "seq 1000"}}, "stations": {"a": {"command": noisy}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with launched(make_plan(scenario), Setting()) as crew:
        warnings = supervise(crew)
        assert os.fstat(crew.children[1].stderr).st_size <= 80_000_005
    assert warnings == ["station 'a' wrote to its standard error: last"]
    assert len((tmp_path / "out").read_bytes().splitlines()) == 1000


@pytest.mark.parametrize("status", [1, 3, 255])
def test_a_station_that_exits_with_a_status_drops_the_output(status: int, tmp_path: Path) -> None:
    scenario = load({"sources": {"n": {"command": "seq 100000"}},
                     "stations": {"a": {"command": f"bash -c 'head -n 5; exit {status}'"}, "b": {"operator": "copy"}},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with pytest.raises(RunError, match=f"station 'a': exited with status {status}"):
        run_once(scenario)
    assert list(tmp_path.iterdir()) == []
    assert no_children()


@pytest.mark.parametrize("load_keys", [{"rate": "1000 records/s"}, {}], ids=["paced", "unpaced"])
def test_a_command_that_pauses_does_not_end_its_source(load_keys: dict[str, Any], tmp_path: Path) -> None:
    scenario = load({"sources": {"n": {"command": "bash -c 'echo 1; sleep 0.4; echo 2'", **load_keys}},
                     "stations": {"a": {"operator": "copy"}}, "measure": {"records": 2},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip
    with launched(make_plan(scenario), Setting()) as crew:
        supervise(crew)
    assert (tmp_path / "out").read_bytes() == b"1\n2\n"
