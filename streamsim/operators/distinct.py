r"""Pass each record, or each value of a column, the first time it is seen.

>>> from streamsim.operators import create
>>> create("distinct").run(b"b\na\nb\n")
b'b\na\n'
>>> create("distinct", {"column": 1}).run(b"b,1\na,2\nb,3\n")
b'b,1\na,2\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER
from streamsim.operators.base import MANY, RecordOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Distinct(RecordOperator):
    """Pass each record, or each value of a column, the first time it is seen.

    Exact: it remembers every key. A record without the column counts as having it empty.
    """

    traits = Traits(inputs=MANY, state="keys")
    parameters = (
        Parameter("column", "integer", None, "the column to look at; default: the whole record", least=1),
        DELIMITER,
    )
    saved = ("_seen",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._seen: set[bytes] = set()

    def process(self, records: list[bytes]) -> list[bytes]:
        seen = self._seen
        if self.values["column"] is None:
            fresh = [record for record in dict.fromkeys(records) if record not in seen]
            seen.update(fresh)
            return fresh
        place, columns, delimiter = self.values["column"] - 1, self.codec.columns, self._delimiter
        first: list[bytes] = []
        for record in records:
            row = columns(record, delimiter)
            key = row[place] if place < len(row) else b""
            if key not in seen:
                seen.add(key)
                first.append(record)
        return first
