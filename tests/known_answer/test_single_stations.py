"""Single stations and Jackson networks against published and independently computed values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from streamsim.analysis.queueing.flow import superpose_scv
from streamsim.analysis.queueing.gg1 import kingman, kraemer_langenbach_belz, marchal
from streamsim.analysis.queueing.ggc import whitt
from streamsim.analysis.queueing.gm1 import dm1, gamma_m1, hyper_m1
from streamsim.analysis.queueing.jackson import Network, jackson, visited_network
from streamsim.analysis.queueing.mg1 import md1, mg1, mg1_ps
from streamsim.analysis.queueing.mm1 import mm1
from streamsim.analysis.queueing.mmc import erlang_b, erlang_c, mmc
from streamsim.analysis.queueing.mmck import mmck, mmck_probabilities
from streamsim.analysis.queueing.result import Queue
from streamsim.analysis.queueing.tandem import two_stations

Row = dict[str, Any]

ROUNDING = 0.5e-8
"""Half a unit of the last decimal: the table prints at most eight, some rows with a narrower tolerance than that."""


def _symbols(queue: Queue) -> Row:
    """Return the queue in the symbols of the table."""
    return {
        "L": queue.in_system,
        "Lq": queue.in_queue,
        "W": queue.response_time,
        "Wq": queue.wait,
        "P_wait": queue.probability_of_waiting,
        "p0": 1 - queue.utilisation,
        "T_p95": queue.response_time_quantile(0.95),
        "T_p99": queue.response_time_quantile(0.99),
    }


def _limited(p: Row) -> Row:
    given = (p["lam"], 1 / p["mu"], p["c"], p["K"])
    probabilities = mmck_probabilities(*given)
    return _symbols(mmck(*given)) | {"p0": probabilities[0], "pK": probabilities[-1]}


def _bolch(p: Row) -> Row:
    stations = jackson(p["lam"], p["P"], p["S"]).stations
    return {
        "X": [station.throughput for station in stations],
        "Q": [station.in_system for station in stations],
        "R": [station.response_time for station in stations],
    }


def _visited(network: Network) -> Row:
    return {
        "U": [station.utilisation for station in network.stations],
        "R": [station.response_time for station in network.stations],
        "Rsys": network.response_time,
    }


def _feedback(p: Row) -> Row:
    network = jackson([p["lam"]], [[p["p"]]], [1 / p["mu"]])
    return {"rho": network.stations[0].utilisation, "L": network.in_system, "T": network.response_time}


def _tandems(p: Row, blocking: Any) -> Row:
    return {"X": [two_stations(1 / p["mu"], 1 / p["mu"], places, blocking=blocking).throughput for places in p["B"]]}


MODELS: dict[str, Callable[[Row], Row]] = {
    "mm1_rho08": lambda p: _symbols(mm1(p["lam"], 1 / p["mu"])),
    "mm4_rho08": lambda p: _symbols(mmc(p["lam"], 1 / p["mu"], p["c"])),
    "mm3_ciw_paper": lambda p: _symbols(mmc(p["lam"], 1 / p["mu"], p["c"])),
    "mm1_10_lam1": _limited,
    "mm3_7_lam40": _limited,
    "mm4_6_lam50": _limited,
    "erlang_b_10_5": lambda p: {"B": erlang_b(p["c"], p["a"])},
    "md1_rho08": lambda p: _symbols(md1(p["lam"], p["s"])),
    "me2_1_rho08": lambda p: _symbols(mg1(p["lam"], p["s"], p["scv"])),
    "mh2_1_rho08_scv4": lambda p: _symbols(mg1(p["lam"], p["s"], p["scv"])),
    "mg1_ps_rho08": lambda p: _symbols(mg1_ps(p["lam"], p["s"])),
    "dm1_rho08": lambda p: (
        _symbols(dm1(p["lam"], 1 / p["mu"])) | {"sigma": dm1(p["lam"], 1 / p["mu"]).probability_of_waiting}
    ),
    "two_station_saturated_BAS": lambda p: _tandems(p, "after-service"),
    "two_station_saturated_BBS": lambda p: _tandems(p, "before-service"),
    "jackson_bolch_7_4": _bolch,
    "jain_34_1_open": lambda p: _visited(visited_network(p["lam"], p["V"], p["S"])),
    # The table rounds the rate to six digits, and 1/(1−ρ) = 33 makes 3e-5 of that; Gunther's rate is 15 an hour.
    "pdq_passport": lambda p: _visited(visited_network(15 / 3600, [1.0] * 4, p["demands"])),
    "feedback_mm1": _feedback,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_known_answer(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    answer = MODELS[name](row["parameters"])
    for symbol, expected in row["expected"].items():
        assert answer[symbol] == pytest.approx(expected, rel=row["tolerance"], abs=ROUNDING), symbol


@pytest.mark.parametrize("name", ["e2e2_1_rho08", "h2e2_1_rho08", "h2h2_1_rho08"])
def test_an_approximation_gives_the_value_that_its_formula_is_known_for(
    name: str, known_answer: Callable[[str], Row]
) -> None:
    row = known_answer(name)
    p = row["parameters"]
    given = (p["lam"], p["s"], p["ca2"], p["cs2"])
    answer = {
        "Wq_Kingman": kingman(*given).wait,
        "Wq_KLB": kraemer_langenbach_belz(*given).wait,
        "Wq_Marchal": marchal(*given).wait,
    }
    assert answer == pytest.approx(row["approximations"], rel=row["tolerance"], abs=ROUNDING)


def test_the_probability_of_kraemer_and_langenbach_belz_is_their_formula_worked_by_hand() -> None:
    # ρ = 0.8, c²s = 1. c²a = 0: h = 1.8/1.64, P = 0.8 − 0.16·h. c²a = 4: h = 3.2/14.88, P = 0.8 + 0.48·h
    even = kraemer_langenbach_belz(0.8, 1.0, 0.0, 1.0).probability_of_waiting
    bursty = kraemer_langenbach_belz(0.8, 1.0, 4.0, 1.0).probability_of_waiting
    assert even == pytest.approx(0.6243902439)
    assert bursty == pytest.approx(0.9032258065)


def test_the_barber_of_gross_and_harris_has_five_customers() -> None:
    # Gross and Harris, Fundamentals of Queueing Theory, 2nd ed., example 2.1, p. 74
    barber = mm1(5, 1 / 6)
    assert barber.in_system == pytest.approx(5)
    assert barber.in_queue == pytest.approx(4 + 1 / 6)


def test_the_clinic_of_gross_and_harris_has_eight_ninths_of_a_patient_waiting() -> None:
    # Gross and Harris, 2nd ed., example 2.2, pp. 91-93; 4/9 = 1 − W_q(0)
    clinic = mmc(6, 1 / 3, 3)
    assert clinic.in_queue == pytest.approx(8 / 9)
    assert clinic.response_time == pytest.approx(13 / 27)
    assert clinic.probability_of_waiting == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    ("servers", "service_time", "ratio", "wait"),
    [
        (2, 1.0, 0.9, 2.1445),
        (2, 1.0, 0.7, 0.4916),
        (2, 1.0, 0.5, 0.1757),
        (2, 1.0, 0.3, 0.0557),
        (4, 1.0, 0.7, 0.1890),
        (4, 1.0, 0.5, 0.0494),
        (25, 100.0, 0.9, 10.7922),
        (25, 100.0, 0.8, 2.3845),
        (50, 100.0, 0.9, 3.9838),
    ],
)
def test_whitt_for_even_service_is_the_published_formula_of_cosmetatos(
    servers: int, service_time: float, ratio: float, wait: float
) -> None:
    # Kimura, J. Oper. Res. Soc. 42 (1991), table 1, p. 601: four decimals, and Whitt cuts nothing off at these loads.
    # Its 1.0000 for 4 servers at 0.9 is left out: the formula itself, worked by hand, gives 0.9996.
    answer = whitt(ratio * servers / service_time, service_time, servers, 1.0, 0.0)
    assert answer.wait == pytest.approx(wait, abs=1e-4)


@pytest.mark.parametrize(
    ("servers", "ratio", "arrival_scv", "service_scv", "published"),
    [
        (4, 0.9, 1.0, 1.0, 0.79),
        (4, 0.9, 0.0, 1.0, 0.65),
        (4, 0.9, 2.25, 1.0, 0.85),
        (4, 0.9, 0.25, 1.0, 0.70),
        (4, 0.9, 0.56, 1.0, 0.75),
        (4, 0.9, 0.0, 2.0, 0.71),
        (4, 0.9, 0.5, 2.0, 0.76),
        (4, 0.9, 0.0, 9.0, 0.75),
        (4, 0.9, 9.0, 9.0, 0.86),
        (4, 0.9, 0.1, 0.5, 0.60),
        (4, 0.9, 2.25, 0.0, 0.86),
        (20, 0.9, 0.0, 1.0, 0.31),
        (2, 0.6, 0.5, 9.0, 0.38),
    ],
)
def test_whitt_gives_the_published_probability_of_waiting(
    servers: int, ratio: float, arrival_scv: float, service_scv: float, published: float
) -> None:
    # Whitt (1993), tables of P(W > 0): two decimals, taken to one unit of the last, since another implementation of
    # the same equations is as far from the print (0.702 against 0.71 at the sixth)
    answer = whitt(ratio * servers, 1.0, servers, arrival_scv, service_scv)
    assert answer.probability_of_waiting == pytest.approx(published, abs=0.01)


def _whitt_as_printed(m: int, rho: float, ca2: float, cs2: float) -> tuple[float, float]:
    """Return the wait (in service times) and P(W > 0), equation by equation in the paper's own notation."""
    erlang = erlang_c(m, m * rho)
    gamma = min(0.24, (1 - rho) * (m - 1) * ((4 + 5 * m) ** 0.5 - 2) / (16 * m * rho))
    phi1, phi2 = 1 + gamma, 1 - 4 * gamma
    phi3 = phi2 * math.exp(-2 * (1 - rho) / (3 * rho))
    phi4 = min(1, (phi1 + phi3) / 2)
    c2 = (ca2 + cs2) / 2
    psi = 1 if c2 >= 1 else phi4 ** (2 * (1 - c2))
    if ca2 >= cs2:
        phi = 4 * (ca2 - cs2) / (4 * ca2 - 3 * cs2) * phi1 + cs2 / (4 * ca2 - 3 * cs2) * psi
    else:
        phi = (cs2 - ca2) / (2 * ca2 + 2 * cs2) * phi3 + (cs2 + 3 * ca2) / (2 * ca2 + 2 * cs2) * psi
    z = (ca2 + cs2) / (1 + cs2)
    root = (1 - rho) * m**0.5
    distance = (m - m * rho - 0.5) / (m * rho * z) ** 0.5
    pi6 = norm.sf(distance)
    pi5 = min(1, norm.sf(2 * root / (1 + ca2)) / norm.sf(root) * erlang)
    pi4 = min(1, norm.sf((1 + cs2) * root / (ca2 + cs2)) / norm.sf(root) * erlang)
    pi1 = rho**2 * pi4 + (1 - rho**2) * pi5
    pi2 = ca2 * pi1 + (1 - ca2) * pi6
    pi3 = 2 * (1 - ca2) * (distance - 0.5) * pi2 + (1 - 2 * (1 - ca2) * (distance - 0.5)) * pi1
    pi = pi1 if m <= 6 or distance <= 0.5 or ca2 >= 1 else pi2 if distance >= 1 else pi3
    return phi * c2 * erlang / (m * (1 - rho)), min(1, pi)


