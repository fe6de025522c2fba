r"""Decompress the stream: zstd, gzip, bz2 or xz, one block or many.

>>> import gzip
>>> from streamsim.operators import create
>>> create("decompress", {"method": "gzip"}).run(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
b'one\ntwo\n'
"""

from __future__ import annotations

from streamsim.operators.base import Operator, Traits
from streamsim.operators.compress import METHOD

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from streamsim.formats.base import Codec

_KEPT = 64 << 20
"""How much of a block that has not ended is kept for a snapshot (bytes)."""

_MAGIC = {"zstd": b"\x28\xb5\x2f\xfd", "gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}
"""How their blocks begin (RFC 8878, RFC 1952, and the descriptions of the bzip2 and xz formats)."""


class Decompress(Operator):
    """Decompress the stream: zstd, gzip, bz2 or xz, one block or many.

    What comes in are no records: ``records_in`` stays 0. Damage, and a stream that ends in a block, fail the run with
    the byte offset. A snapshot holds what has been read of the block at work, at most 64 MiB: behind more there is none
    to be had.
    """

    traits = Traits(state="bounded")
    reads_bytes = True
    parameters = (METHOD,)

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("zstandard",) if values["method"] == "zstd" else ()

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._new: Callable[[], Any] = globals()[f"_{values['method']}"]()
        self._block = self._new()
        self._begun = False
        self._read: list[bytes] = []
        """What has come of the block at work."""
        self._kept = 0
        self._offset = 0

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        out = self._work(chunk)
        if self.counting:
            self.records_out += self.codec.tally(out)
        return out

    def _work(self, chunk: bytes) -> bytes:
        out = []
        while chunk:
            try:
                out.append(self._block.decompress(chunk))
            except Exception as error:  # each library has an error of its own
                self._fail(f"no {self.values['method']} data{self._hint(chunk)}: {error}")
            self._begun = True
            if not self._block.eof:
                self._keep(chunk)
                self._offset += len(chunk)
                break
            rest = self._block.unused_data
            self._offset += len(chunk) - len(rest)
            self._block, self._begun = self._new(), False
            self._read, self._kept = [], 0
            chunk = rest
        return b"".join(out)

    def _hint(self, chunk: bytes) -> str:
        """Say what it is instead, where its first bytes tell."""
        if self._begun:
            return ""
        found = [name for name, magic in _MAGIC.items() if chunk.startswith(magic) and name != self.values["method"]]
        return f", but {found[0]} (method = '{found[0]}')" if found else ""

    def _keep(self, chunk: bytes) -> None:
        self._kept += len(chunk)
        if self._kept <= _KEPT:
            self._read.append(chunk)
        else:
            self._read = []

    def finish(self) -> bytes:
        if self._begun:
            self._fail(f"the {self.values['method']} stream ends too early")
        if self.counting:
            self.records_out += self.codec.tally_rest()
        return b""

    def _fail(self, message: str) -> NoReturn:
        from streamsim.errors import RunError

        raise RunError(f"byte {self._offset}: {message}") from None

    def _state(self) -> dict[str, Any]:
        if self._kept > _KEPT:
            self._fail(f"no snapshot: more than {_KEPT >> 20} MiB of this block have been read")
        return {"read": b"".join(self._read), "offset": self._offset}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self._block, self._begun, self._read, self._kept = self._new(), False, [], 0
        self._work(state["read"])  # what comes out has been written already
        self._offset = state["offset"]


def _zstd() -> Callable[[], Any]:
    from zstandard import ZstdDecompressor

    return lambda: ZstdDecompressor().decompressobj()


def _gzip() -> Callable[[], Any]:
    from zlib import decompressobj

    return lambda: decompressobj(wbits=31)


def _bz2() -> Callable[[], Any]:
    from bz2 import BZ2Decompressor

    return BZ2Decompressor


def _xz() -> Callable[[], Any]:
    from lzma import LZMADecompressor

    return LZMADecompressor
