r"""Count records and bytes; write both, as one record, when the input has ended.

>>> from streamsim.operators import create
>>> create("count").run(b"one\ntwo\n")
b'2 8\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import MANY, BlockOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Count(BlockOperator):
    """Count records and bytes; write both, as one record, when the input has ended."""

    traits = Traits(inputs=MANY, barrier=True, state="bounded")
    keeps_columns = False
    parameters = (Parameter("delimiter", "delimiter", " ", "what stands between the two numbers"),)
    saved = ("_bytes",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._bytes = 0

    def process(self, block: bytes, records: int) -> bytes:
        self._bytes += len(block)
        return b""

    def flush(self) -> bytes:
        numbers = [b"%d" % self.records_in, b"%d" % self._bytes]
        return self.writes.join([self.writes.row(numbers, self.values["delimiter"].encode())])
