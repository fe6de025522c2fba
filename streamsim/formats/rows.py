"""Rows: binary records of one fixed width, with nothing between them.

>>> codec = Rows({"width": 3})
>>> codec.take(b"abcd"), codec.take(b"ef"), codec.split(b"abcdef")
(b'abc', b'def', [b'abc', b'def'])
"""

from __future__ import annotations

from streamsim.formats.base import Codec
from streamsim.formats.parameters import Parameter

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Rows(Codec):
    """Records of ``width`` bytes each."""

    name = "rows"
    parameters = (Parameter("width", "bytes", None, "bytes of each record", required=True, least=1),)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self._width = int(self.values["width"])

    def take(self, chunk: bytes) -> bytes:
        data = b"".join([*self._parts, chunk])
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
