r"""Put one number on every n records (a tumbling window), as soon as they are there.

>>> from streamsim.operators import create
>>> create("window", {"size": 2, "column": 1, "function": "mean"}).run(b"1\n3\n10\n20\n7\n")
b'1,2.0\n2,15.0\n3,7.0\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, column_error, number, text
from streamsim.operators._functions import FUNCTIONS, Function
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Window(RecordOperator):
    """Put one number on every n records (a tumbling window), as soon as they are there.

    The output has two columns, the number of the window (from 1) and its value. The last window may be short.
    Only records that have the column, as a finite number, are counted into a window; others fail the run, or are
    passed over with ``on_error = "skip"``.
    """

    traits = Traits(inputs=MANY, state="bounded")
    keeps_columns = False
    parameters = (
        Parameter("size", "integer", None, "how many records make a window", required=True, least=1),
        Parameter("column", "integer", None, "the column of the numbers; count needs none", least=1),
        Parameter("function", "text", "count", "what to put on a window", choices=tuple(FUNCTIONS)),
        DELIMITER,
    )
    saved = ("_windows", "_filled", "_window")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._column = -1 if values["column"] is None else values["column"] - 1
        self._new = FUNCTIONS[values["function"]]
        self._windows = self._filled = 0
        self._window: Function = self._new()

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["column"] is None and values["function"] != "count":
            raise bad_value("column", f"function '{values['function']}' needs the column of its numbers")

    def process(self, records: list[bytes]) -> list[bytes]:
        size, column = self.values["size"], self._column
        out: list[bytes] = []
        for place, record in enumerate(records):
            found: int | float = 0
            if column >= 0:
                row = self.codec.columns(record, self._delimiter)
                try:
                    found = number(row[column])
                except (IndexError, ValueError):
                    self.reject(records, place, column_error(row, column))
                    continue
            self._window.add(found)
            self._filled += 1
            if self._filled == size:
                out.append(self._close())
        return out

    def flush(self) -> list[bytes]:
        return [self._close()] if self._filled else []

    def _close(self) -> bytes:
        value = self._window.value()
        self._windows += 1
        self._filled, self._window = 0, self._new()
        return self.codec.row((text(self._windows), text(value)), self._delimiter)
