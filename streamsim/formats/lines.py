r"""Lines: a record ends with a newline; the last one may lack it.

>>> codec = Lines()
>>> codec.take(b"one\ntw"), codec.take(b"o\nthree"), codec.rest()
(b'one\n', b'two\n', b'three')
>>> codec.split(b"one\ntwo\n"), codec.join([b"one", b"two"])
([b'one', b'two'], b'one\ntwo\n')
"""

from __future__ import annotations

from streamsim.formats.base import Codec

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Lines(Codec):
    """Text lines, as Unix tools have them; a carriage return before the newline belongs to the record."""

    name = "lines"
    overhead = 1

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self._unended = False

    def take(self, chunk: bytes) -> bytes:
        end = chunk.rfind(b"\n") + 1
        if not end:
            if chunk:
                self._parts.append(chunk)
            return b""
        block = chunk if end == len(chunk) else chunk[:end]
        if self._parts:
            self._parts.append(block)
            block = b"".join(self._parts)
            self._parts.clear()
        if end < len(chunk):
            self._parts.append(chunk[end:])
        self.offset += len(block)
        return block

    def rest(self) -> bytes:
        tail = super().rest()
        self.offset += len(tail)
        return tail

    def split(self, block: bytes) -> list[bytes]:
        records = block.split(b"\n")
        if not records[-1]:
            records.pop()
        return records

    def join(self, records: Sequence[bytes]) -> bytes:
        return b"\n".join(records) + b"\n" if records else b""

    def count(self, block: bytes) -> int:
        return block.count(b"\n") + (not block.endswith(b"\n") if block else 0)

    def tally(self, chunk: bytes) -> int:
        if chunk:
            self._unended = not chunk.endswith(b"\n")
        return chunk.count(b"\n")

    def inside(self) -> bool:
        return bool(self._parts) or self._unended

    def tally_rest(self) -> int:
        return int(self._unended)
