"""Stations before which nobody waits (``places = 0``), from the scenario to the answer and to the refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamsim.errors import ModelError, ScenarioError
from streamsim.loading import load
from streamsim.scenario import Scenario
from streamsim.simulating import simulate_result
from streamsim.verbs import check_measurable, predict

Known = Callable[[str], dict[str, Any]]


def line(stations: int, **service: Any) -> Scenario:
    """A saturated line of exponential servers of mean 1 s without a place between them."""
    names = [f"s{k}" for k in range(stations)]
    return load(
        {
            "sources": {"make": {"operator": "generate"}},
            "stations": {name: {"operator": "work", "service": "1 s"} for name in names},
            "service": {
                "make": {},
                **{name: {"per_record": "1 s", "scv": 1.0, "places": 0, **service} for name in names},
            },
            "measure": {"records": 20_000},
            "simulate": {"cores": "own", "precision": 0.01},
        }
    )


@pytest.mark.parametrize("stations", [2, 3])
def test_a_line_without_places_is_as_fast_as_hunt_says(stations: int, known_answer: Known) -> None:
    rate = known_answer("hunt_zero_buffer_lines")["expected"]["X"][stations - 2]
    found = simulate_result(line(stations)).circuit.records_per_s
    assert found is not None and found.low is not None and found.high is not None
    assert found.value is not None and abs(found.value - rate) <= found.high - found.low


def test_theory_answers_a_line_without_places_too() -> None:
    makespan = predict(line(2)).circuit.makespan.value
    assert makespan == pytest.approx(20_000 / (2 / 3), rel=0.001)  # Hunt (1956): 2/3 of a server's rate


def test_what_a_hand_over_excludes_is_refused_by_name() -> None:
    with pytest.raises(ScenarioError, match=r"no real pipe is without a place.*not measured"):
        check_measurable(line(2))
    with pytest.raises(ModelError, match="none waits where places = 0; give it a place"):
        simulate_result(line(2, discipline="priority"))
    with pytest.raises(ModelError, match="it hands over to a reader whose time it must know"):
        simulate_result(line(2), engine="maxplus")
