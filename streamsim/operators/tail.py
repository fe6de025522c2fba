r"""Follow a file that grows, as ``tail -F`` does: what is there, then what is written later.

>>> import tempfile
>>> from streamsim.operators import create
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = file.write(b"one\ntwo\nthree\n"), file.flush()
...     create("tail", {"path": file.name, "last": 2, "idle": "1 ms"}).run()
b'two\nthree\n'
"""

from __future__ import annotations

import os
from errno import ESPIPE
from stat import S_ISREG
from time import monotonic, sleep

from streamsim.formats.parameters import Parameter
from streamsim.operators.source import Source

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Iterator


class Tail(Source):
    """Follow a file that grows: what is there, then what is written later.

    It does as ``tail -F``: when the name comes to stand for another file (a log was rotated), the old one is read to
    its end and the new one from its start; a file that was cut short is read from its start again. It ends when nothing
    has been written for ``idle``, or when the run does; without ``idle`` a file that does not exist yet is waited for.
    Looking costs about 3 us each time.
    """

    any_format = True
    parameters = (
        Parameter("path", "text", None, "the file to follow", required=True),
        Parameter("last", "integer", None, "begin with the last n lines; default: from the start", least=0),
        Parameter("idle", "seconds", None, "end when nothing has come for so long; default: never", least=0),
        Parameter("look", "seconds", 0.05, "how often to look for more", least=0.0001, most=60),
    )

    saved = ("_position", "_begin")
    _begin: int | None = None
    """Where in the file it began."""

    def blocks(self) -> Iterator[bytes]:
        heard = monotonic()
        handle = self._open(heard)
        try:
            if self._begin is None:
                self._begin = 0 if self.values["last"] is None else self._start(handle)
            os.lseek(handle, self._begin, os.SEEK_SET)
            while True:
                chunk = os.read(handle, self.block_bytes)
                if chunk:
                    yield chunk
                    heard = monotonic()
                elif (following := self._following(handle)) != handle:
                    before, handle = handle, following
                    with os.fdopen(before, "rb", buffering=0) as old:  # written since the last look
                        while chunk := old.read(self.block_bytes):
                            yield chunk
                elif not self._wait(heard):
                    return
        finally:
            os.close(handle)

    def _open(self, heard: float) -> int:
        """Return the descriptor of the file, once it is there."""
        while True:
            try:
                return self._open_regular()
            except FileNotFoundError:
                if self.values["idle"] is not None or not self._wait(heard):
                    raise

    def _open_regular(self) -> int:
        path = self.values["path"]
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # of a named pipe it would wait for a writer
        if S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        raise OSError(ESPIPE, "is no regular file, which alone can grow", path)

    def _wait(self, heard: float) -> bool:
        """Sleep until the next look; False when it is time to end."""
        ends = [] if self.values["idle"] is None else [heard + self.values["idle"]]
        ends += [] if self.deadline is None else [self.deadline]
        left = min(ends, default=float("inf")) - monotonic()
        if left <= 0:
            return False
        sleep(min(self.values["look"], left))
        return True

    def _following(self, handle: int) -> int:
        """Return the descriptor to read next: the same; or, where the name stands for another file now, that one's."""
        mine = os.fstat(handle)
        if mine.st_size < os.lseek(handle, 0, os.SEEK_CUR):
            os.lseek(handle, 0, os.SEEK_SET)
            return handle
        try:
            named = os.stat(self.values["path"])  # noqa: PTH116  # pathlib would double the start of a server
            if (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino):
                return handle
            return self._open_regular()
        except FileNotFoundError:
            return handle  # it is being rotated

    def _start(self, handle: int) -> int:
        """Return where the last lines begin."""
        wanted, place = self.values["last"], os.fstat(handle).st_size
        if wanted == 0:
            return place
        if place and os.pread(handle, 1, place - 1) == b"\n":
            wanted += 1
        while place > 0:
            size = min(65536, place)
            place -= size
            block = os.pread(handle, size, place)
            found = block.count(b"\n")
            if found >= wanted:
                at = len(block)
                for _ in range(wanted):
                    at = block.rindex(b"\n", 0, at)
                return place + at + 1
            wanted -= found
        return 0
