"""What an operator writes does not depend on where its input was cut into chunks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim import operators
from streamsim.errors import RunError
from streamsim.formats import create as create_codec
from streamsim.operators.base import Operator
from tests.operator_examples import cases

EXAMPLES = [case for case in cases(source=False) if case.values[0] not in ("decompress", "tee")]
FORMATS: list[Any] = ["lines", "csv", {"name": "csv", "header": True}, "frames"]

NUMBER = st.integers(-99, 99).map(b"%d".__mod__)
WORD = st.sampled_from([b"", b"a", b"JFK", b"1.5", b"nan", b'say "hi"', b"two\nlines", b"\r", b"\xff\xc3"])
COLUMNS = st.one_of(st.tuples(NUMBER, NUMBER), st.tuples(WORD, NUMBER, WORD), st.tuples(WORD))


def stream_of(rows: list[tuple[bytes, ...]], format: Any, ended: bool) -> bytes:
    """Return the stream of these rows; in lines, a newline inside a column just makes more of them."""
    codec = create_codec(format)
    stream = codec.join([codec.row(row, b",") for row in rows])
    return stream if ended or format == "frames" else stream[:-1]


def outcome(operator: Operator, chunks: list[bytes]) -> tuple[Any, ...]:
    """Return what came out and the counters; or, where a record would not do, the error."""
    try:
        out = b"".join([operator.feed(chunk) for chunk in chunks] + [operator.finish()])
    except RunError as error:
        return (str(error),)
    return out, operator.records_in, operator.records_out, operator.rejects.count, operator.rejects.first


def result(work: Callable[[], bytes]) -> bytes | str:
    """Return what came out; or, where the input would not do, the error."""
    try:
        return work()
    except RunError as error:
        return str(error)


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize(("name", "parameters"), EXAMPLES)
@settings(deadline=None, max_examples=40)  # of each operator, in each way
@given(
    rows=st.lists(COLUMNS, max_size=12),
    format=st.sampled_from(FORMATS),
    ended=st.booleans(),
    borders=st.lists(st.integers(0, 400), max_size=10),
)
def test_output_does_not_depend_on_chunk_borders(
    name: str,
    parameters: dict[str, Any],
    on_error: str,
    rows: list[tuple[bytes, ...]],
    format: Any,
    ended: bool,
    borders: list[int],
) -> None:
    stream = stream_of(rows, format, ended)
    places = [0, *sorted(border % (len(stream) + 1) for border in borders), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    whole, pieces = (operators.create(name, parameters, format, on_error=on_error) for _ in range(2))
    assert isinstance(whole, Operator)
    assert isinstance(pieces, Operator)
    assert outcome(pieces, chunks) == outcome(whole, [stream])


@pytest.mark.parametrize(("name", "parameters"), EXAMPLES)
@settings(deadline=None, max_examples=40)  # of each operator, in each way
@given(rows=st.lists(st.tuples(NUMBER, NUMBER), max_size=12), border=st.integers(0, 200))
def test_a_snapshot_between_any_two_bytes_loses_nothing(
    name: str, parameters: dict[str, Any], rows: list[tuple[bytes, ...]], border: int
) -> None:
    stream = stream_of(rows, "lines", ended=True)
    border %= len(stream) + 1
    first, second, whole = (operators.create(name, parameters, on_error="skip") for _ in range(3))
    assert isinstance(first, Operator)
    assert isinstance(second, Operator)

    def in_two() -> bytes:
        before = first.feed(stream[:border])
        second.restore(first.snapshot())
        return before + second.feed(stream[border:]) + second.finish()

    assert result(in_two) == result(lambda: whole.run(stream))


@settings(deadline=None, max_examples=40)  # of each operator, in each way
@given(
    parts=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), max_size=20),
    counts=st.tuples(*[st.integers(0, 9)] * 3),
)
def test_interleaving_keeps_every_record_and_the_order_of_each_input(
    parts: list[tuple[int, int]], counts: tuple[int, int, int]
) -> None:
    streams = [b"".join(b"%d:%d\n" % (port, number) for number in range(count)) for port, count in enumerate(counts)]
    operator = operators.create("interleave")
    assert isinstance(operator, Operator)
    out, places = [], [0, 0, 0]
    for port, size in parts + [(port, 999) for port in range(3)]:
        out.append(operator.feed(streams[port][places[port] : places[port] + size], port))
        places[port] += size
    records = b"".join([*out, operator.finish()]).splitlines(keepends=True)
    for port, stream in enumerate(streams):
        assert b"".join(record for record in records if record.startswith(b"%d" % port)) == stream
