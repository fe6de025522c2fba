r"""Pass the bytes on unchanged and write them to a file too.

>>> import os, tempfile
>>> from streamsim.operators import create
>>> with tempfile.TemporaryDirectory() as directory:
...     path = os.path.join(directory, "copy.txt")
...     create("tee", {"file": path}).run(b"one\ntwo\n"), open(path, "rb").read()
(b'one\ntwo\n', b'one\ntwo\n')
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISREG

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import ByteOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec
    from streamsim.operators.base import Base


HANDED = "/dev/fd/"
"""How a name begins that says which open descriptor to write."""


class Tee(ByteOperator):
    """Pass the bytes on unchanged and write them to a file too.

    The file is written as ``FILE.part`` and gets its name when the input has ended, in a circuit when the run has
    succeeded, so that what bears the name is whole; where the input does not come to its end, or nobody reads the
    output any more, the part is removed. A file that gives way to another while it runs gets its name with what has
    passed until then. Links are followed; a device or a named pipe is written as it is. A disk that is full fails the
    run.
    """

    traits = Traits(one_to_one=True, state="bounded")
    parameters = (Parameter("file", "text", None, "the file to write", required=True),)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._handle = -1
        self._written = 0
        self._target = ""
        """What gets its name at the end; empty where the file is written in its place."""

    def _open(self, *, patient: bool = True) -> int:
        """Open the file; not patient: fail where that would wait for somebody to read a named pipe."""
        file = self.values["file"]
        if file.startswith(HANDED) and file[len(HANDED) :].isdecimal():  # to open it anew would wait for a reader
            return os.dup(int(file[len(HANDED) :]))
        target = os.path.realpath(file)
        try:
            mode = os.stat(target).st_mode  # noqa: PTH116  # pathlib would double the start of a server
        except FileNotFoundError:
            mode = 0
        if mode and not S_ISREG(mode):
            handle = os.open(target, os.O_WRONLY | os.O_CLOEXEC | (0 if patient else os.O_NONBLOCK))
            os.set_blocking(handle, True)
            return handle
        self._target = target
        handle = os.open(f"{target}.part", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if mode:
            os.fchmod(handle, S_IMODE(mode))
        return handle

    def process(self, chunk: bytes) -> bytes:
        if self._handle < 0:
            self._handle = self._open()
            self._cut()
        try:
            done = 0
            while done < len(chunk):
                done += os.write(self._handle, memoryview(chunk)[done:])
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and not self.values["file"].startswith(HANDED):
                error.filename = self.values["file"]
            raise
        self._written += len(chunk)
        return chunk

    def _cut(self) -> None:
        """Begin behind what had been written; what came later is cut off."""
        if S_ISREG(os.fstat(self._handle).st_mode):
            os.ftruncate(self._handle, self._written)
            os.lseek(self._handle, 0, os.SEEK_END)

    def finish(self) -> bytes:
        self.process(b"")  # an empty input makes an empty file
        self._close()
        return super().finish()

    def _close(self) -> None:
        if self._target:
            os.replace(f"{self._target}.part", self._target)  # noqa: PTH105  # as above
        os.close(self._handle)
        self._handle = -1

    def give_way(self, successor: Base) -> None:
        """Give the file its name: it holds all that passed while it was the one to write."""
        if self._handle >= 0 and not (isinstance(successor, Tee) and successor._handle == self._handle):
            self._close()

    def abandon(self) -> None:
        if self._handle < 0 or not self._target:
            return
        try:  # contextlib would double the start of a server too
            os.unlink(f"{self._target}.part")  # noqa: PTH108
        except OSError:
            return  # somebody has taken it away; why we end matters more

    def succeed(self, predecessor: Base, *, keep: bool = True) -> None:
        super().succeed(predecessor, keep=False)
        if isinstance(predecessor, Tee) and predecessor.values["file"] == self.values["file"]:
            self._handle, self._target, self._written = predecessor._handle, predecessor._target, predecessor._written
        else:  # now, for later it would fail the run
            try:
                self._handle = self._open(patient=False)
            except OSError as error:
                error.filename = self.values["file"]
                raise
            self._cut()

    def _state(self) -> dict[str, Any]:
        return {"written": self._written}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self._written = state["written"]
        self._handle = self._open()
        self._cut()
