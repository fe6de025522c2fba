"""``simulate`` record by record and ``sweep``, as somebody types them, on a queue that was never measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.command_line import Run, one_line, streamsim

QUEUE = """
[sources.load]
operator = "generate"
rate     = "800 records/s"
arrivals = "poisson"

[stations.server]
operator = "work"
service  = "1 ms"

[service.load]

[service.server]
per_record = "1 ms"
scv        = 1.0
places     = "unlimited"

[simulate]
cores     = "own"
precision = 0.1
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queue.toml").write_text(QUEUE)
    return tmp_path


def test_a_queue_is_answered_with_its_engine_and_what_it_took(run: Run, queue: Path) -> None:
    done = run("simulate", "queue.toml")
    assert done.status == 0
    assert "engine maxplus: no route and no order depends on time" in done.out
    assert "replications of" in done.out and "Little's law holds to" in done.out
    result = json.loads((queue / "reports/queue/simulated.json").read_text())
    for name, truth in (("mean", 0.005), ("p99", 0.02302585)):  # M/M/1 at 0.8 with a service of 1 ms
        found = result["circuit"]["response_time"][name]
        assert found["low"] < truth < found["high"]
        assert (found["high"] - found["low"]) / 2 <= 0.1 * found["value"]


def test_workers_change_nothing(run: Run, queue: Path) -> None:
    answers = []
    for workers in ("1", "2"):
        assert run("simulate", "queue.toml", "--workers", workers, "--json").status == 0
        answers.append(json.loads((queue / "reports/queue/simulated.json").read_text())["circuit"])
    assert answers[0] == answers[1]


def test_engines_agree_to_the_last_bit_on_what_each_record_did(run: Run, queue: Path) -> None:
    words = ("simulate", "queue.toml", "--set", "measure.records=500", "--set", "simulate.replications=3", "--engine")
    circuits = []
    for engine in ("maxplus", "compiled", "simpy"):
        assert run(*words, engine).status == 0
        circuits.append(json.loads((queue / "reports/queue/simulated.json").read_text())["circuit"]["response_time"])
    assert circuits[0]["p99"] == circuits[1]["p99"] == circuits[2]["p99"]


def test_an_engine_that_cannot_run_it_says_why(run: Run, queue: Path) -> None:
    done = run("simulate", "queue.toml", "--engine", "maxplus", "--set", "simulate.cores=shared")
    assert done.status == 2
    assert "shares cores; --engine compiled can" in one_line(done.err)


def test_a_closed_load_is_simulated_and_not_measured(run: Run, queue: Path) -> None:
    text = QUEUE.replace('rate     = "800 records/s"', "in_flight = 3").replace('"poisson"', '"closed"')
    (queue / "closed.toml").write_text(text)
    assert run("simulate", "closed.toml").status == 0
    done = run("measure", "closed.toml")
    assert done.status == 2
    assert "sources.load.arrivals: a closed load cannot be measured" in one_line(done.err)


def test_a_sweep_prints_a_table_and_goes_on_where_it_was(run: Run, queue: Path) -> None:
    words = ("sweep", "queue.toml", "--set", "sources.load.rate=200:600:200 records/s", "--workers", "1")
    first = run(*words)
    assert first.status == 0
    assert all(f"{rate} records/s" in first.out for rate in (200, 400, 600))
    assert "mean against the first" in first.out
    kept = sorted((queue / "reports/queue/sweep").glob("*.json"))
    stamps = [file.stat().st_mtime_ns for file in kept]
    assert len(kept) == 3
    for name in ("sweep.json", "sweep.csv", "sweep-records_per_s.svg", "sweep-response_p99.svg"):
        assert (queue / "reports/queue" / name).stat().st_size > 100
    kept[0].unlink()
    again = run(*words)
    assert again.out.splitlines()[:4] == first.out.splitlines()[:4]
    assert [file.stat().st_mtime_ns for file in kept[1:]] == stamps[1:]