@pytest.mark.parametrize("servers", [1, 2, 6, 7, 8, 30])
@pytest.mark.parametrize("ratio", [0.3, 0.6, 0.75, 0.85, 0.95])
@pytest.mark.parametrize("scvs", [(0.0, 1.0), (0.2, 0.5), (0.5, 0.2), (0.5, 0.5), (0.3, 4.0), (4.0, 0.3), (3.0, 5.0)])
def test_whitt_is_the_printed_equations(servers: int, ratio: float, scvs: tuple[float, float]) -> None:
    answer = whitt(ratio * servers, 1.0, servers, *scvs)
    expected = _whitt_as_printed(servers, ratio, *scvs)
    assert (answer.wait, answer.probability_of_waiting) == pytest.approx(expected, rel=1e-9)


def test_a_merger_is_weighted_as_worked_by_hand() -> None:
    # Whitt (1983): shares 3/4 and 1/4 give v = 1.6; ρ = 0.5 gives w = 1/1.6; Σpᵢc²ᵢ = 3·0.2/4 + 2/4 = 0.65
    assert superpose_scv([3.0, 1.0], [0.2, 2.0], utilisation=0.5) == pytest.approx(0.65 / 1.6 + 0.6 / 1.6)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.8, 0.99])
def test_erlang_gaps_give_the_root_of_their_polynomial(ratio: float) -> None:
    # E2/M/1: σ = (2ρ/(2ρ+1−σ))², a cubic in σ with the known root 1; numpy finds the others
    roots = np.roots([1.0, -2 * (2 * ratio + 1), (2 * ratio + 1) ** 2, -((2 * ratio) ** 2)])
    sigma = min(roots.real)
    assert gamma_m1(ratio, 1.0, 0.5).probability_of_waiting == pytest.approx(sigma, rel=1e-9)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 0.8, 0.99])
