r"""Rows: binary records of one fixed width, with nothing between them; their columns may have types.

>>> codec = Rows({"width": 3})
>>> codec.take(b"abcd"), codec.take(b"ef"), codec.split(b"abcdef")
(b'abc', b'def', [b'abc', b'def'])
>>> typed = Rows({"columns": ("carrier:S2", "delay:f8")})
>>> row = typed.row([b"AA", b"1.5"], b",")
>>> len(row), typed.columns(row, b",")
(10, [b'AA', b'1.5'])

With ``columns``, operators that can work on whole blocks do (numpy), at a few nanoseconds a record: see
streamsim/operators/_vector.py.
"""

from __future__ import annotations

from streamsim.formats._types import as_text, parse_columns, verify_columns
from streamsim.formats.base import Codec
from streamsim.formats.parameters import Parameter

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from struct import Struct
    from typing import Any


class Rows(Codec):
    """Records of ``width`` bytes each, or of the ``columns`` that follow each other in them, packed, low byte first."""

    name = "rows"
    parameters = (
        Parameter("width", "bytes", None, "bytes of each record", least=1),
        Parameter("columns", "texts", (), "instead: the type of each column, such as i8 or delay:f8"),
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("numpy",) if values["columns"] else ()

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        from streamsim.errors import ScenarioError

        if (values["width"] is None) == (not values["columns"]):
            raise ScenarioError("format 'rows' needs 'width' (bytes of each record) or 'columns'", path="width")
        verify_columns(values["columns"])

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self.types = parse_columns(self.values.get("columns") or ())
        self._width = int(self.values.get("width") or sum(column.size for column in self.types))
        self._struct: Struct | None = None
        if self.types:
            from struct import Struct

            self._struct = Struct("<" + "".join(column.code for column in self.types))

    @property
    def names(self) -> list[str] | None:
        return [column.name for column in self.types] or None

    @property
    def column_types(self) -> list[str] | None:
        return [column.type for column in self.types] or None

    @classmethod
    def answer_format(cls, values: Mapping[str, Any]) -> str | None:
        return "csv" if values.get("columns") else None

    def take(self, chunk: bytes) -> bytes:
        data = b"".join([*self._parts, chunk]) if self._parts else chunk
        end = len(data) - len(data) % self._width
        self._parts = [data[end:]] if end < len(data) else []
        self._advance(end)
        return data[:end]

    def _advance(self, size: int) -> None:
        self.offset += size
        self.number += size // self._width

    def rest(self) -> bytes:
        tail = super().rest()
        if tail:
            self._malformed(f"the stream ends with {len(tail)} of the {self._width} bytes of this row")
        return b""

    def split(self, block: bytes) -> list[bytes]:
        width = self._width
        return [block[place : place + width] for place in range(0, len(block), width)]

    def join(self, records: Sequence[bytes]) -> bytes:
        for record in records:
            if len(record) != self._width:
                from streamsim.errors import RunError

                raise RunError(f"a record of {len(record)} bytes does not fit rows of {self._width}")
        return b"".join(records)

    def count(self, block: bytes) -> int:
        return len(block) // self._width

    def columns(self, record: bytes, delimiter: bytes) -> list[bytes]:
        if self._struct is None:
            return record.split(delimiter)
        return [as_text(value) for value in self.fields(record, delimiter)]

    def row(self, columns: Sequence[bytes], delimiter: bytes) -> bytes:
        if self._struct is None:
            return delimiter.join(columns)
        return self.record(columns, delimiter)

    def fields(self, record: bytes, delimiter: bytes) -> list[Any]:
        if self._struct is None:
            return super().fields(record, delimiter)
        found = self._struct.unpack(record)
        return [value.rstrip(b"\0") if isinstance(value, bytes) else value for value in found]

    def record(self, fields: Sequence[Any], delimiter: bytes) -> bytes:
        if self._struct is None:
            return super().record(fields, delimiter)
        if len(fields) != len(self.types):
            raise ValueError(f"{len(fields)} columns do not fit {len(self.types)}")
        pairs = zip(self.types, fields, strict=True)
        return self._struct.pack(*[column.value(as_text(value)) for column, value in pairs])

    @property
    def dtype(self) -> Any:
        """The numpy type of a row."""
        import numpy

        return numpy.dtype([(f"f{place}", f"<{column.type}") for place, column in enumerate(self.types)])

    def snapshot(self) -> dict[str, Any]:
        return {"_parts": list(self._parts), "offset": self.offset, "number": self.number}
