"""Models take stations that share a process for one station, which does the work of all of them."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim import verbs
from streamsim.joining import joined
from streamsim.loading import load
from streamsim.scenario import Scenario
from streamsim.simulating import simulate_result
from streamsim.transients import transient_of

SERVICE: dict[str, Any] = {
    "text": {"bytes": "1 MB", "record_bytes": 10},
    "half": {"per_record": "20 us", "selectivity": 0.5, "record_bytes": 10},
    "work": {"per_record": "30 us", "record_bytes": 10},
    "last": {"per_byte": "1 ns"},
}


def scenario(*, fuse: bool, **changes: Any) -> Scenario:
    stations: dict[str, Any] = {
        "half": {"operator": "sample", "every": 2},
        "work": {"operator": "map", "to": "record", "fuse": fuse},
        "last": {"command": "wc"},
    }
    return load(
        {"host": {"cores": 1}, "sources": {"text": {"command": "cat f"}}, "stations": stations, "service": SERVICE}
        | changes
    )


def test_a_joined_station_does_what_comes_to_each_of_its_parts() -> None:
    one, none = joined(scenario(fuse=True), None)
    assert none is None
    assert [station.name for station in one.circuit.stations] == ["text", "half+work", "last"]
    assert [pipe.label for pipe in one.circuit.pipes] == ["text->half+work", "half+work->last"]
    both = one.services["half+work"]
    assert both.service.per_record == pytest.approx(20e-6 + 0.5 * 30e-6)
    assert (both.bytes_in, both.bytes_out) == (1_000_000, 500_000)


def test_what_shares_no_process_is_left_as_it_is() -> None:
    apart = scenario(fuse=False)
    assert joined(apart, None)[0] is apart


def test_on_one_core_a_fused_circuit_takes_as_long_as_its_parts_together() -> None:
    # 100,000 records of 10 bytes: 2 s and, for half of them, 1.5 s; a nanosecond for each of 500,000 bytes.
    work = 100_000 * 20e-6 + 50_000 * 30e-6 + 500_000 * 1e-9
    fused = scenario(fuse=True)
    profile = verbs.find_profile(fused)
    for found in (
        verbs.summarise(verbs.simulate(fused, profile), fused),
        verbs.predict(fused, profile),
    ):
        assert found.circuit.makespan is not None
        assert found.circuit.makespan.value == pytest.approx(work, rel=0.01)
        assert "half+work" in found.stations


def fused_source(**changes: Any) -> Scenario:
    """1000 records of 100 bytes; making one takes 2 ms, keeping it or not 1 ms, and working on half of them 4 ms."""
    service: dict[str, Any] = {
        "n": {"bytes": 100_000, "per_record": "2 ms", "record_bytes": 100},
        "half": {"per_record": "1 ms", "selectivity": 0.5, "record_bytes": 100},
        "work": {"per_record": "4 ms", "record_bytes": 100},
        "last": {"per_record": "1 us", "record_bytes": 100},
    }
    return load(
        {"host": {"cores": 2}, "service": service, "sources": {"n": {"operator": "generate", "size": 100} | changes},
         "stations": {"half": {"operator": "sample", "every": 2, "fuse": True},
                      "work": {"operator": "map", "to": "record", "fuse": True}, "last": {"operator": "copy"}}}
    )  # fmt: skip


def test_of_a_source_that_shares_its_process_the_times_stay_apart_and_the_work_is_the_processes() -> None:
    one, _ = joined(fused_source(rate="100 records/s"), None)
    assert [pipe.label for pipe in one.circuit.pipes] == ["n+half+work.source->n+half+work", "n+half+work->last"]
    assert one.load_of("n+half+work.source").rate is not None
    assert one.services["n+half+work.source"].service.per_record == 0
    assert one.services["n+half+work"].service.per_record == pytest.approx(2e-3 + 1e-3 + 0.5 * 4e-3)
    assert (one.services["n+half+work"].bytes_in, one.services["n+half+work"].bytes_out) == (100_000, 50_000)


def test_a_source_that_shares_its_process_takes_as_long_as_all_that_it_does() -> None:
    # One process makes 1000 records in 2 ms each, samples each in 1 ms and works on half of them for 4 ms: 5 s,
    # however many cores there are. Apart, the source alone would be done in 2 s.
    found = fused_source()
    profile = verbs.find_profile(found)
    for answer in (verbs.summarise(verbs.simulate(found, profile), found), verbs.predict(found, profile)):
        assert answer.circuit.makespan is not None
        assert answer.circuit.makespan.value == pytest.approx(5.0, rel=0.01)
        assert answer.circuit.bottleneck is not None and answer.circuit.bottleneck.station == "n+half+work"


@pytest.mark.parametrize(("rate", "seconds"), [(100, 10.0), (400, 5.0)])
def test_a_fused_source_keeps_its_pace_as_far_as_its_process_can(rate: int, seconds: float) -> None:
    # 5 ms a record: 200 records/s are what the process can do.
    found = fused_source(rate=f"{rate} records/s")
    answer = verbs.summarise(verbs.simulate(found, verbs.find_profile(found)), found)
    assert answer.circuit.makespan is not None
    assert answer.circuit.makespan.value == pytest.approx(seconds, rel=0.01)
    assert answer.circuit.response_time is not None and answer.circuit.response_time.mean is not None
    if rate == 100:
        assert answer.circuit.response_time.mean.value == pytest.approx(5e-3, rel=0.1)


FEW = {
    "n": {"bytes": 200_000, "record_bytes": 10},
    "half": {"per_record": "0.3 ms", "scv": 1.0, "selectivity": 0.5, "record_bytes": 10},
    "work": {"per_record": "0.4 ms", "scv": 0.5, "record_bytes": 10},
}


def by_record(**changes: Any) -> Scenario:
    source = {"operator": "generate", "size": 10, "rate": "1000 records/s", "arrivals": "poisson"}
    stations = {"half": {"operator": "filter", "where": "True"},
                "work": {"operator": "map", "to": "record", "fuse": True}}  # fmt: skip
    document = {"sources": {"n": source}, "stations": stations, "service": FEW, "sinks": {"o": {}},
                "simulate": {"cores": "own", "precision": 0.02}}  # fmt: skip
    return load(document | changes)


def test_record_by_record_a_fused_station_is_one_server_whose_service_is_the_sum() -> None:
    """Pollaczek and Khinchine: half of the records are done after 0.3 ms on average, half take 0.4 ms more."""
    mean = 0.3e-3 + 0.5 * 0.4e-3
    variance = 0.3e-3**2 + 0.5 * 0.4e-3**2 * (1 + 0.5) - (0.5 * 0.4e-3) ** 2
    expected = mean + 1000 * (mean**2 + variance) / (2 * (1 - 1000 * mean))
    found = by_record()
    predicted = verbs.predict(found, verbs.find_profile(found))
    simulated = simulate_result(found, engine="compiled")
    for answer in (predicted, simulated):
        assert "half+work" in answer.stations
        assert answer.circuit.response_time is not None and answer.circuit.response_time.mean is not None
    response = simulated.circuit.response_time
    assert response is not None and response.mean is not None and response.mean.value is not None
    assert response.mean.value == pytest.approx(expected, rel=0.03)
    exact = predicted.circuit.response_time
    assert exact is not None and exact.mean is not None
    assert exact.mean.value is not None
    assert expected <= exact.mean.value <= expected + 0.1e-3  # waking up comes on top


def test_the_course_of_a_fused_circuit_follows_a_step_of_its_source() -> None:
    found = by_record(stations={"half": {"operator": "filter", "where": "True", "fuse": True}}, service={
        "n": {"bytes": 200_000, "record_bytes": 10, "per_record": "0.1 ms"}, "half": FEW["half"]})  # fmt: skip
    answer = transient_of(found, 2.0, steps=["n=1.5@1 s"])
    assert answer.steps == ("n × 1.5 from 1 s on",)
    before, after = [
        [rate.value for rate, end in zip(answer.records_per_s, answer.times_s, strict=True) if low < end <= high]
        for low, high in ((0.2, 1.0), (1.2, 2.0))
    ]
    assert sum(before) / len(before) == pytest.approx(500, rel=0.05)  # half of 1000, then of 1500
    assert sum(after) / len(after) == pytest.approx(750, rel=0.05)
