"""Who may use which cores: limits, fair shares within them, held against linear programmes and by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from streamsim.circuit import Circuit, Station
from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models.clock import Clock
from streamsim.models.host import Cores
from streamsim.models.records.compiling import compile_table
from streamsim.models.simulation import simulate
from streamsim.placement import Asking, Placement, core_shares, fill, placement_of, tasks
from streamsim.service import HostProfile, Profile
from streamsim.simulating import simulate_result
from streamsim.verbs import summarise
from tests.unit.modelled import ideal_host
from tests.unit.test_models_host import Task


def circuit(*pins: tuple[int, ...], niceness: tuple[int, ...] = ()) -> Circuit:
    nice = niceness or (0,) * len(pins)
    return Circuit(
        tuple(Station(name=f"s{k}", cores=some, niceness=nice[k]) for k, some in enumerate(pins)),
    )


def placed(cores: int, *pins: tuple[int, ...], niceness: tuple[int, ...] = ()) -> Placement:
    found = placement_of(circuit(*pins, niceness=niceness), cores)
    assert found is not None
    return found


def test_pins_to_all_cores_or_to_none_are_no_placement() -> None:
    assert placement_of(circuit((), ()), 2) is None
    assert placement_of(circuit((0, 1), ()), 2) is None
    assert placement_of(circuit((0,), ()), 1) is None


def test_the_numbers_of_cpus_only_tell_cores_apart() -> None:
    assert placed(2, (7,), (4,)).cores == (4, 7)
    assert placed(3, (7,), ()).cores == (0, 1, 7)


def test_more_cpus_than_there_are_cores_are_refused_by_their_names() -> None:
    with pytest.raises(ModelError, match=r"1 core, and s0, s1 are pinned to CPUs 0, 1: set host\.cores to 2"):
        placement_of(circuit((0,), (1,)), 1)


def test_unions_that_share_a_core_are_limits_and_others_bound_nothing() -> None:
    found = placed(6, (0, 1), (1, 2), (4,), ())
    assert [limit.cores for limit in found.limits] == [(4,), (0, 1), (1, 2), (0, 1, 2), (0, 1, 2, 3, 4, 5)]
    assert found.inside(found.limits[3]) == ("s0", "s1")


PINS = st.lists(st.frozensets(st.integers(0, 3)).map(lambda some: tuple(sorted(some))), min_size=1, max_size=5)


@given(
    pins=PINS,
    demands=st.lists(st.floats(0.05, 3.0), min_size=5, max_size=5),
    background=st.floats(0.0, 2.0),
)
def test_shares_are_feasible_and_no_smaller_one_can_grow(
    pins: list[tuple[int, ...]], demands: list[float], background: float
) -> None:
    # feasibility by a linear programme over who gets what of which core, which knows nothing of limits
    found = placement_of(circuit(*pins), 4)
    if found is None:
        return
    available = 4.0 - background
    counts = [(found.group[f"s{k}"], 1.0, min(demands[k], 1.0)) for k in range(len(pins))]
    rates = fill(found.rooms(available), tasks(found, counts)).rates
    assert _feasible(pins, rates, available, slack=1e-9)
    for k, rate in enumerate(rates):
        if rate < counts[k][2] - 1e-9:  # it could use more: then only at the cost of one that has no more than it
            kept = [other if other <= rate + 1e-9 else 0.0 for other in rates]
            kept[k] = rate + 1e-3
            larger = [place for place, other in enumerate(rates) if other > rate + 1e-9]
            for place in larger:
                kept[place] = rate
            assert not _feasible(pins, kept, available, slack=1e-9)


def _feasible(pins: list[tuple[int, ...]], rates: list[float], available: float, *, slack: float) -> bool:
    stations = len(pins)
    by_station = np.zeros((stations, stations * 4))
    by_core = np.zeros((5, stations * 4))
    bounds = []
    for k, some in enumerate(pins):
        for core in range(4):
            by_station[k, k * 4 + core] = 1
            by_core[core, k * 4 + core] = 1
            bounds.append((0.0, None if not some or core in some else 0.0))
    by_core[4] = 1
    room = np.array([1.0] * 4 + [available]) + slack
    answer = linprog(np.zeros(stations * 4), A_ub=by_core, b_ub=room, A_eq=by_station, b_eq=rates, bounds=bounds)
    return bool(answer.status == 0)


@given(counts=st.lists(st.tuples(st.integers(1, 4), st.floats(0.5, 3.0)), min_size=1, max_size=4))
def test_without_pins_the_shares_are_those_of_water_filling(counts: list[tuple[int, float]]) -> None:
    # a placement in which nobody is pinned: one group, one limit
    left, tasks_left = 2.5, sum(count for count, _ in counts)
    wanted = {}
    for k, (count, threads) in sorted(enumerate(counts), key=lambda item: item[1][1]):
        wanted[k] = min(threads, left / tasks_left)
        left -= wanted[k] * count
        tasks_left -= count
    rates = fill([2.5], [Asking([float(count)], threads) for count, threads in counts]).rates
    assert rates == pytest.approx([wanted[k] for k in range(len(counts))])


def test_niceness_weighs_shares_as_the_kernel_does() -> None:
    found = placed(1, (), (), niceness=(0, 5))
    rates = fill(found.rooms(1.0), tasks(found, [(0, 1, 1.0), (1, 1, 1.0)])).rates
    got = [rate * found.groups[k].weight for k, rate in enumerate(rates)]
    assert got == pytest.approx([1024 / (1024 + 335), 335 / (1024 + 335)])


def test_shares_name_the_cores_that_several_are_pinned_to() -> None:
    found = core_shares(placed(2, (0,), (0,), (1,)), {"s0": 0.4, "s1": 0.6, "s2": 0.1}, 2.0, 1.0)
    assert found == pytest.approx({"cores 0": 1.0, "host": 0.55})


def worked(placement: Placement, host: HostProfile, works: list[float]) -> list[float]:
    """Return when each task was done, all of them begun at once, the k-th by station ``sk``."""
    clock = Clock()
    clock.cores = Cores(clock, host, placement)
    done: list[tuple[int, float]] = []
    for index, work in enumerate(works):
        clock.cores.start(Task(index, done, clock, placement.group[f"s{index}"]), work, 1.0)  # type: ignore[arg-type]
    clock.hand_over()
    clock.run()
    return [time for _, time in sorted(done)]


def test_simulated_tasks_share_the_cores_that_they_are_pinned_to() -> None:
    # two on core 0, one alone on core 1; then both on 0 are done and the free one has nothing left to gain
    assert worked(placed(2, (0,), (0,), (1,)), ideal_host(2), [1.0, 2.0, 1.0]) == [2.0, 3.0, 1.0]


def test_a_task_that_may_use_any_core_leaves_the_crowded_one_to_those_that_must() -> None:
    # the free one has core 1 to itself
    assert worked(placed(2, (0,), (0,), ()), ideal_host(2), [1.0, 1.0, 1.0]) == [2.0, 2.0, 1.0]
    # one pinned and two free ones on two cores: all get two thirds
    assert worked(placed(2, (0,), (), ()), ideal_host(2), [1.0, 1.0, 1.0]) == pytest.approx([1.5, 1.5, 1.5])


def test_a_reader_on_its_writers_core_is_woken_near_and_on_an_idle_one_far() -> None:
    clock = Clock()
    placement = placed(2, (0,), (0,), (1,))
    cores = Cores(clock, ideal_host(2, wake_near_s=1.0, wake_far_s=2.0), placement)
    same, other = placement.group["s0"], placement.group["s2"]
    assert cores.wake_delay(same, same) == 1.0
    assert cores.wake_delay(same, other) == 2.0


def line(
    pins: dict[str, list[int]], *, cores: int, rate: float | None = None, scv: float = 0.0, count: int = 2000
) -> Any:
    """A source and the stations a, b, c of 1, 2 and 1 ms for each record."""
    need = {"a": "1 ms", "b": "2 ms", "c": "1 ms"}
    paced: dict[str, Any] = {"rate": rate, "arrivals": "poisson"} if rate else {}
    return load(
        {
            "sources": {"in": {"operator": "generate", "count": count, "kind": "fixed", "size": 100, **paced}},
            "stations": {
                name: {"operator": "work", "service": demand, "cores": pins.get(name, [])}
                for name, demand in need.items()
            },
            "host": {"cores": cores},
            "service": {
                "in": {"bytes": 100 * count, "record_bytes": 100},
                **{name: {"per_record": one, "scv": scv, "record_bytes": 100} for name, one in need.items()},
            },
            "simulate": {"replications": 2},
        }
    )


FAST = Profile(host=HostProfile(cores=2, available_cores=2.0, speed=(1.0, 1.0), wake_near_s=0.0, wake_far_s=0.0))


def makespan(scenario: Any) -> float:
    return float(simulate(scenario, FAST).runs[0].makespan_s)


def test_a_line_on_one_pinned_core_takes_the_sum_of_its_work() -> None:
    pinned = makespan(line({"a": [0], "b": [0], "c": [0]}, cores=2))
    assert pinned == pytest.approx(8.0, rel=1e-3)
    assert pinned == pytest.approx(makespan(line({}, cores=1)), rel=1e-9)


def test_pins_to_all_cores_change_no_bit_of_a_simulation() -> None:
    everywhere = {name: [0, 1] for name in "abc"}
    assert makespan(line(everywhere, cores=2)) == makespan(line({}, cores=2))


def test_the_pinned_cores_are_named_as_the_bottleneck_of_a_simulation() -> None:
    scenario = line({"a": [0], "b": [0], "c": [1]}, cores=2, count=20000)  # many times what a pipe holds
    circuit = summarise(simulate(scenario, FAST), scenario).circuit
    found = circuit.bottleneck
    assert found is not None and found.station == "cores 0"
    assert found.share.value == pytest.approx(60.0 / circuit.makespan.value, rel=1e-3)  # c has a last chunk left


def test_record_by_record_disjoint_pins_are_hosts_of_their_own() -> None:
    pins = {"a": [0], "b": [0], "c": [1]}
    by_chunks = simulate_result(line(pins, cores=2, rate=250.0, scv=1.0), FAST, engine="auto")
    compiled = compile_table(line(pins, cores=2), FAST)
    assert [host.name for host in compiled.table.hosts] == ["cores 0", "cores 1"]
    # a and b with 1 and 2 ms share a core: 250/s of 3 ms; utilisation of the core 0.75
    found = by_chunks.circuit.bottleneck
    assert found is not None and found.station == "cores 0"
    assert found.share.value == pytest.approx(0.75, rel=0.1)


def test_record_by_record_overlapping_pins_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"'a' and 'b' share some of the cores.*by chunks it can"):
        compile_table(line({"a": [0]}, cores=2), FAST)
