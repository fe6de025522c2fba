r"""Read files one after the other, or the standard input, and pass their bytes on.

>>> import tempfile
>>> from streamsim.operators import create
>>> with tempfile.NamedTemporaryFile() as file:
...     _ = file.write(b"one\ntwo\n"), file.flush()
...     create("file", {"paths": [file.name, file.name]}).run()
b'one\ntwo\none\ntwo\n'
"""

from __future__ import annotations

import os

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import bad_value
from streamsim.operators.source import Source

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO, Any

_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".xz": "lzma"}


class File(Source):
    """Read files one after the other, or the standard input, and pass their bytes on.

    Without paths it reads standard input. ``member`` reads that file out of zip archives. Compressed files pass
    as they are unless ``decompress`` asks for their content, by the ending of their name: .gz, .bz2 or .xz.
    """

    any_format = True
    parameters = (
        Parameter("paths", "texts", (), "the files, in order; none: standard input"),
        Parameter("member", "text", None, "the name of the file to read in each path, a zip archive"),
        Parameter("decompress", "flag", False, "decompress what ends in .gz, .bz2 or .xz"),
    )

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if not values["paths"] and (values["member"] or values["decompress"]):
            raise bad_value("paths", "'member' and 'decompress' need paths: a stream has no name to go by")

    def blocks(self) -> Iterator[bytes]:
        if not self.values["paths"]:
            yield from self._stream()
        for path in self.values["paths"]:
            try:
                yield from self._blocks_of(path)
            except Exception as error:  # each way to decompress has errors of its own; none of them says the path
                from streamsim.errors import RunError, StreamsimError

                if isinstance(error, StreamsimError):
                    raise
                raise RunError(f"{path}: {getattr(error, 'strerror', None) or error}") from None

    def _blocks_of(self, path: str) -> Iterator[bytes]:
        if self.values["member"]:
            yield from _member(path, self.values["member"], self.block_bytes)
        elif self.values["decompress"] and path.endswith(tuple(_COMPRESSED)):
            name = _COMPRESSED[path[path.rindex(".") :]]
            with __import__(name).open(path, "rb") as file:
                yield from _pieces(file, self.block_bytes)
        else:
            handle = os.open(path, os.O_RDONLY)
            try:
                yield from _whole(path, handle, self.block_bytes)
            finally:
                os.close(handle)

    def _stream(self) -> Iterator[bytes]:
        if self.deadline is None:
            return _descriptor(self.read, self.input, self.block_bytes)
        return _descriptor_until(self.read, self.input, self.block_bytes, self.deadline)


def _descriptor(read: Callable[[int, int], bytes], handle: int, size: int) -> Iterator[bytes]:
    while chunk := read(handle, size):
        yield chunk


def _whole(path: str, handle: int, size: int) -> Iterator[bytes]:
    """Read a file to its end; half of one that somebody truncates meanwhile must not pass for all of it."""
    had, done = os.fstat(handle).st_size, 0
    for chunk in _descriptor(os.read, handle, size):
        done += len(chunk)
        yield chunk
    if done < had and os.fstat(handle).st_size < had:  # files in /sys seem larger than they are, and stay so
        from streamsim.errors import RunError

        raise RunError(f"{path}: it had {had} bytes when it was opened, and was truncated when {done} had been read")


def _descriptor_until(read: Callable[[int, int], bytes], handle: int, size: int, deadline: float) -> Iterator[bytes]:
    """Read a stream that may never end, or never say anything, until a moment on the monotonic clock."""
    from select import POLLIN, poll
    from time import monotonic

    poller = poll()
    poller.register(handle, POLLIN)
    while (left := deadline - monotonic()) > 0:
        if poller.poll(min(left, 60.0) * 1000):
            chunk = read(handle, size)
            if not chunk:
                return
            yield chunk


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def _member(path: str, member: str, size: int) -> Iterator[bytes]:
    from zipfile import ZipFile  # 25 ms that plain files do without

    with ZipFile(path) as archive:
        if member not in archive.namelist():
            from streamsim.errors import nearest

            known = archive.namelist()
            raise bad_value("member", f"{path} holds no '{member}'{nearest(member, known)}")
        with archive.open(member) as file:
            yield from _pieces(file, size)
