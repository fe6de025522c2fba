"""What one station does with its input: chunks, buffers, barriers, curves, several inputs and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.circuit import Circuit, Feed, Pipe, Sink, Station
from streamsim.errors import ModelError
from streamsim.models.curve import DemandCurve
from streamsim.scenario import Host, Load, Scenario
from streamsim.service import CurvePoint, Profile, StationProfile
from streamsim.trace import RunTrace
from tests.unit.modelled import PAGE, budget, chain, giving, ideal_host, run, taking


def last(run_trace: RunTrace, name: str, curve: str) -> float:
    return float(getattr(run_trace.stations[name], curve)[-1])


def test_a_full_pipe_blocks_the_writer_after_service() -> None:
    one = run(*chain(giving(10 * PAGE, setup=1.0), taking(setup=4.0), slots=1))
    # The writer serves its 10 chunks in 10 s and is done when the reader begins with its ninth, at 1 + 8 · 4 s.
    assert one.stations["s0"].ended_s == pytest.approx(33.0)
    assert budget(one.stations["s0"])["running_s"] == pytest.approx(10.0)
    assert budget(one.stations["s0"])["blocked_s"] == pytest.approx(23.0)


def test_an_empty_pipe_starves_the_reader() -> None:
    one = run(*chain(giving(10 * PAGE, setup=4.0), taking(setup=1.0)))
    assert budget(one.stations["s1"])["starved_s"] == pytest.approx(31.0)
    assert one.makespan_s == pytest.approx(41.0)


def test_a_reader_takes_what_is_there_up_to_its_buffer() -> None:
    one = run(*chain(giving(16 * PAGE), taking(read=3 * PAGE, setup=1.0), operators=True))
    visits = one.stations["s1"].visits
    assert visits is not None
    assert visits["taken"].tolist() == [*[3 * PAGE] * 5, PAGE]


def test_a_tool_writes_full_buffers_and_the_rest_at_the_end() -> None:
    one = run(*chain(giving(10_000, write=1000, record=100), taking(read=1000, write=4096, setup=1.0), taking()))
    assert last(one, "s1", "writes") == 3  # 4096, 4096, 1808
    assert last(one, "s1", "bytes_out") == 10_000


def test_an_operator_flushes_after_every_chunk() -> None:
    one = run(
        *chain(
            giving(10_000, write=1000, record=100),
            taking(read=1000, gives=0.5, record=100, setup=1.0),
            taking(record=50),
            operators=True,
        )
    )
    visits = one.stations["s1"].visits
    assert visits is not None
    assert visits["given"].tolist() == [500] * 10
    assert visits["records_in"].tolist() == [10] * 10


def test_a_tool_that_gathers_works_only_on_whole_buffers() -> None:
    one = run(
        *chain(giving(10 * PAGE, setup=1.0), taking(gather_bytes=4.0 * PAGE, setup=1.0), taking(), operators=True)
    )
    visits = one.stations["s1"].visits
    assert visits is not None
    assert visits["taken"].tolist() == [4 * PAGE, 4 * PAGE, 2 * PAGE]


def test_filling_a_buffer_costs_before_the_work_on_it_begins() -> None:
    # 4 pages come in 4 s, each costs 0.25 s to take; then 3 s of work, during which the next 4 come.
    sorter = taking(gather_bytes=4.0 * PAGE, per_byte=1.0 / PAGE, filling_per_byte=0.25 / PAGE, barrier=True)
    one = run(*chain(giving(8 * PAGE, setup=1.0), sorter))
    assert last(one, "s1", "cpu_s") == pytest.approx(8.0)
    assert one.makespan_s == pytest.approx(8.0 + 0.25 + 3.0)
    two = run(*chain(giving(8 * PAGE, setup=1.0), sorter, slots=1))
    # The pipe holds one page: of the next four, one lies there and one is in the hands of the source.
    assert two.makespan_s == pytest.approx(4.25 + 3.0 + 0.25 + 2 * 1.0 + 0.25 + 3.0, abs=0.5)


def test_held_bytes_stay_back_until_the_end() -> None:
    one = run(*chain(giving(10 * PAGE, setup=1.0), taking(held_bytes=4.0 * PAGE), taking(), operators=True))
    visits = one.stations["s1"].visits
    assert visits is not None
    assert visits["given"].tolist() == [0, 0, 0, 0, *[PAGE] * 6, 4 * PAGE]


def test_a_barrier_gives_nothing_before_its_input_has_ended() -> None:
    one = run(*chain(giving(10 * PAGE, setup=1.0), taking(barrier=True, gives=0.25), taking()))
    station = one.stations["s1"]
    assert (station.bytes_out[station.time_s < 10.0] == 0).all()
    assert station.bytes_out[-1] == 10 * PAGE * 0.25


def test_bytes_out_follow_from_the_selectivity_to_the_byte() -> None:
    one = run(*chain(giving(99_999, record=1), taking(gives=0.3, record=1), taking(record=1)))
    assert last(one, "s1", "bytes_out") == last(one, "s2", "bytes_in") == 30_000  # ceil(29999.7)


def test_a_demand_curve_puts_the_work_where_it_was() -> None:
    curve = (CurvePoint(0.5, 0.0), CurvePoint(0.5, 0.8), CurvePoint(1.0, 1.0))
    one = run(*chain(giving(100 * PAGE), taking(per_byte=1.0 / PAGE, curve=curve), operators=True))
    visits = one.stations["s1"].visits
    assert visits is not None
    np.testing.assert_allclose(visits["cpu"], [0.0] * 49 + [80.0] + [0.4] * 50, atol=1e-9)
    assert one.makespan_s == pytest.approx(100.0)


def test_a_piece_of_the_curve_uses_as_many_cores_as_it_can() -> None:
    curve = (CurvePoint(0.5, 0.5), CurvePoint(1.0, 1.0, 3.0))
    one = run(*chain(giving(30 * PAGE), taking(per_byte=1.0 / PAGE, curve=curve), host=ideal_host(4)))
    assert one.makespan_s == pytest.approx(15 + 15 / 3)
    assert last(one, "s1", "cpu_s") == pytest.approx(30.0)
    assert last(one, "s1", "running_s") == pytest.approx(20.0)  # wall time with at least one thread on a core


def test_what_comes_beyond_the_curve_costs_the_mean() -> None:
    curve = DemandCurve([CurvePoint(1.0, 1.0)], 100, 10.0)
    assert curve.up_to(100) == [(10.0, 1.0)]
    assert curve.up_to(120) == [(2.0, 1.0)]


def test_a_reader_that_ends_early_ends_its_writer() -> None:
    head = StationProfile(bytes_in=3.0 * PAGE, bytes_out=PAGE, read_bytes=PAGE, record_bytes=PAGE)
    one = run(*chain(giving(1000 * PAGE, setup=1.0), taking(), head))
    assert last(one, "s2", "bytes_in") == 3 * PAGE
    assert one.makespan_s < 10
    assert last(one, "s0", "bytes_out") < 10 * PAGE


def test_a_file_needs_no_pipe() -> None:
    circuit = Circuit(
        stations=(Station(name="cut", command="cut", inputs=("file",)),),
        feeds=(Feed("file", "f"),),
        sinks=(Sink("out", "cut", None),),
    )
    scenario = Scenario(name="feed", circuit=circuit, source_bytes={"file": 10 * PAGE})
    one = run(scenario, Profile(stations={"cut": taking(setup=1.0)}, host=ideal_host(1)))
    assert one.makespan_s == pytest.approx(10.0)
    assert budget(one.stations["cut"])["starved_s"] == 0


def forked(join: str, slow: StationProfile, *, slots: int = 16, chunk: int = PAGE, count: int = 100) -> RunTrace:
    """A source, a copy, a branch with a station, a bare branch, and a join of both."""
    stations = (
        Station(name="src", command="make", role="source"),
        Station(name="copy", operator="copy", inputs=("src",), role="copy"),
        Station(name="slow", command="tool", inputs=("copy",)),
        Station(name="join", command=join, inputs=("slow", "copy"), labels=("slow", "copy")),
    )
    pipes = tuple(
        Pipe(a, b, slots * PAGE) for a, b in (("src", "copy"), ("copy", "slow"), ("slow", "join"), ("copy", "join"))
    )
    profiles = {
        "src": giving(count * chunk, write=chunk, record=chunk),
        "copy": taking(read=chunk, record=chunk),
        "slow": slow,
        "join": taking(read=chunk, record=chunk),
    }
    scenario = Scenario(name="fork", circuit=Circuit(stations=stations, pipes=pipes), host=Host(cores=4))
    return run(scenario, Profile(stations=profiles, host=ideal_host(4)))


def test_a_copy_gives_the_same_bytes_to_every_output() -> None:
    one = forked("comm {slow} {copy}", taking(setup=1.0))
    assert last(one, "copy", "bytes_out") == 100 * PAGE
    assert last(one, "slow", "bytes_in") == 100 * PAGE
    assert last(one, "join", "bytes_in") == 200 * PAGE


def test_a_merge_reads_both_inputs_in_step() -> None:
    one = forked("comm {slow} {copy}", taking(setup=1.0))
    # It never has more than a chunk more of the fast input than of the slow one, so the bare pipe fills up.
    level = one.pipes["copy->join"].level_bytes
    assert level.max() == 16 * PAGE
    assert budget(one.stations["copy"])["blocked_s"] > 50


@pytest.mark.parametrize(("size", "count"), [(100, 640), (2048, 32), (2049, 16), (4097, 10)])
def test_a_fork_join_over_a_barrier_deadlocks_at_the_record_that_the_bare_pipe_cannot_take(
    size: int, count: int
) -> None:
    barrier = taking(read=size, write=size, record=size, barrier=True)
    one = forked("cat {slow} {copy}", barrier, chunk=size, count=count)
    assert last(one, "join", "bytes_in") == 2 * size * count
    with pytest.raises(ModelError, match=r"deadlocks at .*'copy' is blocked by the full pipe copy->join"):
        forked("cat {slow} {copy}", barrier, chunk=size, count=count + 1)


def test_a_copy_goes_on_without_a_reader_that_has_gone() -> None:
    stations = (
        Station(name="src", command="make", role="source"),
        Station(name="copy", operator="copy", inputs=("src",), role="copy"),
        Station(name="head", command="head", inputs=("copy",)),
        Station(name="all", command="wc", inputs=("copy",)),
    )
    pipes = (Pipe("src", "copy"), Pipe("copy", "head"), Pipe("copy", "all"))
    head = StationProfile(bytes_in=PAGE, bytes_out=PAGE, read_bytes=PAGE, record_bytes=PAGE)
    profiles = {"src": giving(50 * PAGE, setup=1.0), "copy": taking(), "head": head, "all": taking()}
    scenario = Scenario(name="fork", circuit=Circuit(stations=stations, pipes=pipes), host=Host(cores=4))
    one = run(scenario, Profile(stations=profiles, host=ideal_host(4)))
    assert last(one, "head", "bytes_in") == PAGE
    assert last(one, "all", "bytes_in") == 50 * PAGE


def test_a_closed_load_ends_with_its_duration() -> None:
    one = run(*chain(giving(1000 * PAGE, setup=1.0), taking(), load=Load(duration_s=7.5)))
    assert last(one, "s0", "bytes_out") == 8 * PAGE  # the chunk that was begun in time is given whole


def test_a_reader_behind_a_command_ends_with_its_records_and_so_does_the_command() -> None:
    stations = (
        Station(name="make.command", command="yes", role="source"),
        Station(name="make", operator="file", inputs=("make.command",), role="source"),
        Station(name="end", command="wc", inputs=("make",)),
    )
    pipes = (Pipe("make.command", "make"), Pipe("make", "end"))
    scenario = Scenario(
        name="limited",
        circuit=Circuit(stations=stations, pipes=pipes),
        host=Host(cores=4),
        loads={"make": Load(records=5)},
    )
    profiles = {"make.command": giving(100 * PAGE, setup=1.0), "make": taking(), "end": taking()}
    one = run(scenario, Profile(stations=profiles, host=ideal_host(4)))
    assert last(one, "end", "bytes_in") == 5 * PAGE
    assert last(one, "make.command", "bytes_out") < 10 * PAGE
