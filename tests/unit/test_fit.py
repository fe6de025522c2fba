"""Fitting a profile from traces whose truth is known because they were made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streamsim.analysis.fitting.demand import demand_curve, reference_work, setup_and_slope
from streamsim.analysis.fitting.fit import fit
from streamsim.analysis.fitting.gather import Reading
from streamsim.errors import ProfileError
from streamsim.loading import load
from streamsim.scenario import Scenario, ScenarioKey
from streamsim.service import HostProfile
from streamsim.trace import VISIT, RunTrace, StationTrace, Trace
from streamsim.traffic import totals

MEBIBYTE = float(1 << 20)
TIMES = np.linspace(0.0, 2.0, 201)


def station(name: str, bytes_in: np.ndarray, bytes_out: np.ndarray, cpu: np.ndarray, **more: object) -> StationTrace:
    rest = TIMES - cpu
    return StationTrace(
        name=name,
        started_s=0.0,
        ended_s=float(TIMES[-1]),
        time_s=TIMES,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        cpu_s=cpu,
        running_s=cpu,
        runnable_s=np.zeros_like(TIMES),
        starved_s=rest,
        blocked_s=np.zeros_like(TIMES),
        waiting_s=np.zeros_like(TIMES),
        reads=bytes_in / 4096,
        writes=bytes_out / 4096,
        **more,  # type: ignore[arg-type]
    )


def run(stations: dict[str, StationTrace], *, speed: tuple[float, ...] = (1.0, 1.0), busy: float = 1.0) -> RunTrace:
    return RunTrace(
        makespan_s=2.0,
        stations=stations,
        pipes={},
        host=HostProfile(cores=2, available_cores=2.0, speed=speed),
        busy_time_s=TIMES,
        busy_cores=np.full_like(TIMES, busy),
    )


@pytest.fixture
def scenario():  # type: ignore[no-untyped-def]
    return load(
        {"name": "x", "sources": {"s": {"command": "cat /dev/null"}}, "stations": {"sort": {"command": "sort"}}}
    )


def sorting() -> StationTrace:
    """Reads 1 MiB in the first second for 0.2 core-s, sorts for 0.5 s, writes in the last 0.5 s for 0.1 core-s."""
    taken = np.clip(TIMES, 0, 1) * MEBIBYTE
    given = np.clip((TIMES - 1.5) / 0.5, 0, 1) * MEBIBYTE
    cpu = 0.2 * np.clip(TIMES, 0, 1) + np.clip(TIMES - 1, 0, 0.5) + 0.1 * np.clip((TIMES - 1.5) / 0.5, 0, 1)
    return station("sort", taken, given, cpu)


def flowing(name: str) -> StationTrace:
    moved = TIMES / 2 * MEBIBYTE
    return station(name, np.zeros_like(TIMES), moved, 0.25 * TIMES)


def trace_of(*runs: RunTrace) -> Trace:
    return Trace(world="measured", engine="pipes", scenario=ScenarioKey(name="x", digest=""), runs=runs)


def test_a_barrier_is_recognised_and_its_phases_told_apart(scenario) -> None:  # type: ignore[no-untyped-def]
    profile = fit(trace_of(run({"s": flowing("s"), "sort": sorting()})), scenario).stations["sort"]
    assert profile.barrier
    assert profile.service.per_byte * MEBIBYTE == pytest.approx(0.2, rel=0.03)
    assert profile.service.finish == pytest.approx(0.5, rel=0.03)
    assert profile.service.output_per_byte * MEBIBYTE == pytest.approx(0.1, rel=0.03)


def test_a_streaming_source_keeps_its_demand_for_each_byte_given(scenario) -> None:  # type: ignore[no-untyped-def]
    profile = fit(trace_of(run({"s": flowing("s"), "sort": sorting()})), scenario).stations["s"]
    assert not profile.barrier
    assert profile.bytes_in == 0
    assert profile.service.demand(0, MEBIBYTE) - profile.service.setup == pytest.approx(0.5, rel=0.02)


def test_who_left_most_of_its_file_unread_takes_so_much_of_a_longer_one_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "long").write_bytes(bytes(1 << 24))
    (tmp_path / "short").write_bytes(bytes(1 << 20))

    def of(file: str) -> Scenario:
        return load({"sources": {"s": {"file": str(tmp_path / file)}}, "stations": {"h": {"command": "head"}}})

    taken = TIMES / 2 * MEBIBYTE
    seen = trace_of(run({"h": station("h", taken, taken, 0.25 * TIMES)}))
    stopped, whole = (fit(seen, of(file)).stations for file in ("long", "short"))
    assert [stopped["h"].stops, whole["h"].stops] == [True, False]
    assert totals(of("long"), stopped)["h"].bytes_in == 1 << 20
    assert totals(of("long"), whole)["h"].bytes_in == 1 << 24


def test_work_done_on_slow_cores_counts_less(scenario) -> None:  # type: ignore[no-untyped-def]
    both = {"s": flowing("s"), "sort": sorting()}
    slow = fit(trace_of(run(both, speed=(1.0, 0.5), busy=2.0)), scenario).stations["sort"].service
    fast = fit(trace_of(run(both, speed=(1.0, 0.5), busy=1.0)), scenario).stations["sort"].service
    assert slow.finish == pytest.approx(fast.finish / 2, rel=1e-6)


def test_a_plateau_in_the_middle_of_the_stream_is_kept_as_a_curve() -> None:
    taken = np.interp(TIMES, [0, 0.5, 1.5, 2.0], [0, 0.5, 0.5, 1.0]) * MEBIBYTE
    cpu = np.interp(TIMES, [0, 0.5, 1.5, 2.0], [0, 0.05, 0.95, 1.0])
    one = station("sort", taken, np.zeros_like(TIMES), cpu)
    curve = demand_curve([Reading(one, reference_work(run({"sort": one}), one), 0, len(TIMES) - 1)])
    before = [point for point in curve if point.taken < 0.49]
    after = [point for point in curve if point.taken > 0.51]
    assert max(point.demand for point in before) < 0.06
    assert min(point.demand for point in after) > 0.94


def test_an_even_demand_needs_no_curve() -> None:
    one = station("tr", TIMES * MEBIBYTE, TIMES * MEBIBYTE, 0.5 * TIMES)
    assert demand_curve([Reading(one, reference_work(run({"tr": one}), one), 0, len(TIMES) - 1)]) == ()


def test_setup_is_told_from_bytes_where_chunks_vary() -> None:
    rng = np.random.default_rng(5)
    sizes = rng.integers(100, 65536, 500).astype(float)
    calls = np.ones(500)
    works = (20e-6 * calls + 2e-9 * sizes) * rng.normal(1, 0.02, 500)
    setup, _, per_byte = setup_and_slope(calls, np.zeros(500), sizes, works)
    assert setup == pytest.approx(20e-6, rel=0.05)
    assert per_byte == pytest.approx(2e-9, rel=0.05)


def test_a_trace_of_another_circuit_is_refused(scenario) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProfileError, match="no station 'sort'"):
        fit(trace_of(run({"s": flowing("s")})), scenario)


def test_what_a_source_of_ours_hands_over_is_a_visit_however_many_writes_a_full_pipe_makes_of_it() -> None:
    visits = np.zeros(64, dtype=VISIT)
    visits["given"], visits["records_out"] = 16384, 10
    visits["got"], visits["served"] = np.linspace(0, 1.9, 64), np.linspace(0.01, 1.91, 64)
    visits["cpu"] = 0.001
    given = TIMES / 2 * MEBIBYTE
    source = station("s", np.zeros_like(TIMES), given, 0.032 * TIMES, visits=visits)
    sink = station("map", given, np.zeros_like(TIMES), 0.1 * TIMES)
    circuit = load({"name": "x", "sources": {"s": {"operator": "generate"}}, "stations": {"map": {"command": "cat"}}})
    assert fit(trace_of(run({"s": source, "map": sink})), circuit).stations["s"].write_bytes == 16384


def test_buffers_are_powers_of_two_where_they_nearly_are(scenario) -> None:  # type: ignore[no-untyped-def]
    def read_bytes(each: float) -> float:
        tool = dataclasses.replace(sorting(), reads=sorting().bytes_in / each)
        return fit(trace_of(run({"s": flowing("s"), "sort": tool})), scenario).stations["sort"].read_bytes

    assert read_bytes(4230.0) == 4096
    assert read_bytes(63_000.0) == 65536
    assert read_bytes(5000.0) == pytest.approx(5000, rel=1e-6)
