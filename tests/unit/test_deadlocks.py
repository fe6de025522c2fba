"""Which circuits can stand still, and at which record."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.deadlocks import risks
from streamsim.loading import load
from streamsim.real.run import run
from streamsim.slots import SlotPipe, held, least_held

FIXED = {"operator": "generate", "kind": "fixed", "size": 100}


def found(stations: dict[str, Any], **source: Any) -> list[tuple[str, str, str]]:
    document = {"sources": {"a": source or {"command": "seq 9"}}, "stations": stations}
    return [(risk.fork, risk.join, risk.full) for risk in risks(load(document))]


BOTH = {"b": {"command": "cat", "input": "a"}, "c": {"command": "cat", "input": "a"}}


def join(command: str, *inputs: str) -> dict[str, Any]:
    return BOTH | {"j": {"command": command, "input": list(inputs)}}


def test_a_reader_of_one_branch_after_the_other_can_stand_still() -> None:
    assert found(join("cat {b} {c}", "b", "c")) == [("a", "j", "c")]
    assert found(join("cat {c} {b}", "b", "c")) == [("a", "j", "b")]
    assert found(join("cat - {b}", "c", "b")) == [("a", "j", "b")]


def test_readers_side_by_side_can_stand_still_only_where_a_branch_holds_back() -> None:
    assert found(join("paste {b} {c}", "b", "c")) == []
    sorted_first = join("paste {b} {c}", "b", "c") | {"b": {"command": "sort", "input": "a"}}
    assert found(sorted_first) == [("a", "j", "c")]
    thinned = join("paste {b} {c}", "b", "c") | {"b": {"command": "grep 7", "input": "a"}}
    assert found(thinned) == [("a", "j", "c"), ("a", "j", "b")]


def test_who_takes_what_comes_first_never_keeps_a_branch_waiting() -> None:
    assert found(BOTH | {"j": {"operator": "interleave", "input": ["b", "c"]}}) == []


def test_a_merge_of_sorted_branches_waits_for_each() -> None:
    barrier = BOTH | {"b": {"command": "sort", "input": "a"}}
    assert found(barrier | {"j": {"operator": "merge", "input": ["b", "c"]}}) == [("a", "j", "c")]


def test_a_branch_that_reads_all_before_it_gives_anything_holds_whatever_comes() -> None:
    assert found(join("cat {b} {c}", "b", "c") | {"c": {"command": "sort", "input": "a"}}) == []


def test_inputs_of_different_sources_do_not_wait_for_each_other() -> None:
    document = {
        "sources": {"a": {"command": "seq 9"}, "b": {"command": "seq 9"}},
        "stations": {"j": {"command": "cat {a} {b}", "input": ["a", "b"]}},
    }
    assert risks(load(document)) == []


@pytest.mark.parametrize("merge", ["unordered", "ordered"])
def test_servers_between_their_own_split_and_merge_do_not_stand_still(merge: str) -> None:
    for station in ({"operator": "copy"}, {"operator": "filter", "where": "len(record) > 3"}):
        assert found({"b": station | {"parallelism": 3, "merge": merge}}) == []


def test_what_is_known_to_fit_is_no_risk() -> None:
    sort = {"b": {"command": "sort", "input": "a"}, "j": {"command": "paste {b} {a}", "input": ["b", "a"]}}
    assert found(sort, **FIXED, count=1300) == []
    assert found(sort, **FIXED, count=2700) == [("a", "j", "a")]
    assert found(sort, **FIXED) == [("a", "j", "a")]


def test_the_record_at_which_it_can_stand_still_is_named() -> None:
    sort = {"b": {"command": "sort", "input": "a"}, "j": {"command": "paste {b} {a}", "input": ["b", "a"]}}
    alone = {"sources": {"a": FIXED | {"rate": "100 records/s"}}, "stations": sort}
    (risk,) = risks(load(alone))
    assert (risk.held_bytes, risk.records) == ((256000, 256000), (2560, 2560))
    assert "at record 2561" in str(risk)
    (risk,) = risks(load({"sources": {"a": FIXED}, "stations": sort}))
    assert risk.records == (1310, 2621)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=200), st.integers(2, 8))
def test_a_pipe_holds_half_of_its_slots_whatever_the_sizes_of_the_writes(sizes: list[int], slots: int) -> None:
    pipe = SlotPipe(slots)
    for size in sizes:
        if pipe.write(size) < size:
            assert pipe.level >= slots // 2 * 4096
            return


@given(st.integers(1, 9000), st.integers(1, 16), st.integers(1, 7))
def test_the_least_is_no_more_than_any_way_of_writing_holds(record: int, slots: int, together: int) -> None:
    assert least_held(record, slots) <= held(record, slots, together)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([100, 1000, 2048, 2049, 4097]), st.booleans())
def test_a_run_has_to_make_a_pipe_larger_where_that_was_foreseen(record: int, beyond: bool) -> None:
    """Records that fit at the least never stand still; more than fit at the most always do."""
    slots = 4
    count = slots * 4096 // record + 2 if beyond else least_held(record, slots) // record
    small = {"pipe": {"capacity": "16 KiB"}}
    stations = {
        "b": {"command": "sort", "input": "a", **small},
        "j": {"command": "paste {b} {a}", "input": ["b", "a"], **small},
    }
    scenario = load({"sources": {"a": FIXED | {"size": record, "count": count}}, "stations": stations})
    with open(os.devnull, "wb") as nowhere:
        warnings = run(scenario, stdout=nowhere.fileno())
    assert bool(warnings) == beyond == bool(risks(scenario))
