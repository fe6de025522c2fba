"""Priorities, batches, vacations, constant services, hidden phases, the way to steady state: against known values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from scipy.integrate import quad
from scipy.special import ive

from streamsim.analysis.queueing.batch import batch_mg1, batch_mm1
from streamsim.analysis.queueing.map_process import MarkovProcess, mmpp, poisson, renewal
from streamsim.analysis.queueing.mapmap1 import map_map_1, ph_ph_1, ph_ph_1_of
from streamsim.analysis.queueing.mdc import _by_roots, _by_series, mdc
from streamsim.analysis.queueing.mg1 import md1, mg1
from streamsim.analysis.queueing.mm1 import mm1, wait_asymptotic_variance
from streamsim.analysis.queueing.phase_type import erlang, exponential, fit_three_moments
from streamsim.analysis.queueing.priority import nonpreemptive, preemptive_resume
from streamsim.analysis.queueing.transient import mm1_transient
from streamsim.analysis.queueing.vacation import multiple_vacations, single_vacation, start_up

Row = dict[str, Any]
ROUNDING = 0.5e-8


def _cobham(p: Row) -> Row:
    first, second = nonpreemptive(p["lam"], [1 / p["mu"]] * 2, [1.0] * 2)
    return {"Wq1": first.wait, "Wq2": second.wait}


def _preemptive(p: Row) -> Row:
    first, second = preemptive_resume(p["lam"], [1 / p["mu"]] * 2, [1.0] * 2)
    return {"T1": first.response_time, "T2": second.response_time}


def _phases(p: Row) -> Row:
    return {"Wq_exact": ph_ph_1(p["lam"], p["s"], p["ca2"], p["cs2"]).wait}


def _bursts(p: Row) -> Row:
    one, other = p["switch"]
    arrivals = mmpp(p["rates"], [[0.0, one], [other, 0.0]])
    queue = map_map_1(arrivals, poisson(p["mu"]))
    return {"L": queue.in_system, "W": queue.response_time, "lam": arrivals.rate}


def _vacation(p: Row) -> Row:
    return {"Wq": multiple_vacations(p["lam"], p["s_mean"], 1.0, vacation_time=2.0, vacation_scv=1.0).wait}


def _planning(p: Row) -> Row:
    variance = wait_asymptotic_variance(p["lam"], 1 / p["mu"])
    wait = mm1(p["lam"], 1 / p["mu"]).wait
    assert variance is not None
    assert wait is not None
    # ±1 % at 95 %: the row's 1.96 standard errors
    return {"n_var_mean_Wq": variance, "customers_for_1pct_95ci_of_Wq": (1.96 / 0.01) ** 2 * variance / wait**2}


STATIONS: dict[str, Callable[[Row], Row]] = {
    "mm1_prio_nonpreemptive": _cobham,
    "mm1_prio_preemptive_resume": _preemptive,
    "e2e2_1_rho08": _phases,
    "h2e2_1_rho08": _phases,
    "h2h2_1_rho08": _phases,
    "mmpp2_m_1": _bursts,
    "mg1_vacation": _vacation,
    "mm1_asymptotic_variance_Wq": _planning,
}


@pytest.mark.parametrize("name", STATIONS)
def test_a_station_gives_the_known_answer(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    answer = STATIONS[name](row["parameters"])
    for symbol, expected in row["expected"].items():
        assert answer[symbol] == pytest.approx(expected, rel=row["tolerance"], abs=ROUNDING), symbol


@pytest.mark.parametrize("name", ["me2_1_rho08", "mh2_1_rho08_scv4"])
def test_hidden_phases_give_what_pollaczek_and_khinchine_give(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    p = row["parameters"]
    assert ph_ph_1(p["lam"], p["s"], 1.0, p["scv"]).wait == pytest.approx(row["expected"]["Wq"], rel=1e-9)


def test_three_moments_give_the_published_phases(known_answer: Callable[[str], Row]) -> None:
    row = known_answer("ph2_from_3_moments")
    law = fit_three_moments(*row["parameters"]["moments"])
    assert law.initial == pytest.approx(row["expected"]["alpha"], rel=row["tolerance"])
    for mine, published in zip(law.generator, row["expected"]["A"], strict=True):
        assert mine == pytest.approx(published, rel=row["tolerance"])
    assert [law.moment(n) for n in (1, 2, 3)] == pytest.approx(row["expected"]["moments"])


@pytest.mark.parametrize(("servers", "ratio", "wait"), [(2, 0.9, 2.1469), (4, 0.9, 0.9999)])
def test_constant_service_gives_the_wait_of_its_chain(servers: int, ratio: float, wait: float) -> None:
    # n' = max(0, n−c) + Poisson(cρ), iterated until it stands still
    mean = servers * ratio
    size = 400
    arriving = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(60)]
    law = [1.0] + [0.0] * (size - 1)
    for _ in range(1500):
        following = [0.0] * size
        for n, share in enumerate(law):
            if share > 1e-18:
                for k, chance in enumerate(arriving[: size - max(0, n - servers)]):
                    following[max(0, n - servers) + k] += share * chance
        if max(abs(a - b) for a, b in zip(law, following, strict=True)) < 1e-13:
            break
        law = following
    in_queue = math.fsum(max(0, n - servers) * share for n, share in enumerate(law))
    queue = mdc(mean, 1.0, servers)
    assert queue.wait == pytest.approx(in_queue / mean, rel=1e-8)
    assert queue.probability_of_waiting == pytest.approx(math.fsum(law[servers:]), rel=1e-8)
    assert queue.wait == pytest.approx(wait, abs=1e-4)


@pytest.mark.parametrize("servers", [1, 2, 7, 30])
def test_both_ways_to_constant_service_agree(servers: int) -> None:
    assert _by_roots(servers, 0.85) == pytest.approx(_by_series(servers, 0.85), rel=1e-9)


def test_one_server_of_constant_service_is_pollaczek_and_khinchine() -> None:
    assert mdc(0.8, 1.0, 1).wait == pytest.approx(md1(0.8, 1.0).wait, rel=1e-12)
    assert mdc(0.98, 1.0, 1).wait == pytest.approx(md1(0.98, 1.0).wait, rel=1e-10)


def test_batches_of_one_are_no_batches_and_both_formulas_agree() -> None:
    assert batch_mg1(0.8, 1.0, 0.0, 1.0, 0.3).wait == pytest.approx(mg1(0.8, 1.0, 0.3).wait)
    # Kleinrock (1975), section 4.5: in_system = ρ(1 + E[X²]/E[X])/(2(1−ρ)); X = 3 always, ρ = 0.6
    assert batch_mm1(0.2, 3.0, 0.0, 1.0).in_system == pytest.approx(0.6 * 4 / 0.8)
    assert batch_mg1(0.2, 3.0, 0.0, 1.0, 1.0).wait == pytest.approx(batch_mm1(0.2, 3.0, 0.0, 1.0).wait)


def test_a_geometric_batch_is_a_bursty_flow() -> None:
    # geometric batches of mean 2 are what is left of a hyper-fast repetition: after an arrival another comes at once
    # with chance 1/2. A MAP that repeats at a rate of 1e7 is that but for 1e-7.
    fast = 1e7
    arrivals = MarkovProcess(((-0.3, 0.0), (0.0, -fast)), ((0.15, 0.15), (fast / 2, fast / 2)))
    exact = batch_mm1(0.3, 2.0, 0.5, 1.0)
    assert arrivals.rate == pytest.approx(0.6, rel=1e-6)
    assert map_map_1(arrivals, poisson(1.0)).wait == pytest.approx(exact.wait, rel=1e-5)


def test_vacations_that_hardly_last_leave_no_trace() -> None:
    plain = mg1(0.5, 1.0, 2.0).wait
    for solve in (multiple_vacations, single_vacation, start_up):
        assert solve(0.5, 1.0, 2.0, 1e-9, 1.0).wait == pytest.approx(plain, rel=1e-8)


def test_a_single_exponential_vacation_is_the_chain_of_its_events() -> None:
    # M/M/1 with λ = 0.5, μ = 1, vacations of mean 2: wait = 1 + λE[V²]/(2(λE[V] + E[e^(−λV)])) = 1 + 4/(2·1.5)
    assert single_vacation(0.5, 1.0, 1.0, 2.0, 1.0).wait == pytest.approx(1 + 4 / 3)


def test_a_start_up_is_the_published_exceptional_first_service() -> None:
    # Welch (1964): a first service of s + D instead of s; λ = 0.5, s = 1 (exponential), D = 2 always
    assert start_up(0.5, 1.0, 1.0, 2.0, 0.0).wait == pytest.approx(1 + (2 * 2 + 0.5 * 4) / (2 * 2))


def test_a_class_below_an_overloaded_one_gets_nothing_and_the_one_above_does_not_mind() -> None:
    for solve in (nonpreemptive, preemptive_resume):
        first, second, third = solve([0.4, 0.8, 0.1], [1.0] * 3, [1.0] * 3)
        assert (first.saturated, second.saturated, third.saturated) == (False, True, True)
        assert (second.throughput, third.throughput) == pytest.approx((0.6, 0.0))
    # the server is never idle then: an arrival of the first class finds an exponential rest of 1, and ρ₁ = 0.4
    assert nonpreemptive([0.4, 0.8], [1.0] * 2, [1.0] * 2)[0].wait == pytest.approx(1 / 0.6)


def test_hidden_phases_that_do_not_matter_give_the_plain_queue() -> None:
    queue, plain = ph_ph_1_of(exponential(1.25), exponential(1.0)), mm1(0.8, 1.0)
    assert queue.wait == pytest.approx(plain.wait, rel=1e-10)
    for share in (0.5, 0.95, 0.99):
        assert queue.response_time_quantile(share) == pytest.approx(plain.response_time_quantile(share), rel=1e-8)


@pytest.mark.parametrize(
    "queue",
    [
        map_map_1(mmpp([1.0, 0.2], [[0.0, 0.1], [0.1, 0.0]]), mmpp([3.0, 0.5], [[0.0, 0.2], [0.2, 0.0]])),
        map_map_1(renewal(erlang(3, 1.4)), renewal(erlang(2, 1.0))),
        ph_ph_1(0.8, 1.0, 4.0, 0.5),
    ],
)
def test_the_response_law_has_the_mean_that_little_gives(queue: Any) -> None:
    assert queue.response_law.tail(0.0) == pytest.approx(1.0)
    mean = quad(queue.response_law.tail, 0, 60 * queue.response_time, limit=300)[0]
    assert mean == pytest.approx(queue.response_time, rel=1e-6)


@pytest.mark.parametrize(("rate", "time", "initial"), [(0.5, 3.0, 0), (0.8, 20.0, 4), (1.5, 10.0, 2)])
def test_the_way_to_steady_state_is_the_bessel_formula(rate: float, time: float, initial: int) -> None:
    # Kleinrock (1975), equation (2.163), μ = 1; ive carries the factor e^(−2√λ·t)
    def chance(n: int) -> float:
        x, decay = 2 * math.sqrt(rate) * time, math.exp(-((1 - math.sqrt(rate)) ** 2) * time)
        head = rate ** ((n - initial) / 2) * ive(abs(n - initial), x)
        head += rate ** ((n - initial - 1) / 2) * ive(n + initial + 1, x)
        series = math.fsum(rate ** (-j / 2) * ive(j, x) for j in range(n + initial + 2, n + initial + 400))
        return decay * (head + (1 - rate) * rate**n * series)

    answer = mm1_transient(rate, 1.0, time, initial=initial)
    for n in range(6):
        assert answer.probabilities[n] == pytest.approx(chance(n), rel=1e-8)
