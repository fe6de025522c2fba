"""What finite pipes cost, by decomposition, against exact chains; and that predict uses the chain where it can."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.analysis.prediction.blocking import saturated_throughput
from streamsim.analysis.prediction.finite import Finite, records_in_pages, throughput_of
from streamsim.analysis.prediction.network import predict
from streamsim.analysis.prediction.rooms import Joint, Server
from streamsim.analysis.queueing.lines import saturated_line
from streamsim.loading import load
from streamsim.models.pipe import SlotPipe
from streamsim.result import Result
from streamsim.service import HostProfile, Profile


def line(times: list[float], places: list[int], scvs: list[float] | None = None) -> float:
    scvs = scvs or [1.0] * len(times)
    stations = [Server(time, scv) for time, scv in zip(times, scvs, strict=True)]
    return saturated_throughput(stations, [Joint(k, k + 1, room) for k, room in enumerate(places)])


@pytest.mark.parametrize(("places", "expected"), [(0, 2 / 3), (1, 0.75), (2, 0.8), (5, 0.875), (10, 12 / 13)])
def test_two_equal_stations_lose_what_the_closed_form_says(places: int, expected: float) -> None:
    # known_answers.json, two_station_saturated_BAS: (B+2)/(B+3)
    assert line([1.0, 1.0], [places]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("times", "places", "scvs"),
    [
        ([1.0, 1.0, 1.0], [0, 0], [1.0] * 3),
        ([1.0, 1.0, 1.0], [3, 3], [1.0] * 3),
        ([0.8, 1.2, 1.0, 0.9], [2, 4, 2], [1.0, 0.5, 1.0, 2.0]),
        ([1.0, 0.7, 1.1], [1, 5], [0.5, 2.0, 0.5]),
    ],
)
def test_longer_lines_are_within_a_twelfth_of_the_exact_chain(
    times: list[float], places: list[int], scvs: list[float]
) -> None:
    exact = saturated_line(times, places, service_scvs=scvs)
    assert exact.exact
    assert line(times, places, scvs) == pytest.approx(exact.throughput, rel=1 / 12)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.2, 5), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.integers(0, 20)), min_size=2,
             max_size=6)
)  # fmt: skip
def test_throughput_never_falls_with_larger_pipes_and_never_exceeds_the_slowest_station(
    stations: list[tuple[float, float, int]],
) -> None:
    times, scvs, places = zip(*stations, strict=True)
    small = line(list(times), list(places[:-1]), list(scvs))
    large = line(list(times), [2 * room + 1 for room in places[:-1]], list(scvs))
    assert 0 < small <= large * (1 + 1e-4)
    assert large <= 1 / max(times) * (1 + 1e-6)


def dealt(servers: int, places: int, scv: float, *, copies: bool = False) -> float:
    """Return what servers of 1 s each take in that are dealt to in turn (or all at once), by their recursion."""
    random = np.random.default_rng(7)
    records = 40_000 // servers
    times = random.gamma(1 / scv, scv, (records, servers))
    started, ended = np.full((records, servers), -np.inf), np.zeros(servers)
    handed = 0.0
    for turn in range(records):
        room = started[turn - places] if turn >= places else np.full(servers, -np.inf)
        if copies:
            handed = max(handed, float(room.max()))
        for server in range(servers):
            handed = max(handed, float(room[server]))
            started[turn, server] = max(handed, ended[server])
            ended[server] = started[turn, server] + times[turn, server]
    return records * (1 if copies else servers) / float(ended.max())


@pytest.mark.parametrize(
    ("servers", "places", "scv"), [(2, 1, 1.0), (2, 4, 1.0), (2, 4, 2.0), (3, 2, 1.0), (3, 8, 0.5), (3, 8, 2.0)]
)
@pytest.mark.parametrize("copies", [False, True])
def test_branches_hold_each_other_up_through_what_deals_to_them(
    servers: int, places: int, scv: float, copies: bool
) -> None:
    part = 1.0 if copies else 1 / servers
    branches = [Server(1.0, scv, visits=part) for _ in range(servers)]
    splitter = Server(0.0, shares="each" if copies else "turn")
    pipes = [Joint(0, 1 + number, places, part) for number in range(servers)]
    # 40,000 records leave a per cent or so of doubt
    assert saturated_throughput([splitter, *branches], pipes) == pytest.approx(
        dealt(servers, places, scv, copies=copies), rel=0.05
    )


def test_what_takes_no_time_between_two_stations_only_adds_its_places() -> None:
    stations = [Server(1.0), Server(0.0), Server(1.0)]
    assert saturated_throughput(stations, [Joint(0, 1, 2), Joint(1, 2, 3)]) == pytest.approx(line([1.0, 1.0], [6]))


def test_what_merges_does_not_starve_for_one_of_its_inputs_alone() -> None:
    # one source dealt to two branches that come together: waiting for both would cost what taking either does not
    branches = [Server(0.1), Server(1.0, visits=0.5), Server(1.0, visits=0.5)]
    pipes = [Joint(0, 1, 2, 0.5), Joint(0, 2, 2, 0.5), Joint(1, 3, 2, 0.5), Joint(2, 3, 2, 0.5)]
    merged = saturated_throughput([*branches, Server(0.6, merges=True)], pipes)
    joined = saturated_throughput([*branches, Server(0.6)], pipes)
    assert joined < merged <= 1 / 0.6


@pytest.mark.parametrize("size", [64, 100, 1000, 2048, 2049, 4096])
@pytest.mark.parametrize("capacity", [4096, 16384, 65536])
def test_a_pipe_holds_as_many_records_as_the_model_of_the_kernel_takes(size: int, capacity: int) -> None:
    pipe = SlotPipe(capacity // 4096)
    taken = 0
    while taken < 10000 and pipe.write(size) == size:
        taken += 1
    assert records_in_pages(capacity, size) == taken


def answer(places_kib: int, **changes: Any) -> Result:
    station = {"operator": "work", "service": "1 ms", "pipe": {"capacity": f"{places_kib} KiB"}}
    need = {"per_record": "1 ms", "scv": 1.0, "record_bytes": 2048}
    document = {
        "name": "line",
        "sources": {"in": {"operator": "generate", "count": 10000, "kind": "fixed", "size": 2048}},
        "stations": {"a": station, "b": station},
        "host": {"cores": 8},
        "service": {"in": {"bytes": 2048 * 10000, "record_bytes": 2048}, "a": need, "b": need},
    }
    host = HostProfile(cores=8, available_cores=8.0, speed=(1.0,) * 8)
    return predict(load({**document, **changes}), Profile(), host=host, explain=True)


def test_predict_answers_a_short_line_by_its_chain_and_shows_the_decomposition_beside_it() -> None:
    result = answer(4)  # pipes of two records: throughput (B+2)/(B+3) = 4/5 of a station's
    assert result.circuit.makespan.value == pytest.approx(10000 * 1e-3 / 0.8, rel=1e-6)
    method = result.methods["circuit"]
    assert method.exact and method.method.startswith("Markov chain")
    others = {other.method: other.value for other in method.alternatives}
    assert others["decomposition of finite pipes"] == pytest.approx(12.5, rel=1e-4)


def test_predict_says_why_the_chain_does_not_apply() -> None:
    scarce = HostProfile(cores=1, available_cores=1.0, speed=(1.0,))
    station = {"operator": "work", "service": "1 ms"}
    need = {"per_record": "1 ms", "scv": 1.0}
    scenario = load(
        {
            "sources": {"in": {"operator": "generate", "count": 10, "kind": "fixed", "size": 80}},
            "stations": {"a": station, "b": station},
            "service": {"in": {"bytes": 800}, "a": need, "b": need},
        }
    )
    method = predict(scenario, Profile(), host=scarce, explain=True).methods["circuit"]
    notes = [other.note for other in method.alternatives if other.method == "the chain of a line"]
    assert notes == ["does not apply: servers wait for cores"]


def test_too_few_cores_cost_more_than_either_the_cores_or_the_pipes_alone() -> None:
    def makespan(cores: float, kib: int) -> float:
        station = {"operator": "work", "service": "1 ms", "pipe": {"capacity": f"{kib} KiB"}}
        need = {"per_record": "1 ms", "scv": 1.0, "record_bytes": 2048}
        scenario = load(
            {
                "sources": {"in": {"operator": "generate", "count": 1000, "kind": "fixed", "size": 2048}},
                "stations": {"a": station, "b": station},
                "service": {"in": {"bytes": 2048000, "record_bytes": 2048}, "a": need, "b": need},
            }
        )
        host = HostProfile(cores=math.ceil(cores), available_cores=cores, speed=(1.0,) * math.ceil(cores))
        found = predict(scenario, Profile(), host=host).circuit.makespan.value
        assert found is not None
        return found

    both = makespan(1.5, 4)
    assert both > makespan(1.5, 1024) and both > makespan(4, 4)


@pytest.mark.parametrize(("cores", "exact"), [(1.0, 0.5), (1.5, 0.8 / 1.2), (2.0, 0.8)])
def test_equal_shares_of_too_few_cores_only_slow_the_circuit_down(cores: float, exact: float) -> None:
    # two exponential stations of 1 s with two places between: with cores for both (B+2)/(B+3), both at work 0.6 of the
    # time; on one core all the work takes 2 s a record; on 1.5 time runs at 0.75 while both are: 0.8/(0.4 + 0.6·4/3)
    circuit = Finite((Server(1.0), Server(1.0)), (Joint(0, 1, 2),), 1000)
    assert throughput_of(circuit, cores) == pytest.approx(exact, rel=0.03)
