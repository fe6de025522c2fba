r"""Comma-separated values (RFC 4180): a record is a logical line; a quoted field may hold newlines.

>>> codec = Csv({"header": False})
>>> codec.take(b'1,"a\nb"\n2,"c'), codec.take(b'\n"\n')
(b'1,"a\nb"\n', b'2,"c\n"\n')
>>> codec.columns(b'1,"a ""b"", c"', b",")
[b'1', b'a "b", c']
>>> codec.row([b"1", b"a,b"], b",")
b'1,"a,b"'
"""

from __future__ import annotations

from streamsim.formats.base import RECORD_LIMIT, Codec
from streamsim.formats.parameters import Parameter

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Csv(Codec):
    """Logical lines. A newline ends a record when the number of quotes before it, in the record, is even."""

    name = "csv"
    parameters = (Parameter("header", "flag", False, "the first record names the columns: passed on, not worked on"),)
    overhead = 1

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self._headless = not self.values.get("header")
        self._quoted = False
        self._kept = 0

    @property
    def names(self) -> list[str] | None:
        if not self.heading:
            return None
        return [name.decode("utf-8", "replace") for name in self.columns(self.split(self.heading)[0], b",")]

    def head(self, names: Sequence[str], types: Sequence[str] | None) -> bytes:
        return self.join([self.row([name.encode() for name in names], b",")]) if self.values.get("header") else b""

    def plain(self) -> Csv:
        return Csv({**self.values, "header": False})

    def take(self, chunk: bytes) -> bytes:
        end = self._end_of_records(chunk)
        if end:
            block = b"".join([*self._parts, chunk[:end]])
            self._parts = [chunk[end:]] if end < len(chunk) else []
            self._kept = len(chunk) - end
            return self._whole(block)
        self._parts.append(chunk)
        self._kept += len(chunk)
        if self._kept > RECORD_LIMIT:
            self._malformed(f"this record has passed {RECORD_LIMIT} bytes; is a quote missing?")
        return b""

    def rest(self) -> bytes:
        if self._quoted:
            self._malformed("a quoted field that starts in this record never ends")
        return self._whole(super().rest())

    def _end_of_records(self, chunk: bytes) -> int:
        """Return where the last record that ends in this chunk ends; note whether the tail is inside quotes."""
        if b'"' not in chunk:  # 20 times cheaper than counting them
            return 0 if self._quoted else chunk.rfind(b"\n") + 1
        quoted = self._quoted ^ bool(chunk.count(b'"') & 1)
        self._quoted = quoted
        end = chunk.rfind(b"\n")
        later = len(chunk)
        while end >= 0:
            quoted ^= bool(chunk.count(b'"', end, later) & 1)
            if not quoted:
                break
            later, end = end, chunk.rfind(b"\n", 0, end)
        return end + 1

    def _whole(self, block: bytes) -> bytes:
        if block and not self._headless:
            self._headless = True
            records = self.split(block)
            self.heading = self.join(records[:1])
            self.offset += len(self.heading)
            block = block[len(self.heading) :]
        self.offset += len(block)
        self.number += self.count(block)
        return block

    def split(self, block: bytes) -> list[bytes]:
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if b'"' not in block:
            return lines
        records: list[bytes] = []
        parts: list[bytes] = []
        for line in lines:
            odd = line.count(b'"') & 1
            if parts:
                parts.append(line)
                if odd:
                    records.append(b"\n".join(parts))
                    parts = []
            elif odd:
                parts = [line]
            else:
                records.append(line)
        return records

    def join(self, records: Sequence[bytes]) -> bytes:
        return b"\n".join(records) + b"\n" if records else b""

    def count(self, block: bytes) -> int:
        if b'"' in block:
            return len(self.split(block))
        return block.count(b"\n") + (not block.endswith(b"\n") if block else 0)

    def columns(self, record: bytes, delimiter: bytes) -> list[bytes]:
        if record.endswith(b"\r"):
            record = record[:-1]
        columns = record.split(delimiter)
        if b'"' not in record:
            return columns
        fields: list[bytes] = []
        parts: list[bytes] = []
        for column in columns:
            parts.append(column)
            if parts[0].startswith(b'"') and sum(part.count(b'"') for part in parts) & 1:
                continue  # the delimiter stood inside the quotes
            fields.append(_unquoted(delimiter.join(parts)))
            parts = []
        return [*fields, delimiter.join(parts)] if parts else fields

    def row(self, columns: Sequence[bytes], delimiter: bytes) -> bytes:
        return delimiter.join(_quoted(column, delimiter) for column in columns)


def _unquoted(field: bytes) -> bytes:
    if len(field) >= 2 and field.startswith(b'"') and field.endswith(b'"'):
        return field[1:-1].replace(b'""', b'"')
    return field


def _quoted(field: bytes, delimiter: bytes) -> bytes:
    if delimiter in field or b'"' in field or b"\n" in field or b"\r" in field:
        return b'"' + field.replace(b'"', b'""') + b'"'
    return field
