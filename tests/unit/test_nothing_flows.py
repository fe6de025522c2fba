"""Circuits in which nothing reaches some stations: theory still answers for the others."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.analysis.bottleneck import diagnose
from streamsim.analysis.prediction.blocking import saturated_throughput
from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.network import predict
from streamsim.analysis.prediction.rooms import Joint, Server
from streamsim.assumed import complete
from streamsim.loading import load
from streamsim.service import HostProfile, Profile

HOST = HostProfile(cores=4, available_cores=4.0, speed=(1.0,) * 4, wake_near_s=0.0, wake_far_s=0.0)


def test_what_takes_no_time_has_no_bound() -> None:
    assert saturated_throughput([Server(0.0), Server(1.0, visits=0.0)], [Joint(0, 1, 2)]) == float("inf")


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("selectivity", [0.0, 0.5])
def test_behind_a_station_that_lets_nothing_through_nobody_works(count: int, selectivity: float) -> None:
    document: dict[str, Any] = {
        "sources": {"in": {"operator": "generate", "count": count, "rate": 100.0, "arrivals": "poisson"}},
        "stations": {"a": {"command": "cat"}, "b": {"operator": "work", "service": "1 ms", "parallelism": 2}},
        "host": {"cores": 4},
        "service": {
            "in": {"bytes": count, "record_bytes": 1},
            "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 1, "selectivity": selectivity},
            "b": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 1},
        },
    }
    scenario = load(document)
    known, _ = complete(Profile(host=HOST), scenario)
    result = predict(scenario, known, explain=True)
    response = result.circuit.response_time
    assert response is not None and response.mean.value is not None and response.mean.value > 1e-3
    used = result.stations["b"].utilisation.value
    assert used is not None and (used == 0 or selectivity > 0)
    assert diagnose(case_of(scenario, known)).first.station == "a"
