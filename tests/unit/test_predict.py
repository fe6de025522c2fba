"""Prediction on circuits whose profile is declared by hand, against answers worked out on paper."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.analysis.prediction.network import predict
from streamsim.loading import load
from streamsim.service import HostProfile, Profile
from tests.unit.modelled import PAGE, chain, giving, ideal_host, run, taking

TWO_CORES = HostProfile(cores=2, available_cores=2.0, speed=(1.0, 1.0), wake_far_s=0.0, wake_near_s=0.0)


def scenario(**changes: Any) -> Any:
    document = {
        "name": "line",
        "sources": {"in": {"command": "cat /dev/null"}},
        "stations": {"a": {"command": "cat"}, "b": {"command": "cat"}},
        "host": {"cores": 2},
        "service": {
            "in": {"bytes": 1000000, "record_bytes": 100},
            "a": {"per_byte": "2 us", "record_bytes": 100},
            "b": {"per_byte": "1 us", "record_bytes": 100},
        },
    }
    return load({**document, **changes})


def test_the_slower_station_names_the_makespan_and_the_bottleneck() -> None:
    answer = predict(scenario(), Profile(host=TWO_CORES))
    assert answer.circuit.makespan.value == pytest.approx(2.0)
    assert answer.circuit.bottleneck is not None and answer.circuit.bottleneck.station == "a"
    assert answer.circuit.bottleneck.share.value == pytest.approx(1.0)
    assert answer.stations["b"].utilisation.value == pytest.approx(0.5)


def test_one_core_makes_the_host_the_bottleneck() -> None:
    answer = predict(scenario(host={"cores": 1}), Profile(host=TWO_CORES))
    assert answer.circuit.makespan.value == pytest.approx(3.0)
    assert answer.circuit.bottleneck is not None and answer.circuit.bottleneck.station == "host"


def paced(rate: float, scv: float) -> Any:
    return scenario(
        sources={"in": {"command": "cat /dev/null", "rate": rate, "arrivals": "poisson"}},
        service={
            "in.command": {"bytes": 1000000, "record_bytes": 100},
            "in": {"record_bytes": 100},
            "a": {"per_record": "1 ms", "scv": scv, "record_bytes": 100},
            "b": {"record_bytes": 100},
        },
    )


@pytest.mark.parametrize(("scv", "wait_ms"), [(1.0, 4.0), (0.0, 2.0)])
def test_a_poisson_load_on_one_station_waits_as_pollaczek_and_khinchine_say(scv: float, wait_ms: float) -> None:
    # M/M/1 and M/D/1 at 80 %: Wq = 4 and 2 service times (known_answers.json: mm1_rho08, md1_rho08); the
    # approximation of Kraemer and Langenbach-Belz is exact for Poisson arrivals
    answer = predict(paced(800.0, scv), Profile(host=TWO_CORES))
    station = answer.stations["a"]
    assert station.wait is not None and station.wait.value is not None
    assert station.wait.value * 1e3 == pytest.approx(wait_ms, rel=1e-6)


def test_a_load_that_nothing_can_carry_is_said_with_the_largest_that_could() -> None:
    answer = predict(paced(2000.0, 1.0), Profile(host=TWO_CORES))
    assert answer.saturated
    assert answer.circuit.response_time is None
    assert any("at most 1000 records/s" in warning for warning in answer.warnings)


@pytest.mark.parametrize("station", [{"operator": "filter", "where": "True"}, {"command": "cat", "one_to_one": True}])
def test_there_is_no_response_time_where_a_merge_keeps_the_order(station: dict[str, Any]) -> None:
    found = {}
    for merge in ("unordered", "ordered"):
        document = {
            "sources": {"n": {"operator": "generate", "rate": "100 records/s", "count": 1000}},
            "stations": {"b": station | {"parallelism": 2, "merge": merge, "partition": "round-robin"}},
            "service": {"b": {"per_record": "1 ms"}, "n": {"bytes": 3893}},
        }
        found[merge] = predict(load(document), Profile(host=TWO_CORES))
    assert found["unordered"].circuit.response_time is not None
    assert found["ordered"].circuit.response_time is None
    assert any("records wait at b.merge until all" in warning for warning in found["ordered"].warnings)


@pytest.mark.parametrize(("cores", "within"), [(1, 0.001), (2, 0.02), (3, 0.01)])
@pytest.mark.parametrize("slots", [4, 16, 64])
def test_a_buffer_that_is_filled_again_and_again_is_predicted_as_it_is_simulated(
    slots: int, cores: int, within: float
) -> None:
    sorter = taking(gather_bytes=64.0 * PAGE, per_byte=3.0 / PAGE, filling_per_byte=0.2 / PAGE, barrier=True)
    host = ideal_host(cores)
    line, profile = chain(giving(640 * PAGE, setup=1.0), taking(setup=1.5), sorter, slots=slots, host=host)
    predicted = predict(line, profile).circuit.makespan.value
    assert predicted == pytest.approx(run(line, profile).makespan_s, rel=within)
