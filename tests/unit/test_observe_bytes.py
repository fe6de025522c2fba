"""From rows of counters and visits to the bytes of stations and pipes."""

from __future__ import annotations

import numpy as np

from streamsim.loading import load
from streamsim.real.observation.bytes_through import Seen, bytes_through
from streamsim.real.observation.watch import COLUMNS, RCHAR, SWEEP, TIME, WCHAR
from streamsim.real.plan import make_plan
from streamsim.trace import VISIT


def rows(*values: tuple[float, float, float]) -> np.ndarray:
    """Rows of (sweep, bytes read, bytes written); a sweep is a second."""
    table = np.zeros((len(values), COLUMNS))
    for row, (sweep, rchar, wchar) in zip(table, values, strict=True):
        row[SWEEP] = row[TIME] = sweep
        row[RCHAR], row[WCHAR] = rchar, wchar
    return table


CHAIN = make_plan(
    load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "cat"}, "c": {"command": "cat"}}})
)
SOURCE, MIDDLE, LAST = CHAIN.processes


def test_nothing_is_seen_of_a_sleeper_until_it_moves_again() -> None:
    seen = {
        "a": Seen(process=SOURCE, rows=rows((0, 0, 0), (1, 0, 100), (4, 0, 300)), ended=4),
        "b": Seen(process=MIDDLE, rows=rows((0, 0, 0), (2, 100, 100), (5, 300, 300)), ended=5),
        "c": Seen(process=LAST, rows=rows((0, 0, 0), (3, 100, 0), (6, 300, 9)), ended=6),
    }
    moved = bytes_through(CHAIN, seen, CHAIN.pipes, {})
    assert moved.sweeps.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert moved.given["a"].tolist() == [0, 100, 100, 100, 300, 300, 300]
    assert moved.taken["c"].tolist() == [0, 0, 0, 100, 100, 100, 300]
    assert moved.given["c"][-1] == 9
    assert moved.at(moved.given["a"], np.array([1.0, 3.0, 4.0])).tolist() == [100, 100, 300]


def test_visits_are_believed_before_counters() -> None:
    visits = np.zeros(2, VISIT)
    visits["got"], visits["sent"] = (1.0, 2.5), (1.5, 3.0)
    visits["taken"], visits["given"] = 40, 70
    seen = {
        "a": Seen(process=SOURCE, rows=rows((0, 0, 0), (3, 0, 9999)), ended=3),
        "b": Seen(process=MIDDLE, rows=rows((0, 0, 0), (2, 5000, 0), (4, 9000, 9000)), ended=4, visits=visits),
        "c": Seen(process=LAST, rows=rows((0, 0, 0), (5, 8000, 3)), ended=5, spills=True),
    }
    moved = bytes_through(CHAIN, seen, CHAIN.pipes, {})
    assert moved.taken["b"].tolist() == [0, 40, 80, 80, 80]
    assert moved.given["b"].tolist() == [0, 70, 140, 140, 140]
    assert moved.given["a"][-1] == 80
    assert moved.taken["c"][-1] == 140


def test_a_file_on_standard_input_is_told_from_what_was_read_before() -> None:
    seen = {
        "a": Seen(process=SOURCE, rows=rows((0, 0, 0), (1, 900, 0), (2, 1900, 0)), ended=2, feed_bytes=1000.0,
                  feed_start=900.0),
        "b": Seen(process=MIDDLE, rows=rows((0, 0, 0), (3, 0, 0)), ended=3),
        "c": Seen(process=LAST, rows=rows((0, 0, 0), (4, 0, 0)), ended=4),
    }  # fmt: skip
    assert bytes_through(CHAIN, seen, CHAIN.pipes, {}).taken["a"].tolist() == [0, 0, 1000, 1000, 1000]


def test_where_a_process_stopped_in_its_file_says_how_much_it_took() -> None:
    seen = {
        "a": Seen(process=SOURCE, rows=rows((0, 0, 0), (1, 900, 0), (2, 1500, 0)), ended=2, feed_bytes=1000.0,
                  feed_start=1000.0, feed_end=700.0),
        "b": Seen(process=MIDDLE, rows=rows((0, 0, 0), (3, 0, 0)), ended=3),
        "c": Seen(process=LAST, rows=rows((0, 0, 0), (4, 0, 0)), ended=4),
    }  # fmt: skip
    assert bytes_through(CHAIN, seen, CHAIN.pipes, {}).taken["a"].tolist() == [0, 0, 500, 500, 700]


def test_a_sorter_at_the_end_gives_what_it_wrote_less_what_it_read_back() -> None:
    seen = {
        "a": Seen(process=SOURCE, rows=rows((0, 0, 0), (1, 0, 500)), ended=1),
        "b": Seen(process=MIDDLE, rows=rows((0, 0, 0), (2, 500, 500)), ended=2),
        "c": Seen(process=LAST, rows=rows((0, 0, 0), (2, 500, 400), (3, 900, 900)), ended=3, spills=True),
    }
    assert bytes_through(CHAIN, seen, CHAIN.pipes, {}).given["c"].tolist() == [0, 0, 0, 500]


def test_several_inputs_are_told_apart_by_what_is_still_in_each_pipe() -> None:
    plan = make_plan(
        load({"sources": {"a": {"command": "seq 9"}, "b": {"command": "seq 9"}},
              "stations": {"j": {"command": "comm {a} {b}", "input": ["a", "b"]}}})
    )  # fmt: skip
    first, second, join = plan.processes
    seen = {
        "a": Seen(process=first, rows=rows((0, 0, 0), (1, 0, 300)), ended=1),
        "b": Seen(process=second, rows=rows((0, 0, 0), (1, 0, 200)), ended=1),
        "j": Seen(process=join, rows=rows((0, 0, 0), (1, 260, 0), (2, 507, 90)), ended=2),
    }
    levels = {"a->j": np.array([[1.0, 200.0], [2.0, 0.0]]), "b->j": np.array([[1.0, 40.0], [2.0, 0.0]])}
    moved = bytes_through(plan, seen, plan.pipes, levels)
    assert moved.pipes["a->j"].taken.tolist() == [0, 100, 300]
    assert moved.pipes["b->j"].taken.tolist() == [0, 160, 200]
    assert moved.taken["j"].tolist() == [0, 260, 500]
