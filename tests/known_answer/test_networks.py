"""Closed, mixed and open networks, fork-joins, bounds and laws of scaling against known values and each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamsim.analysis.queueing.amva import linearizer, schweitzer
from streamsim.analysis.queueing.bounds import asymptotic_bounds, geometric_bounds
from streamsim.analysis.queueing.convolution import convolution, normalising_constants
from streamsim.analysis.queueing.fork_join import fork_join, longest_of, split_merge
from streamsim.analysis.queueing.jackson import jackson
from streamsim.analysis.queueing.mva import mixed_mva, mva
from streamsim.analysis.queueing.qna import qna
from streamsim.analysis.queueing.scalability import Scaling, fit_scaling
from streamsim.analysis.queueing.visits import closed_visits, flow_rates

Row = dict[str, Any]
ROUNDING = 0.5e-8


def _jain(p: Row) -> Row:
    demands = [s * v for s, v in zip(p["S"], p["V"], strict=True)]
    result = mva([p["N"]], [demands], think_times=[p["Z"]])
    # the table gives the time of one visit
    per_visit = [stay / v for stay, v in zip(result.residence[0], p["V"], strict=True)]
    return {"Q": result.in_system[0], "R": per_visit}


def _bolch(p: Row) -> Row:
    demands = [s * v for s, v in zip(p["S"], p["V"], strict=True)]
    result = convolution([p["N"]], [demands], servers=p["m"])
    constants = normalising_constants(p["N"], demands, p["m"])
    return {"G": constants, "X": result.throughputs[0], "Q": result.in_system[0]}


def _lazowska(p: Row) -> Row:
    result = schweitzer([p["N"]], [p["D"]], think_times=[p["Z"]])
    return {"X_schweitzer": result.throughputs[0], "R_schweitzer": result.response_times[0]}


def _mixed(p: Row) -> Row:
    # the table prints 1/6 and 4/3 to eight digits, which is less than its tolerance asks for
    opened, closed = (
        [[float(Fraction(time).limit_denominator(12)) for time in row] for row in p[name]]
        for name in ("S_open", "S_closed")
    )
    result = mixed_mva(p["lam"], opened, p["N"], closed)
    assert result.closed is not None
    return {"Q_closed": result.closed.in_system}


def _asymptotic(p: Row) -> Row:
    bounds = asymptotic_bounds(p["N"], p["D"], p["Z"])
    return {"X_upper": bounds.highest_throughput, "R_lower": bounds.shortest_response}


def _schwetman(p: Row) -> Row:
    # Schwetman (1982), CSD-TR-355, figure 9: two classes, three centres, with the chances to change class at the first
    chances: Any = np.zeros((2, 3, 2, 3))
    chances[0, 0, 0, 1:], chances[0, 0, 1, 0] = (0.7, 0.2), 0.1
    chances[1, 0, 1, 1:], chances[1, 0, 0, 0] = (0.3, 0.5), 0.2
    chances[0, 1:, 0, 0] = chances[1, 1:, 1, 0] = 1
    visits = closed_visits(chances.tolist())
    return {"V": [[10 * v for v in row] for row in visits]}  # the table has ten visits of the first class to the first


NETWORKS: dict[str, Callable[[Row], Row]] = {
    "jain_34_2_mva": _jain,
    "bolch_8_1_convolution": _bolch,
    "zahorjan_2class_mva": lambda p: {
        "Q": mva(p["N"], p["D"]).in_system,
        "X": mva(p["N"], p["D"]).throughputs,
    },
    "lazowska_p117_mva": _lazowska,
    "balanced_closed": lambda p: {"X": mva([p["N"]], [[p["D"]] * p["M"]]).throughputs[0]},
    "zahorjan_mixed_p148": _mixed,
    "aba_bounds": _asymptotic,
    "schwetman_class_switching_visits": _schwetman,
    "fork_join_2_exact": lambda p: {"R": fork_join(p["lam"], 1 / p["mu"], p["K"]).response_time},
    "fork_join_4_nelson_tantawi": lambda p: {"R": [fork_join(x, 1 / p["mu"], p["K"]).response_time for x in p["lam"]]},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_the_known_answer(name: str, known_answer: Callable[[str], Row]) -> None:
    row = known_answer(name)
    answer = NETWORKS[name](row["parameters"])
    for symbol, expected in row["expected"].items():
        mine, published = np.array(answer[symbol]), np.array(expected)
        assert mine == pytest.approx(published, rel=row["tolerance"], abs=ROUNDING), symbol


def test_the_exact_values_of_lazowska_are_those_of_exact_mva(known_answer: Callable[[str], Row]) -> None:
    row = known_answer("lazowska_p117_mva")
    p = row["parameters"]
    result = mva([p["N"]], [p["D"]], think_times=[p["Z"]])
    assert result.throughputs[0] == pytest.approx(row["exact"]["X"], rel=1e-7)
    assert result.response_times[0] == pytest.approx(row["exact"]["Rsys"], rel=1e-7)


def test_the_formula_of_nelson_and_tantawi_is_within_its_promise_of_simulated_values() -> None:
    # 3.2 million simulated jobs gave 3.8417 and 9.1920 (known_answers.json, fork_join_4_nelson_tantawi)
    for rate, simulated in ((0.5, 3.8417), (0.8, 9.1920)):
        assert fork_join(rate, 1.0, 4).response_time == pytest.approx(simulated, rel=0.05)


@pytest.mark.parametrize(
    ("population", "think", "lowest", "highest"),
    [
        (2, 0.0, 4.3040, 4.3174),
        (5, 0.0, 6.6859, 6.7524),
        (10, 0.0, 8.1521, 8.2690),
        (80, 0.0, 9.8233, 9.8765),
        (2, 1.0, 1.4319, 1.5195),
        (10, 1.0, 5.7569, 6.1410),
        (80, 1.0, 9.7147, 9.8594),
    ],
)
def test_geometric_bounds_are_the_published_ones_or_tighter(
    population: int, think: float, lowest: float, highest: float
) -> None:
    # Casale, Muntz and Serazzi (2008), tables IV and V; the upper bound depends on what starts it, to 0.1 %
    bounds = geometric_bounds(population, [0.1, 0.1, 0.09, 0.08], think)
    assert bounds.lowest_throughput == pytest.approx(lowest, abs=1e-4)
    assert bounds.highest_throughput <= highest * 1.001


def test_a_network_with_routes_back_is_the_jackson_network() -> None:
    routing = [[0.2, 0.5, 0.1], [0.3, 0.0, 0.5], [0.0, 0.4, 0.1]]
    exact = jackson([0.3, 0.1, 0.0], routing, [0.5, 0.4, 0.9])
    found = qna([0.3, 0.1, 0.0], routing, [0.5, 0.4, 0.9])
    for one, other in zip(found.stations, exact.stations, strict=True):
        assert one.wait == pytest.approx(other.wait, rel=1e-9)
    assert found.response_time == pytest.approx(exact.response_time, rel=1e-9)


def test_selectivities_above_one_and_feedback_make_a_geometric_series() -> None:
    # what a splitter makes of 10 records/s: 3 lines each, of which a tenth of a record comes back for each
    first, second = flow_rates([10.0, 0.0], [[0.0, 3.0], [0.1, 0.0]])
    assert (first, second) == pytest.approx((10 / (1 - 0.3), 30 / (1 - 0.3)))


def test_the_longest_of_unlike_branches_is_what_integration_gives() -> None:
    from scipy.integrate import quad

    times = [1.0, 0.4, 2.5]

    def late(t: float) -> float:
        return 1 - math.prod(1 - math.exp(-t / time) for time in times)

    mean = quad(late, 0, 200)[0]
    second = quad(lambda t: 2 * t * late(t), 0, 200)[0]
    found = longest_of(times)
    assert found == pytest.approx((mean, second / mean**2 - 1), rel=1e-7)
    assert split_merge(0.9 / mean, times).utilisation == pytest.approx(0.9)


def test_many_servers_at_high_load_keep_their_digits() -> None:
    # where the chance of an idle station is below 1e-4 the recursion would lose digits, and convolution answers
    network = mva([40], [[1.0, 0.7]], servers=[2, 2])
    assert network.method == "convolution"
    # the birth-death chain of two stations, by hand
    weights = [math.prod(min(n, 2) / 1.0 for n in range(40, 40 - k, -1)) for k in range(41)]
    weights = [w / math.prod(min(n, 2) / 0.7 for n in range(1, k + 1)) for k, w in enumerate(weights)]
    first = math.fsum(w * min(40 - k, 2) for k, w in enumerate(weights)) / math.fsum(weights)
    assert network.throughputs[0] == pytest.approx(first, rel=1e-9)


def test_the_linearizer_is_nearer_to_exact_than_schweitzer() -> None:
    populations, demands = [6, 4], [[0.6, 2.1, 1.3], [1.0, 0.4, 2.0]]
    exact = mva(populations, demands).throughputs
    for one, other, right in zip(
        linearizer(populations, demands).throughputs, schweitzer(populations, demands).throughputs, exact, strict=True
    ):
        assert abs(one - right) < abs(other - right) / 5


def test_a_law_of_scaling_is_found_again_from_what_it_predicts() -> None:
    law = Scaling(alone=120.0, contention=0.03, coherence=0.0004)
    sizes = [1, 2, 4, 8, 16, 32, 64]
    found = fit_scaling(sizes, [law.throughput(size) for size in sizes])
    assert (found.alone, found.contention, found.coherence) == pytest.approx((120.0, 0.03, 0.0004), rel=1e-6)
    assert found.best_servers == 49
    amdahl = fit_scaling(sizes, [Scaling(alone=1.0, contention=0.1).throughput(n) for n in sizes], coherence=False)
    assert amdahl.ceiling == pytest.approx(10.0, rel=1e-6)
