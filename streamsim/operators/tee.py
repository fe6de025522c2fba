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

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import ByteOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Tee(ByteOperator):
    """Pass the bytes on unchanged and write them to a file too.

    The file is written as ``FILE.part`` and gets its name when the input has ended, so that what bears the name is
    whole. A disk that is full fails the run.
    """

    traits = Traits(one_to_one=True, state="bounded")
    parameters = (Parameter("file", "text", None, "the file to write", required=True),)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._handle = -1
        self._written = 0

    @property
    def _part(self) -> str:
        return f"{self.values['file']}.part"

    def process(self, chunk: bytes) -> bytes:
        if self._handle < 0:
            self._handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        done = os.write(self._handle, chunk)
        while done < len(chunk):
            done += os.write(self._handle, memoryview(chunk)[done:])
        self._written += done
        return chunk

    def finish(self) -> bytes:
        self.process(b"")  # an empty input makes an empty file
        os.close(self._handle)
        self._handle = -1
        os.replace(self._part, self.values["file"])  # noqa: PTH105  # pathlib would double the start of a server
        return super().finish()

    def _state(self) -> dict[str, Any]:
        return {"written": self._written}

    def _restore_state(self, state: dict[str, Any]) -> None:
        """Go on behind what had been written; what came later is cut off."""
        self._written = state["written"]
        self._handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.ftruncate(self._handle, self._written)
        os.lseek(self._handle, 0, os.SEEK_END)
