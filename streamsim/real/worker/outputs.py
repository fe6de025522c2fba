"""Where the bytes of a server go: the same to each of its outputs."""

from __future__ import annotations

import os
from time import monotonic

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention


class Outputs:
    """Where the bytes go: the same to each. One whose reader has gone is dropped; when all have, BrokenPipeError."""

    def __init__(self, descriptors: Iterable[int], attention: Attention | Inattention | None = None) -> None:
        self.open = list(descriptors)
        self._put = os.write if attention is None else attention.write
        self.written = 0
        """How many bytes of the last `send` came through, to the output that took most."""

    sent = staticmethod(monotonic)
    """When what was given last was in the pipes: now (s of CLOCK_MONOTONIC)."""

    def send(self, data: bytes) -> None:
        """Write all of it to each; a full pipe blocks."""
        self.written = 0 if self.open else len(data)
        gone = []
        for descriptor in self.open if data else ():
            try:
                self._write(descriptor, data)
            except BrokenPipeError:
                gone.append(descriptor)
        if gone:
            self.drop(gone)

    def mark(self, marker: bytes, among: Container[int]) -> None:
        """Write a marker (control/markers.py) to those of these descriptors that are open; it is no output."""
        written, gone = self.written, []
        for descriptor in self.open:
            try:
                if descriptor in among:
                    self._write(descriptor, marker)
            except BrokenPipeError:
                gone.append(descriptor)
        self.written = written
        if gone:
            self.drop(gone)

    def drop(self, gone: Sequence[int]) -> None:
        """Forget those whose readers have gone; BrokenPipeError when nobody is left."""
        self.open = [descriptor for descriptor in self.open if descriptor not in gone]
        if not self.open:
            raise BrokenPipeError
        for descriptor in gone:
            os.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> None:
        done = 0
        try:
            done = self._put(descriptor, data)
            while done < len(data):  # a pipe took a part, and a signal or the reader's end came
                done += self._put(descriptor, memoryview(data)[done:])
        except OSError as error:
            error.filename = "output"
            raise
        finally:
            self.written = max(self.written, done)

    def close(self) -> None:
        """Tell the readers that this was all."""
        for descriptor in self.open:
            os.close(descriptor)
        self.open = []
