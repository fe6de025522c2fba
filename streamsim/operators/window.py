r"""Put one number on every n records (a tumbling window), or on the last n at every m-th (a sliding one).

>>> from streamsim.operators import create
>>> create("window", {"size": 2, "column": 1, "function": "mean"}).run(b"1\n3\n10\n20\n7\n")
b'1,2.0\n2,15.0\n3,7.0\n'
>>> create("window", {"size": 4, "slide": 2, "column": 1, "function": "sum"}).run(b"1\n2\n3\n4\n5\n6\n")
b'1,10\n2,18\n'
>>> create("window", {"size": 2, "key": 1}).run(b"a\nb\na\nb\n")
b'1,a,2\n1,b,2\n'
"""

from __future__ import annotations

from math import gcd

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, column_error, number, text
from streamsim.operators._functions import FUNCTIONS, Function, merged
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Window(RecordOperator):
    """Put one number on every n records (a tumbling window), or on the last n at every m-th (a sliding one).

    The output has two columns, the number of the window (from 1) and its value; with ``key`` every key has windows of
    its own, and stands between the two. At the end, records that were in no window yet make a last, short one. Only
    records that have the column, as a finite number, are counted into a window; others cannot be worked on. A sliding
    window is put together from parts (panes), so that each record is taken once whatever the overlap.
    """

    traits = Traits(inputs=MANY, state="keys")
    keeps_columns = False
    parameters = (
        Parameter("size", "integer", None, "how many records make a window", required=True, least=1),
        Parameter("slide", "integer", None, "from the start of one window to the next; default: its size", least=1),
        Parameter("key", "integer", None, "the column to group by; default: all records together", least=1),
        Parameter("column", "integer", None, "the column of the numbers; count needs none", least=1),
        Parameter("function", "text", "count", "what to put on a window", choices=tuple(FUNCTIONS)),
        DELIMITER,
    )
    saved = ("_keys",)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["column"] is None and values["function"] != "count":
            raise bad_value("column", f"function '{values['function']}' needs the column of its numbers")
        if values["slide"] is not None and values["slide"] > values["size"]:
            raise bad_value("slide", f"{values['slide']} leaves records out of every window of {values['size']}")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._key, self._column = (-1 if values[name] is None else values[name] - 1 for name in ("key", "column"))
        self._new = FUNCTIONS[values["function"]]
        self._size = values["size"]
        self._slide = values["slide"] or self._size
        self._keys: dict[bytes, _Panes] = {}

    def by_key(self) -> dict[bytes, Any] | None:
        return self._keys if self._key >= 0 else None

    @readable
    def open_keys(self) -> int:
        """How many keys have windows (1 where all records are together)."""
        return len(self._keys)

    @readable
    def open_records(self) -> int:
        """How many records are in windows that are not full."""
        return sum(panes.open for panes in self._keys.values())

    def process(self, records: list[bytes]) -> list[bytes]:
        key, column, columns, delimiter = self._key, self._column, self.codec.columns, self._delimiter
        cuts = key >= 0 or column >= 0
        out: list[bytes] = []
        name, found = b"", 0
        for place, record in enumerate(records):
            if cuts:
                row = columns(record, delimiter)
                try:
                    name = row[key] if key >= 0 else b""
                    found = number(row[column]) if column >= 0 else 0  # type: ignore[assignment]
                except (IndexError, ValueError):
                    self.reject(records, place, column_error(row, key, column))
                    continue
            panes = self._keys.get(name)
            if panes is None:
                panes = self._keys[name] = _Panes(self._size, self._slide)
            if (value := panes.add(found, self._new)) is not None:
                out.append(self._row(name, panes.windows, value))
        return out

    def flush(self) -> list[bytes]:
        rests = [(name, panes, panes.rest(self._new)) for name, panes in sorted(self._keys.items())]
        return [self._row(name, panes.windows, value) for name, panes, value in rests if value is not None]

    def _row(self, name: bytes, window: int, value: float) -> bytes:
        columns = (text(window), name, text(value)) if self._key >= 0 else (text(window), text(value))
        return self.writes.row(columns, self._delimiter)


class _Panes:
    """The parts of a key's windows that may still be needed."""

    __slots__ = ("_current", "_done", "_filled", "_pane", "_taken", "size", "slide", "windows")

    def __init__(self, size: int, slide: int) -> None:
        self.size, self.slide = size, slide
        self._pane = gcd(size, slide)
        self._done: list[Function] = []
        self._current: Function | None = None
        self._filled = self._taken = self.windows = 0

    def add(self, found: float, new: Callable[[], Function]) -> float | None:
        """Take one more number; return the value of the window that it completes, or None."""
        if self._current is None:
            self._current = new()
        self._current.add(found)
        self._filled += 1
        self._taken += 1
        if self._filled < self._pane:
            return None
        self._done.append(self._current)
        self._current, self._filled = None, 0
        if self._taken < self.windows * self.slide + self.size:
            return None
        value = merged(self._done, new).value()
        del self._done[: self.slide // self._pane]
        self.windows += 1
        return value

    @property
    def open(self) -> int:
        """How many numbers the window holds that will be full next."""
        return self._taken - self.windows * self.slide

    def rest(self, new: Callable[[], Function]) -> float | None:
        """Return the value of the last window, where there are numbers that have been in none."""
        covered = (self.windows - 1) * self.slide + self.size if self.windows else 0
        if self._taken <= covered:
            return None
        self.windows += 1
        return merged([*self._done, *([self._current] if self._current else [])], new).value()
