"""Loops simulated chunk by chunk and predicted: everything comes round, the loop ends, and theory agrees."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.analysis.fitting.yields import Way, yield_curve
from streamsim.analysis.prediction.case import case_of
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.scenario import Scenario
from streamsim.verbs import predict


def looping(back: float, records: int = 200, cores: int = 4, **work: Any) -> Scenario:
    """`records` of 100 bytes go through a station of 1 ms each; a part `back` of them comes back to it."""
    return load(
        {
            "sources": {"seed": {"command": "cat /dev/zero"}},
            "stations": {
                "work": {"operator": "map", "to": "record", "input": ["seed", "again"], **work},
                "again": {"operator": "filter", "where": "len(record) > 0"},
                "out": {"command": "cat", "input": "work"},
            },
            "host": {"cores": cores},
            "service": {
                "seed": {"bytes": 100 * records, "record_bytes": 100},
                "work": {"per_record": "1 ms", "record_bytes": 100},
                "again": {"selectivity": back, "record_bytes": 100},
                "out": {"record_bytes": 100},
            },
        }
    )


@pytest.mark.parametrize("back", [0.2, 0.5, 0.8])
def test_what_comes_back_is_worked_on_again_until_nothing_is_left(back: float) -> None:
    run = simulate(looping(back)).runs[0]
    taken = float(run.stations["work"].bytes_in[-1])
    assert taken == pytest.approx(20_000 / (1 - back), rel=0.005)  # the sum of the geometric series
    assert run.stations["out"].bytes_in[-1] == run.stations["work"].bytes_out[-1] == taken
    assert run.stations["work.loop"].bytes_in[-1] == 20_000 + run.stations["again"].bytes_out[-1]
    assert all(pipe.level_bytes[-1] == 0 for pipe in run.pipes.values())


@pytest.mark.parametrize("back", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("cores", [1, 4])
def test_theory_and_simulation_agree_on_a_loop_that_is_full_from_the_start(back: float, cores: int) -> None:
    scenario = looping(back, cores=cores)
    simulated = simulate(scenario).runs[0].makespan_s
    assert simulated == pytest.approx(0.2 / (1 - back), rel=0.05)
    assert predict(scenario).circuit.makespan.value == pytest.approx(simulated, rel=0.05)


def test_a_loop_of_one_record_is_one_round_after_the_other() -> None:
    scenario = looping(0.9, records=1, parallelism=2)
    case = case_of(scenario, None)
    assert [(loop.reference, loop.rounds, loop.records) for loop in case.loops] == [
        ("work", pytest.approx(10, rel=0.2), pytest.approx(10, rel=0.2))
    ]
    one_server = predict(looping(0.9, records=1)).circuit.makespan.value
    assert predict(scenario).circuit.makespan.value == pytest.approx(one_server)


def test_a_full_loop_gains_by_a_second_server() -> None:
    one, two = looping(0.5), looping(0.5, parallelism=2, partition="key")
    assert simulate(two).runs[0].makespan_s == pytest.approx(simulate(one).runs[0].makespan_s / 2, rel=0.1)
    assert predict(two).circuit.makespan.value == pytest.approx(predict(one).circuit.makespan.value / 2, rel=0.05)


@pytest.mark.parametrize("capacity", ["4 KiB", "64 KiB"])
def test_no_full_pipe_stops_a_loop(capacity: str) -> None:
    scenario = looping(0.5, records=5000, pipe={"capacity": capacity})
    run = simulate(scenario).runs[0]
    assert run.stations["work"].bytes_in[-1] == pytest.approx(1_000_000, rel=0.001)


def test_a_yield_curve_is_kept_where_early_records_give_more() -> None:
    import numpy as np

    even = np.linspace(1, 100, 100)
    assert yield_curve([Way(even, even * 0.3)]) == ()
    found = yield_curve([Way(even, np.minimum(even, 20.0))])
    assert [(round(x, 3), round(y, 3)) for x, y in ((point.taken, point.given) for point in found)] == [
        (0.2, 1.0),
        (1.0, 1.0),
    ]
