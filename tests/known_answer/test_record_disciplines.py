"""Whom a server serves next: known answers for processor sharing and for priorities; the tolerance is the interval."""

from __future__ import annotations

import dataclasses

import pytest

from streamsim.models.records.table import Host, Pipe, Station, Table
from streamsim.service import HostProfile
from tests.known_answer.networks import law, poisson, source, station
from tests.known_answer.test_records import LEVEL, Known, fixed, holds, of_station, response, run, there


@pytest.mark.parametrize("scv", [0.0, 4.0])
def test_processor_sharing_does_not_feel_the_variation(known_answer: Known, scv: float) -> None:
    one = Host(name="core", profile=HostProfile(cores=1, available_cores=1.0, wake_near_s=0.0, wake_far_s=0.0))
    server = Station(name="s", service=law(scv), servers=300, host=0)
    table = Table(stations=(source(poisson(0.8)), server), pipes=(Pipe(upstream=0, downstream=1),), hosts=(one,))
    assert holds(response(run(table, precision=0.06)), known_answer("mg1_ps_rho08")["expected"]["W"])


def test_the_input_that_is_read_first_has_priority(known_answer: Known) -> None:
    expected = known_answer("mm1_prio_nonpreemptive")["expected"]
    urgent, other = (Station(name=name, base_s=0.0, source=poisson(0.4)) for name in ("urgent", "other"))
    table = Table(
        stations=(urgent, other, station("s", pick="ready")),
        pipes=(Pipe(upstream=0, downstream=2), Pipe(upstream=1, downstream=2)),
    )
    found = run(table, precision=0.04)
    for pipe, expected_wait in enumerate((expected["Wq1"], expected["Wq2"])):
        waiting = found.mean(lambda one, k=pipe: float(one.window.in_pipe[k]) / one.window_s / 0.4, "s", level=LEVEL)  # type: ignore[misc]
        assert holds(waiting, expected_wait)  # Little's law, class by class


def test_the_more_urgent_class_that_interrupts_does_not_see_the_other(known_answer: Known) -> None:
    expected = known_answer("mm1_prio_preemptive_resume")["expected"]
    urgent, other = (
        Station(name=f"class {rank}", base_s=0.0, source=dataclasses.replace(poisson(0.4), urgency=rank))
        for rank in (0, 1)
    )
    table = Table(
        stations=(urgent, other, station("s", preempts=True)),
        pipes=tuple(Pipe(upstream=place, downstream=2, classes=2) for place in (0, 1)),
    )
    found = fixed(table, records=200_000, warm_up=5000, count=20)
    # By Little's law; the urgent ones are served or wait in their own pipe, as if they were alone.
    assert holds(of_station(found, 2, there), 0.4 * (expected["T1"] + expected["T2"]))
    waiting = found.mean(lambda one: float(one.window.in_pipe[0]) / one.window_s, "", level=LEVEL)
    assert holds(waiting, 0.4 * (expected["T1"] - 1.0))
