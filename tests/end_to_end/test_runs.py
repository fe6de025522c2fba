"""Circuits that run for real: what goes in comes out, and every second of each station is accounted for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamsim.errors import RunError, ScenarioError
from streamsim.loading import load
from streamsim.real import place
from streamsim.real.launch import launched
from streamsim.real.measure import Session, measure, run_once, trace_of
from streamsim.real.observation.probe import Probe, Speeds
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario
from streamsim.trace import CURVES, RunTrace, read_trace, write_trace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observing needs Linux's /proc")

CORES = min(2, len(os.sched_getaffinity(0)))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(cores=CORES) as ready:
        yield ready


def circuit(**document: Any) -> Scenario:
    return load({"host": {"cores": CORES}, **document})


def output_of(scenario: Scenario, tmp_path: Path, given: bytes = b"") -> bytes:
    """Run a scenario as a pipeline between two files."""
    (tmp_path / "in").write_bytes(given)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        run(scenario, stdin=source.fileno(), stdout=target.fileno())
    return (tmp_path / "out").read_bytes()


def shell(line: str, given: bytes = b"") -> bytes:
    return subprocess.run(["bash", "-c", line], input=given, capture_output=True, check=True).stdout


def test_a_pipeline_gives_what_a_shell_gives(tmp_path: Path) -> None:
    words = b"".join(b"%d some words\n" % (number * 7919 % 1000) for number in range(5000))
    scenario = circuit(stations={"cut": {"command": "cut -d' ' -f1"}, "sort": {"command": "sort -n"},
                                 "count": {"command": "uniq -c"}, "top": {"command": "tail -n 7"}})  # fmt: skip
    assert output_of(scenario, tmp_path, words) == shell("cut -d' ' -f1 | sort -n | uniq -c | tail -n 7", words)


def test_a_file_is_read_in_place_and_a_sink_is_written(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("b\na\n")
    scenario = load(
        {"sources": {"words": {"file": "words.txt"}}, "stations": {"sort": {"command": "sort"}},
         "sinks": {"out": {"file": "sorted.txt"}}}, file=str(tmp_path / "s.toml"),
    )  # fmt: skip
    assert output_of(scenario, tmp_path) == b""
    assert (tmp_path / "sorted.txt").read_text() == "a\nb\n"


def test_commands_run_where_the_scenario_is(tmp_path: Path) -> None:
    (tmp_path / "scenario").mkdir()
    before = Path.cwd()
    scenario = load({"stations": {"here": {"command": "pwd"}}}, file=str(tmp_path / "scenario" / "s.toml"))
    assert output_of(scenario, tmp_path).decode().strip() == str((tmp_path / "scenario").resolve())
    assert Path.cwd() == before


def test_a_station_has_its_own_environment(tmp_path: Path) -> None:
    scenario = circuit(stations={"a": {"command": "sh -c 'echo $COLOUR $HOME'", "env": {"COLOUR": "blue"}}})
    assert output_of(scenario, tmp_path).decode().split() == ["blue", os.environ["HOME"]]


def test_several_inputs_are_read_by_name(tmp_path: Path) -> None:
    scenario = circuit(
        sources={"a": {"command": "seq -w 1 600"}, "b": {"command": "seq -w 300 900"}},
        stations={"both": {"command": "comm -12 {a} {b}", "input": ["a", "b"]}},
    )
    assert output_of(scenario, tmp_path) == shell("seq -w 300 600")


def test_a_split_gives_every_branch_all_of_it(tmp_path: Path) -> None:
    scenario = circuit(
        sources={"numbers": {"command": "seq 30000"}},
        stations={"even": {"command": "sed -n 'n;p'", "input": "numbers"},
                  "odd": {"command": "sed -n 'p;n'", "input": "numbers"},
                  "all": {"operator": "interleave", "input": ["even", "odd"]},
                  "order": {"command": "sort -n"}},
    )  # fmt: skip
    assert output_of(scenario, tmp_path) == shell("seq 30000")


def test_ends_without_a_sink_share_the_output(tmp_path: Path) -> None:
    scenario = circuit(
        sources={"numbers": {"command": "seq 10"}},
        stations={"a": {"command": "wc -l", "input": "numbers"}, "b": {"command": "tail -n 1", "input": "numbers"}},
    )
    assert output_of(scenario, tmp_path) == b"10\n10\n"


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    scenario = circuit(
        sources={"y": {"command": "yes"}},
        stations={"wrapped": {"command": "bash -c 'cat | cat'"}, "copied": {"operator": "copy"},
                  "few": {"command": "head -n 3"}},
    )  # fmt: skip
    assert output_of(scenario, tmp_path) == b"y\ny\ny\n"


def test_a_search_that_finds_nothing_is_no_failure(session: Session, tmp_path: Path) -> None:
    scenario = circuit(sources={"n": {"command": "seq 9"}}, stations={"g": {"command": "grep nothing"}})
    assert output_of(scenario, tmp_path) == b""
    assert any("'g' exited with status 1" in warning for warning in session.run_once(scenario).warnings)


def test_a_script_without_a_first_line_is_run_by_the_shell(tmp_path: Path) -> None:
    script = tmp_path / "plain"
    script.write_text("echo from the shell $1\n")
    script.chmod(0o755)
    scenario = load({"stations": {"s": {"command": "./plain arg"}}}, file=str(tmp_path / "s.toml"))
    assert output_of(scenario, tmp_path) == b"from the shell arg\n"


def test_a_named_pipe_may_be_the_source(session: Session, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    scenario = circuit(
        sources={"f": {"file": str(tmp_path / "fifo")}},
        stations={"c": {"command": "wc -c"}},
        sinks={"o": {"file": str(tmp_path / "out")}},
    )
    with subprocess.Popen(["sh", "-c", f"head -c 300000 /dev/zero > {tmp_path}/fifo"]):
        trace = session.run_once(scenario)
    assert (tmp_path / "out").read_text() == "300000\n"
    assert trace.stations["c"].bytes_in[-1] >= 300_000


def test_a_source_of_two_thousand_files_fits(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20)
    deep.mkdir()
    for number in range(2000):
        (deep / f"{number:04}.txt").write_text(f"{number}\n")
    scenario = circuit(
        sources={"f": {"files": str(deep / "*.txt")}}, stations={"sum": {"command": "awk '{s += $1} END {print s}'"}}
    )
    assert output_of(scenario, tmp_path) == b"1999000\n"


def test_processes_are_pinned_to_the_cores_of_the_host(tmp_path: Path) -> None:
    first = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    scenario = load({"host": {"cores": 1}, "stations": {"a": {"command": "taskset -cp 0"}}})
    probe = circuit(
        host={"cores": 1},
        stations={"a": {"command": f"{sys.executable} -c 'import os; print(os.sched_getaffinity(0))'"}},
    )
    assert output_of(probe, tmp_path).decode().strip() == f"{{{first}}}"
    assert os.sched_getaffinity(0) == before
    assert scenario.host.cores == 1


def test_a_measurement_does_not_pretend_to_have_more_cores() -> None:
    scenario = load({"host": {"cores": 4096}, "stations": {"a": {"command": "true"}}})
    with pytest.raises(RunError, match=r"host\.cores is 4096 and this machine gives"):
        place.pin_set(scenario.host.cores, strict=True)
    assert place.pin_set(4096, strict=False) == frozenset(os.sched_getaffinity(0))


def test_a_run_leaves_no_descriptor_and_no_directory_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  # as many as there are names
    scenario = circuit(sources={"a": {"command": "seq 9"}}, stations={"b": {"operator": "copy"}})
    run_once(scenario)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert list(tmp_path.iterdir()) == []


def test_the_runner_keeps_no_descriptor_of_a_started_circuit() -> None:
    plan = make_plan(circuit(sources={"a": {"command": "sleep 60"}}, stations={"b": {"command": "cat"}}))
    before = _pipes_held()
    with launched(plan, Setting()) as crew:
        joints = {joint.inode for joint in crew.joints.values()}
        assert not joints & (_pipes_held() - before)
        for child in crew.children:
            os.kill(child.pid, 13)
        supervise(crew)


def _pipes_held() -> set[int]:
    return {os.stat(f"/proc/self/fd/{name}").st_ino for name in os.listdir("/proc/self/fd") if _is_open(name)}  # noqa: PTH116, PTH208


def _is_open(name: str) -> bool:
    return Path(f"/proc/self/fd/{name}").exists() or os.path.lexists(f"/proc/self/fd/{name}")


def check_budgets(trace: RunTrace) -> None:
    for station in trace.stations.values():
        life = station.time_s - station.started_s
        states = (station.running_s, station.runnable_s, station.starved_s, station.blocked_s, station.waiting_s)
        assert np.sum(states, axis=0) == pytest.approx(life, abs=1e-6), station.name
        assert station.time_s[-1] == station.ended_s <= trace.makespan_s + 1e-9
        for curve in CURVES:
            values = getattr(station, curve)
            assert len(values) == len(station.time_s)
            assert (np.diff(values) >= -1e-12).all(), (station.name, curve)


def test_a_tool_that_is_fed_slower_than_it_reads_leaves_bites(session: Session) -> None:
    scenario = circuit(
        sources={
            "a": {"operator": "generate", "count": 150_000, "rate": "100000 records/s"}
        },  # it sleeps most of the time
        stations={"slow": {"command": "sed s/1/2/"}, "quick": {"command": "cat"}, "end": {"operator": "null"}},
    )
    seen = 0
    for _ in range(20):  # one run is short, and whether a look finds it asleep twice is luck
        quick = session.run_once(scenario).stations["quick"]
        assert quick.bites is not None
        assert (quick.bites > 0).all()
        taken, used = quick.bites.sum(axis=0)
        assert taken <= quick.bytes_in[-1]
        assert used <= quick.cpu_s[-1]
        seen += len(quick.bites)
        if seen > 3:
            return
    pytest.fail("never found asleep twice")


def test_every_second_of_every_station_is_accounted_for(session: Session) -> None:
    scenario = circuit(
        sources={"a": {"command": "seq 300000"}},
        stations={"b": {"operator": "copy"}, "c": {"command": "sort -rn"}, "d": {"command": "gzip -1"},
                  "e": {"command": "wc -c"}},
    )  # fmt: skip
    trace = session.run_once(scenario)
    check_budgets(trace)
    size = float(len(shell("seq 300000")))
    stations = trace.stations
    assert stations["a"].bytes_out[-1] == stations["b"].bytes_in[-1] == stations["b"].bytes_out[-1] == size
    assert stations["b"].records_in == stations["b"].records_out == 300_000
    assert stations["d"].bytes_out[-1] == stations["e"].bytes_in[-1]
    assert stations["c"].cpu_s[-1] > 0
    assert trace.host.cores == CORES
    assert 0 < trace.host.available_cores <= CORES
    assert len(trace.host.speed) == CORES
    assert trace.pipes["a->b"].capacity_bytes == 65536
    assert (trace.pipes["a->b"].level_bytes <= 65536).all()


def test_bytes_of_files_are_exact(session: Session, tmp_path: Path) -> None:
    (tmp_path / "numbers").write_bytes(shell("seq 200000"))
    scenario = circuit(
        sources={"n": {"file": str(tmp_path / "numbers")}},
        stations={"odd": {"command": "grep -v '[02468]$'"}},
        sinks={"kept": {"file": str(tmp_path / "odd")}},
    )
    station = session.run_once(scenario).stations["odd"]
    assert station.bytes_in[-1] == (tmp_path / "numbers").stat().st_size
    assert station.bytes_out[-1] == (tmp_path / "odd").stat().st_size == len(shell("seq 1 2 200000"))


def test_who_holds_a_circuit_back_is_seen_and_so_is_who_waits_for_it(session: Session) -> None:
    """The slow operator's own visits say the same as what was seen from outside."""
    scenario = circuit(
        sources={"a": {"operator": "generate", "count": 2500, "kind": "fixed", "size": 512}},
        stations={"slow": {"operator": "work", "service": "300 us", "wait": True}, "c": {"command": "wc -l"}},
    )
    trace = session.run_once(scenario)
    check_budgets(trace)
    slow, before, after = (trace.stations[name] for name in ("slow", "a", "c"))
    assert slow.visits is not None
    serving = slow.visits["served"] - slow.visits["got"]
    # What a wait overshoots is taken off the next; one may have lasted while the machine stood still.
    assert 0.999 * 2500 * 300e-6 <= serving.sum() <= 1.05 * 2500 * 300e-6 + serving.max()
    starved = float((slow.visits["got"] - slow.visits["asked"]).sum())
    blocked = float((slow.visits["sent"] - slow.visits["served"]).sum())
    life = slow.ended_s - slow.started_s
    # Of some hundred looks, 5 standard deviations of a share are 0.1 (binomial, n = 300, p < 0.1), and of fewer more;
    # what it did between two looks is a guess. While it wanted or had a core in between counts as that here, and as
    # waiting for the pipe in its visits.
    apart = np.diff(slow.time_s)
    error = max(0.1, 5 * (0.1 / len(apart)) ** 0.5) * life + apart.max()
    assert slow.starved_s[-1] == pytest.approx(starved, abs=error)
    assert slow.blocked_s[-1] == pytest.approx(blocked, abs=error)
    # Whatever the machine is busy with, the one sleeps because its pipe is full, the other because its pipe is empty.
    assert before.blocked_s[-1] > 0.9 * (before.blocked_s[-1] + before.starved_s[-1] + before.waiting_s[-1]) - 0.05
    assert after.starved_s[-1] > 0.9 * (after.blocked_s[-1] + after.starved_s[-1] + after.waiting_s[-1]) - 0.05


