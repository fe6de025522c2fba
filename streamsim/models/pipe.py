"""Pipes with the servers that wait at either end; what fits into them is in slots.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from streamsim.slots import PAGE, SlotPipe

if TYPE_CHECKING:
    from streamsim.models.server import Server

__all__ = ["PAGE", "Channel", "ReaderGone", "SlotPipe"]


class ReaderGone(Exception):
    """The reader has closed the pipe: the writer gets SIGPIPE."""


class Channel(SlotPipe):
    """A pipe between two servers; whoever has to wait leaves itself here and is woken by the other end."""

    __slots__ = ("capacity_bytes", "ended", "label", "reader", "reader_open", "writer")

    def __init__(self, label: str, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes // PAGE)
        self.label, self.capacity_bytes = label, capacity_bytes
        self.reader: Server | None = None
        self.writer: Server | None = None
        self.ended = False
        """Whether the writer has closed its end: what is inside is all that will ever come."""
        self.reader_open = True

    def put(self, size: int) -> int:
        """Write what fits, wake the reader if it waits, and return how much it was; raises `ReaderGone`."""
        done = self.write(size) if self.reader_open else self._nobody_reads()
        reader = self.reader
        if reader is not None and done:
            self.reader = None
            reader.wake()
        return done

    def put_many(self, size: int, count: int) -> int:
        """Do `put` with so many pieces of at most a page and return how many went in."""
        done = self.write_many(size, count) if self.reader_open else self._nobody_reads()
        reader = self.reader
        if reader is not None and done:
            self.reader = None
            reader.wake()
        return done

    def _nobody_reads(self) -> NoReturn:
        raise ReaderGone(self.label)

    def get(self, size: int) -> int:
        """Read at most so many bytes, wake the writer if it waits and a whole slot is free, return how many."""
        done = self.read(size)
        writer = self.writer
        if writer is not None and len(self._pieces) < self.slots:
            self.writer = None
            writer.wake()
        return done

    def resize(self, size: int) -> bool:
        """Give it as many slots as hold so many bytes; False where fewer than are in use (F_SETPIPE_SZ: EBUSY)."""
        slots = 1 << max(0, -(-size // PAGE) - 1).bit_length()  # the kernel rounds up to a power of two
        if slots < len(self._pieces):
            return False
        self.slots, self.capacity_bytes = slots, slots * PAGE
        writer = self.writer
        if writer is not None and len(self._pieces) < slots:
            self.writer = None
            writer.wake()
        return True

    def end(self) -> None:
        """Close the writer's end."""
        self.ended = True
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.wake()

    def leave(self) -> None:
        """Close the reader's end."""
        self.reader_open = False
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.wake()
