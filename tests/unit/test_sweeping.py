"""Sweeps: which values there are, that all points meet the same luck, and that nothing is answered twice."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from streamsim import sweeping
from streamsim.errors import ModelError, ScenarioError
from streamsim.loading import load
from streamsim.models.statistics.workers import local_processes
from streamsim.service import Profile
from streamsim.simulating import paired
from streamsim.sweeping import Sweep, cluster, parse_values, sweep, to_csv, variants
from streamsim.verbs import find_profile

QUEUE: dict[str, Any] = {
    "name": "queue",
    "sources": {"load": {"operator": "generate", "rate": "800 records/s", "arrivals": "poisson"}},
    "stations": {"server": {"operator": "work", "service": "1 ms"}},
    "service": {"load": {}, "server": {"per_record": "1 ms", "scv": 1.0, "places": "unlimited"}},
    "simulate": {"cores": "own", "precision": 0.2},
}
RATES = {"sources.load.rate": ["200 records/s", "600 records/s"]}


def profile_of(scenario: Any) -> Profile:
    return find_profile(scenario)


def swept(**more: Any) -> Sweep:
    return sweep(variants(QUEUE, RATES), profile_of, RATES, **more)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("host.cores=1,2,4", [1, 2, 4]),
        ("host.cores=3", [3]),
        ("a.b=1:4:1", [1, 2, 3, 4]),
        ("a.b=0:1:0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("a.b=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("a.b=4:1:-1", [4, 3, 2, 1]),
        ("a.rate=100:200:50 records/s", ["100 records/s", "150 records/s", "200 records/s"]),
        ("a.b=[1, 2],[3]", [[1, 2], [3]]),
        ("a.command='cut -d, -f1','cat'", ["cut -d, -f1", "cat"]),
        ("a.size=64 KiB,1 MiB", ["64 KiB", "1 MiB"]),
    ],
)
def test_values_are_lists_or_ranges(text: str, values: list[Any]) -> None:
    assert parse_values(text)[1] == values


@pytest.mark.parametrize("text", ["a.b=1:2:0", "a.b=1:2:-1", "a.b=1:1e9:1", "a.b=1:2:e"])
def test_a_range_that_does_not_end_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="no range"):
        parse_values(text)


def test_all_variants_are_checked_before_the_first_runs() -> None:
    with pytest.raises(ScenarioError, match=r"service\.server\.scv"):
        variants(QUEUE, {"host.cores": [1, 2], "service.server.scv": [1.0, -1.0]})


def test_too_many_points_are_refused() -> None:
    with pytest.raises(ScenarioError, match="more than a sweep has"):
        variants(QUEUE, {"host.cores": list(range(200)), "simulate.seed": list(range(200))})


def test_points_differ_only_in_what_was_set_and_answer_in_order() -> None:
    found = swept()
    rates = [point.simulated.circuit.records_per_s.value for point in found.points]  # type: ignore[union-attr]
    assert [point.set["sources.load.rate"] for point in found.points] == RATES["sources.load.rate"]
    assert rates == [pytest.approx(200, rel=0.05), pytest.approx(600, rel=0.05)]
    assert found.parameters == RATES


def test_the_same_luck_makes_differences_narrower_than_their_parts() -> None:
    sets = {"service.server.per_record": ["1.00 ms", "1.05 ms"]}
    one, other = (point.values["response_mean"] for point in sweep(variants(QUEUE, sets), profile_of, sets).points)
    together = paired(other, one, "s")
    assert together.low is not None and together.high is not None and together.value is not None
    assert together.low > 0  # 5 % more service is seen at once
    alone = paired(other[1:] + other[:1], one, "s")  # the same numbers, not meeting the same luck
    assert alone.low is not None and alone.high is not None
    assert together.high - together.low < 0.5 * (alone.high - alone.low)


def test_a_sweep_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    answer = sweeping.answer_point

    def counting(scenario: Any, *rest: Any) -> Any:
        asked.append(scenario.overrides)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return answer(scenario, *rest)

    monkeypatch.setattr(sweeping, "answer_point", counting)
    with pytest.raises(KeyboardInterrupt):
        swept(directory=tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 1
    found = swept(directory=tmp_path)
    assert [one["sources.load.rate"] for one in asked[2:]] == ["600 records/s"]
    monkeypatch.undo()
    assert [point.values for point in found.points] == [point.values for point in swept().points]
    swept(directory=tmp_path, seed=7)
    assert len(list(tmp_path.glob("*.json"))) == 4  # another seed is another sweep


def test_processes_give_the_same_answers() -> None:
    alone, shared = swept(), swept(executor=local_processes(2))
    for one, other in zip(alone.points, shared.points, strict=True):
        assert one.values == other.values


def test_a_point_without_an_answer_says_why_and_the_others_go_on() -> None:
    found = swept(worlds=("simulate", "predict"))
    assert all(point.simulated is not None for point in found.points)
    assert all("predict" in point.errors or point.predicted is not None for point in found.points)
    sets = {"simulate.grain": ["records", "chunks"]}
    fine, not_fine = sweep(variants(QUEUE, sets), profile_of, sets).points
    assert fine.errors == {} and fine.simulated is not None
    assert "simulate" in not_fine.errors and not_fine.simulated is None


def test_every_estimate_of_the_table_has_its_interval() -> None:
    rows = list(csv.DictReader(to_csv(swept()).splitlines()))
    assert [row["sources.load.rate"] for row in rows] == RATES["sources.load.rate"]
    for row in rows:
        assert row["world"] == "simulated"
        assert float(row["response_p99_low"]) < float(row["response_p99"]) < float(row["response_p99_high"])
        assert row["makespan"] == ""


def test_workers_of_a_real_cluster_answer_the_same() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as workers:
        found = swept(executor=cluster(workers.scheduler_address))
    assert [point.values for point in found.points] == [point.values for point in swept().points]


def test_an_address_without_a_scheduler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(sweeping, "PATIENCE_S", 0.5)
    with (
        pytest.raises(ModelError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
        cluster("tcp://127.0.0.1:1"),
    ):
        pass


def test_a_sweep_of_nothing_random_is_exact() -> None:
    quiet = load(QUEUE, overrides={"service.server.scv": 0.0, "sources.load.arrivals": "even"})
    found = sweep([quiet], profile_of, {"host.cores": [1]})
    mean = found.points[0].simulated.circuit.response_time.mean  # type: ignore[union-attr]
    assert mean.value == pytest.approx(0.001)
    assert mean.low is None