def test_a_tool_with_a_reader_that_leaves_is_counted_no_further_than_the_pipe(session: Session) -> None:
    scenario = circuit(sources={"y": {"command": "yes"}}, stations={"h": {"command": "head -c 200000"}})
    stations = session.run_once(scenario).stations
    assert 200_000 <= stations["h"].bytes_in[-1] <= 200_000 + 65536
    assert 0 <= stations["y"].bytes_out[-1] - stations["h"].bytes_in[-1] <= 65536


def test_a_talkative_tool_is_not_blocked(session: Session) -> None:
    scenario = circuit(
        sources={"a": {"command": "sh -c 'seq 400000 >&2; seq 10'"}}, stations={"b": {"command": "wc -l"}}
    )
    trace = session.run_once(scenario)
    assert trace.stations["a"].bytes_out[-1] >= 21
    assert any("'a' wrote to its standard error: 400000" in warning for warning in trace.warnings)


def test_a_station_of_several_processes_is_seen_as_one(session: Session) -> None:
    scenario = circuit(
        sources={"a": {"command": "seq 400000"}},
        stations={"b": {"command": "bash -c 'gzip -9 | gzip -dc'"}, "c": {"command": "wc -l"}},
    )
    station = session.run_once(scenario).stations["b"]
    alone = session.run_once(
        circuit(sources={"a": {"command": "seq 400000"}}, stations={"b": {"command": "gzip -9"}})
    ).stations["b"]
    assert station.cpu_s[-1] > alone.cpu_s[-1] / 2  # most of it is used by the shell's children
    assert station.running_s[-1] + station.runnable_s[-1] > 0


