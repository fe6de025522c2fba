"""What holds for all closed networks, their bounds, open traffic, and wrong input."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamsim.analysis.queueing.amva import linearizer, schweitzer
from streamsim.analysis.queueing.bounds import asymptotic_bounds, balanced_job_bounds, geometric_bounds
from streamsim.analysis.queueing.convolution import convolution
from streamsim.analysis.queueing.fork_join import fork_join, split_merge
from streamsim.analysis.queueing.mva import mixed_mva, mva
from streamsim.analysis.queueing.qna import qna
from streamsim.analysis.queueing.scalability import Scaling, amdahl, fit_scaling
from streamsim.analysis.queueing.visits import closed_visits, flow_rates
from streamsim.errors import ModelError

calm = settings(deadline=None, database=None, max_examples=60)
demands = st.floats(0.01, 10.0)
classes = st.integers(1, 2)


@st.composite
def networks(draw: Any) -> dict[str, Any]:
    count, stations = draw(classes), draw(st.integers(1, 4))
    return {
        "populations": [draw(st.integers(1, 5)) for _ in range(count)],
        "demands": [[draw(demands) for _ in range(stations)] for _ in range(count)],
        "think_times": [draw(st.sampled_from([0.0, 0.5, 20.0])) for _ in range(count)],
        "servers": [draw(st.integers(0, 3)) for _ in range(stations)],
    }


@calm
@given(networks())
def test_mean_values_and_convolution_agree_and_all_records_are_somewhere(network: dict[str, Any]) -> None:
    one, other = mva(**network), convolution(**network)
    assert one.throughputs == pytest.approx(other.throughputs, rel=1e-7)
    for c, count in enumerate(network["populations"]):
        thinking = one.throughputs[c] * network["think_times"][c]
        assert math.fsum(one.in_system[c]) + thinking == pytest.approx(count, rel=1e-7)
    assert all(value is None or 0 <= value <= 1 + 1e-9 for value in one.utilisation)


@calm
@given(networks())
def test_approximations_keep_all_records_and_no_server_is_busier_than_always(network: dict[str, Any]) -> None:
    for solve in (schweitzer, linearizer):
        answer = solve(**network)
        assert not answer.exact
        for c, count in enumerate(network["populations"]):
            thinking = answer.throughputs[c] * network["think_times"][c]
            assert math.fsum(answer.in_system[c]) + thinking == pytest.approx(count, rel=1e-6)


@calm
@given(st.integers(1, 12), st.lists(st.floats(0.0, 3.0), min_size=1, max_size=5), st.sampled_from([0.0, 0.1, 5.0]))
def test_every_bound_holds_and_each_is_within_the_one_before(population: int, times: list[float], think: float) -> None:
    if max(times) < 1e-6:
        times = [*times, 1.0]
    exact = mva([population], [times], think_times=[think]).throughputs[0]
    bounds = [solve(population, times, think) for solve in (asymptotic_bounds, balanced_job_bounds, geometric_bounds)]
    for bound in bounds:
        assert bound.lowest_throughput * (1 - 1e-9) <= exact <= bound.highest_throughput * (1 + 1e-9)
    for wide, narrow in itertools.pairwise(bounds):
        assert narrow.lowest_throughput >= wide.lowest_throughput * (1 - 1e-9)
        assert narrow.highest_throughput <= wide.highest_throughput * (1 + 1e-9)


@calm
@given(st.lists(st.floats(0.0, 5.0), min_size=3, max_size=3), st.lists(st.floats(0.0, 0.45), min_size=9, max_size=9))
def test_what_leaves_a_circuit_is_what_came_in_and_was_made(rates: list[float], gains: list[float]) -> None:
    table = [gains[0:3], gains[3:6], gains[6:9]]
    radius = float(np.abs(np.linalg.eigvals(np.array(table))).max())
    assume(radius < 0.999)
    flows = flow_rates(rates, table)
    for j in range(3):
        assert flows[j] == pytest.approx(rates[j] + math.fsum(flows[i] * table[i][j] for i in range(3)), rel=1e-6)


@calm
@given(st.floats(0.0, 3.0), st.floats(0.01, 10.0), st.integers(1, 32))
def test_a_fork_join_takes_longer_with_more_branches_and_says_when_it_is_too_much(
    ratio: float, time: float, branches: int
) -> None:
    answer = fork_join(ratio / time, time, branches)
    merged = split_merge(ratio / time, [time] * min(branches, 8))
    assert answer.saturated == (ratio / time * time >= 1)
    if answer.response_time is None or answer.longest is None:
        assert merged.saturated
        return
    assert answer.response_time >= fork_join(ratio / time, time, max(1, branches - 1)).response_time
    assert answer.response_time <= answer.longest * (1 + 1e-12)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mva([], []), "demands"),
        (lambda: mva([0], [[1.0]]), "populations"),
        (lambda: mva([1], [[-1.0]]), r"demands\[0\]\[0\]"),
        (lambda: mva([1], [[0.0]]), "demands"),
        (lambda: mva([1], [[]]), "demands"),
        (lambda: mva([1, 1], [[1.0]]), "demands"),
        (lambda: mva([1], [[1.0]], servers=[-1]), "servers"),
        (lambda: mva([1], [[1.0]], speeds=[[0.0]]), "speeds"),
        (lambda: mva([999, 9999], [[1.0], [1.0]]), "populations"),
        (lambda: convolution([9999], [[1.0]]), "populations"),
        (lambda: mixed_mva([-1.0], [[1.0]], [1], [[1.0]]), r"open_rates\[0\]"),
        (lambda: flow_rates([1.0], [[1.0]]), "grow for ever"),
        (lambda: flow_rates([1.0], [[-0.1]]), r"gains\[0\]\[0\]"),
        (lambda: closed_visits([[[[1.5]]]]), "routing"),
        (lambda: closed_visits([[[[0.5]]]]), "routing"),
        (lambda: qna([1.0], [[0.0]], [1.0], arrival_scvs=[-1.0]), r"arrival_scvs\[0\]"),
        (lambda: qna([1.0], [[1.2]], [1.0]), "routing"),
        (lambda: fork_join(0.5, 1.0, 33), "branches"),
        (lambda: split_merge(0.5, []), "service_times"),
        (lambda: amdahl(1.2, 4), "parallel_share"),
        (lambda: Scaling(alone=-1.0), "alone"),
        (lambda: fit_scaling([1, 2], [1.0, 2.0]), "servers"),
        (lambda: asymptotic_bounds(3, [0.0]), "demands"),
        (lambda: geometric_bounds(0, [1.0]), "population"),
    ],
)
def test_wrong_networks_are_refused_by_name(call: Any, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        call()


def test_open_classes_that_a_station_cannot_carry_are_saturation_with_the_scale_that_would_hold() -> None:
    answer = mixed_mva([2.0], [[1.0]], [1], [[1.0]])
    assert answer.saturated
    assert answer.closed is None
    assert answer.largest_scale == pytest.approx(0.5)


def test_an_overloaded_network_says_which_station_and_what_would_hold() -> None:
    network = qna([2.0, 0.0], [[0.0, 1.0], [0.0, 0.0]], [1.0, 0.5], service_scvs=[0.5, 2.0])
    assert [station.saturated for station in network.stations] == [True, False]
    assert network.response_time is None
    assert network.largest_scale == pytest.approx(0.5)
