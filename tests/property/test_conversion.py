"""Converting whole blocks gives what converting record by record gives, for every pair of formats."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim import formats
from streamsim.errors import RunError
from streamsim.operators import create
from streamsim.operators.convert import Convert

TYPES = ["name:S3", "n:i4", "x:f8"]
FORMATS: dict[str, Any] = {
    "lines": "lines",
    "csv": "csv",
    "csv-header": {"name": "csv", "header": True},
    "frames": "frames",
    "rows": {"name": "rows", "columns": TYPES},
    "msgpack": "msgpack",
    "arrow": {"name": "arrow", "columns": TYPES},
    "arrow-text": "arrow",
}
NAME = st.sampled_from([b"", b"JFK", b"a", b"long", b'"', b"a,b", b"x\ny", b"\r", b" ", "é".encode(), b"\xff", b"z\0"])
NUMBER = st.one_of(
    st.integers(-99, 1 << 33).map(b"%d".__mod__), st.sampled_from([b"", b"1.0", b"+2", b" 3", b"1_0", b"x", b"-0"])
)
FRACTION = st.one_of(
    st.floats().map(lambda number: repr(number).encode()), st.sampled_from([b"", b"1", b"1e400", b".5", b"NaN", b"x"])
)
ROW = st.one_of(st.tuples(NAME, NUMBER, FRACTION), st.tuples(NAME, st.just(b"7"), st.just(b"0.25")), st.tuples(NAME))


def stream_of(rows: list[tuple[bytes, ...]], format: Any) -> bytes:
    """Return the stream of those rows that the format can hold."""
    codec = formats.create(format)
    head = codec.head([name.partition(":")[0] for name in TYPES], None)
    records = []
    for row in rows:
        try:
            record = codec.record(list(row), b",")
            if codec.name in ("lines", "frames") and (b"\n" in record or record.count(b",") != len(row) - 1):
                continue
            codec.join([record])
        except (ValueError, OverflowError):
            continue
        records.append(record)
    return head + codec.join(records)


def outcome(source: Any, target: Any, chunks: list[bytes], *, whole: bool, on_error: str) -> Any:
    operator = create("convert", {"to": target}, source, on_error=on_error)
    assert isinstance(operator, Convert)
    if not whole:
        operator.vector = None
    try:
        out = b"".join([operator.feed(chunk) for chunk in chunks] + [operator.finish()])
    except RunError as error:
        return str(error)
    written = formats.create(target)
    taken = written.take(out)
    rest = written.rest()
    records = [*(written.split(taken) if taken else ()), *(written.split(rest) if rest else ())]
    return records, written.heading, operator.records_in, operator.records_out, operator.rejects.count


@pytest.mark.parametrize(
    ("source", "target"), [pytest.param(a, b, id=f"{a}-{b}") for a, b in product(FORMATS, FORMATS)]
)
@settings(deadline=None, max_examples=25)  # of each of 64 pairs
@given(rows=st.lists(ROW, max_size=8), borders=st.lists(st.integers(0, 300), max_size=3))
def test_a_block_converted_at_once_is_its_records_converted(
    source: str, target: str, rows: list[tuple[bytes, ...]], borders: list[int]
) -> None:
    stream = stream_of(rows, FORMATS[source])
    places = [0, *sorted(border % (len(stream) + 1) for border in borders), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(places)]
    for on_error in ("fail", "skip"):
        arguments = FORMATS[source], FORMATS[target]
        slowly = outcome(*arguments, [stream], whole=False, on_error=on_error)
        assert outcome(*arguments, chunks, whole=True, on_error=on_error) == slowly


@pytest.mark.parametrize("through", ["rows", "msgpack", "arrow", "frames", "csv"])
def test_there_and_back_again_nothing_has_changed(through: str) -> None:
    data = "".join(f"k{number % 9},{number - 50},{(number + 0.5) / 7!r}\n" for number in range(500)).encode()
    there = create("convert", {"to": FORMATS[through]}).run(data)
    assert create("convert", {"to": "lines"}, FORMATS[through]).run(there) == data