def test_an_unobserved_run_tells_of_lives_and_cpu_times_only(session: Session) -> None:
    trace = session.run_once(circuit(stations={"b": {"command": "sort", "input": "a"}},
                                     sources={"a": {"command": "seq 9"}}), observe=False)  # fmt: skip
    assert trace.stations["b"].cpu_s[-1] > 0
    assert trace.stations["b"].visits is None
    check_budgets(trace)
    assert any("not observed" in warning for warning in trace.warnings)


def test_a_measurement_repeats_and_its_trace_can_be_kept(tmp_path: Path) -> None:
    said: list[tuple[int, int, str]] = []
    scenario = circuit(
        sources={"a": {"command": "seq 100"}}, stations={"b": {"operator": "copy"}},
        measure={"repetitions": 2, "warmup": 1},
    )  # fmt: skip
    trace = measure(scenario, progress=lambda *what: said.append(what))
    assert [done for done, _, _ in said] == [0, 1, 2, 3] and said[0][1:] == (3, "warming up")
    assert len(trace.runs) == 2 and trace.world == "measured" and trace.engine == "pipes"
    write_trace(trace, tmp_path / "t.npz")
    again = read_trace(tmp_path / "t.npz")
    assert again.runs[1].stations["b"].cpu_s.tolist() == trace.runs[1].stations["b"].cpu_s.tolist()
    assert again.runs[0].host == trace.runs[0].host


