"""Sources that keep times: what really arrives, and what is counted of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streamsim.loading import load
from streamsim.real import measure as measuring
from streamsim.real.measure import Session, trace_of
from streamsim.real.plan import Plan, make_plan
from streamsim.real.worker.pacing import Pace
from streamsim.scenario import Scenario
from streamsim.summary import summarise


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(cores=1) as ready:
        yield ready


def circuit(**document: Any) -> Scenario:
    return load({"host": {"cores": 1}, **document})


def test_a_paced_source_gives_its_records_when_they_are_due(session: Session) -> None:
    scenario = circuit(
        sources={"g": {"operator": "generate", "count": 40, "rate": "200 records/s"}},
        stations={"c": {"operator": "copy"}},
    )
    trace = session.run_once(scenario)
    visits = trace.stations["g"].visits
    assert visits is not None
    due = visits["asked"]
    assert due[-1] - due[0] == pytest.approx((visits["records_out"].sum() - visits["records_out"][-1]) / 200, abs=1e-6)
    source = trace.stations["g"]  # what it did between two looks is a guess
    assert source.waiting_s[-1] + source.runnable_s[-1] > 0.1 - np.diff(source.time_s).max()
    assert trace.stations["c"].records_out == 40


def test_every_run_of_a_session_draws_other_arrivals_and_every_session_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = {"operator": "generate", "count": 30, "rate": "2000 records/s", "arrivals": "poisson"}
    scenario = circuit(sources={"g": source}, stations={"c": {"operator": "copy"}})

    def due() -> list[list[float]]:
        """When the records of two runs were due, as the schedules say that their sources were started with."""
        given: list[dict[str, Any]] = []

        def noting(scenario: Scenario) -> Plan:
            plan = make_plan(scenario)
            given.extend(process.spec["pace"] for process in plan.processes if process.spec and process.spec["pace"])
            return plan

        with monkeypatch.context() as patch, Session(cores=1) as fresh:
            patch.setattr(measuring, "make_plan", noting)
            for _ in range(2):
                fresh.run_once(scenario)
        return [Pace(one).due([1] * 30) for one in given]

    one, other = due()
    assert one[0] == other[0] and not set(one[1:]) & set(other[1:])
    assert due() == [one, other]


@pytest.mark.parametrize(
    ("pace", "measure"), [({"rate": "2000 records/s"}, {}), ({"rate": "2000 records/s"}, {"records": 90})]
)
def test_what_a_command_gives_to_a_paced_source_is_counted(
    session: Session, pace: dict[str, str], measure: dict[str, int]
) -> None:
    scenario = circuit(
        sources={"g": {"command": "seq 1000 1099", **pace}}, stations={"c": {"operator": "copy"}}, measure=measure
    )
    run = session.run_once(scenario)
    source, records = run.stations["g"], measure.get("records", 100)
    assert (source.records_in, source.records_out) == (records, records)
    assert run.stations["g.command"].bytes_out[-1] >= source.bytes_in[-1] >= source.bytes_out[-1] == 5 * records
    found = summarise(trace_of(scenario, [run]), scenario.circuit, loads=scenario.loads).circuit.records_per_s
    assert found is not None
    assert found.value == pytest.approx(records / run.makespan_s)
