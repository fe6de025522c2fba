"""Bytes through a pipe, from what the kernel counts of its two processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsim.real.observation.flows import Side, flow

CAPACITY = 64


def side(*count: float, ended: float = 9.0, **what: bool) -> Side:
    return Side(count=np.array(count), ended=ended, **{"exact": False, **what})


def test_two_clean_counters_agree() -> None:
    through = flow(side(10, 50, 90), side(0, 40, 90), CAPACITY)
    assert through.written.tolist() == [10, 50, 90]
    assert through.taken.tolist() == [0, 40, 90]


def test_what_a_reader_reads_at_its_start_is_no_flow() -> None:
    through = flow(side(0, 0, 100, 200), side(30, 30, 100, 230), CAPACITY)
    assert through.taken[-1] == 200


def test_temporary_files_of_the_writer_are_no_flow() -> None:
    spilled = side(0, 500, 1000, 1500, 2000, spills=True)
    through = flow(spilled, side(0, 0, 0, 500, 1000), CAPACITY)
    assert through.taken.tolist() == [0, 0, 0, 500, 1000]
    assert through.written[-1] == 1000


def test_temporary_files_of_the_reader_are_no_flow() -> None:
    through = flow(side(0, 500, 1000, 1000), side(0, 500, 1000, 2000), CAPACITY)
    assert through.taken.tolist() == [0, 500, 1000, 1000]


def test_a_writer_that_was_cut_leaves_at_most_a_pipe_full() -> None:
    through = flow(side(100, 300, 5000, ended=2.0, cut=True), side(80, 200, 200, ended=1.0), CAPACITY)
    assert through.taken[-1] == 200
    assert through.written[-1] == 200 + CAPACITY


def test_the_count_of_an_operator_is_believed() -> None:
    through = flow(side(0, 700, 900), side(0, 400, 500, exact=True, ended=1.0), CAPACITY)
    assert through.taken[-1] == 500


def test_bytes_moved_inside_the_kernel_are_seen_from_the_other_side() -> None:
    assert flow(side(0, 0, 0, hidden=True), side(100, 200, 300), CAPACITY).taken[-1] == pytest.approx(300)
    assert flow(side(100, 200, 300), side(7, 7, 7, hidden=True), CAPACITY).taken[-1] == 300


def test_a_reader_seen_ahead_of_its_writer_loses_nothing() -> None:
    through = flow(side(0, 100, 200, spills=True), side(40, 140, 200), CAPACITY)
    assert through.taken[-1] == 200


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=40),
    st.lists(st.integers(0, 500), min_size=40, max_size=40),
    st.booleans(),
)
def test_flows_never_fall_and_never_exceed_either_count(gave: list[int], took: list[int], spills: bool) -> None:
    writer = side(*np.cumsum(gave).tolist(), ended=1.0, spills=spills, cut=True)
    reader = side(*np.cumsum(took[: len(gave)]).tolist(), ended=0.5)
    through = flow(writer, reader, CAPACITY)
    assert (np.diff(through.taken) >= 0).all() and (np.diff(through.written) >= 0).all()
    assert (through.taken <= through.written).all()
    assert through.written[-1] <= writer.count[-1] and through.taken[-1] <= reader.count[-1]
