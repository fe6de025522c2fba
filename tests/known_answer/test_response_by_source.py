"""Response times of each class, as a user gets them; the tolerance is the run's own interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from streamsim.loading import load
from streamsim.result import Estimate, Result
from streamsim.simulating import simulate_result

Known = Callable[[str], dict[str, Any]]


def classes(discipline: str, engine: str = "auto", *, records: int | None = None, **simulate: Any) -> Result:
    """Two classes of 0.4 records/s each at a server of mean 1 s."""
    source = {"operator": "generate", "rate": "0.4 records/s", "arrivals": "poisson"}
    return simulate_result(
        load(
            {
                "sources": {"urgent": source, "other": {**source, "urgency": 1}},
                "stations": {"server": {"operator": "work", "service": "1 s", "input": ["urgent", "other"]}},
                "service": {
                    "urgent": {},
                    "other": {},
                    "server": {"per_record": "1 s", "scv": 1.0, "places": "unlimited", "discipline": discipline},
                },
                "measure": {} if records is None else {"records": records},
                "simulate": {"cores": "own", "precision": 0.05, **simulate},
            }
        ),
        engine=engine,
    )


def holds(found: Estimate, truth: float) -> bool:
    """Whether the truth is within twice the half-width, which 1 in 2000 intervals of 20 replications does not hold."""
    assert found.value is not None and found.high is not None
    return abs(found.value - truth) <= 2 * (found.high - found.value)


@pytest.mark.parametrize(
    ("discipline", "row"),
    [("priority", "mm1_prio_nonpreemptive"), ("preemptive", "mm1_prio_preemptive_resume")],
)
def test_each_class_has_the_response_time_that_theory_gives_it(discipline: str, row: str, known_answer: Known) -> None:
    expected = known_answer(row)["expected"]
    truths = [expected[f"T{k}"] if f"T{k}" in expected else expected[f"Wq{k}"] + 1.0 for k in (1, 2)]
    found = classes(discipline).circuit.response_by_source
    assert list(found) == ["urgent", "other"]
    assert holds(found["urgent"].mean, truths[0]) and holds(found["other"].mean, truths[1])


def test_the_most_urgent_of_those_who_interrupt_have_the_percentiles_of_a_queue_of_their_own() -> None:
    urgent = classes("preemptive").circuit.response_by_source["urgent"]
    for estimate, part in ((urgent.p50, 0.5), (urgent.p95, 0.95), (urgent.p99, 0.99)):
        assert holds(estimate, -math.log(1 - part) / (1 - 0.4))  # M/M/1 at 0.4: exponential


def test_both_engines_tell_classes_apart_alike() -> None:
    for_each = [
        classes("priority", engine, records=300, precision=0.5, replications=10).circuit.response_by_source
        for engine in ("simpy", "compiled")
    ]
    assert for_each[0] == for_each[1]


def test_one_source_alone_has_no_class() -> None:
    found = simulate_result(
        load(
            {
                "sources": {"one": {"operator": "generate", "rate": "0.4 records/s", "arrivals": "poisson"}},
                "stations": {"server": {"operator": "work", "service": "1 s"}},
                "service": {"one": {}, "server": {"per_record": "1 s", "scv": 1.0, "places": "unlimited"}},
                "simulate": {"precision": 0.2, "cores": "own"},
            }
        )
    )
    assert found.circuit.response_time is not None and not found.circuit.response_by_source


def test_a_station_that_serves_together_is_one_server_at_work_while_anybody_is_there() -> None:
    source = {"operator": "generate", "rate": "0.7 records/s", "arrivals": "poisson"}
    server = {"per_record": "1 s", "scv": 1.0, "places": "unlimited", "discipline": "sharing", "at_once": 100}
    found = simulate_result(
        load(
            {
                "sources": {"in": source},
                "stations": {"server": {"operator": "work", "service": "1 s"}},
                "service": {"in": {}, "server": server},
                "simulate": {"cores": "own", "precision": 0.05},
            }
        )
    ).stations["server"]
    assert found.budget is not None and found.utilisation is not None
    assert found.budget.running == found.utilisation and holds(found.utilisation, 0.7)
    assert found.budget.starved is not None and holds(found.budget.starved, 0.3)
