r"""MessagePack: one object after the other; a record is the bytes of one, its columns are the items of an array or map.

>>> codec = Msgpack()
>>> record = codec.record([b"JFK", 7, 0.5, None], b",")
>>> codec.columns(record, b",")
[b'JFK', b'7', b'0.5', b'']
>>> codec.take(record + record[:3]), codec.take(record[3:]) == record
(b'\x94\xa3JFK\x07\xcb?\xe0\x00\x00\x00\x00\x00\x00\xc0', True)
"""

from __future__ import annotations

from streamsim.formats._types import as_text
from streamsim.formats.base import RECORD_LIMIT, Codec

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Msgpack(Codec):
    """Objects of MessagePack, one after the other."""

    name = "msgpack"

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("msgpack",)

    @classmethod
    def is_text(cls, values: Mapping[str, Any]) -> bool:
        return False

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values)
        import msgpack

        self._library: Any = msgpack

    def take(self, chunk: bytes) -> bytes:
        data = b"".join([*self._parts, chunk]) if self._parts else chunk
        ends = self._ends(data)
        end = ends[-1] if ends else 0
        self._parts = [data[end:]] if end < len(data) else []
        if len(data) - end > RECORD_LIMIT:
            self._malformed(f"an object of more than {RECORD_LIMIT} bytes")
        self.offset += end
        self.number += len(ends)
        return data[:end]

    def _ends(self, data: bytes) -> list[int]:
        """Return where each whole object ends."""
        unpacker = self._library.Unpacker(max_buffer_size=0, raw=True, strict_map_key=False)
        unpacker.feed(data)
        skip, tell, ends = unpacker.skip, unpacker.tell, []
        try:
            while True:
                skip()
                ends.append(tell())
        except self._library.OutOfData:
            return ends
        except (ValueError, self._library.UnpackException) as error:
            self.offset += ends[-1] if ends else 0
            self.number += len(ends)
            self._malformed(f"no MessagePack object: {str(error) or type(error).__name__}")

    def rest(self) -> bytes:
        tail = super().rest()
        if tail:
            self._malformed(f"the stream ends after {len(tail)} bytes of this object")
        return b""

    def split(self, block: bytes) -> list[bytes]:
        ends = self._ends(block)
        return [block[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []

    def join(self, records: Sequence[bytes]) -> bytes:
        return b"".join(records)

    def count(self, block: bytes) -> int:
        return len(self._ends(block))

    def fields(self, record: bytes, delimiter: bytes) -> list[Any]:
        found = self._library.unpackb(record, raw=True, strict_map_key=False)
        if isinstance(found, dict):
            return list(found.values())
        return found if isinstance(found, list) else [found]

    def columns(self, record: bytes, delimiter: bytes) -> list[bytes]:
        return [as_text(value) for value in self.fields(record, delimiter)]

    def record(self, fields: Sequence[Any], delimiter: bytes) -> bytes:
        packed: bytes = self._library.packb([_packable(value) for value in fields], unicode_errors="surrogateescape")
        return packed

    def row(self, columns: Sequence[bytes], delimiter: bytes) -> bytes:
        return self.record(columns, delimiter)

    def snapshot(self) -> dict[str, Any]:
        return {"_parts": list(self._parts), "offset": self.offset, "number": self.number}


def _packable(value: Any) -> Any:
    """Return text as a str where it is UTF-8: MessagePack tells text from bytes."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
