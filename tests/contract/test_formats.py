"""What every format must keep to: records come back as they went in, wherever the stream was cut; damage is found."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim import formats
from streamsim.errors import RunError, ScenarioError
from streamsim.formats.base import RECORD_LIMIT, Codec
from streamsim.operators import create as create_operator

FIELD = st.text(st.sampled_from('ab ,"\n\r'), max_size=5).map(str.encode)
CSV_RECORD = st.lists(FIELD, min_size=2, max_size=4).map(lambda columns: formats.create("csv").row(columns, b","))
RECORDS: dict[str, tuple[Any, st.SearchStrategy[bytes]]] = {
    "lines": ("lines", st.binary(max_size=20).map(lambda record: record.replace(b"\n", b""))),
    "csv": ("csv", CSV_RECORD),
    "frames": ("frames", st.binary(max_size=20)),
    "rows": ({"name": "rows", "width": 3}, st.binary(min_size=3, max_size=3)),
    "msgpack": (
        "msgpack",
        st.lists(st.one_of(st.none(), st.integers(-9, 1 << 40), FIELD), max_size=4).map(
            lambda fields: formats.create("msgpack").record(fields, b",")
        ),
    ),
    "arrow": (
        {"name": "arrow", "columns": ["a:S9", "n:i4"]},
        st.tuples(FIELD, st.one_of(st.just(b""), st.integers(-9, 99).map(b"%d".__mod__))).map(
            lambda row: b'"%b",%b' % (row[0].replace(b'"', b'""'), row[1])
        ),
    ),
}


def stream_of(codec: Codec, records: list[bytes]) -> bytes:
    """Return the stream of these records, with what stands at its head."""
    return codec.head(["a", "n"], None) + codec.join(records)


def cut(data: bytes, borders: list[int]) -> list[bytes]:
    places = [0, *sorted(border % (len(data) + 1) for border in borders), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def taken(codec: Codec, chunks: list[bytes]) -> list[bytes]:
    records = [record for chunk in chunks for record in codec.split(codec.take(chunk))]
    rest = codec.rest()
    return records + (codec.split(rest) if rest else [])


def test_every_format_is_held_to_this() -> None:
    assert set(RECORDS) == set(formats.names())


@pytest.mark.parametrize("name", formats.names())
@settings(deadline=None)
@given(data=st.data())
def test_records_come_back_whatever_the_borders(name: str, data: st.DataObject) -> None:
    format, strategy = RECORDS[name]
    records = data.draw(st.lists(strategy, max_size=12))
    stream = stream_of(formats.create(format), records)
    chunks = cut(stream, data.draw(st.lists(st.integers(0, 500), max_size=8)))
    codec = formats.create(format)
    assert taken(codec, chunks) == records
    assert codec.offset == len(stream)
    assert codec.count(stream) == len(records)
    tally = formats.create(format)
    assert sum(tally.tally(chunk) for chunk in chunks) + tally.tally_rest() == len(records)
    if name != "arrow":  # its records are a view of columns
        assert codec.size(records) == len(stream)


@pytest.mark.parametrize("name", formats.names())
@settings(deadline=None)
@given(data=st.data())
def test_a_restored_codec_goes_on_where_it_was(name: str, data: st.DataObject) -> None:
    format, strategy = RECORDS[name]
    records = data.draw(st.lists(strategy, max_size=8))
    stream = stream_of(formats.create(format), records)
    border = data.draw(st.integers(0, len(stream)))
    first, second = formats.create(format), formats.create(format)
    before = first.split(block) if (block := first.take(stream[:border])) else []
    state = first.snapshot()
    first.take(b"")
    second.restore(state)
    assert before + taken(second, [stream[border:]]) == records


@pytest.mark.parametrize("name", formats.names())
def test_a_fresh_codec_has_seen_nothing(name: str) -> None:
    format, _ = RECORDS[name]
    codec = formats.create(format)
    codec.take(b"\0\0")
    assert codec.fresh().take(b"") == b""
    assert codec.fresh().rest() == b""
    assert codec.fresh().values == codec.values


@pytest.mark.parametrize("name", formats.names())
def test_a_format_names_and_describes_itself(name: str) -> None:
    kind = formats.find(name)
    assert kind.name == name
    assert kind.__doc__
    assert all(parameter.doc for parameter in kind.parameters)


@settings(deadline=None)
@given(rows=st.lists(st.lists(FIELD, min_size=2, max_size=4), max_size=6))
def test_csv_agrees_with_the_csv_module(rows: list[list[bytes]]) -> None:
    """Checked against another reader, in both directions."""
    codec = formats.create("csv")
    stream = codec.join([codec.row(columns, b",") for columns in rows])
    theirs = list(csv.reader(io.StringIO(stream.decode(), newline="")))
    assert [[column.encode() for column in row] for row in theirs] == rows
    written = io.StringIO(newline="")
    csv.writer(written).writerows([[column.decode() for column in row] for row in rows])
    mine = [codec.columns(record, b",") for record in taken(formats.create("csv"), [written.getvalue().encode()])]
    assert mine == rows


def test_a_csv_heading_is_set_apart_however_it_is_cut() -> None:
    stream = b'"a\nb",c\n1,2\n3,4\n'
    for size in range(1, len(stream) + 1):
        codec = formats.create({"name": "csv", "header": True})
        chunks = [stream[place : place + size] for place in range(0, len(stream), size)]
        assert taken(codec, chunks) == [b"1,2", b"3,4"]
        assert codec.heading == b'"a\nb",c\n'
    assert taken(formats.create("csv").plain(), [stream])[0] == b'"a\nb",c'


def test_the_last_line_may_lack_its_newline() -> None:
    for format in ("lines", "csv"):
        assert taken(formats.create(format), [b"a\nb"]) == [b"a", b"b"]
        codec = formats.create(format)
        assert codec.tally(b"a\nb") + codec.tally_rest() == 2


def test_damage_is_reported_with_record_and_byte() -> None:
    frames = formats.create("frames")
    frames.take(b"\0\0\0\1a\0\0\0\5abc")
    with pytest.raises(RunError, match="record 2, byte 5: the stream ends 2 bytes before"):
        frames.rest()
    text = formats.create("frames")
    with pytest.raises(RunError, match=f"record 2, byte 4: a frame of .* at most {RECORD_LIMIT}"):
        text.take(b"\0\0\0\0this is text")
    rows = formats.create({"name": "rows", "width": 4})
    rows.take(b"abcdefghij")
    with pytest.raises(RunError, match="record 3, byte 8: the stream ends with 2 of the 4 bytes"):
        rows.rest()
    table = formats.create("csv")
    table.take(b'a,b\n1,"2\n3,4\n')
    with pytest.raises(RunError, match=r"record 2, byte 4: a quoted field .* never ends"):
        table.rest()
    with pytest.raises(RunError, match="3 bytes does not fit rows of 4"):
        rows.join([b"abc"])


def test_damage_in_binary_formats_is_found() -> None:
    packed = formats.create("msgpack")
    record = packed.record([1, b"two"], b",")
    packed.take(record + record[:3])
    with pytest.raises(RunError, match="record 2, byte 6: the stream ends after 3 bytes of this object"):
        packed.rest()
    with pytest.raises(RunError, match="record 2, byte 6: no MessagePack object: FormatError"):
        formats.create("msgpack").take(record + b"\xc1")
    writer = formats.create({"name": "arrow", "columns": ["a:i4"]})
    stream = writer.head(["a"], None) + writer.join([b"1", b"2"])
    cut = formats.create("arrow")
    cut.take(stream[:-5])
    with pytest.raises(RunError, match=r"record 1, byte [0-9]+: the stream ends after"):
        cut.rest()
    with pytest.raises(RunError, match=r"record 3, byte [0-9]+: no Arrow message: it starts with b'text'"):
        formats.create("arrow").take(stream + b"text that follows")
    other = formats.create({"name": "arrow", "columns": ["b:f8"]})
    with pytest.raises(RunError, match=r"record 3, byte [0-9]+: another schema"):
        formats.create("arrow").take(stream + other.head(["b"], None))


def test_arrow_streams_of_the_library_are_read() -> None:
    import pyarrow as pa

    table = pa.table({"name": ["a", None, 'say "hi"'], "n": [1, 2, None], "day": pa.array([0, 1, 2], pa.date32())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stream = sink.getvalue().to_pybytes()
    codec = formats.create("arrow")
    block = codec.take(stream)
    assert codec.split(block) == [b'"a",1,1970-01-01', b",2,1970-01-02", b'"say ""hi""",,1970-01-03']
    assert codec.names == ["name", "n", "day"]
    kept = create_operator("filter", {"where": "column(2) == '2'"}, "arrow").run(stream)
    assert pa.ipc.open_stream(kept).read_all().to_pylist() == table.slice(1, 1).to_pylist()


