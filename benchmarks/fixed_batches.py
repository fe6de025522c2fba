"""Operators that wait for 4096 records before they work: what adaptive batching is held against (operators.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamsim.formats.base import Codec
from streamsim.operators.filter import Filter

BATCH = 4096


class FixedFilter(Filter):
    """`filter` in batches of 4096 records, however many one read returned."""

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._waiting: list[bytes] = []

    def _work(self, block: bytes, port: int) -> bytes:
        if block:
            self._waiting += self.codec.split(block)
        out = []
        while len(self._waiting) >= BATCH:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            out.append(self.codec.join(self.process(batch)))
        return b"".join(out)

    def flush(self) -> list[bytes]:
        return self.process(self._waiting)
