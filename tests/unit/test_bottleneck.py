"""What holds a circuit back, on circuits whose elasticities can be worked out on paper."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamsim.analysis.bottleneck import Diagnosis, diagnose
from streamsim.analysis.elasticity import throughput
from streamsim.analysis.prediction.case import case_of
from streamsim.loading import load
from streamsim.service import HostProfile, Profile
from tests.unit.modelled import chain, giving, ideal_host, taking

FOUR_CORES = HostProfile(cores=4, available_cores=4.0, speed=(1.0,) * 4, wake_far_s=0.0, wake_near_s=0.0)


def line(demands: dict[str, str], *, cores: int = 4, **changes: Any) -> Any:
    """A line of stations with these demands for each byte; 1000 bytes pass."""
    document = {
        "name": "line",
        "sources": {"in": {"command": "seq 9"}},
        "stations": {name: {"command": "cat"} for name in demands},
        "host": {"cores": cores},
        "service": {"in": {"bytes": 1000}, **{name: {"per_byte": demand} for name, demand in demands.items()}},
    }
    return load({**document, **changes})


def found_in(scenario: Any, **spreads: float) -> Diagnosis:
    case = case_of(scenario, Profile(host=FOUR_CORES))
    for name, spread in spreads.items():
        known = msgspec.structs.replace(case.profiles[name], source="fitted", demand_spread=spread)
        case.profiles[name] = known
    return diagnose(case)


def test_the_slowest_station_has_all_of_the_elasticity() -> None:
    found = found_in(line({"a": "1 ms", "b": "4 ms", "c": "2 ms"}))
    assert (found.first.station, found.first.demand) == ("b", pytest.approx(1.0))
    assert all(cause.demand == 0 for cause in found.causes[1:])


def test_half_the_demand_gains_until_the_next_station_bites() -> None:
    found = found_in(line({"a": "1 ms", "b": "4 ms", "c": "3 ms"}))
    assert found.first.half_demand == pytest.approx(4 / 3 - 1)
    assert found.following is not None and found.following.station == "c"
    assert found.following.demand == pytest.approx(0.75, rel=0.02)
    assert found.following.throughput == pytest.approx(4 / 3, rel=0.02)


def test_another_server_gains_until_the_next_station_bites() -> None:
    assert found_in(line({"a": "1 ms", "b": "4 ms"})).first.one_more == pytest.approx(1.0)


def test_on_too_few_cores_stations_share_the_elasticity_by_their_work() -> None:
    found = found_in(line({"a": "1 ms", "b": "3 ms"}, cores=1))
    shares = {cause.station: cause.demand for cause in found.causes}
    assert shares == {
        "host": pytest.approx(1.0),
        "b": pytest.approx(0.75, rel=1e-3),
        "a": pytest.approx(0.25, rel=1e-3),
    }


def test_under_an_open_load_it_is_about_the_largest_load_and_the_tail() -> None:
    scenario = line(
        {"a": "1 us"},
        sources={"in": {"command": "seq 9", "rate": 500.0, "arrivals": "poisson"}},
        service={
            "in.command": {"bytes": 1000000, "record_bytes": 100},
            "in": {"record_bytes": 100},
            "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100},
        },
    )
    found = found_in(scenario)
    assert found.basis == "largest load" and found.throughput == pytest.approx(1000.0)
    # an M/M/1 queue of ρ = 0.5: d ln T / d ln s = 1/(1−ρ) = 2, for the mean as for every quantile
    assert found.first.p99_demand == pytest.approx(2.0, rel=0.01)


def test_confidence_is_how_often_it_stays_the_first_within_the_intervals_of_the_profile() -> None:
    sure = found_in(line({"a": "1 ms", "b": "4 ms"}), a=0.02, b=0.02)
    assert sure.confidence == 1.0
    tie = found_in(line({"a": "1 ms", "b": "1 ms"}), a=0.02, b=0.02)
    assert tie.confidence is not None and 0.3 < tie.confidence < 0.7
    assert sum(tie.ranking.values()) == pytest.approx(1.0)


def test_without_intervals_it_says_that_it_cannot_say_how_sure_it_is() -> None:
    scenario = line({"a": "1 ms"})
    case = case_of(scenario, Profile(host=FOUR_CORES))
    case.profiles["a"] = msgspec.structs.replace(case.profiles["a"], source="fitted")
    found = diagnose(case)
    assert found.confidence is None
    assert any("no interval of 'a'" in note for note in found.notes)


def test_relief_lowers_no_throughput_where_a_sorter_sets_the_rhythm() -> None:
    scenario, profile = chain(
        giving(10_000_000, per_byte=2e-8),
        taking(per_byte=6e-8),
        taking(per_byte=1e-8, gather_bytes=500_000, filling_per_byte=1e-10),
        taking(per_byte=1e-8),
        host=ideal_host(2),
    )
    case = case_of(scenario, profile)
    assert throughput(case.with_capacity("s1", 2.0)) < throughput(case)  # what theory says of itself
    for cause in diagnose(case).causes:
        assert min(cause.demand, cause.half_demand, cause.one_more or 0.0, cause.double_pipe or 0.0) >= 0
    assert next(cause for cause in diagnose(case).causes if cause.station == "s1").double_pipe == 0