def test_runs_of_a_session_share_one_reference_speed(session: Session) -> None:
    scenario = circuit(stations={"b": {"command": "true", "input": "a"}}, sources={"a": {"command": "true"}})
    trace = trace_of(scenario, [session.run_once(scenario) for _ in range(2)])
    assert {run.host.probe_rate for run in trace.runs} == {session.reference_rate}


def test_a_reference_from_elsewhere_sets_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "speeds", lambda _: Speeds(time.monotonic(), (1e6,)))
    scenario = circuit(host={"cores": 1}, stations={"b": {"command": "true", "input": "a"}},
                       sources={"a": {"command": "true"}})  # fmt: skip
    here = run_once(scenario).host.probe_rate
    assert here is not None
    host = run_once(scenario, reference_rate=here / 100).host
    assert host.probe_rate == here / 100
    assert host.speed[0] > 20  # a machine a hundred times as fast as that, but for what the run itself saw


def test_standard_input_cannot_be_measured(session: Session) -> None:
    with pytest.raises(ScenarioError, match="standard input"):
        session.run_once(circuit(stations={"b": {"command": "cat"}}))


@pytest.mark.parametrize("fused", [False, True])
def test_the_file_of_a_tee_appears_with_the_sinks_or_not_at_all(tmp_path: Path, fused: bool) -> None:
    def circuit(end: str) -> dict[str, Any]:
        return {
            "sources": {"a": {"operator": "generate", "count": 3}},
            "stations": {"copy": {"operator": "tee", "file": "copy.txt", "fuse": fused},
                         "twice": {"operator": "map", "to": "record + record", "fuse": fused},
                         "end": {"command": end}},
            "sinks": {"out": {"file": "out.txt"}},
        }  # fmt: skip

    with pytest.raises(RunError):
        run(load(circuit("sh -c 'cat; exit 3'"), file=str(tmp_path / "x.toml")))
    assert not list(tmp_path.iterdir())
    run(load(circuit("cat"), file=str(tmp_path / "x.toml")))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "copy.txt": b"1\n2\n3\n", "out.txt": b"11\n22\n33\n"
    }  # fmt: skip