def test_hyperexponential_gaps_give_the_root_found_by_fixed_point_iteration(ratio: float) -> None:
    scv, sigma = 4.0, 0.0
    chance = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
    phases = [(p, 2 * p * ratio) for p in (chance, 1 - chance)]
    for _ in range(20_000):
        sigma = sum(p * rate / (rate + 1 - sigma) for p, rate in phases)
    assert hyper_m1(ratio, 1.0, scv).probability_of_waiting == pytest.approx(sigma, rel=1e-9)


def _line_by_events(times: tuple[float, float], servers: tuple[int, int], places: int) -> float:
    """Return the throughput of the line from a chain written event by event: (blocked, waiting, at the second)."""
    states, rates = [(0, 0, 0)], {}
    for state in states:
        blocked, waiting, serving = state
        moves = []
        if blocked < servers[0]:
            rate = (servers[0] - blocked) / times[0]
            if serving < servers[1]:
                moves.append((rate, (blocked, waiting, serving + 1)))
            elif waiting < places:
                moves.append((rate, (blocked, waiting + 1, serving)))
            else:
                moves.append((rate, (blocked + 1, waiting, serving)))
        if serving > 0:
            if blocked > 0:
                moves.append((serving / times[1], (blocked - 1, waiting, serving)))
            elif waiting > 0:
                moves.append((serving / times[1], (blocked, waiting - 1, serving)))
            else:
                moves.append((serving / times[1], (blocked, waiting, serving - 1)))
        rates[state] = moves
        states += [target for _, target in moves if target not in states]
    generator = np.zeros((len(states), len(states)))
    for state, moves in rates.items():
        for rate, target in moves:
            generator[states.index(state), states.index(target)] += rate
            generator[states.index(state), states.index(state)] -= rate
    balance = np.vstack([generator.T, np.ones(len(states))])
    shares = np.linalg.lstsq(balance, np.append(np.zeros(len(states)), 1.0), rcond=None)[0]
    return float(sum(share * state[2] for share, state in zip(shares, states, strict=True)) / times[1])


