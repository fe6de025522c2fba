"""Whole simulations: traces, replications, seeds, hosts, deadlocks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamsim.circuit import Circuit, Pipe, Station
from streamsim.models import compile_model, simulate, simulate_once
from streamsim.models.statistics.warmup import warm_up
from streamsim.scenario import Host, Load, Scenario, Simulate
from streamsim.service import HostProfile, Profile
from streamsim.summary import summarise
from streamsim.trace import VISIT, RunTrace, read_trace, write_trace
from streamsim.units import Rate
from tests.unit.modelled import (
    BUDGET,
    EXPONENTIAL,
    PAGE,
    budget,
    chain,
    giving,
    ideal_host,
    run,
    same_runs,
    taking,
)


def random_chain(**settings: float) -> tuple[Scenario, Profile]:
    return chain(
        giving(300 * PAGE, setup=0.5, distribution=EXPONENTIAL),
        taking(setup=0.6, distribution=EXPONENTIAL),
        operators=True,
        simulate=Simulate(**settings),  # type: ignore[arg-type]
    )


def test_a_trace_says_what_it_is() -> None:
    scenario, profile = chain(giving(10 * PAGE, setup=1.0), taking(setup=1.0))
    trace = simulate(scenario, profile)
    assert (trace.world, trace.engine, trace.scenario, len(trace.runs)) == ("simulated", "simpy", scenario.key, 1)
    (one,) = trace.runs
    assert one.host == profile.host
    assert set(one.stations) == {"s0", "s1"}
    assert set(one.pipes) == {"s0->s1"}


def test_curves_are_sampled_about_a_thousand_times_and_end_where_the_station_ends() -> None:
    scenario, profile = chain(giving(500 * PAGE, setup=1.0), taking(setup=1.0), taking(setup=3.0))
    one = run(scenario, profile)
    for station in one.stations.values():
        assert station.time_s[0] == 0.0
        assert station.time_s[-1] == station.ended_s
        assert (np.diff(station.time_s) > 0).all()
    assert 1000 <= len(one.stations["s2"].time_s) <= 2001
    assert one.pipes["s1->s2"].time_s[-1] == one.makespan_s == one.stations["s2"].ended_s


@pytest.mark.parametrize("guess", [1e-7, 1e-3, 10.0])
def test_the_grid_of_samples_adapts_to_a_makespan_that_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch, guess: float
) -> None:
    monkeypatch.setattr("streamsim.models.simulation._first_step", lambda model: guess)
    one = run(*chain(giving(20 * PAGE, setup=0.05), taking(setup=0.05)))
    times = one.pipes["s0->s1"].time_s
    assert one.makespan_s == pytest.approx(1.05)
    assert len(times) <= 2001
    np.testing.assert_allclose(np.diff(times)[:-1], times[1] - times[0], rtol=1e-6)
    busy = float((one.busy_cores * np.diff(one.busy_time_s, prepend=0.0)).sum())
    assert busy == pytest.approx(2.0)


def test_what_is_not_random_runs_once() -> None:
    assert len(simulate(*chain(giving(10 * PAGE, setup=1.0), taking(setup=1.0))).runs) == 1


def test_replications_stop_when_the_interval_is_narrow_enough() -> None:
    wide = simulate(*random_chain(precision=0.3))
    narrow = simulate(*random_chain(precision=0.04))
    assert len(wide.runs) == 3
    assert 3 < len(narrow.runs) < 30
    assert narrow.warnings == ()


def test_replications_that_do_not_suffice_are_a_warning() -> None:
    (warning,) = simulate(*random_chain(precision=1e-4, replications=4)).warnings
    assert "after 4 replications" in warning
    (warning,) = simulate(*random_chain(replications=1)).warnings
    assert "is not known after 1 replications" in warning


def test_tails_of_response_times_are_precise_too_before_it_stops() -> None:
    scenario, profile = chain(
        giving(1200 * PAGE),
        taking(setup=0.7, distribution=EXPONENTIAL),
        load=Load(rate=Rate(1.0, "records"), arrivals="poisson"),
        slots=512,
        simulate=Simulate(precision=0.12, replications=200),
    )
    trace = simulate(scenario, profile)
    found = summarise(trace, scenario.circuit, loads=scenario.loads).circuit.response_time
    assert found is not None
    assert trace.warnings == ()
    assert max(one.spread or 0.0 for one in (found.mean, found.p50, found.p95, found.p99)) <= 0.12


def test_progress_is_told_after_every_replication() -> None:
    told: list[tuple[float, float, str]] = []
    simulate(*random_chain(precision=0.3), progress=lambda *step: told.append(step))
    assert told == [(1, 30, "simulating"), (2, 30, "simulating"), (3, 30, "simulating")]


def test_the_same_seed_gives_the_same_trace_and_another_another() -> None:
    scenario, profile = random_chain(precision=0.3)
    one, again, other = simulate(scenario, profile), simulate(scenario, profile), simulate(scenario, profile, seed=2)
    assert all(same_runs(a, b) for a, b in zip(one.runs, again.runs, strict=True))
    assert not same_runs(one.runs[0], one.runs[1])
    assert not same_runs(one.runs[0], other.runs[0])


def test_a_station_draws_the_same_numbers_whoever_stands_beside_it() -> None:
    def services(one: RunTrace) -> np.ndarray:  # type: ignore[type-arg]
        visits = one.stations["s0"].visits
        assert visits is not None
        return (visits["served"] - visits["got"])[:300]

    scenario, profile = random_chain()
    alone = chain(giving(300 * PAGE, setup=0.5, distribution=EXPONENTIAL), operators=True)
    np.testing.assert_allclose(services(run(scenario, profile)), services(run(*alone)), rtol=1e-9)


def test_a_generator_without_a_seed_is_refused() -> None:
    class Unseeded(np.random.PCG64):
        @property
        def seed_seq(self) -> None:  # type: ignore[override]
            return None

    with pytest.raises(Exception, match="not made from a seed"):
        simulate_once(compile_model(*random_chain()), np.random.Generator(Unseeded(1)))


def test_waking_takes_longer_on_another_core_than_on_the_same() -> None:
    # Every chunk wakes the reader once, because it works faster than the source.
    parts = giving(100 * PAGE, setup=1.0), taking(setup=0.1)
    wakes = {"wake_near_s": 0.01, "wake_far_s": 0.2}
    far = run(*chain(*parts, host=ideal_host(4, **wakes)))
    near = run(*chain(*parts, host=ideal_host(1, **wakes)))
    assert budget(far.stations["s1"])["runnable_s"] == pytest.approx(100 * 0.2)
    # On one core what the reader waits for its share comes on top of the 0.01 s.
    assert 100 * 0.01 < budget(near.stations["s1"])["runnable_s"] < 100 * 0.2
    assert far.makespan_s == pytest.approx(100.3)


def test_a_busy_reader_needs_no_waking() -> None:
    wakes = {"wake_near_s": 0.1, "wake_far_s": 0.1}
    one = run(*chain(giving(100 * PAGE, setup=0.1), taking(setup=1.0), host=ideal_host(4, **wakes)))
    assert budget(one.stations["s1"])["runnable_s"] == pytest.approx(0.1)


def test_others_work_counts_against_the_cores_and_their_speed() -> None:
    host = ideal_host(2, available_cores=1.5, speed=(1.0, 0.5))
    one = run(*chain(giving(10 * PAGE, setup=1.0), host=host))
    assert one.background_cores == pytest.approx(0.5)
    assert one.makespan_s == pytest.approx(10 / 0.75)  # 1.5 cores busy: halfway between 1 and 0.5
    assert one.busy_cores[0] == pytest.approx(1.5)


def test_a_host_given_by_hand_replaces_the_measured_one() -> None:
    scenario, profile = chain(giving(10 * PAGE, setup=1.0), taking(setup=1.0))
    slow = simulate(scenario, profile, host=HostProfile(cores=1, available_cores=0.5, wake_near_s=0.0))
    assert slow.runs[0].makespan_s == pytest.approx(40.0)


def test_a_paced_scenario_keeps_visits_of_tools_too() -> None:
    load = Load(rate=Rate(1.0, "records"))
    parts = giving(20 * PAGE), taking(setup=0.5)
    assert run(*chain(*parts)).stations["s1"].visits is None
    visits = run(*chain(*parts, load=load)).stations["s1"].visits
    assert visits is not None
    assert visits.dtype == VISIT
    assert visits["records_in"].sum() == 20


def test_a_response_time_is_reported_like_a_measured_one() -> None:
    scenario, profile = chain(
        giving(100 * PAGE), taking(setup=0.25), taking(setup=0.5), load=Load(rate=Rate(1.0, "records"))
    )
    result = summarise(simulate(scenario, profile), scenario.circuit, loads=scenario.loads)
    assert result.circuit.response_time is not None
    assert result.circuit.response_time.mean.value == pytest.approx(0.75)
    assert result.stations["s2"].utilisation.value == pytest.approx(0.5, abs=0.01)
    assert not result.saturated


def test_a_load_that_is_too_much_is_warned_of() -> None:
    load = Load(rate=Rate(1.0, "records"), arrivals="poisson")
    scenario, profile = chain(
        giving(400 * PAGE), taking(setup=2.0), load=load, slots=512, simulate=Simulate(precision=0.5)
    )
    assert any("still drifting" in warning for warning in simulate(scenario, profile).warnings)


def test_a_simulated_trace_can_be_written_and_read(tmp_path: Path) -> None:
    trace = simulate(*random_chain(precision=0.3))
    write_trace(trace, tmp_path / "trace.npz")
    again = read_trace(tmp_path / "trace.npz")
    assert (again.world, again.engine, again.scenario) == ("simulated", "simpy", trace.scenario)
    assert all(same_runs(a, b) for a, b in zip(trace.runs, again.runs, strict=True))


def test_a_response_time_of_a_single_record_does_not_steer() -> None:
    load = Load(rate=Rate(100.0, "records"), records=200)
    scenario, profile = chain(
        giving(200 * PAGE),
        taking(setup=0.005, gives=1 / 200, barrier=True, distribution=EXPONENTIAL),
        load=load,
        operators=True,
    )
    assert len(simulate(scenario, profile).runs) == 3  # the makespan is the same within 2 %


def test_a_station_that_works_on_nothing_costs_nothing() -> None:
    one = run(*chain(giving(0, setup=1.0), taking(setup=1.0)))
    assert one.makespan_s == 0.0
    assert one.stations["s1"].bytes_in[-1] == 0


def test_warm_up_finds_nothing_to_cut_where_nothing_changes() -> None:
    assert warm_up(np.ones(1000)) == 0
    assert warm_up(np.ones(7)) == 0


def test_warm_up_never_cuts_more_than_half() -> None:
    assert 450 <= warm_up(np.arange(1000.0)) <= 500


def test_inputs_that_are_ready_are_read_in_proportion_by_an_operator() -> None:
    stations = (
        Station(name="many", command="make", role="source"),
        Station(name="few", command="make", role="source"),
        Station(name="join", operator="interleave", inputs=("many", "few")),
    )
    circuit = Circuit(stations=stations, pipes=(Pipe("many", "join"), Pipe("few", "join")))
    profile = Profile(
        stations={"many": giving(300 * PAGE), "few": giving(100 * PAGE), "join": taking(setup=1.0)},
        host=ideal_host(4),
    )
    one = run(Scenario(name="join", circuit=circuit, host=Host(cores=4)), profile)
    # Both are always there, so both end together: the last of `few` is read within the last few chunks.
    level = one.pipes["few->join"]
    assert float(level.time_s[level.level_bytes > 0][-1]) > 0.98 * one.makespan_s
    slow = msgspec.structs.replace(profile, stations=profile.stations | {"few": giving(100 * PAGE, setup=10.0)})
    late = run(Scenario(name="join", circuit=circuit, host=Host(cores=4)), slow)
    # It takes the other input meanwhile: 1000 s for `few`, and the last chunk.
    assert late.makespan_s == pytest.approx(1001.0)
    assert sum(budget(late.stations["join"])[part] for part in BUDGET) == pytest.approx(1001.0)
