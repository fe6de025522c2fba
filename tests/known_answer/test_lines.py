"""Lines with finite pipes against published values, closed forms and each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
from streamsim.analysis.queueing.lines.network_windows import solve_network_by_windows
from streamsim.analysis.queueing.lines.section import count_states
from streamsim.analysis.queueing.lines.windows import solve_by_windows
from streamsim.analysis.queueing.map_process import mmpp, poisson
from streamsim.analysis.queueing.mapmap1 import map_map_1, ph_ph_1
from streamsim.analysis.queueing.mmc import mmc
from streamsim.analysis.queueing.mmck import mmck
from streamsim.analysis.queueing.phase_type import PhaseType, exponential
from streamsim.analysis.queueing.tandem import two_stations
from streamsim.errors import ModelError

Row = dict[str, Any]


def _balanced(stations: int, mean: float, places: int, blocking: Any = "after-service") -> float:
    return saturated_line([mean] * stations, [places] * (stations - 1), blocking=blocking).throughput


LINES: dict[str, Callable[[Row], list[float]]] = {
    "hunt_zero_buffer_lines": lambda p: [_balanced(n, 1 / p["mu"], p["buffer"]) for n in p["stations"]],
    "two_station_saturated_BAS": lambda p: [_balanced(2, 1 / p["mu"], places) for places in p["B"]],
    "two_station_saturated_BBS": lambda p: [_balanced(2, 1 / p["mu"], places, "before-service") for places in p["B"]],
    "three_station_saturated_BAS": lambda p: [_balanced(3, 1 / p["mu"], places) for places in p["B"]],
    "deterministic_line": lambda p: [
        saturated_line(p["service"], [p["B"]] * 2, service_scvs=[0.0] * 3).throughput
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_a_line_gives_the_known_throughput(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    expected = row["expected"]["X"]
    expected = expected if isinstance(expected, list) else [expected]
    # the table prints eight decimals
    assert LINES[name](row["parameters"]) == pytest.approx(expected, rel=row["tolerance"], abs=0.5e-8)


@pytest.mark.parametrize("blocking", ["after-service", "before-service"])
@pytest.mark.parametrize("servers", [(1, 1), (3, 1), (2, 3)])
def test_two_stations_are_the_birth_death_chain(servers: tuple[int, int], blocking: Any) -> None:
    expected = two_stations(0.7, 0.9, 3, first_servers=servers[0], second_servers=servers[1], blocking=blocking)
    answer = saturated_line([0.7, 0.9], [3], servers=servers, blocking=blocking)
    assert answer.exact
    assert answer.throughput == pytest.approx(expected.throughput, rel=1e-9)
    assert answer.stations[0].running == pytest.approx(expected.first_running)
    assert answer.stations[0].blocked == pytest.approx(expected.first_blocked)
    assert answer.stations[1].starved == pytest.approx(expected.second_starved)
    assert answer.stations[1].in_pipe == pytest.approx(expected.in_pipe)


def test_a_detour_through_equal_phases_changes_nothing() -> None:
    # two phases that end at the same rate are an exponential service in disguise, with four times the states
    disguised = PhaseType((0.3, 0.7), ((-3.0, 2.0), (0.5, -1.5)))
    plain = Line(services=(exponential(1.0),) * 3, servers=(1, 2, 1), waiting_places=(1, 2))
    odd = Line(services=(disguised,) * 3, servers=(1, 2, 1), waiting_places=(1, 2))
    assert solve_line(odd).throughput == pytest.approx(solve_line(plain).throughput, rel=1e-9)
    assert count_states(odd, 0, 2) > 3 * count_states(plain, 0, 2)


def test_a_large_chain_agrees_with_what_another_solver_found() -> None:
    # GMRES with an incomplete factorisation of the same 96,030 states gives 0.82431653623 (in a minute)
    answer = saturated_line([1.0] * 6, [7] * 5)
    assert (answer.exact, answer.states) == (True, 96_030)
    assert answer.throughput == pytest.approx(0.82431653623, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "options", "off"),
    [
        (([1.0] * 6, [0] * 5), {}, 0.003),
        (([1.0, 1.5, 0.8, 1.2, 1.1], [2, 3, 0, 1]), {}, 0.001),
        (([1.0, 1.5, 0.8, 1.2], [2, 3, 2]), {"service_scvs": [0.3, 4.0, 0.5, 0.7]}, 0.001),
        (([1.0, 1.5, 0.8, 1.2], [2, 3, 2]), {"servers": [3, 4, 2, 5]}, 0.001),
        (([1.0, 1.5, 1.5, 1.2], [2, 3, 2]), {"servers": [1, 2, 2, 1], "service_scvs": [4.0, 0.5, 0.5, 4.0]}, 0.001),
        (([1.0] * 6, [1] * 5), {"blocking": "before-service"}, 0.003),
    ],
)
def test_windows_come_near_the_exact_chain(given: Any, options: Any, off: float) -> None:
    # throughput within a tenth of the 3 % that the decomposition is held to, time shares within half a per cent of it
    question = line(*given, **options)
    exact = solve_line(question, method="exact")
    windows = solve_by_windows(question, 3 if len(given[0]) > 4 else 2)
    assert not windows.exact
    assert windows.throughput == pytest.approx(exact.throughput, rel=off)
    for one, other in zip(windows.stations, exact.stations, strict=True):
        assert (one.running, one.blocked) == pytest.approx((other.running, other.blocked), abs=0.005)


def test_one_chain_too_large_is_refused_and_says_what_would_answer() -> None:
    with pytest.raises(ModelError, match=r"has \d+ states where at most 100000 are solved; 'windows'"):
        saturated_line([1.0] * 10, [9] * 9, method="exact")


def test_a_line_of_one_station_works_all_the_time() -> None:
    answer = saturated_line([0.5], [], servers=[3])
    assert answer.throughput == pytest.approx(6.0)
    assert answer.stations[0].running == 1.0


CLOSED = [
    "closed2_BAS_equal",
    "closed2_BAS_unequal",
    "closed_cyclic_BAS_T7_1",
    "closed_cyclic_BAS_T7_3",
    "closed_cyclic_BAS_T7_5",
    "closed_cyclic_BAS_T7_7",
    "closed_cyclic_BAS_T7_9",
    "closed_RS_qnmarkov_2",
]


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_line_gives_the_known_throughput(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    p = row["parameters"]
    blocking: Any = "repetitive" if p.get("blocking") == "RS" else "after-service"
    times, places = [1 / mu for mu in p["mu"]], p.get("K", p.get("C"))
    populations = p["N"] if isinstance(p["N"], list) else [p["N"]]
    answers = [solve_network(closed_line(times, places, count, blocking=blocking)) for count in populations]
    expected = row["expected"]["X"]
    if blocking == "repetitive":  # the row has the throughput of each station
        assert [station.throughput for station in answers[0].stations] == pytest.approx(expected, rel=row["tolerance"])
        return
    expected = expected if isinstance(expected, list) else [expected]
    assert [answer.throughput for answer in answers] == pytest.approx(expected, rel=row["tolerance"])
    if "exact_ctmc" in row:
        assert answers[0].throughput == pytest.approx(row["exact_ctmc"], abs=0.5e-6)  # printed to six decimals


def test_the_open_tandem_gives_the_known_times_numbers_and_blocking(known_answer: Callable[[str], Row]) -> None:
    row = known_answer("open_tandem3_B10_BAS_rho08")
    p, expected = row["parameters"], row["expected"]
    answer = open_line(p["lam"], [1 / mu for mu in p["mu"]], p["waiting_places"][1:])
    assert answer.exact
    assert answer.stations is not None
    found = {"T": answer.response_time}
    found |= {f"N{n}": station.in_system for n, station in enumerate(answer.stations, 1)}
    found |= {f"blocked{n}": station.blocked for n, station in enumerate(answer.stations, 1)}
    # the row's tolerance is for the simulation that checked it; the chain gives its digits, six behind the point
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_an_open_line_of_one_station_is_the_plain_queue() -> None:
    several = open_line(2.4, [1.0], [], servers=[3])
    assert several.response_time == pytest.approx(mmc(2.4, 1.0, 3).response_time, rel=1e-9)
    phases = open_line(0.8, [1.0], [], arrival_scv=4.0, service_scvs=[0.5])
    assert phases.response_time == pytest.approx(ph_ph_1(0.8, 1.0, 4.0, 0.5).response_time, rel=1e-9)
    arrivals = mmpp([1.6, 0.2], [[0, 0.1], [0.1, 0]])
    bursts = solve_open_line(Line(services=(exponential(1.0),), servers=(1,), waiting_places=()), arrivals)
    assert bursts.response_time == pytest.approx(map_map_1(arrivals, poisson(1.0)).response_time, rel=1e-9)


def test_an_open_line_with_long_pipes_is_a_jackson_network() -> None:
    # two M/M/1 queues; a pipe of 60 places overflows once in 0.6⁶⁰
    answer = open_line(0.6, [1.0, 0.8], [60])
    assert answer.response_time == pytest.approx(1 / (1 - 0.6) + 0.8 / (1 - 0.48), rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"service_scvs": [1.0, 1.0, 0.5, 1.0]}, {"servers": [1, 2, 1, 1]}])
def test_an_open_line_by_windows_comes_near_its_levels(options: Any) -> None:
    # three quarters of what the line can carry; nearer to it the error of the capacity is magnified
    given = ([1.0, 1.2, 1.0, 0.9], [1, 1, 1])
    rate = 0.75 * saturated_line(*given, **options).throughput
    exact = open_line(rate, *given, **options)
    windows = open_line(rate, *given, **options, method="windows")
    assert windows.response_time == pytest.approx(exact.response_time, rel=0.03)


def test_a_line_written_as_a_network_is_the_same_line() -> None:
    # two engines that share nothing but the solver: vectors of pipe contents, and states one by one
    times, scvs = [1.0, 1.2, 0.8, 1.0, 1.0], [1.0, 0.5, 2.0, 1.0, 1.0]
    routing = [[float(j == i + 1) for j in range(5)] for i in range(5)]
    one = saturated_line(times, [2, 1, 0, 3], service_scvs=scvs)
    other = solve_network(finite_network(times, [1, 3, 2, 1, 4], routing, saturated=[0], service_scvs=scvs))
    assert one.throughput == pytest.approx(other.throughput, rel=1e-10)
    for mine, theirs in zip(one.stations, other.stations, strict=True):
        assert (mine.running, mine.blocked) == pytest.approx((theirs.running, theirs.blocked), rel=1e-8, abs=1e-12)
    for blocking in ("before-service", "repetitive"):  # the same for exponential services in a row
        before = saturated_line(times, [2, 1, 0, 3], blocking="before-service")
        net = solve_network(finite_network(times, [1, 3, 2, 1, 4], routing, saturated=[0], blocking=blocking))  # type: ignore[arg-type]
        assert before.throughput == pytest.approx(net.throughput, rel=1e-10)


def test_an_open_network_of_one_station_loses_what_mmck_loses() -> None:
    answer = solve_network(finite_network([1.0], [5], [[0.0]], arrival_rates=[0.8]))
    expected = mmck(0.8, 1.0, 1, 5)
    assert answer.throughput == pytest.approx(expected.throughput, rel=1e-12)
    assert answer.lost == pytest.approx(0.8 * expected.probability_of_loss, rel=1e-12)
    assert answer.stations[0].in_system == pytest.approx(expected.in_system, rel=1e-12)


def test_who_holds_the_blocked_record_is_told() -> None:
    # one branch of the split is ten times slower, so it is the one that holds the source
    routing = [[0.0, 0.5, 0.5], [0.0] * 3, [0.0] * 3]
    answer = solve_network(finite_network([1.0, 10.0, 1.0], [1, 2, 2], routing, saturated=[0]))
    source = answer.stations[0]
    assert source.blocked == pytest.approx(sum(source.held_by))
    assert source.held_by[1] > 10 * source.held_by[2]
    assert answer.stations[1].throughput == pytest.approx(answer.stations[2].throughput)


def _branches(count: int, scv: float, places: int) -> Any:
    """Return a source, branches, a merge and a tail, the branches unlike each other."""
    stations = count + 3
    routing = [[0.0] * stations for _ in range(stations)]
    for branch in range(1, count + 1):
        routing[0][branch], routing[branch][count + 1] = 1 / count, 1.0
    routing[count + 1][count + 2] = 1.0
    times = [1.0, *(count * (0.8 + 0.1 * branch) for branch in range(count)), 1.0, 0.9]
    rooms = [1, *[places] * (stations - 1)]
    return finite_network(times, rooms, routing, saturated=[0], service_scvs=[scv] * stations)


@pytest.mark.parametrize(
    ("count", "scv", "places", "wide"), [(2, 1.0, 2, 200), (2, 1.0, 4, 500), (2, 0.5, 2, 1500), (3, 1.0, 2, 1500)]
)
def test_windows_of_splits_and_merges_come_near_the_exact_chain(count: int, scv: float, places: int, wide: int) -> None:
    network = _branches(count, scv, places)
    exact = solve_network(network, method="exact")
    windows = solve_network_by_windows(network, wide_states=wide)
    assert not windows.exact
    assert windows.throughput == pytest.approx(exact.throughput, rel=0.01)
    for one, other in zip(windows.stations, exact.stations, strict=True):
        assert (one.running, one.blocked) == pytest.approx((other.running, other.blocked), abs=0.01)
        assert one.held_by == pytest.approx(other.held_by, abs=0.01)


def test_a_network_too_large_for_its_chain_is_answered_by_windows_or_says_why_not() -> None:
    network = _branches(2, 1.0, 4)
    answer = solve_network(network, most_states=1000)
    assert answer.method.startswith("windows")
    assert answer.throughput == pytest.approx(solve_network(network).throughput, rel=0.01)
    with pytest.raises(ModelError, match="more than 50 states"):
        solve_network(network, method="exact", most_states=50)
    loop = finite_network([1.0, 1.0, 1.0], [1, 9, 9], [[0, 1, 0], [0, 0, 1], [0, 0.3, 0]], saturated=[0])
    with pytest.raises(ModelError, match="more than 50 states; routing: there is a loop"):
        solve_network(loop, most_states=50)


def test_long_pipes_with_tails_below_any_float_keep_their_digits() -> None:
    # the slowest of three is in the middle, so the first pipe is full and the second empty but for 1e-60
    answer = saturated_line([0.925, 1.393, 1.115], [595, 368])
    assert not answer.exact
    assert answer.throughput == pytest.approx(1 / 1.393, rel=1e-9)
    assert answer.stations[0].blocked == pytest.approx(1 - 0.925 / 1.393, rel=1e-9)
    assert answer.stations[2].starved == pytest.approx(1 - 1.115 / 1.393, rel=1e-9)
