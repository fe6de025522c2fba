"""Which method answers what, and that exact ones are exact: Jackson's networks, M/G/1, shared cores."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from streamsim.analysis.prediction.markovian import services_of
from streamsim.analysis.prediction.network import predict
from streamsim.analysis.queueing.lines import closed_line, open_line, solve_network
from streamsim.analysis.queueing.map_process import poisson
from streamsim.analysis.queueing.mapmap1 import map_map_1
from streamsim.families import distribution_of
from streamsim.loading import load
from streamsim.result import Result
from streamsim.service import HostProfile, Profile


def host(cores: float) -> HostProfile:
    whole = max(1, int(cores))
    return HostProfile(cores=whole, available_cores=cores, speed=(1.0,) * whole, wake_far_s=0.0, wake_near_s=0.0)


def paced(rate: float, needs: dict[str, dict[str, Any]], *, arrivals: str = "poisson", **circuit: Any) -> Any:
    """A source that gives 10,000 records at a rate, and stations with these services."""
    service = {name: {"record_bytes": 100, **given} for name, given in needs.items()}
    document = {
        "name": "paced",
        "sources": {"in": {"command": "cat /dev/null", "rate": rate, "arrivals": arrivals}},
        "stations": {name: {"command": "cat"} for name in needs},
        "host": {"cores": 8},
        "service": {"in.command": {"bytes": 1000000, "record_bytes": 100}, "in": {"record_bytes": 100}, **service},
    }
    return load({**document, **circuit})


def answer(scenario: Any, cores: float = 8.0) -> Result:
    return predict(scenario, Profile(), host=host(cores), explain=True)


def wait(result: Result, station: str) -> float:
    found = result.stations[station].wait
    assert found is not None and found.value is not None
    return found.value


def test_a_line_of_exponential_stations_under_poisson_arrivals_is_exact_to_its_quantiles() -> None:
    # Jackson 1957, Reich 1957: sojourns 1/(μ−λ), independent; equal stations make the whole an Erlang law
    result = answer(paced(500.0, {name: {"per_record": "1 ms", "scv": 1.0} for name in "abc"}))
    response = result.circuit.response_time
    assert response is not None
    assert result.methods["circuit"].exact and all(result.methods[name].method == "M/M/1" for name in "abc")
    assert response.mean.value == pytest.approx(3 * 2e-3)
    law = stats.gamma(3, scale=2e-3)
    for level, found in ((0.5, response.p50), (0.95, response.p95), (0.99, response.p99)):
        assert found.value == pytest.approx(law.ppf(level), rel=1e-5)


@pytest.mark.parametrize(
    ("arrivals", "service", "method", "exact", "wait_ms"),
    [
        ("poisson", {"scv": 1.0}, "M/M/1", True, 4.0),
        ("poisson", {"scv": 0.0}, "M/D/1", True, 2.0),
        ("poisson", {"scv": 0.5}, "M/G/1", True, 3.0),
        # known_answers.json, dm1_rho08: W = 2.69274 service times
        ("even", {"scv": 1.0}, "D/M/1", True, 1.69274),
        # known_answers.json, e2e2_1_rho08 has 1.918 by this formula at c²a = 0.5; here c²a = 0, c²s = 0.5
        ("even", {"scv": 0.5}, "G/G/1 Kraemer-Langenbach-Belz", False, None),
    ],
)
def test_a_station_is_answered_by_the_most_exact_model_whose_assumptions_hold(
    arrivals: str, service: dict[str, float], method: str, exact: bool, wait_ms: float | None
) -> None:
    result = answer(paced(800.0, {"a": {"per_record": "1 ms", **service}}, arrivals=arrivals))
    assert (result.methods["a"].method, result.methods["a"].exact) == (method, exact)
    if wait_ms is not None:
        assert wait(result, "a") * 1e3 == pytest.approx(wait_ms, rel=1e-4)


def test_alternatives_say_what_they_assume_that_does_not_hold() -> None:
    result = answer(paced(800.0, {"a": {"per_record": "1 ms", "scv": 1.0}}))
    others = {other.method: other for other in result.methods["a"].alternatives}
    assert others["M/D/1"].note == "assumes constant service" and not others["M/D/1"].exact
    assert others["M/D/1"].value == pytest.approx(2e-3)
    assert others["M/G/1"].exact


def test_sharing_too_few_cores_is_an_approximation_that_two_equal_stations_meet() -> None:
    # symmetric stations on one core: the number at work in all is that of an M/M/1 queue with the load of both
    sources = {"in": {"command": "cat /dev/null", "rate": 400.0, "arrivals": "poisson"}}
    stations = {"a": {"command": "cat", "input": "in"}, "b": {"command": "cat", "input": "in"}}
    scenario = paced(
        400.0,
        {name: {"per_record": "1 ms", "scv": 1.0} for name in ("a", "b")},
        sources=sources,
        stations=stations,
        service={
            **{name: {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100} for name in ("a", "b")},
            "in.command": {"bytes": 1000000, "record_bytes": 100},
            "in": {"record_bytes": 100},
            "in.copy": {"record_bytes": 100},
        },
    )
    result = answer(scenario, cores=1.0)
    assert not result.methods["a"].exact and "others want the cores too" in result.methods["a"].why
    found = result.stations["a"].response_time
    assert found is not None and found.value == pytest.approx(1e-3 / (1 - 0.8))


def test_least_loaded_servers_wait_like_one_queue_and_dealt_ones_like_several() -> None:
    def of(partition: str) -> Result:
        stations = {"a": {"command": "cat", "parallelism": 2, "partition": partition}}
        service = {
            "in.command": {"bytes": 1000000, "record_bytes": 100},
            "in": {"record_bytes": 100},
            "a.split": {"record_bytes": 100},
            "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100},
            "a.merge": {"record_bytes": 100},
        }
        return answer(paced(1600.0, {}, stations=stations, service=service))

    # M/M/2 at ρ = 0.8: Wq = ρ²/(1−ρ²) service times; E2/M/1: known to be below M/M/1 = 4
    assert wait(of("least-loaded"), "a") == pytest.approx(0.64 / 0.36 * 1e-3)
    assert wait(of("key"), "a") == pytest.approx(4e-3)
    assert wait(of("least-loaded"), "a") < wait(of("round-robin"), "a") < wait(of("key"), "a")
    assert of("key").circuit.makespan.value == pytest.approx(10000 / 1600, rel=0.01)


def test_a_station_that_serves_several_at_once_from_one_queue_is_exact() -> None:
    # known_answers.json, mm4_rho08: Wq = 0.74554059 service times at λ = 3.2 and c = 4
    result = answer(paced(3200.0, {"a": {"per_record": "1 ms", "scv": 1.0, "at_once": 4, "places": "unlimited"}}))
    assert (result.methods["a"].method, result.methods["a"].exact) == ("M/M/c", True)
    assert wait(result, "a") * 1e3 == pytest.approx(0.74554059, rel=1e-6)


def test_so_many_records_in_flight_are_answered_by_mean_value_analysis() -> None:
    # known_answers.json, balanced_closed: X = N/((N+M−1)D)
    need = {"per_record": "200 ms", "scv": 1.0, "record_bytes": 100}
    scenario = paced(
        1.0,
        {},
        sources={"in": {"operator": "generate", "count": 1000, "size": 100, "arrivals": "closed", "in_flight": 10}},
        stations={name: {"command": "cat"} for name in "abcde"},
        service={"in": {"bytes": 100000, "record_bytes": 100}, **dict.fromkeys("abcde", need)},
    )
    result = answer(scenario)
    assert result.circuit.makespan.value == pytest.approx(1000 / 3.57142857, rel=1e-6)
    assert result.circuit.response_time is not None
    assert result.circuit.response_time.mean.value == pytest.approx(10 / 3.57142857, rel=1e-6)
    method = result.methods["circuit"]
    assert (method.method, method.exact) == ("mean value analysis", True)


def test_cores_of_their_own_are_waited_for_by_nobody() -> None:
    scenario = paced(800.0, {name: {"per_record": "1 ms", "scv": 1.0} for name in "ab"}, simulate={"cores": "own"})
    result = answer(scenario, cores=1.0)
    assert result.methods["circuit"].exact and wait(result, "b") == pytest.approx(4e-3)


def test_a_saturated_circuit_says_what_bounds_it_and_what_dataflow_says() -> None:
    scenario = paced(
        1.0,
        {},
        sources={"in": {"command": "cat /dev/null"}},
        stations={"a": {"command": "cat"}, "b": {"command": "cat"}},
        service={
            "in": {"bytes": 100000, "record_bytes": 100},
            "a": {"per_record": "2 ms", "record_bytes": 100},
            "b": {"per_record": "1 ms", "record_bytes": 100},
        },
    )
    result = answer(scenario)
    assert result.methods["circuit"].method == "fluid" and result.methods["circuit"].exact
    others = {other.method: other.value for other in result.methods["circuit"].alternatives}
    assert others["synchronous dataflow"] == pytest.approx(2.0) == result.circuit.makespan.value
    assert result.dataflow is not None and result.dataflow.critical == ("a",)
    assert result.dataflow.trades[0].records == 2


def test_even_records_through_constant_stations_have_a_delay_that_is_never_exceeded() -> None:
    result = answer(paced(200.0, {"a": {"per_record": "1 ms"}, "b": {"per_record": "2 ms"}}, arrivals="even"))
    flow = result.dataflow
    assert flow is not None and flow.delay_s is not None
    assert flow.delay_s >= 3e-3
    assert flow.bounds["a"].delay_s == pytest.approx(1e-3)


def test_a_barrier_is_no_dataflow_and_that_is_said() -> None:
    scenario = paced(
        1.0,
        {},
        sources={"in": {"command": "cat /dev/null"}},
        stations={"a": {"command": "cat"}},
        service={"in": {"bytes": 1000}, "a": {"per_byte": "1 us", "barrier": True}},
    )
    result = answer(scenario)
    assert result.dataflow is None
    (note,) = [o.note for o in result.methods["circuit"].alternatives if o.method == "synchronous dataflow"]
    assert note == "does not apply: 'a' gives nothing before its input has ended"


def test_arrivals_of_an_mmpp_are_answered_with_their_phases_where_the_service_has_some() -> None:
    # known_answers.json, mmpp2_m_1: in_system = 30.92267 at rates 1.6 and 0.2, switching 0.1, service 1 s
    states = [{"rate": 1.6, "stay": "10 s"}, {"rate": 0.2, "stay": "10 s"}]
    sources = {"in": {"command": "cat /dev/null", "rate": 0.9, "arrivals": "mmpp", "states": states}}
    result = answer(paced(0.9, {"a": {"per_record": "1 s", "scv": 1.0}}, sources=sources))
    assert (result.methods["a"].method, result.methods["a"].exact) == ("MAP/MAP/1", True)
    assert result.circuit.response_time is not None and not result.warnings
    response = result.stations["a"].response_time
    assert response is not None and response.value == pytest.approx(30.92267 / 0.9, rel=1e-6)


def test_correlated_demands_are_answered_with_their_phases_and_their_tail_is_that_of_the_chain() -> None:
    result = answer(paced(800.0, {"a": {"per_record": "1 ms", "scv": 4.0, "correlation": 0.2}}))
    law = map_map_1(poisson(800.0), services_of(distribution_of("map", 4.0, 0.2), 1e-3)).response_law
    assert (result.methods["a"].method, result.methods["a"].exact, result.warnings) == ("MAP/MAP/1", True, ())
    assert law is not None and result.circuit.response_time is not None
    for level, found in ((0.5, result.circuit.response_time.p50), (0.99, result.circuit.response_time.p99)):
        assert found.value == pytest.approx(law.quantile(level), rel=1e-5)


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"scv": 4.0, "correlation": 0.2, "at_once": 2}, ["'a' are correlated (0.20", "1.7 times as long"]),
        ({"scv": 1.0, "places": 5}, ["service.a.places = 5", "any number"]),
    ],
)
def test_what_a_prediction_cannot_take_into_account_is_said_by_its_name(
    service: dict[str, Any], words: list[str]
) -> None:
    (warning,) = answer(paced(800.0, {"a": {"per_record": "1 ms", **service}})).warnings
    assert all(word in warning for word in words)


def test_several_servers_of_several_places_each_are_said_to_be_answered_one_by_one() -> None:
    stations = {"a": {"command": "cat", "parallelism": 2, "partition": "key"}}
    free = {name: {"record_bytes": 100} for name in ("in", "a.split", "a.merge")}
    needs = {"a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100, "at_once": 3}}
    service = {"in.command": {"bytes": 1000000, "record_bytes": 100}, **free, **needs}
    (warning,) = answer(paced(800.0, {}, stations=stations, service=service)).warnings
    assert "service.a.at_once = 3" in warning and "as 6 that serve one record each" in warning


NARROW: dict[str, Any] = {"stations": {name: {"command": "cat", "pipe": {"capacity": "8 KiB"}} for name in "ab"}}
"""Pipes of two records of a page each."""


def narrow(**source: Any) -> Any:
    need = {"per_record": "1 ms", "scv": 1.0, "record_bytes": 4096}
    made = {"operator": "generate", "count": 10000, "size": 4096, **source}
    service = {"in": {"bytes": 4096 * 10000, "record_bytes": 4096}, "a": need, "b": need}
    return paced(1.0, {}, sources={"in": made}, service=service, **NARROW)


def test_a_line_with_narrow_pipes_is_answered_as_a_whole_under_its_load() -> None:
    result = answer(narrow(rate=600.0, arrivals="poisson"))
    whole = open_line(600.0, [1e-3, 1e-3], [2])
    assert result.circuit.response_time is not None
    assert result.circuit.response_time.mean.value == pytest.approx(whole.response_time, rel=1e-9)
    method = result.methods["circuit"]
    assert method.method.startswith("the open line as a whole") and method.exact
    alone = 2 * 1e-3 / (1 - 0.6)
    assert whole.response_time is not None and whole.response_time > 1.05 * alone


def test_a_load_that_only_narrow_pipes_forbid_is_saturation_with_the_largest_that_holds() -> None:
    # known_answers.json, two_station_saturated_BAS: (B+2)/(B+3) of 1000/s with B = 2
    result = answer(narrow(rate=900.0, arrivals="poisson"))
    assert result.saturated and any("at most 800 records/s" in warning for warning in result.warnings)


def test_waits_that_leave_narrow_pipes_out_say_so() -> None:
    (warning,) = answer(narrow(rate=600.0, arrivals="even")).warnings
    assert "narrow pipes cost 20 %" in warning and "what comes has no phases" in warning


def test_a_closed_line_counts_its_pipes_and_its_scatter() -> None:
    result = answer(narrow(arrivals="closed", in_flight=6))
    rate = solve_network(closed_line([1e-3, 1e-3], [6, 3], 6)).throughput
    assert result.circuit.makespan.value == pytest.approx(10000 / rate, rel=1e-6)
    assert result.methods["circuit"].method.startswith("closed line") and result.methods["circuit"].exact
    assert rate < 6 / 7 * 1000  # mean value analysis, where pipes never fill


def test_pipes_that_hold_fewer_than_are_in_flight_are_said_to_be_left_out_where_no_chain_is_at_hand() -> None:
    result = answer(narrow(arrivals="closed", in_flight=6), cores=1.0)
    assert result.methods["circuit"].method == "mean value analysis"
    (warning,) = result.warnings
    assert "fewer than the 6 records in flight" in warning and "servers wait for cores" in warning


def test_a_load_that_one_core_carries_is_carried_by_stations_that_differ() -> None:
    # 0.95 of what one core can do; no server is at work for more of the time than the core
    result = answer(paced(0.95 * 1000 / 1.3, {"a": {"per_record": "1 ms", "scv": 1.0},
                                              "b": {"per_record": "0.3 ms", "scv": 1.0}}), cores=1.0)  # fmt: skip
    assert not result.saturated and not result.warnings
    assert result.circuit.response_time is not None


def test_what_is_dealt_out_and_comes_together_again_scatters_as_before() -> None:
    # servers that are hardly used give on what came, later: the station behind them is M/M/1 at ρ = 0.8, Wq = 4 ms
    names = ("in", "a.split", "a", "a.merge")
    needs = {"a": {"per_record": "0.1 ms", "scv": 0.0}, "b": {"per_record": "1 ms", "scv": 1.0}}
    service = {name: {"record_bytes": 100, **needs.get(name, {})} for name in (*names, "b")}
    service["in.command"] = {"bytes": 1000000, "record_bytes": 100}
    stations = {"a": {"command": "cat", "parallelism": 4, "partition": "round-robin"}, "b": {"command": "cat"}}
    assert wait(answer(paced(800.0, {}, stations=stations, service=service)), "b") == pytest.approx(4e-3, rel=0.01)


def test_a_run_that_ends_before_its_queue_has_filled_is_not_drained_of_a_full_one() -> None:
    # M/M/1 at ρ = 0.995 waits 0.198 s in the end; in 10 s reflected Brownian motion comes to 0.112 s at most
    service = {"in.command": {"bytes": 1000000}, "in": {}, "a": {"per_record": "0.995 ms", "scv": 1.0}}

    def run(times: int) -> Result:
        one = {**service, "in.command": {"bytes": 1000000 * times}}
        return answer(
            paced(1000.0, {"a": {}}, service={name: {"record_bytes": 100, **two} for name, two in one.items()})
        )

    early, late = run(1), run(10_000)
    assert early.circuit.makespan.value == pytest.approx(10.113, abs=0.005)
    assert any("before 'a' comes to its steady state" in warning for warning in early.warnings)
    assert late.circuit.makespan.value == pytest.approx(1e5 + 0.199, abs=0.005) and not late.warnings
