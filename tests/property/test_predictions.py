"""Whatever the circuit and the load: predictions are finite, saturation is said, and more never means less."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.analysis.bottleneck import diagnose
from streamsim.analysis.elasticity import throughput
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.prediction.network import predict_case
from streamsim.errors import ModelError, ScenarioError
from streamsim.loading import load

COPIES = ("copy", "round-robin", "key")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A line of one to four stations, some perhaps shared by servers or pinned, the last perhaps read by two more."""
    count = draw(st.integers(1, 4))
    cores = draw(st.integers(1, 8))
    pins = draw(st.sampled_from([[[]], [[]], [[0], []], [[0], [min(1, cores - 1)], [0, cores - 1]]]))
    stations: dict[str, dict[str, Any]] = {}
    service: dict[str, dict[str, Any]] = {"in": {"bytes": 100_000, "record_bytes": 100}}
    for place in range(count):
        name = f"s{place}"
        servers = draw(st.sampled_from([1, 1, 2, 3]))
        partition = draw(st.sampled_from(["round-robin", "key", "least-loaded", "copy"]))
        stations[name] = {"operator": "work", "service": "1 ms", "cores": draw(st.sampled_from(pins))}
        if servers > 1:
            stations[name] |= {"parallelism": servers, "partition": partition}
            service |= {f"{name}.split": {"record_bytes": 100}, f"{name}.merge": {"record_bytes": 100}}
        service[name] = {
            "per_record": draw(st.sampled_from([0.0, 1e-4, 1e-3, 5e-3])),
            "scv": draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])),
            "selectivity": draw(st.sampled_from([0.5, 1.0, 1.0, 2.0])),
            "record_bytes": 100,
        }
    if draw(st.booleans()):
        split = draw(st.sampled_from(COPIES))
        last = f"s{count - 1}"
        stations[last]["split"] = split
        service["s9"] = service["s8"] = {"per_record": 1e-3, "scv": 1.0, "record_bytes": 100}
        stations |= {name: {"operator": "work", "service": "1 ms", "input": last} for name in ("s8", "s9")}
        service[f"{last}.{'copy' if split == 'copy' else 'route'}"] = {"record_bytes": 100}
    source: dict[str, Any] = {"operator": "generate", "count": 1000, "kind": "fixed", "size": 100}
    arrivals = draw(st.sampled_from(["none", "even", "poisson", "bursty", "closed"]))
    if arrivals == "closed":
        source |= {"arrivals": "closed", "in_flight": draw(st.integers(1, 20))}
    elif arrivals != "none":
        source |= {"arrivals": arrivals, "rate": draw(st.sampled_from([1.0, 100.0, 500.0, 5000.0]))}
    return case_of(
        load({"sources": {"in": source}, "stations": stations, "service": service, "host": {"cores": cores}}), None
    )


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


@settings(max_examples=60)
@given(cases())
def test_every_number_is_finite_and_a_load_that_is_too_much_is_said(case: Case) -> None:
    result = predict_case(case, explain=True)
    assert all(math.isfinite(value) for value in numbers(msgspec.to_builtins(result)))
    for station in result.stations.values():
        busy = station.utilisation.value
        assert busy is None or -1e-9 <= busy <= 1 + 1e-6
    times = result.circuit.response_time
    if case.scenario.open and result.circuit.makespan.value:
        assert result.saturated == (times is None)
        if result.saturated:
            assert any("it would hold" in warning for warning in result.warnings)
    if times is not None and times.p50.value is not None:
        assert 0 <= times.p50.value <= times.p95.value <= times.p99.value  # type: ignore[operator]


@settings(max_examples=25)
@given(cases(), st.integers(0, 3))
def test_more_cores_and_less_work_never_lower_the_throughput(case: Case, place: int) -> None:
    now = throughput(case)
    if not math.isfinite(now):
        return
    slack = 1 + 1e-3  # the fixed point of circuit and host settles to a thousandth
    assert throughput(case.with_cores(case.host.cores + 1)) * slack >= now
    name = f"s{min(place, sum(one.startswith('s') and one[1:].isdigit() for one in case.order) - 1)}"
    if name in case.profiles:
        assert throughput(case.with_demand(name, 0.5)) * slack >= now


@settings(max_examples=15)
@given(cases())
def test_every_cause_of_a_diagnosis_has_a_finite_weight(case: Case) -> None:
    if not math.isfinite(throughput(case)):
        with pytest.raises(ModelError, match="nothing holds the circuit back"):
            diagnose(case)
        return
    found = diagnose(case)
    assert found.first.demand == max(cause.demand for cause in found.causes)
    assert all(math.isfinite(value) for value in numbers(msgspec.to_builtins(found)))


@pytest.mark.parametrize("change", ["demand", "servers", "capacity", "cores", "rate"])
def test_changes_that_mean_nothing_are_refused(change: str) -> None:
    scenario = load(
        {
            "sources": {"in": {"command": "seq 9"}},
            "stations": {"a": {"command": "cat"}},
            "service": {"in": {"bytes": 1000}, "a": {"per_byte": "1 us"}},
        }
    )
    case = case_of(scenario, None)
    with pytest.raises(ModelError):
        {
            "demand": lambda: case.with_demand("a", -1.0),
            "servers": lambda: case.with_servers("a", 0),
            "capacity": lambda: case.with_capacity("a", math.nan),
            "cores": lambda: case.with_cores(0),
            "rate": lambda: case.with_rate(math.inf),
        }[change]()


def test_a_circuit_with_nothing_in_it_and_a_negative_rate_are_refused() -> None:
    with pytest.raises(ScenarioError):
        load({"stations": {}})
    with pytest.raises(ScenarioError):
        load({"sources": {"in": {"command": "seq 9", "rate": -5}}, "stations": {"a": {"command": "cat"}}})
