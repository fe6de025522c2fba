"""One bottleneck in all worlds: what relief would pay most for, which is not always what is busy the longest."""

from __future__ import annotations

import pytest

from streamsim.analysis.bottleneck import diagnose
from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.network import predict
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.result import Bottleneck
from streamsim.scenario import Load, Scenario
from streamsim.service import Profile
from streamsim.simulating import simulate_result
from streamsim.summary import summarise
from streamsim.units import Rate
from tests.unit import traces
from tests.unit.modelled import PAGE, chain, giving, ideal_host, taking

SIZE = 1000 * PAGE


def sorting(cores: int = 2) -> tuple[Scenario, Profile]:
    """0.7 s of a stream in which s1 is at work all the time on cores used to 93 %, then 0.9 s of work of s2 alone."""
    return chain(
        giving(SIZE, per_byte=0.5 / SIZE),
        taking(per_byte=0.7 / SIZE),
        taking(per_byte=0.1 / SIZE, finish=0.9, barrier=True, gives=0.0),
        host=ideal_host(cores),
    )


def told(found: Bottleneck | None) -> tuple[str | None, str | None]:
    assert found is not None
    return found.station, found.runner_up


def test_a_long_phase_outweighs_cores_that_are_busier_on_the_whole() -> None:
    scenario, profile = sorting()
    simulated = summarise(simulate(scenario, profile), scenario.circuit).circuit
    predicted = predict(scenario, profile).circuit
    for found in (simulated, predicted):
        assert told(found.bottleneck) == ("s2", "s1")
        worked = found.bottleneck.share.value * found.makespan.value  # type: ignore[union-attr,operator]
        assert worked == pytest.approx(1.0, rel=1e-3) and worked < 2.2 / 2  # of two cores, on average
    causes = [cause.station for cause in diagnose(case_of(scenario, profile)).causes]
    assert causes[:2] == ["s2", "s1"]


def test_on_one_core_all_worlds_name_the_cores() -> None:
    scenario, profile = sorting(cores=1)
    simulated = summarise(simulate(scenario, profile), scenario.circuit).circuit.bottleneck
    predicted = predict(scenario, profile).circuit.bottleneck
    assert told(simulated)[0] == told(predicted)[0] == diagnose(case_of(scenario, profile)).first.station == "host"


def test_what_waits_for_a_disk_all_the_time_is_the_bottleneck_and_no_core() -> None:
    scenario, profile = chain(
        giving(SIZE, per_byte=0.5 / SIZE), taking(waiting_per_byte=1.0 / SIZE, gives=0.0), host=ideal_host(1)
    )
    simulated = summarise(simulate(scenario, profile), scenario.circuit).circuit.bottleneck
    predicted = predict(scenario, profile).circuit.bottleneck
    by_record = diagnose(case_of(scenario, profile)).first.station
    assert told(simulated)[0] == told(predicted)[0] == by_record == "s1"
    for found in (simulated, predicted):
        assert found is not None and found.saturated and found.share.value == pytest.approx(1.0, rel=0.02)


def test_a_paced_source_waits_for_its_clock_and_holds_nothing_back() -> None:
    circuit = traces.chain(["give", "take"])
    run = traces.run_trace(
        [
            traces.station_trace("give", bytes_out=1, spent={"running": 1, "waiting": 9}),
            traces.station_trace("take", bytes_in=1, spent={"running": 3}),
        ]
    )
    paced = summarise(traces.trace_of(run), circuit, loads={"give": Load(rate=Rate(1, "bytes"))})
    assert told(paced.circuit.bottleneck)[0] == "take"
    assert told(summarise(traces.trace_of(run), circuit).circuit.bottleneck)[0] == "give"


def test_a_simulation_record_by_record_names_what_theory_names() -> None:
    scenario = load(
        {
            "sources": {"in": {"operator": "generate", "count": 4000, "kind": "fixed", "size": 100}},
            "stations": {"a": {"operator": "work", "service": "1 ms"}, "b": {"operator": "work", "service": "2 ms"}},
            "host": {"cores": 2},
            "service": {
                "in": {"bytes": 400000, "record_bytes": 100},
                "a": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 100},
                "b": {"per_record": "2 ms", "scv": 1.0, "record_bytes": 100},
            },
        }
    )
    simulated = simulate_result(scenario, engine="auto").circuit.bottleneck
    assert told(simulated)[0] == diagnose(case_of(scenario, None)).first.station == "b"
