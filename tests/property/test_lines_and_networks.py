"""What holds for lines of two stations, for merged and split flows, and for networks."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamsim.analysis.queueing.flow import (
    deal_scv,
    departure_scv,
    marshall_departure_scv,
    split_scv,
    superpose_scv,
)
from streamsim.analysis.queueing.gg1 import kingman
from streamsim.analysis.queueing.jackson import jackson, visited_network
from streamsim.analysis.queueing.tandem import two_stations
from streamsim.errors import ModelError

calm = settings(deadline=None, database=None)
"""A busy machine is not a failure, and no run leaves a file behind."""

ratios = st.floats(0.001, 0.999)
times = st.floats(1e-6, 1e3)
scvs = st.floats(0.0, 20.0)
lines = st.tuples(times, times, st.integers(0, 50), st.integers(1, 6), st.integers(1, 6))


@calm
@given(lines)
def test_two_stations_spend_all_their_time(line: tuple[float, float, int, int, int]) -> None:
    first, second, places, c1, c2 = line
    answer = two_stations(first, second, places, first_servers=c1, second_servers=c2)
    assert answer.first_running + answer.first_blocked == pytest.approx(1)
    assert answer.second_running + answer.second_starved == pytest.approx(1)
    # what the first finishes the second finishes
    assert answer.first_running * c1 / first == pytest.approx(answer.throughput, rel=1e-9)
    assert 0 <= answer.in_pipe <= places


@calm
@given(lines)
def test_a_line_turned_round_has_the_same_throughput(line: tuple[float, float, int, int, int]) -> None:
    first, second, places, c1, c2 = line
    forth = two_stations(first, second, places, first_servers=c1, second_servers=c2)
    back = two_stations(second, first, places, first_servers=c2, second_servers=c1)
    assert forth.throughput == pytest.approx(back.throughput, rel=1e-9)
    assert forth.first_blocked == pytest.approx(back.second_starved, rel=1e-6, abs=1e-12)


@calm
@given(lines)
def test_a_larger_pipe_never_lowers_throughput(line: tuple[float, float, int, int, int]) -> None:
    first, second, places, c1, c2 = line
    small = two_stations(first, second, places, first_servers=c1, second_servers=c2)
    large = two_stations(first, second, places + 1, first_servers=c1, second_servers=c2)
    early = two_stations(first, second, places, first_servers=c1, second_servers=c2, blocking="before-service")
    assert early.throughput <= small.throughput * (1 + 1e-9)
    assert small.throughput <= large.throughput * (1 + 1e-9)
    assert large.throughput <= min(c1 / first, c2 / second) * (1 + 1e-9)


def test_an_unknown_kind_of_blocking_is_refused() -> None:
    with pytest.raises(ModelError, match="blocking"):
        two_stations(1.0, 1.0, 1, blocking="never")  # type: ignore[arg-type]


@calm
@given(st.floats(0.0, 1.0), scvs, st.integers(1, 50))
def test_departures_of_a_busy_server_are_its_services_and_of_an_idle_one_its_arrivals(
    rho: float, scv: float, servers: int
) -> None:
    assert departure_scv(1.0, scv, 3.0) == pytest.approx(3.0)
    assert departure_scv(0.0, scv, 3.0, servers) == pytest.approx(scv)
    assert departure_scv(rho, 1.0, 1.0, servers) == pytest.approx(1.0)
    assert departure_scv(rho, scv, scv, servers) >= 0


@calm
@given(ratios, times, scvs, scvs)
def test_marshall_with_the_wait_of_kingman_is_the_network_formula(
    ratio: float, time: float, arrival_scv: float, service_scv: float
) -> None:
    wait = kingman(ratio / time, time, arrival_scv, service_scv).wait
    assert wait is not None
    exact = marshall_departure_scv(ratio / time, time, arrival_scv, service_scv, wait)
    assert exact == pytest.approx(departure_scv(ratio, arrival_scv, service_scv), rel=1e-6, abs=1e-9)


flows = st.lists(st.tuples(st.floats(0.01, 1e6), scvs), min_size=1, max_size=8)


@calm
@given(flows, st.floats(0.0, 1.0))
def test_merged_flows_lie_between_their_parts_and_poisson(flow: list[tuple[float, float]], rho: float) -> None:
    rates, parts = zip(*flow, strict=True)
    merged = superpose_scv(rates, parts, rho)
    assert min(*parts, 1.0) - 1e-9 <= merged <= max(*parts, 1.0) + 1e-9
    assert superpose_scv(rates[:1], parts[:1], rho) == pytest.approx(parts[0])


@calm
@given(scvs, st.floats(0.0, 1.0), st.integers(1, 20))
def test_a_part_of_a_flow_nears_poisson_by_chance_and_evenness_by_dealing(scv: float, share: float, n: int) -> None:
    assert abs(split_scv(scv, share) - 1) <= abs(scv - 1) + 1e-12
    assert deal_scv(scv, n) <= scv


def test_wrong_flows_are_refused() -> None:
    for wrong in (
        lambda: superpose_scv([0.0], [1.0]),
        lambda: superpose_scv([], []),
        lambda: superpose_scv([1.0], [1.0, 2.0]),
        lambda: superpose_scv([1.0], [-1.0]),
        lambda: split_scv(1.0, 1.5),
        lambda: deal_scv(1.0, 0),
        lambda: departure_scv(1.1, 1.0, 1.0),
        lambda: marshall_departure_scv(1.0, 1.0, 1.0, 1.0, 1.0),
        lambda: marshall_departure_scv(0.5, 1.0, 1.0, 1.0, 100.0),
    ):
        with pytest.raises(ModelError):
            wrong()


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[float], list[list[float]], list[float], list[int]]:
    """Draw a network of up to five stations; every row of its routes lets at least a tenth out."""
    count = draw(st.integers(1, 5))
    arrivals = draw(st.lists(st.floats(0.0, 5.0), min_size=count, max_size=count))
    routes = []
    for _ in range(count):
        row = draw(st.lists(st.floats(0.0, 1.0), min_size=count, max_size=count))
        total = max(sum(row), 1.0)
        routes.append([0.9 * chance / total for chance in row])
    service = draw(st.lists(st.floats(0.01, 2.0), min_size=count, max_size=count))
    servers = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    return arrivals, routes, service, servers


@calm
@given(networks())
def test_what_enters_a_network_leaves_it_or_piles_up(
    network: tuple[list[float], list[list[float]], list[float], list[int]],
) -> None:
    answer = jackson(*network)
    entering = math.fsum(network[0])
    assert answer.throughput is not None
    if answer.saturated:
        assert answer.throughput <= entering * (1 + 1e-9)
        assert answer.response_time is None
    else:
        assert answer.throughput == pytest.approx(entering, rel=1e-9)
        assert answer.in_system is not None
        if entering > 0:
            assert answer.response_time == pytest.approx(answer.in_system / entering)


@calm
@given(networks())
def test_a_network_saturates_exactly_beyond_its_largest_scale(
    network: tuple[list[float], list[list[float]], list[float], list[int]],
) -> None:
    arrivals, *rest = network
    scale = jackson(arrivals, *rest).largest_scale
    assume(scale is not None and 1e-6 < scale < 1e6)
    assert scale is not None
    assert not jackson([rate * scale * 0.999 for rate in arrivals], *rest).saturated
    assert jackson([rate * scale * 1.001 for rate in arrivals], *rest).saturated


@calm
@given(st.floats(0.0, 1.0), st.floats(0.0, 0.9))
def test_visits_and_routes_tell_the_same(rate: float, back: float) -> None:
    # station 0 sends the share `back` to station 1, which returns it: 1/(1−back) and back/(1−back) visits
    by_routes = jackson([rate, 0.0], [[0.0, back], [1.0, 0.0]], [0.05, 0.07])
    by_visits = visited_network(rate, [1 / (1 - back), back / (1 - back)], [0.05, 0.07])
    assert by_routes.in_system == pytest.approx(by_visits.in_system, rel=1e-9, abs=1e-12)


def test_wrong_networks_are_refused_by_the_place_of_the_mistake() -> None:
    with pytest.raises(ModelError, match=r"routing\[0\]: adds up to"):
        jackson([1.0, 1.0], [[0.6, 0.6], [0.0, 0.0]], [1.0, 1.0])
    with pytest.raises(ModelError, match=r"routing\[0\]\[0\]"):
        jackson([1.0], [[-0.1]], [1.0])
    with pytest.raises(ModelError, match="never leave"):
        jackson([1.0, 0.0], [[0.0, 1.0], [0.0, 1.0]], [0.1, 0.1])
    with pytest.raises(ModelError, match="service_times"):
        jackson([1.0], [[0.0]], [1.0, 1.0])
    with pytest.raises(ModelError, match="visits"):
        visited_network(1.0, [-1.0], [1.0])


def test_a_closed_loop_that_nothing_reaches_does_no_harm() -> None:
    network = jackson([0.5, 0.0], [[0.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    assert network.stations[1].throughput == 0
    assert network.response_time == pytest.approx(2.0)
