"""The visits of a server: one row for each chunk, in the layout of `streamsim.trace.VISIT`."""

from __future__ import annotations

import os
from struct import Struct
from time import thread_time

_VISIT = Struct("<5d4q")
_FLUSH_BYTES = 65536


class Visits:
    """Writes a row for each visit to a file, in pieces of 64 KiB; without a file it does nothing."""

    def __init__(self, path: str | None) -> None:
        self.wanted, self._path = path is not None, path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666) if path is not None else -1
        self._rows = bytearray()
        self.cpu = thread_time()
        self.parts: list[Visits] = []
        """Those of the operators that share the process, if any (fused.py)."""
        self._taken: dict[int, int] = {}

    def add(
        self, asked: float, got: float, served: float, sent: float,
        taken: int, given: int, records_in: int, records_out: int,
    ) -> None:  # fmt: skip
        """Note one visit (times in s of CLOCK_MONOTONIC); the CPU time is all since the visit before."""
        if not self.wanted:
            return
        before, self.cpu = self.cpu, thread_time()
        used = self.cpu - before
        self._rows += _VISIT.pack(asked, got, served, sent, used, taken, given, records_in, records_out)
        if len(self._rows) >= _FLUSH_BYTES:
            self._write()

    def tally(self, port: int, taken: int) -> None:
        """Note how many bytes came by one of several inputs; their sums go to a file of their own at the end."""
        if self.wanted:
            self._taken[port] = self._taken.get(port, 0) + taken

    def file_of(self, what: str) -> str | None:
        """Return the file for something else that who measures wants to know; None where nobody measures."""
        return f"{self._path}.{what}" if self.wanted else None

    def flush(self) -> None:
        """Hand everything noted so far to the file."""
        self._write()
        if self._taken:
            with open(f"{self._path}.taken", "wb") as file:
                file.write(b"".join(b"%d %d\n" % item for item in self._taken.items()))
        for part in self.parts:
            part.flush()

    def _write(self) -> None:
        rows, self._rows = bytes(self._rows), bytearray()
        while rows:
            rows = rows[os.write(self._file, rows) :]
