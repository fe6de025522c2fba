"""What holds for every single-station model, at any load."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from streamsim.analysis.queueing import model, models
from streamsim.analysis.queueing.birth_death import steady_state
from streamsim.analysis.queueing.gg1 import kingman, kingman_bound, kraemer_langenbach_belz, marchal
from streamsim.analysis.queueing.ggc import allen_cunneen, whitt
from streamsim.analysis.queueing.gm1 import dm1, gamma_m1, gm1, hyper_m1
from streamsim.analysis.queueing.mg1 import md1, mg1, mg1_ps
from streamsim.analysis.queueing.mm1 import mm1
from streamsim.analysis.queueing.mmc import erlang_b, erlang_c, mmc
from streamsim.analysis.queueing.mmck import mmck, mmck_probabilities
from streamsim.analysis.queueing.response_law import ResponseLaw
from streamsim.analysis.queueing.result import Queue
from streamsim.errors import ModelError
from tests.patience import PATIENCE_S

calm = settings(deadline=None, database=None)
"""A busy machine is not a failure, and no run leaves a file behind."""

LOSSY = {"M/M/c/K"}
names = st.sampled_from(sorted(models()))
waiting_names = st.sampled_from(sorted(set(models()) - LOSSY))
ratios = st.floats(0.001, 0.999)
times = st.floats(1e-6, 1e3)
scvs = st.floats(0.0, 20.0)
servers_counts = st.integers(1, 60)


def ask(name: str, ratio: float, service_time: float, servers: int, arrival_scv: float, service_scv: float) -> Queue:
    """Ask a model at the utilisation `ratio`, with whatever else it takes."""
    solve = model(name)
    taken = inspect.signature(solve).parameters
    count = servers if "servers" in taken else 1
    if name == "H2/M/1":
        arrival_scv += 1
    if name == "PH/PH/1":  # the fewer the scv allows, the more phases
        arrival_scv, service_scv = max(arrival_scv, 0.1), max(service_scv, 0.1)
    given_here: dict[str, Any] = {
        "arrival_rate": ratio * count / service_time,
        "service_time": service_time,
        "servers": count,
        "places": count + 5,
        "arrival_scv": arrival_scv,
        "service_scv": service_scv,
    }
    return solve(**{key: value for key, value in given_here.items() if key in taken})


def numbers(queue: Queue) -> list[float]:
    return [value for name in queue.__struct_fields__ if isinstance(value := getattr(queue, name), float)]


@calm
@given(names, ratios, times, servers_counts, scvs, scvs)
def test_little_holds_in_the_queue_and_in_the_system(
    name: str, ratio: float, time: float, servers: int, arrival_scv: float, service_scv: float
) -> None:
    queue = ask(name, ratio, time, servers, arrival_scv, service_scv)
    assert queue.wait is not None
    assert queue.response_time is not None
    assert queue.in_system is not None
    assert queue.in_queue == pytest.approx(queue.throughput * queue.wait, rel=1e-9, abs=1e-12)
    assert queue.in_system == pytest.approx(queue.throughput * queue.response_time, rel=1e-9)
    assert queue.response_time == pytest.approx(queue.wait + time, rel=1e-12)
    assert queue.utilisation == pytest.approx(queue.throughput / queue.largest_rate, rel=1e-9)


@calm
@given(names, ratios, ratios, times, servers_counts, scvs, scvs)
def test_the_wait_grows_with_the_load(
    name: str, one: float, other: float, time: float, servers: int, arrival_scv: float, service_scv: float
) -> None:
    if name == "G/G/1 Marchal":
        arrival_scv = min(arrival_scv, 1.0)  # above 1 the formula itself may fall with the load; its text says so
    low, high = sorted((one, other))
    calm = ask(name, low, time, servers, arrival_scv, service_scv)
    busy = ask(name, high, time, servers, arrival_scv, service_scv)
    assert calm.wait is not None
    assert busy.wait is not None
    assert calm.wait <= busy.wait * (1 + 1e-9) + 1e-12 * time


@calm
@given(waiting_names, st.floats(0.0, 3.0), times, servers_counts, scvs, scvs)
@example("M/M/1", 1.0, 1.0, 1, 1.0, 1.0)
@example("G/G/c Whitt", 1.0, 1.0, 4, 0.0, 0.0)
@example("Gamma/M/1", 1e-308, 1.0, 1, 2.0, 0.0)
def test_saturation_is_flagged_exactly_where_the_work_exceeds_the_servers(
    name: str, ratio: float, time: float, servers: int, arrival_scv: float, service_scv: float
) -> None:
    assume(ratio >= 1 + 1e-9 or ratio <= 1 - 1e-9 or (ratio == 1 and time == 1))
    queue = ask(name, ratio, time, servers, arrival_scv, service_scv)
    assert queue.saturated == (ratio >= 1)
    assert (queue.wait is None) == (ratio >= 1)
    assert queue.throughput <= queue.largest_rate
    if queue.saturated:
        assert queue.utilisation == 1
        assert queue.throughput == queue.largest_rate
        assert queue.in_system is queue.response_time is queue.in_queue is queue.probability_of_waiting is None
        assert queue.response_time_quantile(0.5) is None


anything = st.floats(0.0, allow_infinity=False, allow_nan=False)


@calm
@given(names, anything, anything, anything, anything, st.integers(1, 300), st.integers(0, 300))
@example("G/G/c Whitt", 1.5, 1.0, 1e308, 1e308, 2, 0)
@example("G/G/1 Kraemer-Langenbach-Belz", 1e-300, 1e-9, 5e-324, 5e-324, 1, 0)
@example("M/M/1", 1.0, 5e-324, 0.0, 0.0, 1, 0)
@example("D/M/1", math.nextafter(1.0, 0.0), 1.0, 0.0, 0.0, 1, 0)
def test_no_finite_input_gives_nan_or_infinity(
    name: str, rate: float, time: float, arrival_scv: float, service_scv: float, servers: int, more: int
) -> None:
    given_here: dict[str, Any] = {
        "arrival_rate": rate,
        "service_time": time,
        "servers": servers,
        "places": servers + more,
        "arrival_scv": arrival_scv,
        "service_scv": service_scv,
    }
    solve = model(name)
    taken = inspect.signature(solve).parameters
    try:
        queue = solve(**{key: value for key, value in given_here.items() if key in taken})
    except ModelError:
        return  # refused with a reason: too large or too small to compute with
    assert all(math.isfinite(number) and number >= 0 for number in numbers(queue))


@calm
@given(names, ratios, times, servers_counts, scvs, scvs)
def test_probabilities_lie_between_0_and_1(
    name: str, ratio: float, time: float, servers: int, arrival_scv: float, service_scv: float
) -> None:
    queue = ask(name, ratio, time, servers, arrival_scv, service_scv)
    assert 0 <= queue.utilisation <= 1
    assert 0 <= queue.probability_of_loss <= 1
    assert queue.probability_of_waiting is None or 0 <= queue.probability_of_waiting <= 1


@calm
@given(names, times, servers_counts, scvs, scvs)
def test_without_arrivals_nobody_waits(
    name: str, time: float, servers: int, arrival_scv: float, service_scv: float
) -> None:
    queue = ask(name, 0.0, time, servers, arrival_scv, service_scv)
    assert queue.wait == queue.in_queue == queue.in_system == queue.throughput == 0
    assert queue.response_time == time


@pytest.mark.parametrize("name", sorted(models()))
def test_a_model_names_itself_in_its_answer(name: str) -> None:
    assert ask(name, 0.5, 1.0, 2, 1.0, 1.0).method == name
    assert ask(name, 1.5, 1.0, 2, 1.0, 1.0).method == name


@pytest.mark.parametrize("name", sorted(models()))
@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("arrival_rate", -1.0),
        ("arrival_rate", math.nan),
        ("arrival_rate", math.inf),
        ("service_time", 0.0),
        ("service_time", -1.0),
        ("service_time", math.inf),
        ("servers", 0),
        ("servers", 2.0),
        ("servers", True),
        ("places", 1),
        ("places", 2.5),
        ("arrival_scv", -0.1),
        ("arrival_scv", math.nan),
        ("service_scv", -0.1),
        ("service_scv", math.inf),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(name: str, parameter: str, wrong: Any) -> None:
    right: dict[str, Any] = {
        "arrival_rate": 0.5,
        "service_time": 1.0,
        "servers": 2,
        "places": 4,
        "arrival_scv": 1.0,
        "service_scv": 1.0,
    }
    solve = model(name)
    taken = inspect.signature(solve).parameters
    asked = {key: value for key, value in (right | {parameter: wrong}).items() if key in taken}
    if parameter in taken:
        with pytest.raises(ModelError, match=parameter):
            solve(**asked)
    else:
        assert not solve(**asked).saturated


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ModelError, match="did you mean 'M/M/c'"):
        model("M/M/C")


@calm
@given(ratios, times)
def test_every_model_that_contains_the_markovian_station_agrees_with_it(ratio: float, time: float) -> None:
    rate = ratio / time
    expected = mm1(rate, time).wait
    same = [
        mmc(rate, time, 1),
        mg1(rate, time, 1.0),
        mg1_ps(rate, time),
        gamma_m1(rate, time, 1.0),
        hyper_m1(rate, time, 1.0),
        gm1(rate, time, lambda s: s / (s + rate)),
        kingman(rate, time, 1.0, 1.0),
        kraemer_langenbach_belz(rate, time, 1.0, 1.0),
        marchal(rate, time, 1.0, 1.0),
        allen_cunneen(rate, time, 1, 1.0, 1.0),
        whitt(rate, time, 1, 1.0, 1.0),
    ]
    # roundings of 1e-16 in ρ and 1−ρ are magnified by 1/(1−ρ), those in 1−σ by 1/ρ
    tolerance = 1e-13 / (ratio * (1 - ratio))
    assert [queue.wait for queue in same] == pytest.approx([expected] * len(same), rel=tolerance)


@calm
@given(ratios, times, servers_counts)
def test_approximations_for_many_servers_contain_the_markovian_station(ratio: float, time: float, servers: int) -> None:
    rate = ratio * servers / time
    expected = mmc(rate, time, servers)
    assert whitt(rate, time, servers, 1.0, 1.0).wait == pytest.approx(expected.wait, rel=1e-12)
    assert allen_cunneen(rate, time, servers, 1.0, 1.0).wait == pytest.approx(expected.wait, rel=1e-12)
    chance = whitt(rate, time, servers, 1.0, 1.0).probability_of_waiting
    assert chance == pytest.approx(expected.probability_of_waiting, rel=1e-9)


@calm
@given(ratios, times, scvs)
def test_approximations_are_exact_for_poisson_arrivals(ratio: float, time: float, scv: float) -> None:
    rate = ratio / time
    expected = mg1(rate, time, scv).wait
    for approximate in (kingman, kraemer_langenbach_belz, marchal):
        assert approximate(rate, time, 1.0, scv).wait == pytest.approx(expected, rel=1e-9)
    assert allen_cunneen(rate, time, 1, 1.0, scv).wait == pytest.approx(expected, rel=1e-9)
    assert kraemer_langenbach_belz(rate, time, 1.0, scv).probability_of_waiting == pytest.approx(ratio, rel=1e-9)


@calm
@given(ratios, times)
def test_even_gaps_are_the_limit_of_gamma_gaps(ratio: float, time: float) -> None:
    even = dm1(ratio / time, time)
    assert gamma_m1(ratio / time, time, 0.0).wait == pytest.approx(even.wait, rel=1e-6, abs=1e-12 * time)
    nearly = gamma_m1(ratio / time, time, 1e-9).probability_of_waiting
    assert nearly == pytest.approx(even.probability_of_waiting, abs=1e-6)


@calm
@given(ratios, times, scvs)
def test_no_exact_model_waits_longer_than_the_bound(ratio: float, time: float, scv: float) -> None:
    rate = ratio / time
    for queue, arrival_scv, service_scv in [
        (md1(rate, time), 1.0, 0.0),
        (mg1(rate, time, scv), 1.0, scv),
        (dm1(rate, time), 0.0, 1.0),
        (gamma_m1(rate, time, scv), scv, 1.0),
        (hyper_m1(rate, time, 1 + scv), 1 + scv, 1.0),
    ]:
        bound = kingman_bound(rate, time, arrival_scv, service_scv)
        assert bound is not None
        assert queue.wait is not None
        assert queue.wait <= bound * (1 + 1e-9)


@calm
@given(st.integers(1, 400), st.floats(0.0, 500.0))
def test_losing_is_rarer_than_waiting(servers: int, offered: float) -> None:
    lost, waits = erlang_b(servers, offered), erlang_c(servers, offered)
    assert 0 <= lost <= waits <= 1
    assert (waits == 1) == (offered >= servers) or waits == pytest.approx(1)


def test_erlang_b_stands_a_hundred_thousand_servers() -> None:
    # Jagerman (1974): at a = c the loss tends to √(2/(πc)), with a relative error of order 1/√c
    assert erlang_b(100_000, 100_000.0) == pytest.approx(math.sqrt(2 / (math.pi * 100_000)), rel=0.01)


@calm
@given(ratios, times, st.integers(1, 8))
def test_a_station_with_room_for_all_loses_none(ratio: float, time: float, servers: int) -> None:
    assume(ratio <= 0.9)
    rate = ratio * servers / time
    # ρ^K < 0.9^400 = 5e-19 is what the cut can change
    limited, free = mmck(rate, time, servers, 400 + servers), mmc(rate, time, servers)
    assert limited.wait == pytest.approx(free.wait, rel=1e-9)
    assert limited.probability_of_waiting == pytest.approx(free.probability_of_waiting, rel=1e-9)
    assert limited.probability_of_loss < 1e-15


@calm
@given(st.floats(0.0, 50.0), times, st.integers(1, 20), st.integers(0, 200))
def test_what_comes_is_served_or_lost(offered: float, time: float, servers: int, more: int) -> None:
    queue = mmck(offered / time, time, servers, servers + more)
    served = offered / time * (1 - queue.probability_of_loss)
    assert queue.throughput == pytest.approx(served, rel=1e-9, abs=1e-12 / time)
    assert math.fsum(mmck_probabilities(offered / time, time, servers, servers + more)) == pytest.approx(1)
    if more == 0:
        assert queue.probability_of_loss == pytest.approx(erlang_b(servers, offered), rel=1e-9, abs=1e-300)


laws = st.builds(
    ResponseLaw,
    probability_of_waiting=st.floats(0.0, 1.0),
    drain_rate=st.floats(0.01, 100.0),
    service_rate=st.floats(0.01, 100.0),
)


@calm
@given(laws, st.floats(0.0, 0.999999))
@example(ResponseLaw(probability_of_waiting=0.5, drain_rate=1.0, service_rate=1.0), 0.5)
def test_a_quantile_is_where_the_tail_has_what_is_left(law: ResponseLaw, probability: float) -> None:
    assert law.tail(law.quantile(probability)) == pytest.approx(1 - probability, rel=1e-6)


@calm
@given(laws, st.floats(0.0, 5.0))
@example(ResponseLaw(probability_of_waiting=0.5, drain_rate=1.0, service_rate=1.0), 1.0)
def test_the_response_law_is_the_convolution_of_wait_and_service(law: ResponseLaw, time: float) -> None:
    def late_after(wait: float) -> float:
        return law.drain_rate * math.exp(-law.drain_rate * wait - law.service_rate * (time - wait))

    scale = 1 / max(law.drain_rate, law.service_rate)
    marks = [mark for mark in (scale, 10 * scale, time - scale, time - 10 * scale) if 0 < mark < time]
    convolved = quad(late_after, 0, time, points=marks, epsabs=1e-10)[0] + math.exp(-law.drain_rate * time)
    chance = law.probability_of_waiting
    expected = (1 - chance) * math.exp(-law.service_rate * time) + chance * convolved
    assert law.tail(time) == pytest.approx(expected, abs=1e-7)


@calm
@given(st.floats(0.05, 0.95), st.integers(1, 12))
def test_the_mean_of_the_response_law_is_the_response_time(ratio: float, servers: int) -> None:
    for queue in (mmc(ratio * servers, 1.0, servers), mm1(ratio, 1.0), dm1(ratio, 1.0), hyper_m1(ratio, 1.0, 3.0)):
        assert queue.response_law is not None
        mean = quad(queue.response_law.tail, 0, math.inf, epsabs=1e-9, limit=200)[0]
        assert mean == pytest.approx(queue.response_time, rel=1e-6)


@pytest.mark.parametrize("probability", [-0.1, 1.0, math.nan])
def test_a_quantile_of_an_impossible_share_is_refused(probability: float) -> None:
    with pytest.raises(ModelError, match="probability"):
        mm1(0.5, 1.0).response_time_quantile(probability)


def test_gaps_of_another_mean_than_the_rate_are_refused() -> None:
    for other_rate in (0.4, 2.0):
        with pytest.raises(ModelError, match="complement"):
            gm1(0.5, 1.0, lambda s, rate=other_rate: s / (s + rate))


def test_a_chain_with_births_and_deaths_that_do_not_match_is_refused() -> None:
    with pytest.raises(ModelError, match="births"):
        steady_state([1.0], [])


@pytest.mark.parametrize("module", ["numpy", "scipy"])
def test_importing_the_models_loads_no_numerical_library(module: str) -> None:
    code = f"import sys, streamsim.analysis.queueing as q; q.models(); sys.exit('{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=PATIENCE_S).returncode == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda: mmck(1.0, 1.0, servers=2, places=10**10),
        lambda: mmc(1.0, 1.0, servers=10**10),
        lambda: erlang_b(10**10, 3.0),
    ],
)
def test_what_would_be_counted_for_hours_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(ModelError, match="is more than 1000000"):
        ask()
