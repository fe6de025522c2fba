"""Closed circuits in theory: whatever some method refuses, the others answer."""

from __future__ import annotations

import pytest

from streamsim.analysis.prediction.network import predict
from streamsim.loading import load
from streamsim.service import HostProfile, Profile

HOST = HostProfile(cores=8, available_cores=8.0, speed=(1.0,) * 8, wake_near_s=0.0, wake_far_s=0.0)


def test_more_records_in_flight_than_convolution_takes_are_answered_by_the_others() -> None:
    source = {"operator": "generate", "count": 10000, "arrivals": "closed", "in_flight": 4000}
    document = {
        "sources": {"in": source},
        "stations": {"a": {"command": "cat"}, "b": {"command": "cat"}},
        "host": {"cores": 8},
        "service": {
            "in": {"bytes": 10000, "record_bytes": 1},
            "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 1},
            "b": {"per_record": "2 ms", "scv": 1.0, "record_bytes": 1},
        },
    }
    result = predict(load(document), Profile(host=HOST), explain=True)
    assert result.circuit.makespan.value == pytest.approx(20.0, rel=1e-3)  # paced by b
    found = {one.method: one for one in result.methods["circuit"].alternatives}
    assert found["convolution"].value is None and "does not apply" in found["convolution"].note
    assert found["linearizer"].value == pytest.approx(20.0, rel=1e-2)
