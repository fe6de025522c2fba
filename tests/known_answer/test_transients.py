"""Means against time, from an empty start and after a step in the load, against the law of M/M/1 at each time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamsim.analysis.queueing.transient import mm1_transient
from streamsim.errors import ModelError
from streamsim.models.records.table import Command
from streamsim.models.records.transient import transient
from streamsim.result import Estimate
from tests.known_answer.networks import poisson, queue, station


def mean_inside(rate: float, begin: float, end: float) -> float:
    """The mean number over a part of the time by Simpson's rule on 41 points, where the first record comes at 0."""
    values = [mm1_transient(rate, 1.0, float(time), initial=1).in_system for time in np.linspace(begin, end, 41)]
    return float(np.array([1, *[4, 2] * 19, 4, 1]) @ np.array(values)) / 120


def within(found: Estimate, expected: float) -> bool:
    """Whether a value lies within twice its 95 % interval: four standard errors."""
    assert found.value is not None
    assert found.low is not None
    return abs(found.value - expected) <= 2 * (found.value - found.low)


def test_a_queue_fills_as_its_law_says() -> None:
    found = transient(queue(poisson(0.8), station("s")), over_s=20.0, spans=5, replications=2000)
    assert found.records_inside is not None
    for inside, span in zip(found.records_inside, pairwise([0.0, *found.times_s]), strict=True):
        assert within(inside, mean_inside(0.8, *span))


def test_a_queue_follows_a_step_in_its_load_to_the_new_steady_state() -> None:
    step = Command(time_s=300.0, target="source", parameter="gaps", value=0.5 / 0.25)
    found = transient(
        queue(poisson(0.5), station("s")), over_s=600.0, spans=6, replications=400, commands=(step,), steps=("less",)
    )
    assert found.records_inside is not None
    assert within(found.records_inside[2], 1.0)
    assert within(found.records_inside[5], 1 / 3)
    assert within(found.response_time[5], 1 / 0.75)
    assert within(found.records_per_s[5], 0.25)
    assert found.steps == ("less",)


def test_both_engines_draw_the_same_curves() -> None:
    step = Command(time_s=20.0, target="source", parameter="gaps", value=0.5)
    curves = [
        transient(
            queue(poisson(0.8), station("s")), over_s=50.0, replications=10, engine=engine, spans=10, commands=(step,)
        )
        for engine in ("compiled", "simpy")
    ]
    assert curves[0].response_time == curves[1].response_time
    assert curves[0].records_inside == curves[1].records_inside
    assert curves[0].records_per_s == curves[1].records_per_s


def test_what_cannot_be_drawn_is_refused() -> None:
    one = queue(poisson(0.8), station("s"))
    step = Command(time_s=20.0, target="source", parameter="gaps", value=0.5)
    with pytest.raises(ModelError, match="know no time to stop at"):
        transient(one, over_s=5.0, engine="maxplus")
    with pytest.raises(ModelError, match="comes after the end"):
        transient(one, over_s=5.0, commands=(step,))
