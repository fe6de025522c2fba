"""Counters of a server in a page of shared memory, which anybody who may open its file reads without asking.

The server writes them between two chunks, so they are there also while it is inside a long one. A reader never sees
half an update: the number of the update stands before and behind the counters, and a reader that finds two
different ones reads again (a sequence lock; the fields are written in order, which x86-64 and the
retry keep so for readers).
"""

from __future__ import annotations

import os
from struct import Struct
from time import sleep

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from mmap import mmap

FIELDS = ("records_in", "records_out", "bytes_in", "bytes_out", "chunks", "state", "time_ns")
"""What a page holds; ``state`` is an index into `STATES`, ``time_ns`` of the monotonic clock."""

STATES = ("starting", "running", "paused", "sleeping", "ended")
STARTING, RUNNING, PAUSED, SLEEPING, ENDED = range(5)

_COUNTERS = Struct("<7q")
_WORD = 8
_END = 1 + len(FIELDS)
"""Where the number of the update stands again, in words: the first stands before the counters.

It is read and written through a memoryview, which moves a word at once; `Struct` does it byte by byte, and writes zeros
first, so that two halves of different updates could seem to have the same number."""
SIZE = 4096
_PATIENT, _MOST_ATTEMPTS, _PAUSE_S = 100, 10_000, 50e-6
"""After so many attempts a reader sleeps between them: the writer may have lost its core."""


class Page:
    """The page of one server, written by it alone."""

    def __init__(self, path: str) -> None:
        from mmap import mmap

        aside = f"{path}.new"  # so that nobody finds a page that is still empty
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.truncate(descriptor, SIZE)
            self._map: mmap = mmap(descriptor, SIZE)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("q")
        self._number = 0
        os.rename(aside, path)  # noqa: PTH104  # pathlib costs a server 10 ms

    def write(self, *counters: int) -> None:
        """Write all counters, in the order of `FIELDS`."""
        self._number = number = self._number + 1
        self._words[0] = number
        _COUNTERS.pack_into(self._map, _WORD, *counters)
        self._words[_END] = number


class Reader:
    """Reads the page of a server.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     page = Page(f"{directory}/page")
    ...     page.write(5, 4, 50, 40, 1, 1, 0)
    ...     Reader(f"{directory}/page").read()["records_in"]
    5
    """

    def __init__(self, path: str) -> None:
        from mmap import PROT_READ, mmap

        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            self._map = mmap(descriptor, SIZE, prot=PROT_READ)
        finally:
            os.close(descriptor)
        self._words = memoryview(self._map).cast("q")

    def read(self) -> dict[str, int]:
        """Return the counters, all of one update.

        Raises OSError where an update has been going on for about a second: its server was stopped or killed in it.
        """
        for attempt in range(_MOST_ATTEMPTS):
            last = self._words[_END]
            counters = _COUNTERS.unpack_from(self._map, _WORD)
            if self._words[0] == last:
                return dict(zip(FIELDS, counters, strict=True))
            if attempt > _PATIENT:
                sleep(_PAUSE_S)
        raise OSError("the page of counters was left in the middle of an update")
