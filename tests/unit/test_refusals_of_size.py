"""What no simulation would see the end of, or no run could be pinned to, is said before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.scenario import Scenario
from streamsim.service import Profile
from streamsim.simulating import simulate_result


def paced(count: int, rate: float, **station: Any) -> Scenario:
    return load(
        {
            "sources": {"in": {"operator": "generate", "count": count, "rate": rate, "arrivals": "poisson"}},
            "stations": {"a": {"operator": "work", "service": "1 ms", **station}},
            "host": {"cores": 2},
            "service": {
                "in": {"bytes": 64 * count, "record_bytes": 64},
                "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 64},
            },
            "simulate": {"replications": 3},
        }
    )


def test_more_chunks_than_anybody_waits_for_are_refused_with_a_way_out() -> None:
    with pytest.raises(ModelError, match=r"source 'in' gives about 2e\+09 chunks in each run.*--engine auto"):
        simulate(paced(2_000_000_000, 700.0), Profile())


@pytest.mark.parametrize(("rate", "carried"), [(500.0, True), (900.0, True), (2000.0, False)])
def test_a_finite_load_is_said_to_be_carried_or_not_by_records(rate: float, carried: bool) -> None:
    found = simulate_result(paced(20_000, rate), Profile(), engine="auto")
    assert found.saturated is not carried
    assert any("the load was not carried" in warning for warning in found.warnings) is not carried


def test_a_pin_beyond_the_cores_of_the_host_is_warned_of() -> None:
    away, inside = paced(500, 500.0, cores=[7]), paced(500, 500.0, cores=[1])
    for engine in (None, "auto"):
        warned, silent = (simulate_result(one, Profile(), engine=engine).warnings for one in (away, inside))
        assert any("'a' is pinned to CPU 7" in text for text in warned)
        assert not any("pinned" in text for text in silent)
