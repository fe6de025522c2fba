"""Controllers in theory: the policies of real runs, asked with what theory says that they would see."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim import verbs
from streamsim.analysis import plots
from streamsim.analysis.bottleneck import diagnose
from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.network import predict
from streamsim.analysis.prediction.pipe_course import pipe_course
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.policies import make
from streamsim.scenario import Scenario
from streamsim.service import Filter, HostProfile, Profile, ServiceModel, StationProfile

SIZE = 1 << 22
HOST = HostProfile(cores=8, available_cores=8.0, speed=(1.0,) * 8, wake_near_s=0.0, wake_far_s=0.0)


def circuit(stations: dict[str, Any], source: dict[str, Any] | None = None, **controller: Any) -> Scenario:
    document = {
        "sources": {"make": source or {"command": "seq 9"}},
        "stations": stations,
        "simulate": {"replications": 1},
        "controllers": {"one": controller} if controller else {},
    }
    return load(document)


def taking(size: int = SIZE, gives: float = 1.0, **changes: Any) -> StationProfile:
    known = {"bytes_in": size, "bytes_out": gives * size, "records_in": size / 64, "records_out": gives * size / 64}
    return StationProfile(**{**known, "record_bytes": 64.0, "write_bytes": 4096, **changes})


def profile(size: int = SIZE, **stations: StationProfile) -> Profile:
    source = StationProfile(bytes_out=size, records_out=size / 64, write_bytes=4096, record_bytes=64.0)
    return Profile(stations={"make": source, **stations}, host=HOST)


def makespan(scenario: Scenario, known: Profile) -> float:
    found = predict(scenario, known, host=HOST).circuit.makespan.value
    assert found is not None
    return found


def test_a_pipe_that_a_controller_fits_is_predicted_as_it_is_simulated() -> None:
    stations = {"make2": {"command": "cat"}, "pack": {"command": "sort", "pipe": {"capacity": "8 KiB"}}}
    known = profile(
        make2=taking(service=ServiceModel(per_byte=1e-7)),
        pack=taking(service=ServiceModel(per_byte=1e-7), gather_bytes=1 << 18),
    )
    held = circuit(stations, policy="fit-pipe", station="pack", period="1 ms", looks=10)
    simulated = simulate(held, known, host=HOST).runs[0].makespan_s
    assert makespan(circuit(stations), known) > 1.3 * simulated
    assert makespan(held, known) == pytest.approx(simulated, rel=0.1)


def test_a_pipe_between_stations_on_one_core_is_predicted_as_it_is_simulated() -> None:
    # the reader has half a core where its writer works beside it, and a whole one elsewhere
    known = profile(
        make2=taking(service=ServiceModel(per_byte=1e-7)),
        pack=taking(service=ServiceModel(per_byte=1e-7), gather_bytes=1 << 18),
    )
    sizes = []
    for core in (0, 1):
        stations = {
            "make2": {"command": "cat", "cores": [0]},
            "pack": {"command": "sort", "cores": [core], "pipe": {"capacity": "8 KiB"}},
        }
        held = circuit(stations, policy="fit-pipe", station="pack", period="1 ms", looks=10)
        simulated = simulate(held, known, host=HOST).runs[0].makespan_s
        assert makespan(held, known) == pytest.approx(simulated, rel=0.1)
        sizes.append(pipe_course(case_of(held, known, host=HOST), "pack", make("fit-pipe", {"station": "pack"}), 1e-3))
    assert sizes[0] != sizes[1]


def test_a_sampler_is_predicted_to_keep_what_its_error_needs() -> None:
    stations = {"thin": {"operator": "sample", "probability": 1.0}, "last": {"command": "cat"}}
    given = {"policy": "hold-error", "station": "thin", "error": 0.1, "window": "10 ms", "period": "1 ms"}
    known = profile(thin=taking(service=ServiceModel(per_record=1e-5)), last=taking())
    result = predict(circuit(stations, **given), known, host=HOST)
    needed = make("hold-error", {"station": "thin", "error": 0.1, "window": 0.01}).needed  # type: ignore[attr-defined]
    offered = 1e5 * 0.01  # a record takes 10 us, so a window offers a thousand
    kept = 1.2 * needed / offered
    records = result.stations["last"].records_in
    assert records is not None and records.value is not None
    first = 100 * (1 - kept)  # all is kept until the second look, a millisecond later
    assert records.value == pytest.approx(kept * SIZE / 64 + first, rel=0.01)
    assert any("'thin' keeps" in note for note in result.notes)


def test_filters_are_predicted_in_the_order_that_costs_least() -> None:
    # as in the simulation of the same: 100 ns and 200 ns let 0.9 through, 10 ns 0.1
    each = [(0.9, 100e-9), (0.9, 200e-9), (0.1, 10e-9)]
    filters = tuple(Filter(passes=(p,), costs=(c,), seen=(1.0,)) for p, c in each)
    size = 1 << 26
    search = taking(size, 0.081, service=ServiceModel(per_record=310e-9), filters=filters)
    stations = {"search": {"operator": "cascade", "where": ["record != ''"] * 3}}
    given = {"policy": "order-filters", "station": "search", "period": "5 ms"}
    simulated = simulate(circuit(stations, **given), profile(size, search=search), host=HOST).runs[0].makespan_s
    assert makespan(circuit(stations, **given), profile(size, search=search)) == pytest.approx(simulated, rel=0.1)


def test_records_wait_the_target_before_a_station_for_which_load_is_shed() -> None:
    source = {"operator": "generate", "count": 12000, "rate": "3000 records/s", "arrivals": "poisson"}
    stations = {"shed": {"operator": "sample", "probability": 1.0}, "serve": {"operator": "map", "to": "record"}}
    given = {"policy": "hold-latency", "station": "shed", "behind": "serve", "target": "50 ms", "period": "50 ms"}
    size = 12000 * 64
    known = profile(size, shed=taking(size), serve=taking(size, service=ServiceModel(waiting_per_record=1e-3)))
    result = predict(circuit(stations, source, **given), known, host=HOST)
    assert result.stations["serve"].wait is not None and result.circuit.response_time is not None
    assert result.stations["serve"].wait.value == pytest.approx(50e-3, rel=0.1)
    assert result.circuit.response_time.p99.value is None
    assert any("controller" in note for note in result.notes) and not result.warnings
    found = diagnose(case_of(circuit(stations, source, **given), known, host=HOST))
    assert found.first.station == "serve" and found.p99_s is None
    assert any("before 'serve' records wait" in note for note in found.notes)


def test_a_controller_beyond_theory_is_named_in_the_answer() -> None:
    unmeasured = circuit(
        {"a": {"operator": "cascade", "where": ["1 > 0"]}}, station="a", period="5 ms", policy="order-filters"
    )
    result = predict(unmeasured, profile(a=taking()), host=HOST)
    assert any("controller 'one'" in said and "sets the order of 'a'" in said for said in result.warnings)


def shedding(rate: float, *, fuse: bool = False) -> dict[str, Any]:
    """Records that come at random, of which a controller may shed some before a station that carries 1000 a second."""
    return {
        "sources": {"in": {"operator": "generate", "count": 20000, "rate": rate, "arrivals": "poisson"}},
        "stations": {
            "up": {"operator": "copy"},
            "shed": {"operator": "sample", "probability": 1.0, "fuse": fuse},
            "serve": {"operator": "work", "service": "1 ms"},
        },
        "controllers": {
            "one": {
                "policy": "hold-latency",
                "station": "shed",
                "behind": "serve",
                "target": "50 ms",
                "period": "50 ms",
            }
        },
        "host": {"cores": 8},
        "service": {
            "in": {"bytes": 2000000, "record_bytes": 100},
            "up": {"record_bytes": 100},
            "shed": {"per_record": "1 us", "record_bytes": 100},
            "serve": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100},
        },
    }


def mean_response(document: dict[str, Any]) -> float:
    response = predict(load(document), Profile(host=HOST)).circuit.response_time
    assert response is not None and response.mean.value is not None
    return response.mean.value


@pytest.mark.parametrize("rate", [250.0, 500.0, 900.0])
def test_a_controller_that_sheds_nothing_takes_no_waiting_away(rate: float) -> None:
    held = shedding(rate)
    assert mean_response(held) == pytest.approx(mean_response({**held, "controllers": {}}), rel=0.01)
    assert mean_response(held) >= 1 / (1000 - rate)  # M/M/1


def test_a_controller_that_sheds_bounds_what_waits() -> None:
    assert 0.01 < mean_response(shedding(3000.0)) < 0.15


@pytest.mark.parametrize("scv", [1.0, 30.0, 100.0])
def test_a_run_whose_load_is_shed_lasts_as_long_as_its_load_however_service_scatters(scv: float) -> None:
    document = shedding(3000.0)
    document["service"]["serve"]["scv"] = scv
    result = predict(load(document), Profile(host=HOST))
    assert result.circuit.makespan.value == pytest.approx(20000 / 3000, rel=0.05)
    assert not any("steady state" in text for text in result.warnings)


def test_a_controller_of_a_fused_station_is_left_out_by_name() -> None:
    warnings = predict(load(shedding(500.0, fuse=True)), Profile(host=HOST)).warnings
    assert any("'one'" in text and "'shed'" in text and "shares a process" in text for text in warnings)


def test_the_knee_is_drawn_of_the_circuit_as_its_controllers_leave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[plots.Inputs] = []
    monkeypatch.setattr(plots, "draw_all", lambda inputs, only: drawn.append(inputs) or {})
    scenario, known = load(shedding(3000.0)), Profile(host=HOST)
    verbs.pictures(scenario, known, predict(scenario, known))
    knee = drawn[0].knee
    assert knee is not None
    assert knee.largest == pytest.approx(3000.0, rel=0.05)  # what is shed costs nothing; unsteered it were 1000
