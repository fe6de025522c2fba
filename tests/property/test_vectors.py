"""What operators do with whole blocks of typed rows is what they do record by record."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.errors import RunError
from streamsim.formats import create as create_codec
from streamsim.operators import create
from streamsim.operators.base import RecordOperator

FORMAT: dict[str, Any] = {"name": "rows", "columns": ["S3", "i2", "i8", "f8", "u4"]}
ROW = st.tuples(
    st.sampled_from([b"", b"a", b"JFK", b"\xff"]),
    st.integers(-(1 << 15), (1 << 15) - 1),
    st.one_of(st.integers(-3, 3), st.sampled_from([-(1 << 63), (1 << 63) - 1]), st.integers(-(1 << 60), 1 << 60)),
    st.one_of(st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]), st.floats()),
    st.integers(0, (1 << 32) - 1),
)
TEXT = st.sampled_from(["column(1)", "'JFK'", "'a'"])
SIGN = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
INTEGER = st.sampled_from(["int(column(2))", "int(column(3))", "int(column(5))", "3", "-1", "0", "70000"])
FRACTION = st.sampled_from(["float(column(4))", "float(column(2))", "float(column(3))", "0.5", "0.0"])
NUMBER = st.recursive(
    INTEGER | FRACTION,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner)
        | st.builds("abs({})".format, inner)
        | st.builds("(-{})".format, inner)
    ),
    max_leaves=4,
)
TRUTH = st.recursive(
    st.builds("{} {} {}".format, NUMBER, SIGN, NUMBER)
    | st.builds("{} {} {}".format, TEXT, SIGN, TEXT)
    | st.sampled_from(["column(1) in ('JFK', 'a')", "column(1) not in ('a',)", "int(column(2)) in (1, 2)", "True"])
    | NUMBER,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=4,
)


def outcome(operator: RecordOperator, chunks: list[bytes]) -> Any:
    try:
        out = b"".join([operator.feed(chunk) for chunk in chunks] + [operator.finish()])
    except RunError as error:
        return str(error)
    return out, operator.records_in, operator.records_out, operator.rejects.count, operator.rejects.first


def both(name: str, parameters: dict[str, Any], rows: list[Any], borders: list[int], on_error: str) -> tuple[Any, Any]:
    codec = create_codec(FORMAT)
    stream = codec.join([codec.record(list(row), b",") for row in rows])
    places = [0, *sorted(border % (len(stream) + 1) for border in borders), len(stream)]
    whole, single = (create(name, parameters, FORMAT, on_error=on_error) for _ in range(2))
    assert isinstance(whole, RecordOperator)
    assert isinstance(single, RecordOperator)
    single.vector = None
    return outcome(whole, [stream[a:b] for a, b in pairwise(places)]), outcome(single, [stream])


@settings(deadline=None, max_examples=600)
@given(
    where=TRUTH,
    rows=st.lists(ROW, max_size=6),
    borders=st.lists(st.integers(0, 200), max_size=3),
    on_error=st.sampled_from(["fail", "skip"]),
)
def test_a_filter_keeps_the_same_rows(where: str, rows: list[Any], borders: list[int], on_error: str) -> None:
    blocks, records = both("filter", {"where": where}, rows, borders, on_error)
    assert blocks == records


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("sample", {"every": 3}),
        ("moments", {"column": 4}),
        ("moments", {"column": 2}),
        ("quantiles", {"column": 4}),
        ("group", {"key": 1, "value": 4, "function": "sum"}),
        ("group", {"key": 2, "value": 3, "function": "max"}),
        ("group", {"key": 1}),
    ],
)
@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(ROW, max_size=12),
    borders=st.lists(st.integers(0, 200), max_size=3),
    on_error=st.sampled_from(["fail", "skip"]),
)
def test_other_operators_too(
    name: str, parameters: dict[str, Any], rows: list[Any], borders: list[int], on_error: str
) -> None:
    blocks, records = both(name, parameters, rows, borders, on_error)
    assert blocks == records


def test_expressions_that_numpy_can_run_are_run_by_it() -> None:
    for where in (
        "float(column(4)) > 0.5 and column(1) == 'JFK'",
        "int(column(2)) * int(column(5)) >= 3",
        "int(column(3)) % 3 == 0 and int(column(2)) // 7 != -1",
        "column(1) in ('a', 'b') or not int(column(3)) < 7",
        "abs(float(column(4)) - 1.5) / 2 <= 0.25",
    ):
        operator = create("filter", {"where": where}, FORMAT)
        assert isinstance(operator, RecordOperator)
        assert operator.vector is not None


def test_what_has_columns_of_its_own_is_written_as_csv() -> None:
    codec = create_codec(FORMAT)
    stream = codec.join([codec.record([b"a", 1, 2, 0.5, 3], b","), codec.record([b'"', 1, 2, 0.25, 3], b",")])
    assert create("group", {"key": 1, "value": 4, "function": "sum"}, FORMAT).run(stream) == b'"""",0.25\na,0.5\n'
    assert create("map", {"to": "str(float(column(4)) * 2)"}, FORMAT).run(stream) == b"1.0\n0.5\n"
    assert create("top", {"k": 1, "column": 2}, FORMAT).run(stream) == b"1,2\n"
