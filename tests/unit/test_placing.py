"""What would it take, with pins: who is to use which core, when that is the answer, and when it buys nothing."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.analysis.goal import Goal
from streamsim.analysis.judged import evaluate
from streamsim.analysis.placing import placed
from streamsim.analysis.prediction.case import case_of
from streamsim.analysis.variants import variant_of
from streamsim.analysis.whatif import search
from streamsim.loading import load
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile
from streamsim.simulating import simulate_result

HEAVY = {"light": "0.7 ms", "heavy": "2 ms", "small": "0.7 ms"}
"""At 400 records/s heavy works for 0.8 of the time, and the others, 0.28 each, take its core now and then."""


def scenario(demands: dict[str, str], *, cores: int = 2, rate: float | None = 400.0, count: int = 6000) -> Scenario:
    paced: dict[str, Any] = {"rate": rate, "arrivals": "poisson"} if rate else {}
    need = {name: {"per_record": one, "scv": 1.0, "record_bytes": 100} for name, one in demands.items()}
    return load(
        {
            "sources": {"in": {"operator": "generate", "count": count, "kind": "fixed", "size": 100, **paced}},
            "stations": {name: {"operator": "work", "service": one} for name, one in demands.items()},
            "host": {"cores": cores},
            "service": {"in": {"bytes": count * 100, "record_bytes": 100}, **need},
            "simulate": {"replications": 4},
        }
    )


def host(cores: int) -> Profile:
    one = HostProfile(cores=cores, available_cores=float(cores), speed=(1.0,) * cores, wake_near_s=0.0, wake_far_s=0.0)
    return Profile(host=one)


def test_pins_are_the_answer_where_they_spare_a_process() -> None:
    found = search(scenario(HEAVY), host(2), Goal(cores=2, p99_s=55e-3), top=1)
    (best,) = found.variants
    assert best.changes == {"stations.light.cores": [0], "stations.small.cores": [0]}
    assert best.servers == 4 and best.p99_s is not None and best.p99_s < 50e-3
    assert any("pins buy at variant 1: p99 48.6 ms in place of 61.8 ms" in note for note in found.notes)


def test_where_no_pins_reach_the_goal_a_server_is_added() -> None:
    (best,) = search(scenario(HEAVY), host(2), Goal(cores=2, p99_s=45e-3), top=1).variants
    assert best.changes == {"stations.heavy.parallelism": 2}


def test_what_pins_promise_is_what_a_simulation_with_them_finds() -> None:
    free = scenario(HEAVY, count=20_000)
    pinned = variant_of(free, {"stations.light.cores": [1], "stations.small.cores": [1], "stations.heavy.cores": [0]})
    p99 = []
    for asked in (free, pinned):
        simulated = simulate_result(asked, host(2), engine="auto").circuit.response_time
        answer = evaluate(case_of(asked, host(2))).answer
        assert simulated is not None and simulated.p99.value is not None and answer is not None
        assert answer.response_quantiles_s[2] == pytest.approx(simulated.p99.value, rel=0.1)
        p99.append(simulated.p99.value)
    assert p99[1] < 0.9 * p99[0]


@pytest.mark.parametrize(
    ("rate", "demands", "goal"),
    [
        (400.0, {"a": "1 ms", "b": "1 ms"}, Goal(cores=2, p99_s=15e-3)),  # two stations on two cores have one each
        (None, {"a": "1 ms", "b": "1 ms", "c": "1 ms"}, Goal(cores=2, makespan_s=9.5)),  # no core is ever idle
    ],
)
def test_it_is_said_where_pins_buy_nothing(rate: float | None, demands: dict[str, str], goal: Goal) -> None:
    found = search(scenario(demands, rate=rate), host(2), goal, top=1)
    assert found.variants[0].changes == {}
    assert any("pins buy nothing at variant 1" in note for note in found.notes), found.notes


def test_pins_that_stand_in_the_way_are_taken_off() -> None:
    crowded = variant_of(scenario(HEAVY), {"stations.light.cores": [0], "stations.heavy.cores": [0]})
    (best,) = search(crowded, host(2), Goal(cores=2, p99_s=65e-3), top=1).variants
    again = variant_of(scenario(HEAVY), best.changes)
    assert {one.name: one.cores for one in again.circuit.stations}["heavy"] != (0,)
    answer = evaluate(case_of(again, host(2))).answer
    assert answer is not None and answer.response_quantiles_s[2] == pytest.approx(best.p99_s)


@pytest.mark.parametrize("most", [256, 20])
def test_the_likeliest_placements_find_what_all_find(most: int) -> None:
    goal = Goal(cores=3, p99_s=1e-6)
    case = case_of(scenario({**HEAVY, "d": "1.5 ms"}, cores=3), host(3))
    tried = placed(evaluate(case), goal, evaluate, most=most)
    assert tried.whole == (most > 100) and len(tried.tried) <= most + 10
    best = min(one.misses(goal) for one in tried.tried)
    assert best < 0.95 * evaluate(case).misses(goal)
    every = placed(evaluate(case), goal, evaluate)
    assert best == pytest.approx(min(one.misses(goal) for one in every.tried), rel=0.02)


def test_no_placement_is_tried_where_every_server_has_a_core_of_its_own() -> None:
    own = variant_of(scenario(HEAVY), {"simulate.cores": "own"})
    found = search(own, host(2), Goal(cores=2, p99_s=1e-3), top=1)
    shared = search(scenario(HEAVY), host(2), Goal(cores=2, p99_s=1e-3), top=1)
    assert found.tried < shared.tried and not any("pins" in note for note in found.notes)