@pytest.mark.parametrize("servers", [(1, 1), (3, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("times", [(1.0, 1.0), (0.2, 0.7), (2.0, 0.3)])
@pytest.mark.parametrize("places", [0, 1, 4])
def test_two_stations_agree_with_the_chain_of_their_events(
    servers: tuple[int, int], times: tuple[float, float], places: int
) -> None:
    line = two_stations(*times, places, first_servers=servers[0], second_servers=servers[1])
    assert line.throughput == pytest.approx(_line_by_events(times, servers, places), rel=1e-9)


def test_a_saturated_station_passes_on_what_it_can_serve() -> None:
    network = jackson([3.0, 0.0], [[0.0, 1.0], [0.0, 0.0]], [0.5, 0.25])
    first, second = network.stations
    assert first.saturated
    assert second.wait == mm1(2.0, 0.25).wait
    assert network.throughput == pytest.approx(2.0)
    assert network.response_time is None
    assert network.largest_scale == pytest.approx(2 / 3)


def test_an_overloaded_network_settles_where_repeated_substitution_does() -> None:
    # Goodman and Massey (1984): λ = γ + min(λ, capacity)·P, here iterated upwards from nothing
    arrivals = np.array([1.0, 0.5, 0.2, 0.1])
    routes = np.array([[0, 0.6, 0.4, 0], [0.3, 0, 0, 0.7], [0, 0.5, 0.2, 0.1], [0, 0, 0.3, 0.2]])
    times = [0.9, 0.8, 0.7, 0.6]
    flow = np.zeros(4)
    for _ in range(2000):
        flow = arrivals + np.minimum(flow, 1 / np.array(times)) @ routes
    stations = jackson(arrivals.tolist(), routes.tolist(), times).stations
    assert [station.saturated for station in stations] == [
        bool(rate * time >= 1) for rate, time in zip(flow, times, strict=True)
    ]
    assert {station.saturated for station in stations} == {True, False}
    expected = np.minimum(flow, 1 / np.array(times))
    assert [station.throughput for station in stations] == pytest.approx(expected.tolist(), rel=1e-9)
