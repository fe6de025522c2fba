"""How far a process has read in its file, when the offset and the count of the kernel are not read at one instant."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streamsim.real.observation.feed import Feed

LIBRARIES = 832
READ = 100


class Reader:
    """Stands for a process of 10,000 bytes on its standard input; ``between`` is done before its count is read."""

    def __init__(self, path: Path, between: Callable[[Reader], None]) -> None:
        path.write_bytes(bytes(10_000))
        self.descriptor = os.open(path, os.O_RDONLY)
        self.root = SimpleNamespace(rchar=0, look_at_io=lambda: self._count(between))
        self._total = LIBRARIES

    def _count(self, between: Callable[[Reader], None]) -> None:
        between(self)
        self.root.rchar = self._total

    def read(self, times: int) -> None:
        for _ in range(times):
            self._total += len(os.read(self.descriptor, READ))


@contextmanager
def watched(path: Path, between: Callable[[Reader], None] = lambda _: None) -> Iterator[tuple[Reader, Feed, Any]]:
    reader = Reader(path, between)
    feed = Feed(str(path), reader.descriptor)
    try:
        yield reader, feed, reader
    finally:
        feed.close()
        os.close(reader.descriptor)


def test_the_end_is_exact_although_it_read_on_during_every_look(tmp_path: Path) -> None:
    with watched(tmp_path / "f", lambda reader: reader.read(3)) as (reader, feed, tree):
        reader.read(10)
        for _ in range(5):
            feed.look(tree)
        assert feed.before == LIBRARIES + 3 * READ  # from above only: three reads came between offset and count
        reader.read(1000)
        feed.look(tree, ended=True)
        assert feed.end == 10_000
        assert feed.before == LIBRARIES


def test_the_end_of_one_that_stops_early_is_where_it_stopped(tmp_path: Path) -> None:
    with watched(tmp_path / "f") as (reader, feed, tree):
        reader.read(10)
        feed.look(tree)
        reader.read(7)
        feed.look(tree, ended=True)
        assert feed.end == 17 * READ


def test_the_end_of_one_that_reads_backwards_is_not_known(tmp_path: Path) -> None:
    with watched(tmp_path / "f") as (reader, feed, tree):
        for place in range(9900, -1, -READ):
            os.lseek(reader.descriptor, place, os.SEEK_SET)
            reader.read(1)
            feed.look(tree)
        feed.look(tree, ended=True)
        assert feed.end is None


def test_the_end_of_one_that_nobody_saw_reading_is_known_only_at_the_end_of_its_file(tmp_path: Path) -> None:
    for times, end in ((5, None), (100, 10_000.0)):
        with watched(tmp_path / "f") as (reader, feed, tree):
            reader.read(times)
            feed.look(tree, ended=True)
            assert feed.end == end
