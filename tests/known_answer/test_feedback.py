"""Loops with known answers: M/M/1 with Bernoulli feedback (Jackson 1957), closed and random loops."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from streamsim.loading import load
from streamsim.models import simulate
from streamsim.scenario import Scenario
from streamsim.simulating import simulate_result
from streamsim.verbs import predict

SERVICE_S = 0.002


def feedback(rate: float, scv: float = 1.0) -> Scenario:
    """Poisson arrivals at an exponential server, half of whose records come back to it; all cores that it wants."""
    return load(
        {
            "sources": {
                "in": {"operator": "generate", "count": 40000, "rate": f"{rate} records/s", "arrivals": "poisson"}
            },
            "stations": {
                "work": {"operator": "map", "to": "record", "input": ["in", "again"], "split": "key"},
                "again": {"operator": "filter", "where": "len(record) > 0", "input": "work"},
                "out": {"command": "cat", "input": "work"},
            },
            "host": {"cores": 8},
            "measure": {"records": 40000},
            "service": {
                "in": {"record_bytes": 100},
                "work": {"per_record": "2 ms", "scv": scv, "record_bytes": 100},
                "again": {"record_bytes": 100},
                "out": {"record_bytes": 100},
            },
        }
    )


@pytest.mark.parametrize("load_", [0.2, 0.5, 0.8])
def test_a_server_with_bernoulli_feedback_is_jackson_s(load_: float) -> None:
    rate = load_ / SERVICE_S / 2  # two visits a record
    scenario = feedback(rate)
    expected = 2 * SERVICE_S / (1 - load_)
    predicted = predict(scenario, explain=True)
    waking = 4 * 40e-6  # what it takes to wake the readers on the way is known, and at most that
    assert predicted.circuit.response_time is not None
    assert expected <= (predicted.circuit.response_time.mean.value or 0.0) <= expected + waking
    assert predicted.methods["work"].exact
    assert predicted.stations["work"].wait is not None
    assert predicted.stations["work"].wait.value == pytest.approx(expected / 2 - SERVICE_S)
    simulated = simulate_result(scenario, seed=3)
    assert simulated.circuit.response_time is not None
    found = simulated.circuit.response_time.mean
    assert found.value is not None and found.low is not None and found.high is not None
    width = 2 * (found.high - found.low)
    assert expected - width <= found.value <= expected + waking + width


def test_what_is_no_jackson_network_is_said_to_be_approximated() -> None:
    predicted = predict(feedback(100.0, scv=0.25), explain=True)
    assert not predicted.methods["circuit"].exact and not predicted.methods["work"].exact
    assert "what goes round is taken for a Poisson stream" in predicted.methods["work"].why


def test_more_than_a_loop_can_carry_is_refused_with_the_largest_load() -> None:
    predicted = predict(feedback(300.0))
    assert predicted.saturated
    assert any("at most 250 records/s at 'in'" in warning for warning in predicted.warnings)


def random_loop(number: int) -> tuple[Scenario, float]:
    """A line of one to four stations, the last of which gives a part back to the first; and that part.

    Small pipes keep chunks small against the stream: a chunk is done before any of it is given on.
    """
    drawn = random.Random(number)
    back = drawn.choice([0.1, 0.3, 0.5, 0.7])
    count = drawn.randint(1, 4)
    stations: dict[str, Any] = {}
    service: dict[str, Any] = {"seed": {"bytes": 100 * drawn.choice([2000, 6000]), "record_bytes": 100}}
    for place in range(count):
        name = f"s{place}"
        stations[name] = {"operator": "map", "to": "record", "pipe": {"capacity": "4 KiB"}}
        if drawn.random() < 0.4:
            stations[name] |= {"parallelism": drawn.randint(2, 3), "partition": drawn.choice(["key", "round-robin"])}
        service[name] = {"per_record": f"{drawn.randint(100, 900)} us", "record_bytes": 100}
    stations["s0"]["input"] = ["seed", "again"]
    stations["again"] = {"operator": "filter", "where": "len(record) > 0", "pipe": {"capacity": "4 KiB"}}
    stations["out"] = {"command": "cat", "input": f"s{count - 1}"}
    service |= {"again": {"selectivity": back, "record_bytes": 100}, "out": {"record_bytes": 100}}
    document = {
        "sources": {"seed": {"command": "cat /dev/zero"}},
        "stations": stations,
        "host": {"cores": drawn.choice([1, 2, 4])},
        "service": service,
    }
    return load(document), back


@pytest.mark.parametrize("number", range(8))
def test_random_loops_keep_every_byte_and_theory_agrees_with_simulation(number: int) -> None:
    scenario, back = random_loop(number)
    run = simulate(scenario).runs[0]
    given = float(run.stations["seed"].bytes_out[-1])
    taken = float(run.stations["s0"].bytes_in[-1])
    assert taken == pytest.approx(given / (1 - back), rel=0.01)
    assert taken == given + run.stations["again"].bytes_out[-1]
    assert all(pipe.level_bytes[-1] == 0 for pipe in run.pipes.values())
    station = run.stations["s0"]
    inside = np.trapezoid(station.bytes_in - station.bytes_out, station.time_s)  # Little's law, by bytes
    visits = station.visits
    assert visits is not None
    spent = float(((visits["sent"] - visits["got"]) * visits["taken"]).sum())
    assert inside == pytest.approx(spent, rel=0.05)
    assert predict(scenario).circuit.makespan.value == pytest.approx(run.makespan_s, rel=0.1)


def test_records_that_leave_a_loop_for_a_sink_are_seen_to_leave() -> None:
    scenario = load(
        {
            "sources": {"in": {"operator": "generate", "rate": "100 records/s", "arrivals": "poisson"}},
            "stations": {
                "work": {"operator": "map", "to": "record", "input": ["in", "again"]},
                "again": {"operator": "sample", "probability": 0.5, "input": "work"},
            },
            "sinks": {"out": {"input": "work"}},
            "host": {"cores": 8},
            "measure": {"records": 2000},
            "service": {
                "in": {"record_bytes": 10},
                "work": {"per_record": "1 ms", "record_bytes": 10},
                "again": {"selectivity": 0.5, "record_bytes": 10},
            },
        }
    )
    simulated = simulate_result(scenario, seed=3)
    assert simulated.stations["work"].utilisation.value == pytest.approx(0.2, rel=0.1)
    assert predict(scenario).stations["work"].utilisation.value == pytest.approx(0.2, rel=0.02)
