"""Operators whose outputs differ, and operators that wait for one of their inputs: how a server talks to them.

A `Routing` operator returns a part for each of its outputs. A `Selective` one says which input it must have next, so
that a server reads no other and a full pipe holds the other writers back.
"""

from __future__ import annotations

from abc import abstractmethod

from streamsim.operators.base import PortedOperator

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, ClassVar

    from streamsim.formats.base import Codec


class Routing(PortedOperator):
    """Gives different records to different outputs.

    ``width`` is how many there are (set before the first byte); ``levels`` tells how many bytes wait in each, and
    ``open`` which of them somebody still reads.
    """

    shape = "routing"

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self.width = 1
        self.levels: Callable[[], Sequence[int]] = lambda: [0] * self.width
        self.open: Sequence[int] = (0,)

    @abstractmethod
    def route(self, block: bytes) -> list[bytes]:
        """Return the part of each output for this block of whole records (at least one)."""

    def feed_each(self, chunk: bytes, port: int = 0) -> list[bytes]:
        """Take the bytes that one read returned; return what each output gets now."""
        return self._work(self._take(chunk, port))

    def finish_each(self) -> list[bytes]:
        """Return what each output gets at the end of the input."""
        parts = [b""] * self.width
        for codec in self._codecs.values():
            for place, part in enumerate(self._work(codec.rest())):
                parts[place] += part
        return parts

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        return self.feed_each(chunk, port)[0]

    def finish(self) -> bytes:
        return self.finish_each()[0]

    def _work(self, block: bytes) -> list[bytes]:
        heading = self._heading()
        count = self.codec.count
        parts = self.route(block)[: self.width] if block else [b""] * self.width
        self.records_in += count(block)
        self.records_out += sum(count(part) for part in parts)
        return [heading + part for part in parts] if heading else parts


class Selective(PortedOperator):
    """Reads its inputs in an order of its own. ``width`` is how many there are (set before the first byte)."""

    shape = "selective"
    in_turn: ClassVar[bool] = False
    """Whether all that came has been given whenever all inputs stand at one place of the stream that was shared out."""

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self.width = 1
        self._buffers: dict[int, bytes] = {}
        self._ended: set[int] = set()

    @abstractmethod
    def wanted(self) -> int | None:
        """Return the input without whose next bytes nothing more can be written; None where all have ended."""

    @abstractmethod
    def take(self, block: bytes, port: int) -> None:
        """Keep a block of whole records of one input."""

    @abstractmethod
    def ready(self) -> bytes:
        """Return what can be written now."""

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        self.width = max(self.width, port + 1)
        return self._work(self._take(chunk, port), port)

    def end(self, port: int) -> bytes:
        """Take note that an input has ended; return what can be written now."""
        rest = self._codecs[port].rest() if port in self._codecs else b""
        self._ended.add(port)
        return self._work(self.codec.join(self.codec.split(rest)), port)

    def finish(self) -> bytes:
        out = [self.end(port) for port in range(self.width) if port not in self._ended]
        return b"".join(out)

    def _work(self, block: bytes, port: int) -> bytes:
        if block:
            self.records_in += self.codec.count(block)
            self.take(block, port)
        out = self.ready()
        self.records_out += self.codec.count(out)
        return self._heading() + out
