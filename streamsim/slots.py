"""What fits into a pipe: the page slots of the kernel."""

from __future__ import annotations

from collections import deque
from itertools import repeat

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


def least_held(record_bytes: int, slots: int) -> int:
    """Return how many bytes of equal records a pipe takes before its writer blocks, however many each write brings.

    Two pieces that follow each other and do not fit into one page are more than a page together, so half of the slots
    are full at least; records of whole pages fill all of them.

    >>> least_held(100, 16), least_held(4096, 16), least_held(9000, 1)
    (32700, 65536, 0)
    """
    sure = slots * PAGE if record_bytes % PAGE == 0 else slots // 2 * PAGE
    return sure // record_bytes * record_bytes


def held(record_bytes: int, slots: int, together: int = 1) -> int:
    """Return how many bytes of equal records a pipe takes before its writer blocks, so many brought by each write.

    >>> held(100, 16), held(2049, 16), held(4097, 16)
    (64000, 32784, 40970)
    """
    pipe = SlotPipe(slots)
    while pipe.write(record_bytes * together) == record_bytes * together:
        pass
    return pipe.level // record_bytes * record_bytes  # of the write that blocks some records may be inside
