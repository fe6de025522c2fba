"""A response time is of a record that leaves alone or with its chunk, and every world says which."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.network import predict, predict_case
from streamsim.loading import load
from streamsim.result import Result
from streamsim.scenario import Scenario
from streamsim.service import Profile
from streamsim.simulating import simulate_result
from streamsim.visits import ONE_BY_ONE, WITH_THE_CHUNK


def paced(count: int = 20000) -> Scenario:
    source: dict[str, Any] = {"operator": "generate", "count": count, "kind": "fixed", "size": 64}
    return load(
        {
            "sources": {"in": {**source, "rate": "700 records/s", "arrivals": "poisson"}},
            "stations": {"a": {"operator": "work", "service": "1 ms"}},
            "host": {"cores": 8},
            "service": {
                "in": {"bytes": 64 * count, "record_bytes": 64},
                "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 64},
            },
            "simulate": {"replications": 4},
        }
    )


def mean(result: Result, of: str) -> float:
    assert sum(of in note for note in result.notes) == 1
    assert result.circuit.response_time is not None and result.circuit.response_time.mean.value is not None
    return result.circuit.response_time.mean.value


def test_declared_stations_answer_one_by_one_in_theory_and_with_an_engine_and_by_chunks_without() -> None:
    scenario = paced()
    predicted = mean(predict(scenario, Profile()), ONE_BY_ONE)
    alone = mean(simulate_result(scenario, Profile(), engine="auto"), ONE_BY_ONE)
    together = mean(simulate_result(scenario, Profile()), WITH_THE_CHUNK)
    assert predicted == pytest.approx(1e-3 / (1 - 0.7), rel=0.01)  # M/M/1, and its reader is woken
    assert alone == pytest.approx(predicted, rel=0.1)
    assert together > 1.2 * alone


def test_measured_stations_answer_by_chunks_in_theory_too() -> None:
    case = case_of(paced(), Profile())
    case.profiles["a"] = msgspec.structs.replace(case.profiles["a"], source="fitted")
    together = mean(simulate_result(paced(), Profile()), WITH_THE_CHUNK)
    assert mean(predict_case(case), WITH_THE_CHUNK) == pytest.approx(together, rel=0.15)