def test_a_shell_line_is_swept_by_a_profile_of_its_stations(run: Run, queue: Path) -> None:
    line = "cat queue.toml | sort | uniq -c"
    done = run("sweep", "--shell", line, "--set", "host.cores=1,2", "--world", "predict")
    assert done.status == 2
    assert "there is no profile of 'shell-" in one_line(done.err)
    assert run("measure", "--shell", line, "-n", "1").status == 0
    done = run("sweep", "--shell", line, "--set", "host.cores=1,2", "--world", "predict")
    assert done.status == 0
    assert "makespan against the first" not in done.out and done.out.count("predicted") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing varies"),
        (("--set", "host.cores=1,2", "--set", "host.cores=4,5"), "is there twice"),
        (("--set", "host.cores=1,2", "--executor", "somewhere"), "neither local nor an address"),
        (("--set", "service.server.scv=1.0,-1.0"), "service.server.scv"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_before_anything_runs(
    run: Run, queue: Path, words: tuple[str, ...], message: str
) -> None:
    done = run("sweep", "queue.toml", *words)
    assert done.status == 2
    assert message in one_line(done.err)
    assert not (queue / "reports/queue/sweep").exists()


def test_a_whole_sweep_works_in_processes_of_its_own(queue: Path) -> None:
    done = streamsim("sweep", "queue.toml", "--set", "host.cores=1,2", "--workers", "2", "--json", cwd=queue)
    assert done.returncode == 0, done.stderr
    assert [point["set"]["host.cores"] for point in json.loads(done.stdout)["points"]] == [1, 2]


def test_curves_against_time_are_drawn_where_they_are_asked_for(queue: Path) -> None:
    run = streamsim("simulate", "queue.toml", "--over", "2 s", "--step", "load=1.2@1 s", "--json")
    found = json.loads(run.stdout)["transient"]
    assert found["steps"] == ["load × 1.2 from 1 s on"]
    assert len(found["times_s"]) == len(found["response_time"]) == len(found["records_inside"])
    assert 780 < found["records_per_s"][20]["value"] < 820
    assert 900 < sum(one["value"] for one in found["records_per_s"][30:]) / 20 < 1000
    assert (queue / "reports" / "queue" / "transient.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--step", "load=2@1s"], "say how long"),
        (["--over", "1 s", "--step", "laod=2@0.5s"], "there is no source 'laod'; did you mean 'load'?"),
        (["--over", "1 s", "--step", "load=2"], "write SOURCE=FACTOR@TIME"),
        (["--over", "1 apple"], "unknown unit"),
    ],
)
def test_curves_that_cannot_be_drawn_are_refused_in_one_line(queue: Path, words: list[str], message: str) -> None:
    assert message in one_line(streamsim("simulate", "queue.toml", *words).stderr)


CLASSES = """
[sources.urgent]
operator = "generate"
rate     = "400 records/s"
arrivals = "poisson"

[sources.other]
operator = "generate"
rate     = "400 records/s"
arrivals = "poisson"
urgency  = 1

[stations.server]
operator = "work"
service  = "1 ms"
input    = ["urgent", "other"]

[service.urgent]

[service.other]

[service.server]
per_record = "1 ms"
scv        = 4.0
places     = "unlimited"
discipline = "DISCIPLINE"

[simulate]
cores     = "own"
precision = 0.1
"""


PREEMPTED = ((1.0 + 0.4 * 5.0 / 2 / 0.6) + (1.0 / 0.6 + 0.8 * 5.0 / 2 / (0.6 * 0.2))) / 2
"""Mean response (ms) of two classes of 0.4 with preemptive resume (`analysis.queueing.priority.preemptive_resume`)."""


@pytest.mark.parametrize(
    ("discipline", "mean_ms"),
    [
        ("arrival", 1.0 + 0.8 * 5.0 / 2 / 0.2),  # Pollaczek and Khinchine; the second moment of a service is 5 ms²
        ("preemptive", PREEMPTED),
        ("sharing", 1.0 / 0.2),  # whatever the variation
    ],
)
def test_whom_a_station_serves_can_be_said(queue: Path, discipline: str, mean_ms: float) -> None:
    text = CLASSES.replace("DISCIPLINE", discipline)
    if discipline == "sharing":
        text = text.replace("places ", "at_once = 300\nplaces ")
    (queue / "classes.toml").write_text(text)
    found = json.loads(streamsim("simulate", "classes.toml", "--json").stdout)
    mean = found["circuit"]["response_time"]["mean"]
    mean_s = mean_ms / 1000
    assert abs(mean["value"] - mean_s) <= 2 * (mean["high"] - mean["value"])
    assert abs(found["stations"]["server"]["utilisation"]["value"] - 0.8) < 0.05


def test_a_discipline_is_refused_where_it_cannot_be_answered(queue: Path) -> None:
    text = CLASSES.replace("DISCIPLINE", "priority")
    (queue / "classes.toml").write_text(text)
    assert "'priority' cannot be predicted yet" in one_line(streamsim("predict", "classes.toml").stderr)
    (queue / "classes.toml").write_text(text.replace('places     = "unlimited"', ""))
    assert "say how many records may wait (places)" in one_line(streamsim("simulate", "classes.toml").stderr)
