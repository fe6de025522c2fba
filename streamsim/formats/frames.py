r"""Frames: each record stands behind its length, four bytes, most significant first; any byte may be in it.

>>> codec = Frames()
>>> codec.take(b"\0\0\0\2hi\0\0"), codec.take(b"\0\1!")
(b'\x00\x00\x00\x02hi', b'\x00\x00\x00\x01!')
>>> codec.split(b"\0\0\0\2hi\0\0\0\1!"), codec.join([b"hi"])
([b'hi', b'!'], b'\x00\x00\x00\x02hi')
"""

from __future__ import annotations

from struct import Struct

from streamsim.formats.base import RECORD_LIMIT, Codec

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_LENGTH = Struct(">I")


class Frames(Codec):
    """Binary records with their length in front of each."""

    name = "frames"
    overhead = 4

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        self._have = 0
        self._need = 4

    def take(self, chunk: bytes) -> bytes:
        self._parts.append(chunk)
        self._have += len(chunk)
        if self._have < self._need:  # join once for a long frame, not once for each of its chunks
            return b""
        data = b"".join(self._parts)
        end = self._end_of_frames(data)
        self._parts = [data[end:]] if end < len(data) else []
        self._have = len(data) - end
        return data[:end]

    def _end_of_frames(self, data: bytes) -> int:
        place, size = 0, len(data)
        self._need = 4
        while place + 4 <= size:
            length = _LENGTH.unpack_from(data, place)[0]
            if length > RECORD_LIMIT:
                self._malformed(f"a frame of {length} bytes; at most {RECORD_LIMIT} are believed")
            if place + 4 + length > size:
                self._need = 4 + length
                break
            place += 4 + length
            self.offset += 4 + length
            self.number += 1
        return place

    def rest(self) -> bytes:
        if self._have:
            self._malformed(f"the stream ends {self._need - self._have} bytes before this frame does")
        return b""

    def split(self, block: bytes) -> list[bytes]:
        records = []
        place, size = 0, len(block)
        while place < size:
            start = place + 4
            place = start + _LENGTH.unpack_from(block, place)[0]
            records.append(block[start:place])
        return records

    def join(self, records: Sequence[bytes]) -> bytes:
        length = _LENGTH.pack
        return b"".join([part for record in records for part in (length(len(record)), record)])

    def count(self, block: bytes) -> int:
        count = place = 0
        size = len(block)
        while place < size:
            place += 4 + _LENGTH.unpack_from(block, place)[0]
            count += 1
        return count
