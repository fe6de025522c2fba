"""Sources with times of their own."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.circuit import Circuit, Pipe, Station
from streamsim.scenario import Host, Load, Scenario
from streamsim.service import Profile
from streamsim.units import Rate
from tests.unit.modelled import PAGE, budget, chain, giving, ideal_host, run, taking

RECORD = 100


def paced(load: Load, **service: float) -> tuple:  # type: ignore[type-arg]
    source = giving(50 * RECORD, write=RECORD, record=RECORD)
    return chain(source, taking(read=RECORD, record=RECORD, **service), load=load, slots=1, operators=True)


def test_records_are_given_when_they_are_due() -> None:
    visits = run(*paced(Load(rate=Rate(2.0, "records")))).stations["s0"].visits
    assert visits is not None
    assert visits["asked"].tolist() == [k / 2.0 for k in range(50)]
    assert (visits["sent"] == visits["asked"]).all()
    assert (visits["records_out"] == 1).all()


def test_a_rate_in_bytes_is_a_rate_of_records() -> None:
    one = run(*paced(Load(rate=Rate(200.0, "bytes"))))
    assert one.makespan_s == pytest.approx(49 / 2.0)


def test_a_source_that_was_blocked_gives_all_that_is_due_at_once() -> None:
    # One slot holds 40 records of 100 bytes; the reader takes one each 10 s, the source gives one each second.
    scenario, profile = paced(Load(rate=Rate(1.0, "records")), setup=10.0)
    one = run(scenario, profile)
    visits = one.stations["s0"].visits
    assert visits is not None
    assert visits["asked"].tolist() == list(range(50))  # due times do not move
    late = visits["sent"] - visits["asked"]
    assert late[:41].max() < 1
    assert late[-1] > 100
    assert one.stations["s0"].writes[-1] < 50
    assert one.stations["s1"].bytes_in[-1] == 50 * RECORD


def test_waiting_for_the_next_record_is_neither_blocked_nor_starved() -> None:
    parts = budget(run(*paced(Load(rate=Rate(2.0, "records")))).stations["s0"])
    assert parts["waiting_s"] == pytest.approx(49 / 2.0)
    assert parts["blocked_s"] == parts["starved_s"] == 0


def test_records_that_are_nearer_than_waking_takes_come_together() -> None:
    source = giving(1000 * RECORD, write=RECORD, record=RECORD)
    host = ideal_host(4, wake_far_s=1e-3, wake_near_s=1e-3)
    load = Load(rate=Rate(10_000.0, "records"))
    one = run(*chain(source, taking(record=RECORD), load=load, host=host))
    # 10 records come due while the source wakes once.
    assert one.stations["s0"].writes[-1] == pytest.approx(100, abs=2)


def test_a_load_ends_with_its_records_or_its_duration() -> None:
    few = run(*paced(Load(rate=Rate(1.0, "records"), records=7)))
    assert few.stations["s1"].records_in == 7
    short = run(*paced(Load(rate=Rate(1.0, "records"), duration_s=3.5)))
    assert short.stations["s1"].records_in == 4


def test_random_arrivals_fill_the_duration_whatever_their_number() -> None:
    counts = {
        run(*paced(Load(rate=Rate(1.0, "records"), arrivals="poisson", duration_s=20.0)), seed=seed)
        .stations["s0"]
        .bytes_out[-1]
        / RECORD
        for seed in range(8)
    }
    assert len(counts) > 1
    assert all(5 < count < 40 for count in counts)


def test_a_paced_reader_behind_a_command_waits_for_what_it_gives() -> None:
    stations = (
        Station(name="make.command", command="slow", role="source"),
        Station(name="make", operator="file", inputs=("make.command",), role="source"),
        Station(name="end", operator="map", inputs=("make",)),
    )
    scenario = Scenario(
        name="paced",
        circuit=Circuit(stations=stations, pipes=(Pipe("make.command", "make"), Pipe("make", "end"))),
        host=Host(cores=4),
        loads={"make": Load(rate=Rate(1.0, "records"))},
    )
    slow = {"make.command": giving(20 * PAGE, setup=2.0), "make": taking(), "end": taking()}
    one = run(scenario, Profile(stations=slow, host=ideal_host(4)))
    assert one.makespan_s == pytest.approx(40.0)  # the command needs 2 s a record, whatever the rate
    visits = one.stations["make"].visits
    assert visits is not None
    assert visits["asked"].tolist() == list(range(20))
    fast = slow | {"make.command": giving(20 * PAGE, setup=0.1)}
    assert run(scenario, Profile(stations=fast, host=ideal_host(4))).makespan_s == pytest.approx(19.0)


def test_the_demand_of_a_source_counts_what_it_gives() -> None:
    one = run(*chain(giving(20 * PAGE, per_byte=1.0 / PAGE, setup=0.5), taking()))
    assert one.stations["s0"].cpu_s[-1] == pytest.approx(30.0)
    visits = run(*chain(giving(20 * PAGE, per_byte=1.0 / PAGE), taking(), operators=True)).stations["s0"].visits
    assert visits is not None
    np.testing.assert_allclose(visits["served"] - visits["got"], 1.0)
