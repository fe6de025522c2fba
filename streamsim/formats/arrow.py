r"""Arrow: the streaming format of Apache Arrow, record batches after their schema; a record is a row, shown as CSV.

>>> codec = Arrow({"columns": ("carrier:S2", "delay:f8")})
>>> stream = codec.schema_message() + codec.join([b"AA,1.5", b"UA,"])
>>> reader = Arrow()
>>> block = reader.take(stream)
>>> reader.count(block), reader.split(block)
(2, [b'"AA",1.5', b'"UA",'])
"""

from __future__ import annotations

from struct import unpack_from

from streamsim.formats._types import Column, as_text, parse_columns, verify_columns
from streamsim.formats.base import RECORD_LIMIT, Codec
from streamsim.formats.csv import Csv
from streamsim.formats.parameters import Parameter

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_MARK = b"\xff\xff\xff\xff"
_SCHEMA, _BATCH = 1, 3
_NAMES = {2: "a dictionary batch (write its columns plain)", 4: "a tensor", 5: "a sparse tensor"}


class Arrow(Codec):
    """Record batches of Apache Arrow, as its streaming format has them.

    The schema comes first in the stream, and is its heading. Operators that look at single records see them as CSV, and
    what they keep is written as new batches with the schema that came; ``convert`` works on whole batches. To convert
    to Arrow, ``columns`` name what is written; without them the columns are those of the rows, or text.
    """

    name = "arrow"
    one_heading = True
    parameters = (Parameter("columns", "texts", (), "to write: the type of each column, such as i8 or delay:f8"),)

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("pyarrow", "numpy")

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        verify_columns(values["columns"])

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        import pyarrow
        import pyarrow.csv

        self._library: Any = pyarrow
        self.schema: Any = None
        columns = parse_columns(self.values.get("columns") or ())
        if columns:
            self.schema = pyarrow.schema([(column.name, _arrow_type(pyarrow, column.type)) for column in columns])
        self._text = Csv()
        self._have, self._need = 0, 8
        self._inline = False
        """Whether the schema stays in the block: for who only passes the bytes on."""

    @property
    def names(self) -> list[str] | None:
        return list(self.schema.names) if self.heading else None

    @property
    def column_types(self) -> list[str] | None:
        return [str(kind) for kind in self.schema.types] if self.heading else None

    def head(self, names: Sequence[str], types: Sequence[str] | None) -> bytes:
        if not self.values.get("columns"):
            kinds = [_arrow_type(self._library, kind) for kind in types] if types else ["utf8"] * len(names)
            self.schema = self._library.schema(list(zip(names, kinds, strict=True)))
        return self.schema_message()

    def plain(self) -> Arrow:
        codec = Arrow(self.values)
        codec._inline = True
        return codec

    @classmethod
    def answer_format(cls, values: Mapping[str, Any]) -> str | None:
        return "csv"

    def take(self, chunk: bytes) -> bytes:
        self._parts.append(chunk)
        self._have += len(chunk)
        if self._have < self._need:
            return b""
        data = b"".join(self._parts)
        blocks, place = [], 0
        self._need = 8
        while place + 8 <= len(data):
            size, kind, rows = self._message(data, place)
            if place + size > len(data):
                self._need = size
                break
            message = data[place : place + size]
            if kind == _SCHEMA:
                self._take_schema(message)
            if kind == _BATCH or (self._inline and size > 8):
                blocks.append(message)
            self.number += rows
            self.offset += size
            place += size
        self._parts = [data[place:]] if place < len(data) else []
        self._have = len(data) - place
        return b"".join(blocks)

    def _message(self, data: bytes, place: int) -> tuple[int, int, int]:
        """Return size (framing and body included), kind and rows of the message that starts here.

        Read from the flatbuffers Message and RecordBatch of the specification of Arrow's columnar format. Where its
        metadata have not come whole, the size is what they need and the kind 0; so is that of the end of the stream.
        """
        if data[place : place + 4] != _MARK:
            self._malformed(f"no Arrow message: it starts with {data[place : place + 4]!r}")
        (length,) = unpack_from("<i", data, place + 4)
        if length == 0:
            return 8, 0, 0
        if not 16 <= length <= RECORD_LIMIT:
            self._malformed(f"an Arrow message with {length} bytes of metadata")
        if place + 8 + length > len(data):
            return 8 + length, 0, 0
        meta = place + 8
        table = meta + unpack_from("<I", data, meta)[0]
        kind = _field(data, table, 1, "<B")
        body = _field(data, table, 3, "<q")
        if kind not in (_SCHEMA, _BATCH) or body < 0:
            self._malformed(f"the Arrow message is {_NAMES.get(kind, f'of kind {kind}')}")
        rows = 0
        if kind == _BATCH:
            header = _offset(data, table, 2)
            rows = _field(data, header + unpack_from("<I", data, header)[0], 0, "<q")
        return 8 + length + body, kind, rows

    def _take_schema(self, message: bytes) -> None:
        schema = self._library.ipc.read_schema(self._library.py_buffer(message))
        if self.heading and message != self.heading:
            self._malformed("another schema")
        self.schema, self.heading = schema, message

    def rest(self) -> bytes:
        tail = super().rest()
        if tail:
            self._malformed(f"the stream ends after {len(tail)} bytes of this message")
        return b""

    def batches(self, block: bytes) -> Any:
        """Return a block as a table."""
        read, schema, place, found = self._library.ipc.read_record_batch, self.schema, 0, []
        whole = self._library.py_buffer(block)
        while place < len(block):
            size, kind, _ = self._message(block, place)
            if kind == _BATCH:
                found.append(read(whole.slice(place, size), schema))
            place += size
        return self._library.Table.from_batches(found, schema)

    def block_of(self, table: Any) -> bytes:
        """Return a table as a block: one message."""
        batches = table.combine_chunks().to_batches()
        return b"".join([batch.serialize().to_pybytes() for batch in batches if batch.num_rows])

    def schema_message(self) -> bytes:
        """Return the schema as it stands at the head of a stream."""
        message: bytes = self.schema.serialize().to_pybytes()
        return message

    def count(self, block: bytes) -> int:
        rows = place = 0
        while place < len(block):
            size, _, here = self._message(block, place)
            rows += here
            place += size
        return rows

    def tally(self, chunk: bytes) -> int:
        before = self.number
        self.take(chunk)
        return self.number - before

    def csv_of(self, table: Any, quoting: str = "needed") -> bytes:
        """Return a table as CSV, without a heading; ValueError where ``quoting`` is none and a text needs it."""
        sink = self._library.BufferOutputStream()
        options = self._library.csv.WriteOptions(include_header=False, quoting_style=quoting)
        self._library.csv.write_csv(table, sink, options)
        text: bytes = sink.getvalue().to_pybytes()
        return text

    def table_of(self, text: bytes) -> Any:
        """Return CSV as a table of the schema; ValueError (ArrowInvalid) where it does not fit it."""
        csv, names = self._library.csv, self.schema.names
        read = csv.ReadOptions(column_names=names, use_threads=False, block_size=max(1 << 20, 2 * len(text)))
        convert = csv.ConvertOptions(
            column_types=self.schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        parse = csv.ParseOptions(newlines_in_values=True)
        return csv.read_csv(self._library.BufferReader(text), read, parse, convert)

    def split(self, block: bytes) -> list[bytes]:
        return self._text.split(self.csv_of(self.batches(block))) if block else []

    def join(self, records: Sequence[bytes]) -> bytes:
        return self.block_of(self.table_of(self._text.join(records))) if records else b""

    def size(self, records: Sequence[bytes]) -> int:
        return 0  # a row has no place of its own: errors name the batch

    def columns(self, record: bytes, delimiter: bytes) -> list[bytes]:
        return self._text.columns(record, b",")

    def row(self, columns: Sequence[bytes], delimiter: bytes) -> bytes:
        return self._text.row(columns, b",")

    def record(self, fields: Sequence[Any], delimiter: bytes) -> bytes:
        if len(fields) != len(self.schema):
            raise ValueError(f"{len(fields)} columns do not fit {len(self.schema)}")
        pairs = zip(self.schema.types, fields, strict=True)
        return self._text.row([_fitting(str(kind), as_text(value)) for kind, value in pairs], b",")

    def snapshot(self) -> dict[str, Any]:
        names = ("offset", "number", "heading", "_have", "_need", "_inline")
        return {name: getattr(self, name) for name in names} | {"_parts": list(self._parts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        if self.heading:
            self.schema = self._library.ipc.read_schema(self._library.py_buffer(self.heading))


def _offset(data: bytes, table: int, field: int) -> int:
    """Return where a field of a flatbuffers table stands, 0 where it has its default."""
    vtable = table - unpack_from("<i", data, table)[0]
    place = 4 + 2 * field
    if place >= unpack_from("<H", data, vtable)[0]:
        return 0
    (inside,) = unpack_from("<H", data, vtable + place)
    return table + inside if inside else 0


def _field(data: bytes, table: int, field: int, code: str) -> int:
    at = _offset(data, table, field)
    return int(unpack_from(code, data, at)[0]) if at else 0


def _fitting(kind: str, text: bytes) -> bytes:
    """Return a text as Arrow's CSV reader takes it for a value of this type; ValueError where it is none."""
    if not text:
        return text  # no value
    if kind == "string":
        text.decode()
        return text
    if kind in ("float", "double"):
        return repr(float(text)).encode()
    letter, _, bits = kind.partition("int")
    if bits.isdigit() and letter in ("", "u"):
        return as_text(Column("", f"{letter or 'i'}{int(bits) // 8}").value(text))
    return text


def _arrow_type(library: Any, type: str) -> Any:
    """Return the type of Arrow for one of ours, or for its own name."""
    if type[0] == "S":
        return library.utf8()
    if type[1:].isdigit():
        names = {"i": "int", "u": "uint", "f": "float"}
        return getattr(library, f"{names[type[0]]}{8 * int(type[1:])}")()
    return library.type_for_alias(type)
