"""Theory where stations are pinned to cores: linear programmes, the same circuit on fewer cores, and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from streamsim.analysis.bottleneck import diagnose
from streamsim.analysis.elasticity import throughput
from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.prediction.layers import Wants, stretches
from streamsim.analysis.prediction.network import predict
from streamsim.analysis.prediction.pinned import Crowd
from streamsim.analysis.variants import variant_of
from streamsim.assumed import complete
from streamsim.circuit import Circuit, Station
from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models.records.compiling import compile_table
from streamsim.models.records.engine import Kernel
from streamsim.placement import Limits, placement_of
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile

RECORDS = 30_000
Pins = dict[str, list[int]]


def host(cores: int) -> Profile:
    one = HostProfile(cores=cores, available_cores=float(cores), speed=(1.0,) * cores, wake_near_s=0.0, wake_far_s=0.0)
    return Profile(host=one)


def line(
    demands: list[float], pins: Pins, *, cores: int, rate: float | None = None, scv: float = 1.0, places: int = 10**6
) -> Scenario:
    """A source and stations a, b, c, … of these demands (ms a record)."""
    names = "abcdef"[: len(demands)]
    paced: dict[str, Any] = {"rate": rate, "arrivals": "poisson"} if rate else {}
    room = {"places": places} if places < 10**6 else {}
    need = {
        name: {"per_record": demand * 1e-3, "scv": scv, "record_bytes": 100, **room}
        for name, demand in zip(names, demands, strict=True)
    }
    return load(
        {
            "sources": {"in": {"operator": "generate", "count": RECORDS, "kind": "fixed", "size": 100, **paced}},
            "stations": {name: {"operator": "work", "service": "1 ms", "cores": pins.get(name, [])} for name in names},
            "host": {"cores": cores},
            "service": {"in": {"bytes": RECORDS * 100, "record_bytes": 100}, **need},
        }
    )


def simulated(scenario: Scenario, profile: Profile) -> tuple[float, float]:
    """Return records per second and the mean response (s), record by record, past the first tenth."""
    table = compile_table(scenario, profile).table
    rates, means = [], []
    for seed in (1, 2):
        engine = Kernel(table, np.random.SeedSequence(seed))
        engine.run()
        _, times = engine.exits()
        start = RECORDS // 10
        rates.append((RECORDS - start) / (times[-1, 0] - times[start, 0]))
        means.append(float((times[:, 0] - times[:, 1])[start:].mean()))
    return sum(rates) / 2, sum(means) / 2


@settings(max_examples=60)
@given(
    demands=st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=5),
    pins=st.lists(st.frozensets(st.integers(0, 2)).map(sorted), min_size=5, max_size=5),
)
def test_the_largest_throughput_is_that_of_a_linear_programme(demands: list[float], pins: list[list[int]]) -> None:
    # maximise X: each station gets X·demand of the cores that it may use, at most one core; no core gives more than one
    count, cores = len(demands), 3
    cost = np.zeros(1 + count * cores)
    cost[0] = -1.0
    gets = np.zeros((count, len(cost)))
    gives = np.zeros((cores, len(cost)))
    bounds: list[tuple[float, float | None]] = [(0.0, 1 / max(demands))]
    for k in range(count):
        gets[k, 0] = -demands[k]
        for core in range(cores):
            gets[k, 1 + k * cores + core] = gives[core, 1 + k * cores + core] = 1.0
            bounds.append((0.0, 1.0 if not pins[k] or core in pins[k] else 0.0))
    best = linprog(cost, A_ub=gives, b_ub=np.ones(cores), A_eq=gets, b_eq=np.zeros(count), bounds=bounds)
    scenario = line(demands, dict(zip("abcdef", pins, strict=False)), cores=cores, scv=0.0)
    made = predict(scenario, host(cores)).circuit.records_per_s
    assert made is not None and made.value == pytest.approx(1000 * -best.fun, rel=1e-6)


def test_two_stations_on_one_pinned_core_are_two_on_a_host_of_one_core() -> None:
    for rate in (None, 250.0):
        pinned = predict(line([1.0, 2.0], {"a": [1], "b": [1]}, cores=4, rate=rate), host(4))
        alone = predict(line([1.0, 2.0], {}, cores=1, rate=rate), host(1))
        assert pinned.circuit.makespan == alone.circuit.makespan
        assert pinned.circuit.response_time == alone.circuit.response_time


def test_pins_to_all_cores_change_no_answer() -> None:
    everywhere = {name: [0, 1, 2] for name in "abc"}
    for rate in (None, 300.0):
        pinned = predict(line([1.0, 2.0, 1.5], everywhere, cores=3, rate=rate), host(3))
        free = predict(line([1.0, 2.0, 1.5], {}, cores=3, rate=rate), host(3))
        assert (pinned.circuit, pinned.stations) == (free.circuit, free.stations)


def test_the_tightest_set_of_cores_is_named_with_what_would_relieve_it() -> None:
    scenario = line([1.0, 2.0, 1.5], {"a": [0], "b": [0], "c": [1]}, cores=3, scv=0.0)
    found = predict(scenario, host(3))
    assert found.circuit.bottleneck is not None and found.circuit.bottleneck.station == "cores 0"
    assert "cores 0: shared by a, b, which are pinned there" in found.notes
    told = diagnose(case_of(scenario, host(3)))
    assert told.first.station == "cores 0" and told.first.demand == pytest.approx(1.0)
    assert told.first.one_more == pytest.approx(0.5)  # 3 ms of two cores: then b alone, 2 ms
    assert next(one for one in told.causes if one.station == "host").one_more == 0.0


def test_the_pinned_cores_are_named_also_where_the_host_has_a_little_more_to_do() -> None:
    needs = {"a": {"per_record": 1e-3}, "b": {"per_record": 2e-3}, "c": {"barrier": True}, "d": {"per_record": 1e-5}}
    scenario = load(
        {
            "sources": {"in": {"operator": "generate", "count": RECORDS, "kind": "fixed", "size": 100}},
            "stations": {name: {"operator": "copy", "cores": [0] if name in "ab" else [1]} for name in needs},
            "host": {"cores": 2},
            "service": {"in": {"bytes": RECORDS * 100, "record_bytes": 100}}
            | {name: {"record_bytes": 100, **need} for name, need in needs.items()},
        }
    )  # what is behind the barrier takes 0.3 s after 90
    told = diagnose(case_of(scenario, host(2)))
    assert [cause.station for cause in told.causes[:2]] == ["cores 0", "host"]
    assert told.causes[0].demand < told.causes[1].demand
    assert told.causes[1].one_more == 0.0
    assert told.following is not None and told.following.station == "b"


def test_more_cores_to_be_pinned_to_never_predict_less() -> None:
    rows = [
        throughput(case_of(line([1.0, 2.0, 1.5], {"a": some, "b": some, "c": [2]}, cores=3), host(3)))
        for some in ([0], [0, 1], [0, 1, 2])
    ]
    assert rows == sorted(rows) and rows[0] < rows[1]


@pytest.mark.parametrize(
    ("demands", "pins", "cores", "rate"),
    [
        ([1.0, 2.0, 1.0], {"a": [0], "b": [0], "c": [1]}, 2, 250.0),
        ([1.0, 1.0, 2.0, 1.0], {"a": [0], "b": [0], "c": [1], "d": [0]}, 2, 250.0),
        ([1.0] * 5, {"a": [0], "b": [0], "c": [1], "d": [1], "e": [2]}, 3, 375.0),
    ],
)
def test_responses_on_pinned_cores_are_within_a_twelfth_of_simulation(
    demands: list[float], pins: Pins, cores: int, rate: float
) -> None:
    # at three quarters of what holds; nearer to it unequal stations of one core are overestimated (docs/analyst.md)
    scenario = line(demands, pins, cores=cores, rate=rate)
    told = predict(scenario, host(cores)).circuit.response_time
    assert told is not None
    assert told.mean.value == pytest.approx(simulated(scenario, host(cores))[1], rel=1 / 12)


@pytest.mark.parametrize("places", [1, 4, 16])
@pytest.mark.parametrize(
    ("demands", "pins"),
    [
        ([1.0, 2.0, 1.0], {"a": [0], "b": [0], "c": [1]}),
        ([2.0, 1.0, 1.0, 1.5], {"a": [0], "b": [0], "c": [1], "d": [1]}),
        ([1.0, 1.0, 2.0, 1.0], {"a": [0], "b": [0], "c": [1], "d": [0]}),
    ],
)
def test_finite_pipes_on_pinned_cores_are_within_a_twelfth_of_simulation(
    demands: list[float], pins: Pins, places: int
) -> None:
    scenario = line(demands, pins, cores=2, places=places)
    told = predict(scenario, host(2)).circuit.records_per_s
    assert told is not None
    assert told.value == pytest.approx(simulated(scenario, host(2))[0], rel=1 / 12)


def test_a_free_station_beside_pinned_ones_loses_as_little_as_fair_shares_give() -> None:
    # a and b on core 0, c anywhere: c has core 1 whenever it wants, so that a and b are two on a core of their own
    circuit = Circuit((Station(name="a", cores=(0,)), Station(name="b", cores=(0,)), Station(name="c")))
    placement = placement_of(circuit, 2)
    assert placement is not None
    limits = Limits(placement, placement.rooms(2.0))
    found = stretches({name: Wants(0.4, 1.0) for name in "abc"}, 2.0, limits=limits)
    assert found == pytest.approx({"a": 5 / 3, "b": 5 / 3, "c": 1.0})


def test_many_pins_are_answered_by_the_means_of_the_others() -> None:
    # 14 single cores and stations that may use all: too many states to go through; every core has the same load
    names = [f"s{k}" for k in range(14)]
    circuit = Circuit(
        (*(Station(name=name, cores=(k,)) for k, name in enumerate(names)), *(Station(name=f"f{k}") for k in range(4)))
    )
    placement = placement_of(circuit, 14)
    assert placement is not None
    limits = Limits(placement, placement.rooms(14.0))
    wants = {name: Wants(0.8, 1.0) for name in placement.group}
    assert not Crowd(limits, dict.fromkeys(wants, 1)).exact
    found = stretches(wants, 14.0, limits=limits)
    assert len({round(found[name], 9) for name in names}) == 1
    assert 1.0 < found["s0"] < 18 / 14 * 1.25


def test_more_pinned_cpus_than_cores_are_refused() -> None:
    with pytest.raises(ModelError, match="more, or pin to fewer"):
        predict(line([1.0, 1.0], {"a": [0], "b": [1]}, cores=1), host(1))


@pytest.mark.parametrize("niceness", [1, 10, 19])
def test_one_core_carries_as_much_whatever_the_niceness(niceness: int) -> None:
    # a core that is never idle does 3.4 ms of work for each record, whoever goes first
    plain = line([0.7, 2.0, 0.7], {}, cores=1)
    stations = {**plain.document["stations"], "a": {**plain.document["stations"]["a"], "niceness": niceness}}
    nice = load({**plain.document, "stations": stations})
    assert throughput(case_of(nice, host(1))) == pytest.approx(1 / (RECORDS * 3.4e-3), rel=1e-3)


@pytest.mark.parametrize("demands", [[3.0, 3.0], [2.0, 2.0, 2.0], [0.7, 2.0, 0.7]])
@pytest.mark.parametrize("servers", [2, 3, 5])
def test_more_servers_on_one_pinned_core_carry_no_less(demands: list[float], servers: int) -> None:
    # the core that 'b' has to itself does as much for several servers as for one, and nobody else has to do with it
    case = case_of(line(demands, {"b": [0], "a": [1], "c": [1]}, cores=2), host(2))
    assert throughput(case.with_servers("b", servers)) >= throughput(case) * (1 - 1e-9)


@pytest.mark.parametrize("places", [20, 200])
def test_a_server_more_on_crowded_cores_is_predicted_to_cost_what_it_costs(places: int) -> None:
    # the station behind has all its core no longer: 3 to 9 % less gets through, though more could
    before = line([2.0, 2.0, 0.3], {}, cores=2, places=places)
    more = variant_of(before, {"stations.a.parallelism": 2})
    known, _ = complete(host(2), more)
    found = throughput(case_of(more, known)) * RECORDS
    assert found == pytest.approx(simulated(more, known)[0], rel=0.05)
    assert found < 0.97 * throughput(case_of(before, host(2))) * RECORDS
