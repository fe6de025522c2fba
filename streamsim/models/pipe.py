"""Pipes: the page slots of the kernel, and the servers that wait at either end."""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from streamsim.models.server import Server

PAGE = 4096


class SlotPipe:
    """The content of a Linux pipe: slots of one page, not bytes.

    A write appends its tail, the part beyond whole pages, to the last page if it fits there whole; every other
    piece of at most one page takes a slot of its own (fs/pipe.c, pipe_write). So 16 slots hold 65536 writes of 1
    byte, but only 16 of 2049 bytes.

    >>> pipe = SlotPipe(slots=16)
    >>> sum(pipe.write(2049) for _ in range(20)), pipe.write(1), pipe.write(4096)
    (32784, 1, 0)
    """

    __slots__ = ("_pieces", "_tail_end", "level", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.level = 0
        """Bytes inside."""
        self._pieces: deque[int] = deque()
        self._tail_end = 0  # where the last piece ends in its page: reading from its front does not move that

    @property
    def free_slots(self) -> int:
        """How many slots are free; the kernel wakes a writer only when there is one."""
        return self.slots - len(self._pieces)

    def write(self, size: int) -> int:
        """Put in as much as fits and return how much that was (0: the writer has to wait)."""
        pieces, done, tail = self._pieces, 0, size % PAGE
        if tail and pieces and self._tail_end + tail <= PAGE:
            pieces[-1] += tail
            self._tail_end += tail
            done = tail
        free = self.slots - len(pieces)
        left = size - done
        if left and free:
            pages = min(left // PAGE, free)
            if pages:
                pieces.extend(repeat(PAGE, pages))
                self._tail_end = PAGE
                done += pages * PAGE
            if pages < free and size - done:
                self._tail_end = size - done
                pieces.append(self._tail_end)
                done = size
        self.level += done
        return done

    def write_many(self, size: int, count: int) -> int:
        """Write so many pieces of that size (1 byte to a page), each whole or not; return how many went in.

        The same as calling `write` for each, page by page: tools that write line by line do that millions of times.
        """
        pieces, done, together = self._pieces, 0, PAGE // size
        if pieces:
            done = min(count, (PAGE - self._tail_end) // size)
            pieces[-1] += done * size
            self._tail_end += done * size
        free = self.slots - len(pieces)
        pages = min((count - done) // together, free)
        if pages:
            pieces.extend(repeat(together * size, pages))
            self._tail_end = together * size
            done += pages * together
        if done < count and pages < free:
            self._tail_end = (count - done) * size
            pieces.append(self._tail_end)
            done = count
        self.level += done * size
        return done

    def read(self, size: int) -> int:
        """Take out at most so many bytes and return how many there were."""
        pieces, left = self._pieces, size
        if size >= self.level:
            taken = self.level
            pieces.clear()
            self.level = 0
            return taken
        while left:
            piece = pieces[0]
            if piece > left:
                pieces[0] = piece - left
                left = 0
            else:
                pieces.popleft()
                left -= piece
        self.level -= size
        return size


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
