"""Sources: operators without input, which make the bytes of a circuit."""

from __future__ import annotations

import os
from abc import abstractmethod

from streamsim.operators.base import Base, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, ClassVar

    from streamsim.formats.base import Codec


class Source(Base):
    """Makes bytes. Each may be read once, from where a restored snapshot left off.

    ``input`` is the file descriptor that it reads where it reads a stream at all, with ``read``: a server's way to do
    so (os.read) also serves commands meanwhile, and counts in ``taken`` what a station before it wrote. ``deadline`` is
    when it stops waiting for that (on the monotonic clock), ``block_bytes`` about how much it makes or reads at once.
    ``piece_bytes``: of a line longer than that `chunks` yields pieces as they come; ``continued`` says that the last
    block begins within a line of which a piece was yielded, and counted, before.
    """

    traits = Traits(inputs=0, source=True)
    saved: ClassVar[tuple[str, ...]] = ("_position",)
    input = 0
    read: Callable[[int, int], bytes] = staticmethod(os.read)
    deadline: float | None = None
    taken = 0
    block_bytes = 65536  # what a default pipe takes: 16 slots of 4 KiB
    piece_bytes: int | None = None
    continued = False

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec.plain())
        self._position = 0

    @abstractmethod
    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes from the start, cut anywhere, in pieces of about ``block_bytes``."""

    def stream(self) -> Iterator[bytes]:
        """Yield the bytes as they come, cut anywhere: the cheapest way to pass them on."""
        for chunk in self._onward():
            if self.counting:
                self.records_out += self.codec.tally(chunk)
            yield chunk
        if self.counting:
            self.records_out += self.codec.tally_rest()

    def chunks(self) -> Iterator[bytes]:
        """Yield blocks of whole records (the very last may lack its newline), but see ``piece_bytes``."""
        most = self.piece_bytes if self.codec.name == "lines" else None
        begun = False
        for chunk in self._onward():
            block = self.codec.take(chunk)
            if block:
                self._count(block, begun)
                yield block
                begun = False
            if most is not None and len(tail := self.codec.tail()) > most:
                self.codec.rest()
                self._count(tail, begun)
                yield tail
                begun = True
        rest = self.codec.rest()
        if rest:
            self._count(rest, begun)
            yield rest

    def _count(self, block: bytes, continued: bool) -> None:
        self.continued = continued
        self.records_out += self.codec.count(block) - continued

    def records(self, limit: int) -> Iterator[bytes]:
        """Yield blocks of whole records that hold ``limit`` records together, or all there are."""
        left = limit - self.records_out
        if left <= 0:
            return
        for block in self.chunks():
            here = self.codec.count(block)
            if here >= left:
                self.records_out += left - here
                yield block if here == left else self.codec.join(self.codec.split(block)[:left])
                return
            left -= here
            yield block

    def run(self, data: bytes = b"") -> bytes:
        return b"".join(self.stream())

    def fetch(self, most: float = float("inf")) -> int:
        """Return how many bytes have come by ``input`` that were not told yet, at most so many."""
        fresh = int(min(most, self.taken))
        self.taken -= fresh
        return fresh

    def _onward(self) -> Iterator[bytes]:
        skip = self._position
        for chunk in self.blocks():
            if skip >= len(chunk):
                skip -= len(chunk)
                continue
            fresh = chunk[skip:] if skip else chunk
            skip = 0
            self._position += len(fresh)
            yield fresh
