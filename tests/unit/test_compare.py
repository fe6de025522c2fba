"""Comparisons: the join, its errors, and what they say to people."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsim.analysis.compare import Comparison, compare_results, listed, to_markdown, verdict
from streamsim.errors import ProfileError
from streamsim.result import Bottleneck, CircuitResult, Estimate, HostResult, ResponseTime, Result, StationResult
from streamsim.scenario import ScenarioKey
from tests.unit import worlds

KEY = ScenarioKey(name="delays", digest="00ff00ff00ff00ff")


def _seconds(value: float, half: float | None = None) -> Estimate:
    low, high = (None, None) if half is None else (value - half, value + half)
    return Estimate(value=value, low=low, high=high, unit="s")


def _result(world: Any, makespan: Estimate, *, blamed: str = "rank", share: float = 0.97, **more: Any) -> Result:
    saturated = more.pop("saturated", share >= 0.95)
    response = more.pop("response", None)
    exact = ResponseTime(**dict.fromkeys(("mean", "p50", "p95", "p99"), response)) if response else None
    return Result(
        world=world,
        engine="test",
        scenario=more.pop("scenario", KEY),
        host=HostResult(cores=2, available_cores=1.9),
        circuit=CircuitResult(
            makespan=makespan,
            bytes_per_s=Estimate(value=100.0, unit="B/s"),
            response_time=exact,
            bottleneck=Bottleneck(station=blamed, share=Estimate(value=share), saturated=saturated),
        ),
        stations={"rank": _station(more.pop("utilisation", share), more.pop("wait", None))},
        **more,
    )


def _station(utilisation: float, wait: float | None) -> StationResult:
    return StationResult(
        bytes_in=Estimate(value=10.0, unit="B"),
        bytes_out=Estimate(value=0.0, unit="B"),
        utilisation=Estimate(value=utilisation),
        cpu=Estimate(value=1.0, unit="core-s"),
        wait=_seconds(wait) if wait is not None else None,
    )


MEASURED = _result("measured", _seconds(10, 0.5))


def test_the_wait_of_a_chunk_is_not_held_against_that_of_a_record() -> None:
    runs = [_result(world, _seconds(10), wait=0.2) for world in ("measured", "simulated")]
    comparison = compare_results(*runs, _result("predicted", _seconds(10), wait=0.4))
    wait = comparison.row("rank", "wait")
    assert wait is not None and (wait.simulated_error, wait.predicted) == (0.0, None)


def test_errors_are_signed_and_relative_to_what_was_measured() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(11)), _result("predicted", _seconds(9.5)))
    row = comparison.row("circuit", "makespan")
    assert row.simulated_error == pytest.approx(0.1)
    assert row.predicted_error == pytest.approx(-0.05)
    assert row.measured_spread == pytest.approx(0.05)
    assert row.unit == "s"


def test_an_error_within_the_measured_spread_is_known_as_such() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(11)), _result("predicted", _seconds(9.5)))
    row = comparison.row("circuit", "makespan")
    assert row.within("simulated") is False
    assert row.within("predicted") is True
    assert comparison.row("circuit", "bytes_per_s").within("simulated") is None


def test_nothing_measured_gives_no_error() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(11), wait=0.1), None)
    assert comparison.row("rank", "bytes_out").simulated_error is None
    wait = comparison.row("rank", "wait")
    assert (wait.measured, wait.simulated.value, wait.simulated_error) == (None, 0.1, None)


def test_rows_have_the_keys_of_the_file_format() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(11)), None)
    document = msgspec.json.decode(msgspec.json.encode(comparison))
    assert document["schema"] == "streamsim.comparison/1"
    assert set(document["rows"][0]) == {
        "station", "metric", "unit", "measured", "simulated", "predicted", "simulated_error", "predicted_error",
        "measured_spread",
    }  # fmt: skip
    assert document["bottleneck"] == {"measured": "rank", "simulated": "rank", "predicted": None}


def test_a_comparison_survives_json() -> None:
    inputs = worlds.example_inputs(3)
    assert msgspec.json.decode(msgspec.json.encode(inputs.comparison), type=Comparison) == inputs.comparison


def test_the_circuit_comes_first_then_the_stations_in_their_order() -> None:
    inputs = worlds.example_inputs(4)
    places = list(dict.fromkeys(row.station for row in inputs.comparison.rows))
    assert places == ["circuit", *inputs.circuit.order()]


def test_results_of_two_scenarios_are_not_compared() -> None:
    other = ScenarioKey(name="delays", digest="0000000000000000")
    with pytest.raises(ProfileError, match="cannot be compared"):
        compare_results(MEASURED, _result("simulated", _seconds(11), scenario=other), None)


def test_results_under_other_overrides_are_not_compared() -> None:
    changed = ScenarioKey(name="delays", digest=KEY.digest, overrides={"host.cores": 1})
    with pytest.raises(ProfileError, match=r"host\.cores=1"):
        compare_results(MEASURED, None, _result("predicted", _seconds(11), scenario=changed))


def test_no_result_at_all_is_refused() -> None:
    with pytest.raises(ProfileError, match="no result"):
        compare_results(None, None, None)


def test_notes_and_warnings_say_whose_they_are() -> None:
    simulated = _result("simulated", _seconds(1), notes=("compiled",), warnings=("few replications",))
    comparison = compare_results(MEASURED, simulated, None)
    assert comparison.notes == ("simulated: compiled",)
    assert comparison.warnings == ("simulated: few replications",)


def test_the_verdict_is_one_plain_sentence() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(10.21)), _result("predicted", _seconds(9.6)))
    assert verdict(comparison) == (
        "Station 'rank' holds the circuit back, at work 97 % of the time, and simulation and theory say so too; the "
        "simulated makespan is 2.1 % too long and the predicted one is 4.0 % too short, where the measured one "
        "scatters by ±5.0 %."
    )


def test_the_verdict_tells_who_blames_another() -> None:
    simulated = _result("simulated", _seconds(10), blamed="host")
    said = verdict(compare_results(MEASURED, simulated, _result("predicted", _seconds(10))))
    assert ", and theory says so too, but simulation names the host's cores;" in said
    assert "the simulated makespan is exact to 0.1 %" in said
    both = compare_results(MEASURED, simulated, _result("predicted", _seconds(10), blamed="host"))
    assert ", but simulation and theory name the host's cores;" in verdict(both)


def test_the_verdict_of_one_run_says_that_its_scatter_is_not_known() -> None:
    once = _result("measured", _seconds(10), blamed="host", share=0.6)
    said = verdict(compare_results(once, _result("simulated", _seconds(20), blamed="host"), None))
    assert said == (
        "The host's cores come nearest to holding the circuit back, at work 60 % of the time, and simulation says so "
        "too; the simulated makespan is 100 % too long, measured once, so that its scatter is not known."
    )


def test_the_verdict_admits_a_measurement_that_scatters_too_much() -> None:
    wild = _result("measured", _seconds(10, 6))
    said = verdict(compare_results(wild, _result("simulated", _seconds(11)), None))
    assert said.endswith("scatters by ±60.0 %, too much to judge by.")


def test_the_verdict_of_theory_alone_claims_no_measurement() -> None:
    assert verdict(compare_results(None, None, _result("predicted", _seconds(3)))) == (
        "By theory, station 'rank' holds the circuit back, at work 97 % of the time."
    )


def test_under_an_open_load_the_verdict_is_about_response_times() -> None:
    measured = _result("measured", _seconds(10, 1), response=_seconds(0.2, 0.02), share=0.5)
    simulated = _result("simulated", _seconds(10), response=_seconds(0.25), share=0.5)
    assert "the simulated mean response time is 25.0 % too long" in verdict(compare_results(measured, simulated, None))


def test_markdown_tables_are_rectangular_and_start_with_the_circuit() -> None:
    text = to_markdown(worlds.example_inputs(4).comparison)
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:2] == ["## The circuit", "## station-0"]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {7}
    assert "| Makespan |" in text


def test_shares_are_off_by_points_and_not_by_per_cent_of_themselves() -> None:
    measured = _result("measured", _seconds(10), utilisation=0.01, share=0.5)
    simulated = _result("simulated", _seconds(10), utilisation=0.03, share=0.5)
    text = to_markdown(compare_results(measured, simulated, None))
    assert "| Utilisation | 1.0 % | 3.0 % | +2.0 pts | – | – |" in text


def test_what_only_models_know_is_counted_and_left_out_of_the_tables() -> None:
    comparison = compare_results(MEASURED, _result("simulated", _seconds(11), wait=0.1), None)
    assert len(listed(comparison)) == len(comparison.rows) - 1
    assert "Wait of a chunk" not in to_markdown(comparison)
    assert "1 further numbers that only the models know" in to_markdown(comparison)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_an_error_leads_back_from_the_measured_to_the_simulated_value(measured: float, simulated: float) -> None:
    comparison = compare_results(
        _result("measured", _seconds(measured)), _result("simulated", _seconds(simulated)), None
    )
    error = comparison.row("circuit", "makespan").simulated_error
    assert measured * (1 + error) == pytest.approx(simulated, rel=1e-9, abs=1e-9 * measured)
