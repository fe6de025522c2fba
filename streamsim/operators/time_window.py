r"""Group records by a column and by time: one number for each key in each window of time, as soon as it is over.

>>> from streamsim.operators import create
>>> data = b"0.5,a,1\n3,b,2\n9,a,3\n11,a,4\n25,b,5\n"
>>> create("time-window", {"time": 1, "size": 10, "key": 2, "value": 3, "function": "sum"}).run(data)
b'0,a,4\n0,b,2\n10,a,4\n20,b,5\n'
>>> create("time-window", {"time": 1, "size": 20, "slide": 10}).run(data)
b'-10,3\n0,4\n10,2\n20,1\n'
"""

from __future__ import annotations

from math import floor

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, column_error, number, text
from streamsim.operators._functions import FUNCTIONS, Function, merged
from streamsim.operators.base import RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class TimeWindow(RecordOperator):
    """Group records by a column and by time: one number for each key in each window of time, as soon as it is over.

    The time is a column of the record, in any unit; windows begin at whole multiples of ``slide`` (the window's
    ``size`` where it is not given: tumbling windows), and size is a multiple of it. A row holds the start of the
    window, the key where one is grouped by, and the number; windows in their order, keys in byte order. A window is
    over when a time comes that is ``lateness`` past its end; a record that comes still later cannot be worked on.
    Windows without a record give no row.
    """

    traits = Traits(inputs=1, state="keys")
    keeps_columns = False
    parameters = (
        Parameter("time", "integer", None, "the column of the time", required=True, least=1),
        Parameter("size", "number", None, "how long a window is, in the unit of the time", required=True, least=1e-9),
        Parameter("slide", "number", None, "from the start of one window to the next; default: its size", least=1e-9),
        Parameter("lateness", "number", 0, "by how much times may be out of order", least=0),
        Parameter("key", "integer", None, "the column to group by; default: all records together", least=1),
        Parameter("value", "integer", None, "the column of the numbers; count needs none", least=1),
        Parameter("function", "text", "count", "what to put on a group", choices=tuple(FUNCTIONS)),
        DELIMITER,
    )
    saved = ("_panes", "_latest", "_next")

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["value"] is None and values["function"] != "count":
            raise bad_value("value", f"function '{values['function']}' needs the column of its numbers")
        panes = values["size"] / (values["slide"] or values["size"])
        if panes < 1 or abs(panes - round(panes)) > 1e-9:
            raise bad_value("slide", f"size ({values['size']:g}) is no multiple of slide ({values['slide']:g})")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._time = values["time"] - 1
        self._key, self._value = (-1 if values[name] is None else values[name] - 1 for name in ("key", "value"))
        self._new = FUNCTIONS[values["function"]]
        self._slide = values["slide"] or values["size"]
        self._across = round(values["size"] / self._slide)
        """How many panes, of one slide each, make a window."""
        self._panes: dict[int, dict[bytes, Function]] = {}
        self._latest: float | None = None
        self._next: int | None = None
        """The first window that is not over, by the number of its first pane; None before the first record."""

    @readable
    def open_panes(self) -> int:
        """How many parts of windows that are not over hold records."""
        return len(self._panes)

    @readable
    def open_groups(self) -> int:
        """How many groups those parts have together."""
        return sum(len(groups) for groups in self._panes.values())

    @readable
    def latest(self) -> float | None:
        """The latest time that has come."""
        return self._latest

    def process(self, records: list[bytes]) -> list[bytes]:
        columns, delimiter, slide = self.codec.columns, self._delimiter, self._slide
        out: list[bytes] = []
        for place, record in enumerate(records):
            row = columns(record, delimiter)
            try:
                time = number(row[self._time])
                name = row[self._key] if self._key >= 0 else b""
            except (IndexError, ValueError):
                self.reject(records, place, column_error(row, self._key, self._time))
                continue
            try:
                found = number(row[self._value]) if self._value >= 0 else 0
            except (IndexError, ValueError):
                self.reject(records, place, column_error(row, self._value))
                continue
            pane = floor(time / slide)
            if self._next is not None and pane < self._next:
                self.reject(records, place, f"time {time:.15g} comes too late, {self._latest:.15g} has been")
                continue
            self._add(pane, name, found)
            if self._latest is None or time > self._latest:
                self._latest = time
                out += self._over(floor((time - self.values["lateness"]) / slide))
        return out

    def _add(self, pane: int, name: bytes, found: float) -> None:
        groups = self._panes.setdefault(pane, {})
        group = groups.get(name)
        if group is None:
            group = groups[name] = self._new()
        group.add(found)

    def _over(self, pane: int) -> list[bytes]:
        """Return the rows of all windows that end where this pane begins, or before."""
        first = min(self._panes, default=pane) - self._across + 1
        start = first if self._next is None else max(first, self._next)
        out: list[bytes] = []
        while start + self._across <= pane and self._panes:
            out += self._rows(start)
            self._panes.pop(start, None)
            start += 1
            # A gap in the times may be long: go on at the next window that holds anything.
            start = max(start, min(self._panes, default=pane) - self._across + 1)
        after = pane - self._across + 1
        self._next = after if self._next is None else max(self._next, after)
        return out

    def _rows(self, start: int) -> list[bytes]:
        panes = [self._panes[pane] for pane in range(start, start + self._across) if pane in self._panes]
        rows = []
        for name in sorted({name for groups in panes for name in groups}):
            value = merged([groups[name] for groups in panes if name in groups], self._new).value()
            begin = start * self._slide
            columns = [text(round(begin) if begin == round(begin) else begin), text(value)]
            if self._key >= 0:
                columns.insert(1, name)
            rows.append(self.writes.row(columns, self._delimiter))
        return rows

    def flush(self) -> list[bytes]:
        return self._over(max(self._panes) + self._across) if self._panes else []
