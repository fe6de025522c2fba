"""Lines with finite pipes against published values, closed forms and each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamsim.analysis.queueing.lines import Line, line, saturated_line, solve_line
from streamsim.analysis.queueing.lines.section import count_states
from streamsim.analysis.queueing.lines.windows import solve_by_windows
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
