"""The fluid model against makespans that can be worked out by hand."""

from __future__ import annotations

import math

import pytest

from streamsim.analysis.prediction.fluid import Segment, Work, solve
from streamsim.errors import ModelError
from streamsim.service import HostProfile


def host(cores: int, *, available: float | None = None, speed: tuple[float, ...] | None = None) -> HostProfile:
    return HostProfile(cores=cores, available_cores=available or float(cores), speed=speed or (1.0,) * cores)


def work(station: str, amount: float, *, threads: float = 1.0, waiting: float = 0.0) -> Work:
    return Work(station=station, at=(0.0, 1.0), done=(0.0, amount), threads=(threads,), waiting=waiting)


def test_the_slowest_station_sets_the_pace_while_cores_are_free() -> None:
    segment = Segment(name="s", works=(work("a", 1.0), work("b", 3.0), work("c", 2.0)))
    assert solve([segment], host(4)).makespan == pytest.approx(3.0)


def test_work_adds_up_on_one_core() -> None:
    segment = Segment(name="s", works=(work("a", 1.0), work("b", 3.0), work("c", 2.0)))
    answer = solve([segment], host(1))
    assert answer.makespan == pytest.approx(6.0)
    assert answer.held_back([segment]) == pytest.approx({"host": 6.0, "a": 1.0, "b": 3.0, "c": 2.0})


def test_two_cores_at_reduced_speed_give_less_than_two() -> None:
    segment = Segment(name="s", works=(work("a", 2.0), work("b", 2.0)))
    assert solve([segment], host(2, speed=(1.0, 0.8))).makespan == pytest.approx(2.0 / 0.8)


def test_threads_shorten_a_station_but_not_its_work() -> None:
    answer = solve([Segment(name="s", works=(work("sort", 4.0, threads=2.0),))], host(2))
    assert answer.makespan == pytest.approx(2.0)
    assert answer.cpu["sort"] == pytest.approx(4.0)
    assert answer.running["sort"] == pytest.approx(2.0)


def test_waiting_takes_time_and_no_core() -> None:
    segment = Segment(name="s", works=(work("a", 1.0, waiting=2.0), work("b", 2.5)))
    assert solve([segment], host(1)).makespan == pytest.approx(3.5)


def test_segments_follow_each_other_across_a_barrier() -> None:
    reading = Segment(name="reading", works=(work("tr", 2.0), work("sort", 1.0)))
    writing = Segment(name="writing", works=(work("sort", 1.0), work("uniq", 0.5)), after=("reading",))
    answer = solve([reading, writing], host(2))
    assert answer.makespan == pytest.approx(3.0)
    assert answer.began["writing"] == pytest.approx(2.0)


def test_only_what_the_end_waited_for_holds_back() -> None:
    short = Segment(name="short", works=(work("a", 1.0),))
    reading = Segment(name="reading", works=(work("b", 2.0), work("c", 1.0)))
    writing = Segment(name="writing", works=(work("d", 0.5),), after=("short", "reading"))
    segments = [short, reading, writing]
    answer = solve(segments, host(3))
    assert answer.held_back(segments) == pytest.approx({"b": 2.0, "d": 0.5})
    assert answer.held_back(segments, but="writing") == pytest.approx({"b": 2.0})


def test_independent_segments_share_the_cores() -> None:
    one, other = Segment(name="a", works=(work("a", 2.0),)), Segment(name="b", works=(work("b", 1.0),))
    answer = solve([one, other], host(1))
    assert answer.makespan == pytest.approx(3.0)
    assert answer.ended["b"] < answer.ended["a"]


def test_a_plateau_in_the_demand_makes_the_others_wait() -> None:
    # sort does nothing until half of the stream, then 2 s at once: tr (1 s for each half) cannot go on meanwhile
    plateau = Work(station="sort", at=(0.0, 0.5, 0.5001, 1.0), done=(0.0, 0.0, 2.0, 2.0), threads=(1.0, 1.0, 1.0))
    segment = Segment(name="s", works=(work("tr", 2.0), plateau))
    assert solve([segment], host(2)).makespan == pytest.approx(4.0, rel=1e-3)


def test_segments_that_wait_for_each_other_are_refused() -> None:
    circle = [Segment(name="a", works=(work("a", 1.0),), after=("b",)), Segment(name="b", works=(), after=("a",))]
    with pytest.raises(ModelError, match="wait for each other"):
        solve(circle, host(1))


def test_threads_have_the_cores_that_others_leave_while_they_run() -> None:
    # T = 1/(2 − 0.5/T) + 0.3: the source runs on what the reader's half a core-second leaves, then waits 0.3 s
    source = Work(station="a", at=(0.0, 1.0), done=(0.0, 1.0), threads=(3.0,), waiting=0.3)
    reader = Work(station="b", at=(0.0, 1.0), done=(0.0, 0.5), threads=(1.0,))
    found = solve([Segment(name="s", works=(source, reader))], HostProfile(cores=2, available_cores=2, speed=(1, 1)))
    assert found.makespan == pytest.approx((2.1 + math.sqrt(2.1**2 - 4 * 2 * 0.15)) / 4, rel=1e-4)
    assert found.running["a"] == pytest.approx(found.makespan - 0.3, rel=1e-4)
