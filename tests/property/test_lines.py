"""What holds for lines and networks with finite pipes, whatever their rates, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamsim.analysis.queueing.lines import (
    Line,
    closed_line,
    finite_network,
    line,
    open_line,
    saturated_line,
    solve_line,
    solve_network,
    solve_open_line,
)
from streamsim.analysis.queueing.lines.section import count_states
from streamsim.analysis.queueing.lines.windows import solve_by_windows
from streamsim.analysis.queueing.map_process import MarkovProcess, mmpp, poisson
from streamsim.analysis.queueing.mapmap1 import map_map_1, ph_ph_1
from streamsim.analysis.queueing.phase_type import (
    PhaseType,
    erlang,
    exponential,
    fit_three_moments,
    fit_two_moments,
    hyperexponential,
)
from streamsim.analysis.queueing.transient import mm1_transient
from streamsim.analysis.queueing.vacation import multiple_vacations
from streamsim.errors import ModelError

calm = settings(deadline=None, database=None, max_examples=40)
times = st.floats(0.05, 5.0)
scvs = st.sampled_from([0.5, 1.0, 1.0, 3.0])


@st.composite
def lines(draw: Any, most: int = 4) -> Line:
    count = draw(st.integers(2, most))
    question = line(
        [draw(times) for _ in range(count)],
        [draw(st.integers(0, 3)) for _ in range(count - 1)],
        service_scvs=[draw(scvs) for _ in range(count)],
        servers=[draw(st.sampled_from([1, 1, 2])) for _ in range(count)],
        blocking=draw(st.sampled_from(["after-service", "before-service"])),
    )
    assume(count_states(question, 0, count - 1) <= 3_000)  # a second chance is cheaper than a large chain
    return question


@calm
@given(lines())
def test_servers_spend_all_their_time_and_all_stations_pass_on_the_same(question: Line) -> None:
    answer = solve_line(question)
    assert answer.throughput <= min(question.capacities) * (1 + 1e-9)
    for station, capacity in zip(answer.stations, question.capacities, strict=True):
        assert station.running + station.blocked + station.starved == pytest.approx(1)
        assert station.running * capacity == pytest.approx(answer.throughput, rel=1e-6)
        assert min(station.running, station.blocked, station.starved) >= -1e-12
    assert answer.stations[0].starved == pytest.approx(0, abs=1e-12)
    assert answer.stations[-1].blocked == pytest.approx(0, abs=1e-12)


@calm
@given(lines())
def test_a_line_turned_round_carries_the_same(question: Line) -> None:
    turned = Line(
        services=question.services[::-1],
        servers=question.servers[::-1],
        waiting_places=question.waiting_places[::-1],
        blocking="after-service",
    )
    straight = Line(services=question.services, servers=question.servers, waiting_places=question.waiting_places)
    if all(count == 1 for count in question.servers):  # Muth (1979); with several servers records overtake
        assert solve_line(turned).throughput == pytest.approx(solve_line(straight).throughput, rel=1e-7)


@calm
@given(lines(), st.integers(0, 2))
def test_one_more_place_never_lowers_what_a_line_carries(question: Line, pipe: int) -> None:
    pipe = min(pipe, question.stations - 2)
    places = [count + (index == pipe) for index, count in enumerate(question.waiting_places)]
    larger = Line(
        services=question.services,
        servers=question.servers,
        waiting_places=tuple(places),
        blocking=question.blocking,
    )
    assert solve_line(larger).throughput >= solve_line(question).throughput * (1 - 1e-9)


@settings(calm, max_examples=15)
@given(lines(most=5))
def test_windows_stay_within_three_per_cent_of_the_chain(question: Line) -> None:
    if question.stations > 3:
        width = min(3, question.stations - 2)
        windows = solve_by_windows(question, width)
        assert windows.throughput == pytest.approx(solve_line(question, method="exact").throughput, rel=0.03)
        assert windows.spread < 0.01


@settings(calm, max_examples=20)
@given(lines(most=3), st.floats(0.05, 0.95))
def test_an_open_line_obeys_little_and_holds_below_what_it_can_carry(question: Line, share: float) -> None:
    assume(count_states(question, 0, question.stations - 1) <= 50)
    most = solve_line(question).throughput
    answer = solve_open_line(question, poisson(share * most))
    assert not answer.saturated
    assert answer.stations is not None
    assert answer.response_time is not None
    assert answer.largest_rate == pytest.approx(most)
    number = math.fsum(station.in_system or 0.0 for station in answer.stations)
    assert number == pytest.approx(answer.throughput * answer.response_time)
    assert answer.response_time >= math.fsum(law.mean for law in question.services) * (1 - 1e-9)
    for station, capacity in zip(answer.stations, question.capacities, strict=True):
        assert station.running * capacity == pytest.approx(answer.throughput, rel=1e-6)
    assert solve_open_line(question, poisson(1.01 * most)).saturated


@settings(calm, max_examples=20)
@given(st.lists(times, min_size=2, max_size=4), st.integers(1, 3), st.integers(1, 8), scvs)
def test_records_in_a_closed_line_are_kept(services: list[float], room: int, count: int, scv: float) -> None:
    places = [room] * len(services)
    population = min(count, sum(places) - 1)
    answer = solve_network(closed_line(services, places, population, service_scvs=[scv] * len(services)))
    assert math.fsum(station.in_system for station in answer.stations) == pytest.approx(population)
    for station in answer.stations:
        assert station.throughput == pytest.approx(answer.throughput, rel=1e-6)


@calm
@given(times, st.floats(0.02, 30.0))
def test_a_law_of_two_moments_has_them(mean: float, scv: float) -> None:
    law = fit_two_moments(mean, scv)
    assert (law.mean, law.scv) == pytest.approx((mean, scv), rel=1e-6)


@calm
@given(st.floats(0.1, 5.0), st.floats(0.1, 5.0), st.floats(0.0, 1.0))
def test_a_law_of_three_moments_has_them_wherever_two_phases_can(one: float, other: float, chance: float) -> None:
    law = PhaseType((chance, 1 - chance), ((-one, one), (0.0, -other)))
    wanted = [law.moment(n) for n in (1, 2, 3)]
    fitted = fit_three_moments(*wanted)
    assert [fitted.moment(n) for n in (1, 2, 3)] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: saturated_line([], []), "services"),
        (lambda: saturated_line([1.0, -1.0], [1]), r"service_times\[1\]"),
        (lambda: saturated_line([1.0, math.nan], [1]), r"service_times\[1\]"),
        (lambda: saturated_line([1.0, 1.0], []), "waiting_places"),
        (lambda: saturated_line([1.0, 1.0], [-1]), r"waiting_places\[0\]"),
        (lambda: saturated_line([1.0, 1.0], [1], servers=[1, 0]), r"servers\[1\]"),
        (lambda: saturated_line([1.0, 1.0], [1], service_scvs=[1.0, 0.0]), "scv"),
        (lambda: saturated_line([1.0, 1.0], [1], blocking="never"), "blocking"),  # type: ignore[arg-type]
        (lambda: saturated_line([1.0, 1.0], [1], method="guess"), "method"),  # type: ignore[arg-type]
        (lambda: saturated_line([1.0] * 7, [9] * 6, method="exact"), "states"),
        (lambda: saturated_line([1.0] * 3, [1] * 2, most_states=0), "most_states"),
        (lambda: open_line(-1.0, [1.0], []), "arrival_rate"),
        (lambda: open_line(0.5, [1.0], [], arrival_scv=-1.0), "arrival_scv"),
        (lambda: open_line(0.1, [1.0] * 6, [9] * 5, method="exact"), "states"),
        (lambda: finite_network([1.0], [1], [[0.0]]), "nothing ever arrives"),
        (lambda: finite_network([1.0], [1], [[1.2]], saturated=[0]), r"routing\[0\]\[0\]"),
        (lambda: finite_network([1.0] * 2, [1] * 2, [[0.6, 0.6], [0, 0]], arrival_rates=[1, 0]), r"routing\[0\]"),
        (lambda: finite_network([1.0], [0], [[0.0]], arrival_rates=[1.0]), r"places\[0\]"),
        (lambda: finite_network([1.0], [1], [[0.0]], arrival_rates=[-1.0]), r"arrival_rates\[0\]"),
        (lambda: finite_network([1.0], [1], [[0.5]], saturated=[0]), "saturated"),
        (lambda: finite_network([1.0], [1], [[0.5]], population=1), "population"),
        (lambda: closed_line([1.0, 1.0], [2, 2], 5), "population"),
        (lambda: solve_network(closed_line([1.0, 1.0], [2, 2], 4)), "stand still"),
        (lambda: solve_network(closed_line([1.0] * 6, [9] * 6, 30), most_states=500), "more than 500 states"),
        (lambda: PhaseType((0.5,), ((-1.0,),)), "initial"),
        (lambda: PhaseType((1.0,), ((1.0,),)), r"generator\[0\]\[0\]"),
        (lambda: PhaseType((1.0, 0.0), ((-1.0, 1.0), (1.0, -1.0))), "never end"),
        (lambda: erlang(0, 1.0), "phases"),
        (lambda: exponential(0.0), "mean"),
        (lambda: hyperexponential(1.0, 0.5), "scv"),
        (lambda: fit_two_moments(1.0, 0.001), "scv"),
        (lambda: fit_three_moments(1.0, 1.2, 2.0), "second"),
        (lambda: fit_three_moments(1.0, 3.0, 1.0), "third"),
        (lambda: MarkovProcess(((-1.0,),), ((0.5,),)), "silent"),
        (lambda: mmpp([1.0, 1.0], [[0.0, 0.0], [1.0, 0.0]]), "never reached from"),
        (lambda: ph_ph_1(0.5, 1.0, 0.01, 0.01), "phases"),
        (lambda: multiple_vacations(0.5, 1.0, 1.0, 0.0, 1.0), "vacation_time"),
        (lambda: mm1_transient(1.0, 1.0, 1e9), "time"),
    ],
)
def test_wrong_input_is_refused_by_name(call: Any, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        call()


def test_a_source_that_brings_more_than_a_server_takes_is_saturation() -> None:
    queue = map_map_1(mmpp([3.0, 0.2], [[0.0, 0.1], [0.1, 0.0]]), mmpp([2.0, 1.0], [[0.0, 1.0], [1.0, 0.0]]))
    assert queue.saturated
    assert queue.throughput == pytest.approx(1.5)
