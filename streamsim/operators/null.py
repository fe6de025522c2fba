r"""Read everything and write nothing: a sink that counts.

>>> from streamsim.operators import create
>>> null = create("null")
>>> null.run(b"one\ntwo\n"), null.records_in
(b'', 2)
"""

from __future__ import annotations

from streamsim.operators.base import Operator


class Null(Operator):
    """Read everything and write nothing: a sink that counts."""

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        if self.counting:
            self.records_in += self.codec.tally(chunk)
        return b""

    def finish(self) -> bytes:
        if self.counting:
            self.records_in += self.codec.tally_rest()
        return b""
