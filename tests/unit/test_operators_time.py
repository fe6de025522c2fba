"""Windows and joins against plain computations over the whole input."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.errors import RunError, ScenarioError
from streamsim.operators import check, create
from streamsim.operators.base import Operator

RANDOM = random.Random(11)


def lines(rows: list[tuple[Any, ...]]) -> bytes:
    return b"".join(",".join(map(str, row)).encode() + b"\n" for row in rows)


@settings(deadline=None, max_examples=150)
@given(values=st.lists(st.integers(-9, 9), max_size=40), size=st.integers(1, 9), slide=st.integers(1, 9))
def test_sliding_windows_are_slices_of_the_input(values: list[int], size: int, slide: int) -> None:
    slide = min(slide, size)
    parameters = {"size": size, "slide": slide, "column": 1, "function": "sum"}
    out = create("window", parameters).run(lines([(value,) for value in values])).decode().split()
    starts = [start for start in range(0, len(values), slide) if start + size <= len(values)]
    covered = starts[-1] + size if starts else 0
    if covered < len(values):
        starts.append(starts[-1] + slide if starts else 0)
    assert out == [f"{place},{sum(values[start : start + size])}" for place, start in enumerate(starts, start=1)]


def test_windows_with_a_key_are_those_of_each_key_alone() -> None:
    rows = [(RANDOM.choice("abc"), RANDOM.randrange(100)) for _ in range(500)]
    parameters = {"size": 10, "slide": 5, "column": 2, "function": "max"}
    together = create("window", {**parameters, "key": 1}).run(lines(rows)).decode().split()
    for key in "abc":
        alone = create("window", parameters).run(lines([row for row in rows if row[0] == key])).decode().split()
        mine = [line.split(",") for line in together if line.split(",")[1] == key]
        assert [f"{number},{value}" for number, _, value in mine] == alone


@settings(deadline=None, max_examples=150)
@given(
    times=st.lists(st.integers(0, 60), max_size=40),
    across=st.integers(1, 3),
    slide=st.sampled_from([1, 5, 0.5]),
    late=st.sampled_from([0, 100]),
)
def test_time_windows_hold_what_falls_into_them(times: list[int], across: int, slide: float, late: int) -> None:
    times = times if late else sorted(times)
    rows = [(time, "ab"[place % 2], place) for place, time in enumerate(times)]
    parameters = {"time": 1, "size": across * slide, "slide": slide, "lateness": late, "key": 2, "value": 3}
    out = create("time-window", {**parameters, "function": "sum"}).run(lines(rows)).decode().split()
    expected = defaultdict(int)
    for time, key, value in rows:
        pane = int(time // slide)
        for start in range(pane - across + 1, pane + 1):
            expected[start * slide, key] += value
    assert [(float(start), key, int(value)) for start, key, value in (line.split(",") for line in out)] == [
        (start, key, value) for (start, key), value in sorted(expected.items())
    ]


def test_a_window_of_time_is_written_as_soon_as_it_is_over() -> None:
    window = create("time-window", {"time": 1, "size": 10, "lateness": 2})
    assert isinstance(window, Operator)
    assert window.feed(b"1\n9\n11\n") == b""
    assert window.feed(b"8\n12\n") == b"0,3\n"
    with pytest.raises(RunError, match=r"record 6, byte 12: time 9.5 comes too late, 12 has been"):
        window.feed(b"9.5\n")


def test_a_long_gap_in_time_costs_nothing() -> None:
    out = create("time-window", {"time": 1, "size": 2, "slide": 1}).run(b"0\n1000000000000\n")
    assert out == b"-1,1\n0,1\n999999999999,1\n1000000000000,1\n"


def joined(left: list[tuple[Any, ...]], right: list[tuple[Any, ...]], within: float) -> list[str]:
    return sorted(
        ",".join(map(str, (*one, other[0], *other[2:])))
        for one in left
        for other in right
        if one[1] == other[1] and abs(one[0] - other[0]) <= within
    )


@settings(deadline=None, max_examples=80)
@given(
    sides=st.tuples(*[st.lists(st.tuples(st.integers(0, 30), st.sampled_from("xyz")), max_size=25)] * 2),
    within=st.sampled_from([None, 0, 3]),
    order=st.lists(st.booleans(), min_size=50, max_size=50),
)
def test_a_join_finds_every_pair_whichever_input_is_faster(
    sides: tuple[list[tuple[int, str]], ...], within: float | None, order: list[bool]
) -> None:
    left, right = ([(*row, place) for place, row in enumerate(sorted(side))] for side in sides)
    parameters: dict[str, Any] = {"left": 2, "right": 2}
    if within is not None:
        parameters |= {"within": within, "left_time": 1, "right_time": 1}
    join = create("join", parameters)
    assert isinstance(join, Operator)
    rows, out = [list(left), list(right)], []
    for first in [*order, *[True] * 50, *[False] * 50]:
        port = 0 if first else 1
        if rows[port]:
            out.append(join.feed(lines([rows[port].pop(0)]), port))
    out.append(join.finish())
    wanted = joined(left, right, float("inf") if within is None else within)
    assert sorted(b"".join(out).decode().split()) == wanted


def test_a_join_in_time_forgets_what_is_too_old() -> None:
    join: Any = create("join", {"left": 2, "right": 2, "within": 5, "left_time": 1, "right_time": 1})
    for time in range(1000):
        join.feed(b"%d,k\n" % time, 0)
        join.feed(b"%d,k\n" % time, 1)
    assert all(len(side.order) < 10 and len(side.rows[b"k"]) < 10 for side in join._sides)
    with pytest.raises(RunError, match=r"input 2, record 1001, byte .*: time 3 comes too late"):
        join.feed(b"3,k\n", 1)


@pytest.mark.parametrize(
    ("name", "parameters", "path"),
    [
        ("window", {"size": 2, "slide": 3}, "slide"),
        ("time-window", {"time": 1, "size": 10, "slide": 3}, "slide"),
        ("time-window", {"time": 1, "size": 10, "slide": 20}, "slide"),
        ("time-window", {"time": 1, "size": 10, "function": "mean"}, "value"),
        ("join", {"left": 1, "right": 1, "within": 3, "left_time": 1}, "right_time"),
        ("join", {"left": 1, "right": 1, "left_time": 1}, "left_time"),
    ],
)
def test_what_does_not_go_together_is_refused(name: str, parameters: dict[str, Any], path: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        check(name, parameters, path="stations.a")
    assert caught.value.path == f"stations.a.{path}"
