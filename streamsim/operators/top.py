r"""Write the most frequent records, or values of a column, with their counts, when the input has ended.

>>> from streamsim.operators import create
>>> create("top", {"k": 2}).run(b"b\na\nb\nc\na\nb\n")
b'b,3\na,2\n'
"""

from __future__ import annotations

from collections import Counter

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER
from streamsim.operators.base import MANY, RecordOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Top(RecordOperator):
    """Write the most frequent records, or values of a column, with their counts, when the input has ended.

    Most frequent first; among equals, in the byte order of the keys. Exact: it counts every key.
    """

    traits = Traits(inputs=MANY, barrier=True, state="keys")
    keeps_columns = False
    parameters = (
        Parameter("k", "integer", 10, "how many to write", least=1),
        Parameter("column", "integer", None, "the column to count; default: the whole record", least=1),
        DELIMITER,
    )
    saved = ("_counts",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._counts: Counter[bytes] = Counter()

    def process(self, records: list[bytes]) -> list[bytes]:
        keys = records
        if self.values["column"] is not None:
            place, columns, delimiter = self.values["column"] - 1, self.codec.columns, self._delimiter
            rows = (columns(record, delimiter) for record in records)
            keys = [row[place] if place < len(row) else b"" for row in rows]
        self._counts.update(keys)
        return []

    def flush(self) -> list[bytes]:
        from heapq import nsmallest

        best = nsmallest(self.values["k"], self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [self.codec.row((key, b"%d" % count), self._delimiter) for key, count in best]
