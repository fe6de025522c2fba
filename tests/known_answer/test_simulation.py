"""The simulation against queues whose answers are known, and makespans that follow from a line of arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamsim.circuit import Circuit, Station
from streamsim.models import simulate
from streamsim.result import Estimate, estimate
from streamsim.scenario import Host, Load, Scenario, Simulate
from streamsim.service import Distribution, Profile
from streamsim.trace import Trace
from streamsim.units import Rate
from streamsim.visits import response_times
from tests.unit.modelled import EXPONENTIAL, PAGE, budget, chain, giving, ideal_host, run, taking

KnownAnswer = dict[str, Any]
Known = Callable[[str], KnownAnswer]

RECORD = 64
H2 = Distribution(family="hyperexponential", parameters=(0.8872983346, 1.7745966692, 0.2254033308), scv=4.0)
"""Balanced means, scv 4: p = (1 + sqrt(3/5))/2, rates 2p and 2(1 − p)."""


def queue_trace(service: Distribution, *, arrivals: str = "poisson", runs: int = 10, records: int = 2500) -> Trace:
    """Records one at a time through one server with mean service 1 s at 0.8 records/s."""
    load = Load(rate=Rate(0.8, "records"), arrivals=arrivals, records=records)  # type: ignore[arg-type]
    scenario, profile = chain(
        giving(RECORD, write=RECORD, record=RECORD),
        taking(read=RECORD, record=RECORD, per_record=1.0, distribution=service),
        load=load,
        slots=1024,
        operators=True,
        simulate=Simulate(replications=runs, precision=1e-6, seed=20),
    )
    return simulate(scenario, profile)


def mean_response(trace: Trace) -> Estimate:
    """The mean response time over the replications; 99 % so that the three queues together hold in 97 %."""
    scenario, _ = chain(giving(1), taking(), load=Load(rate=Rate(0.8, "records")))
    times = [float(response_times(run, scenario.circuit, scenario.loads).mean()) for run in trace.runs]
    return estimate(times, "s", level=0.99)


@pytest.mark.parametrize(
    ("name", "service", "arrivals"),
    [
        ("mm1_rho08", EXPONENTIAL, "poisson"),
        ("md1_rho08", Distribution(), "poisson"),
        ("dm1_rho08", EXPONENTIAL, "even"),
    ],
)
def test_the_response_time_of_a_queue_is_the_known_one(
    known_answer: Known, name: str, service: Distribution, arrivals: str
) -> None:
    found = mean_response(queue_trace(service, arrivals=arrivals))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= known_answer(name)["expected"]["W"] <= found.high


def test_a_service_of_higher_variation_waits_as_pollaczek_and_khinchine_say(known_answer: Known) -> None:
    found = mean_response(queue_trace(H2, runs=16, records=2500))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= known_answer("mh2_1_rho08_scv4")["expected"]["W"] <= found.high


def test_every_record_waits_as_long_as_lindleys_recursion_says() -> None:
    (one,) = queue_trace(EXPONENTIAL, runs=1).runs
    due, visits = one.stations["s0"].visits, one.stations["s1"].visits
    assert due is not None
    assert visits is not None
    services = visits["served"] - visits["got"]
    wait, waits = 0.0, []
    for service, gap in zip(services, np.diff(due["asked"], append=np.inf), strict=True):
        waits.append(wait)
        wait = max(0.0, wait + service - gap)  # Lindley 1952, Mathematical Proceedings 48, p. 277
    np.testing.assert_allclose(visits["got"] - due["asked"], waits, atol=1e-9)
    assert max(waits) > 10


def test_littles_law_holds_in_the_trace() -> None:
    trace = queue_trace(EXPONENTIAL, runs=1)
    (one,) = trace.runs
    source, station = one.stations["s0"].visits, one.stations["s1"].visits
    assert source is not None
    assert station is not None
    # Every record is one visit, and all have left in the end: the area under N(t) is the sum of the response times.
    events = np.concatenate([source["asked"], station["sent"]])
    steps = np.concatenate([np.ones(len(source)), -np.ones(len(station))])
    order = np.argsort(events, kind="stable")
    inside = np.cumsum(steps[order])[:-1]
    mean_inside = float((inside * np.diff(events[order])).sum()) / one.makespan_s
    rate = len(source) / one.makespan_s
    assert mean_inside == pytest.approx(rate * float((station["sent"] - source["asked"]).mean()), rel=1e-9)


def saturated_throughput(stations: int, places: int, service: Distribution, records: int, runs: int) -> Estimate:
    scenario, profile = chain(
        giving(records * PAGE, setup=1.0, distribution=service),
        *(taking(setup=1.0, distribution=service) for _ in range(stations - 1)),
        slots=places,
        simulate=Simulate(replications=runs, precision=1e-6, seed=4),
    )
    return estimate([records / one.makespan_s for one in simulate(scenario, profile).runs], "1/s", level=0.99)


@pytest.mark.parametrize(
    ("name", "stations", "places"),
    [("two_station_saturated_BAS", 2, 1), ("two_station_saturated_BAS", 2, 2), ("three_station_saturated_BAS", 3, 1)],
)
def test_a_saturated_line_with_small_pipes_has_the_known_throughput(
    known_answer: Known, name: str, stations: int, places: int
) -> None:
    row = known_answer(name)
    expected = row["expected"]["X"][row["parameters"]["B"].index(places)]
    found = saturated_throughput(stations, places, EXPONENTIAL, records=1500, runs=8)
    assert found.low is not None
    assert found.high is not None
    # The line drains once, which costs about one service of 1500 for each station: a tenth of the interval.
    assert found.low <= expected <= found.high


def test_every_departure_is_when_the_recursion_of_blocking_after_service_says() -> None:
    places, count, stations = 2, 400, 4
    scenario, profile = chain(
        giving(count * PAGE, setup=1.0, distribution=EXPONENTIAL),
        *(taking(setup=1.0, distribution=EXPONENTIAL) for _ in range(stations - 1)),
        slots=places,
        operators=True,
    )
    one = run(scenario, profile)
    visits = [one.stations[f"s{k}"].visits for k in range(stations)]
    services = [(each["served"] - each["got"])[:count] for each in visits if each is not None]
    # Record n leaves station k when it is served and, places + 1 records earlier, one has left the next station:
    # the pipe holds `places`, and the reader takes a record out when it begins with it.
    begun = np.zeros((stations, count))
    left = np.zeros((stations, count))
    for n in range(count):
        for k in range(stations):
            free = left[k, n - 1] if n else 0.0
            there = left[k - 1, n] if k else 0.0
            begun[k, n] = max(free, there)
            left[k, n] = begun[k, n] + services[k][n]
            if k + 1 < stations and n >= places:
                left[k, n] = max(left[k, n], begun[k + 1, n - places])
    for k, each in enumerate(visits):
        assert each is not None
        np.testing.assert_allclose(each["sent"][:count], left[k], rtol=1e-12)


def test_a_deterministic_line_runs_at_the_rate_of_its_slowest_station(known_answer: Known) -> None:
    row = known_answer("deterministic_line")
    first, *others = row["parameters"]["service"]
    count = 500
    scenario, profile = chain(
        giving(count * PAGE, setup=first), *(taking(setup=time) for time in others), slots=row["parameters"]["B"]
    )
    # The first record takes 1 + 2 + 1.5 s, each of the others 2 s: the slowest station's time.
    assert run(scenario, profile).makespan_s == pytest.approx(4.5 + (count - 1) / row["expected"]["X"], rel=1e-12)


@pytest.mark.parametrize(("cores", "expected"), [(2, 100.0), (1, 200.0)])
def test_two_equal_stages_take_twice_as_long_on_one_core(cores: int, expected: float) -> None:
    count = 100
    scenario, profile = chain(giving(count * PAGE), taking(setup=1.0), taking(setup=1.0), host=ideal_host(cores))
    # On two cores the second stage runs one chunk behind the first: 101 s; on one core 200 chunks one by one.
    assert run(scenario, profile).makespan_s == pytest.approx(expected + (1.0 if cores == 2 else 0.0), rel=1e-12)


def test_two_busy_cores_that_slow_each_other_stretch_the_overlap() -> None:
    count = 100
    host = ideal_host(2, speed=(1.0, 0.8))
    scenario, profile = chain(giving(count * PAGE), taking(setup=1.0), taking(setup=1.0), host=host)
    # The first and the last chunk have the cores for themselves; 99 pairs overlap at speed 0.8.
    assert run(scenario, profile).makespan_s == pytest.approx(2 + 99 / 0.8, rel=1e-12)


def test_three_greedy_servers_get_two_thirds_of_a_core_each() -> None:
    # Three sources for themselves: equal work, so all end together after 3 · 10 / 2 s.
    names = ("a", "b", "c")
    circuit = Circuit(stations=tuple(Station(name=name, command="tool", role="source") for name in names))
    profile = Profile(host=ideal_host(2), stations=dict.fromkeys(names, giving(10 * PAGE, setup=1.0)))
    one = run(Scenario(name="three", circuit=circuit, host=Host(cores=2)), profile)
    assert one.makespan_s == pytest.approx(15.0, rel=1e-12)
    for station in one.stations.values():
        parts = budget(station)
        assert parts["running_s"] == pytest.approx(10.0, rel=1e-12)
        assert parts["runnable_s"] == pytest.approx(5.0, rel=1e-12)
        assert station.cpu_s[-1] == pytest.approx(10.0, rel=1e-12)


def test_a_barrier_adds_its_phases() -> None:
    count = 50
    scenario, profile = chain(
        giving(count * PAGE),
        taking(setup=1.0, barrier=True, startup=2.0, finish=30.0, finish_threads=2.0, output_per_byte=0.5 / PAGE),
        taking(setup=0.25),
    )
    # 2 s to start, 50 s to read, 30 core-seconds on 2 cores, then 50 pieces of 0.5 s; the last one takes 0.25 s more.
    assert run(scenario, profile).makespan_s == pytest.approx(2 + 50 + 15 + 25 + 0.25, rel=1e-12)


def test_waiting_needs_no_core() -> None:
    count = 20
    scenario, profile = chain(giving(count * PAGE), taking(setup=1.0, waiting_per_byte=3.0 / PAGE), host=ideal_host(1))
    one = run(scenario, profile)
    assert one.makespan_s == pytest.approx(count * 4.0, rel=1e-12)
    assert budget(one.stations["s1"])["waiting_s"] == pytest.approx(count * 3.0, rel=1e-12)
    assert one.stations["s1"].cpu_s[-1] == pytest.approx(count * 1.0, rel=1e-12)


def test_a_lone_task_gets_a_whole_core_of_those_available_and_no_more() -> None:
    for available, expected in ((1.9, 10.0), (0.5, 20.0)):
        cores = 2 if available > 1 else 1
        scenario, profile = chain(giving(10 * PAGE, setup=1.0), host=ideal_host(cores, available_cores=available))
        one = run(scenario, profile)
        assert one.makespan_s == pytest.approx(expected, rel=1e-12)
        assert one.stations["s0"].cpu_s[-1] == pytest.approx(10.0, rel=1e-12)