def test_a_quote_that_is_missing_does_not_swallow_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamsim.formats.csv.RECORD_LIMIT", 1000)
    codec = formats.create("csv")
    codec.take(b'a,b\n1,"2\n')
    with pytest.raises(RunError, match="record 2, byte 4: this record has passed 1000 bytes"):
        taken(codec, [b"3,4\n"] * 500)
    whole = formats.create("csv")
    assert taken(whole, [b"1,2\n" * 900]) == [b"1,2"] * 900
    with pytest.raises(RunError, match="record 903, byte 3605"):
        taken(whole, [b'5\n,5\n"' + b"x" * 990, b"x" * 20])


def test_wrong_formats_are_refused_with_their_place() -> None:
    wrong: list[tuple[Any, str, str]] = [
        ("line", "stations.a.format", "did you mean 'lines'"),
        ("base", "stations.a.format", "unknown format"),
        ({"name": "csv", "heder": True}, "stations.a.format.heder", "did you mean 'header'"),
        ({"name": "csv", "header": 1}, "stations.a.format.header", "true or false"),
        ({"name": "rows"}, "stations.a.format.width", "needs 'width'"),
        ({"name": "rows", "width": 3, "columns": ["i8"]}, "stations.a.format.width", "or 'columns'"),
        ({"name": "rows", "columns": ["i3"]}, "stations.a.format.columns", "'i3' is no type"),
        ({"name": "arrow", "columns": ["a:int"]}, "stations.a.format.columns", "'int' is no type"),
        ({"name": "rows", "width": 0}, "stations.a.format.width", "at least 1"),
        ({"name": 3}, "stations.a.format.name", "not the name of a format"),
    ]
    for format, path, message in wrong:
        with pytest.raises(ScenarioError, match=message) as caught:
            formats.check(format, path="stations.a.format")
        assert caught.value.path == path
    formats.check({"name": "rows", "width": "1 KiB"})
