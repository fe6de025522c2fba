r"""Compress the stream: zstd, gzip, bz2 or xz, in blocks that stand alone.

>>> from streamsim.operators import create
>>> packed = create("compress", {"method": "gzip"}).run(b"one\ntwo\n")
>>> create("decompress", {"method": "gzip"}).run(packed)
b'one\ntwo\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import Operator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from streamsim.formats.base import Codec
    from streamsim.operators.base import Format

LEVELS = {"zstd": (3, 22), "gzip": (6, 9), "bz2": (9, 9), "xz": (6, 9)}
"""The default level of each method, and the highest."""
METHOD = Parameter("method", "text", "zstd", "the format", choices=tuple(LEVELS))


class Compress(Operator):
    """Compress the stream: zstd, gzip, bz2 or xz, in blocks that stand alone.

    A block holds ``block`` bytes of the stream, the last one what is left; the tools of each format read one block
    after the other as one file. So the output does not depend on when the input came. An empty stream is one empty
    block. What comes out are no records: ``records_out`` stays 0.
    """

    traits = Traits(state="bounded")
    parameters = (
        METHOD,
        Parameter("level", "integer", None, "how hard to try; default: that of its tool", least=1, most=22),
        Parameter("block", "bytes", 1 << 20, "how much is compressed at once", least=4096, most=1 << 30),
    )

    @classmethod
    def writes_format(cls, values: Mapping[str, Any], format: Format) -> Format | None:
        return None

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("zstandard",) if values["method"] == "zstd" else ()

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        highest = LEVELS[values["method"]][1]
        if values["level"] is not None and values["level"] > highest:
            raise bad_value("level", f"{values['level']}: {values['method']} goes up to {highest}")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        method, level = values["method"], values["level"] or LEVELS[values["method"]][0]
        self._compress: Callable[[bytes], bytes] = globals()[f"_{method}"](level)
        self._parts: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        if self.counting:
            self.records_in += self.codec.tally(chunk)
        self._parts.append(chunk)
        self._size += len(chunk)
        block = self.values["block"]
        if self._size < block:
            return b""
        self._begun = True
        data = b"".join(self._parts)
        whole = len(data) - len(data) % block
        self._parts, self._size = [data[whole:]], len(data) - whole
        return b"".join([self._compress(data[place : place + block]) for place in range(0, whole, block)])

    def finish(self) -> bytes:
        if self.counting:
            self.records_in += self.codec.tally_rest()
        return self._compress(b"".join(self._parts)) if self._size or not self._begun else b""

    def _state(self) -> dict[str, Any]:
        return {"_parts": [b"".join(self._parts)], "_size": self._size, "_begun": self._begun}


def _zstd(level: int) -> Callable[[bytes], bytes]:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=level).compress


def _gzip(level: int) -> Callable[[bytes], bytes]:
    from zlib import compress

    return lambda data: compress(data, level, wbits=31)  # 31: with gzip's header, its time 0


def _bz2(level: int) -> Callable[[bytes], bytes]:
    from bz2 import compress

    return lambda data: compress(data, level)


def _xz(level: int) -> Callable[[bytes], bytes]:
    from lzma import compress

    return lambda data: compress(data, preset=level)
