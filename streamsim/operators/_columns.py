"""Columns and numbers out of records, and what to do with a record that lacks them.

>>> number(b"12"), number(b"0.5")
(12, 0.5)
"""

from __future__ import annotations

from streamsim.formats.base import Codec
from streamsim.formats.parameters import Parameter

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streamsim.operators.base import PortedOperator

DELIMITER = Parameter("delimiter", "delimiter", ",", "what stands between columns")


def number(text: bytes) -> int | float:
    """Return the number that a column holds, exact where it is written in digits alone.

    Raises ValueError where it is none; ``nan`` and ``inf`` are none: they would swallow every other number.
    """
    if text.isdigit() or text[1:].isdigit():  # looking first is 6 times cheaper than a failing int()
        return int(text)
    text = text.strip()  # the carriage return of a line from Windows, spaces behind a comma
    if text.isdigit() or text[1:].isdigit():
        return int(text)
    value = float(text)
    if value - value != 0 or b"_" in text:  # Python would take 1_000 for a number
        raise ValueError
    return value


def text(value: int | float) -> bytes:
    """Return a number as a column: the shortest text that reads back as the same number.

    >>> text(3), text(0.1)
    (b'3', b'0.1')
    """
    return str(value).encode()


def column_error(columns: list[bytes], *places: int) -> str:
    """Return what is wrong with a record whose columns at these places (from 0) would not do; the last is a number.

    >>> column_error([b"a"], 2), column_error([b"a"], 0)
    ('has 1 column, not 3', "column 1 is 'a', not a number")
    """
    missing = max(places)
    if missing >= len(columns):
        return f"has {len(columns)} column{'s' * (len(columns) != 1)}, not {missing + 1}"
    return f"column {places[-1] + 1} is {shown(columns[places[-1]])}, not a number"


def shown(record: bytes, most: int = 60) -> str:
    """Return bytes as a message shows them.

    >>> shown(b"abc"), shown(b"x" * 9, most=3)
    ("'abc'", "'xxx…'")
    """
    head = record[:most].decode("utf-8", "replace") + ("…" if len(record) > most else "")
    return repr(head)


class Columns:
    """One column of each record: its text, or its number.

    >>> from streamsim.formats import create
    >>> Columns(create("lines"), 2, b",").texts([b"a,b", b"c"])
    [b'b', b'']
    """

    def __init__(self, codec: Codec, column: int | None, delimiter: bytes, largest: float = float("inf")) -> None:
        """``largest``: numbers further from 0 cannot be worked on."""
        self._largest = largest
        types = getattr(codec, "types", None)
        self.typed = bool(types and column and column <= len(types) and types[column - 1].type[0] != "S")
        """Whether it is a column of numbers in rows that numpy can read."""
        self._dtype: Any = codec.dtype if self.typed else None  # type: ignore[attr-defined]  # rows with types
        self._place = None if column is None else column - 1
        self._delimiter = delimiter
        plain = type(codec).columns is Codec.columns
        self._cut = None if plain else codec.columns

    def texts(self, records: list[bytes]) -> list[bytes]:
        """Return the column of each record; empty where it has too few, the whole record where no column is asked."""
        place, delimiter = self._place, self._delimiter
        if place is None:
            return records
        if self._cut is not None:
            rows = map(self._cut, records, [delimiter] * len(records))
            return [row[place] if place < len(row) else b"" for row in rows]
        if place == 0:
            return [record.partition(delimiter)[0] for record in records]
        last = place + 1  # cutting no further than needed
        return [row[place] if place < len(row) else b"" for row in [r.split(delimiter, last) for r in records]]

    def numbers(self, operator: PortedOperator, records: list[bytes]) -> list[int | float]:
        """Return the column of each record as a number; the operator rejects the records that have none."""
        try:
            numbers = [number(text) for text in self.texts(records)]
            if self._largest == float("inf") or max(map(abs, numbers), default=0) <= self._largest:
                return numbers
        except ValueError:
            pass
        return [found for found in map(self._checked(operator, records), range(len(records))) if found is not None]

    def _checked(self, operator: PortedOperator, records: list[bytes]) -> Callable[[int], int | float | None]:
        place = self._place or 0
        cut = self._cut or bytes.split

        def checked(at: int) -> int | float | None:
            row = cut(records[at], self._delimiter)
            try:
                found = number(row[place])
            except (IndexError, ValueError):
                operator.reject(records, at, column_error(row, place))
                return None
            if abs(found) > self._largest:
                operator.reject(records, at, f"column {place + 1} is {found:.15g}; {self._largest:g} is the most")
                return None
            return found

        return checked

    def array(self, block: bytes) -> Any:
        """Return the column of a block of typed rows; None where a number in it cannot be worked on."""
        from numpy import frombuffer, isfinite

        values = frombuffer(block, self._dtype)[f"f{self._place}"]
        if values.dtype.kind == "f" and not isfinite(values).all():
            return None
        if self._largest != float("inf") and float(abs(values).max()) > self._largest:
            return None
        return values


def check_row(row: bytes, columns: int | None, delimiter: bytes, format: str) -> None:
    """Raise ValueError where so many columns (None: any) could not be told apart in a row of text, or make two lines.

    >>> check_row(b"a,b", 2, b",", "lines")
    """
    if columns is not None and format in ("lines", "frames") and row.count(delimiter) != max(0, columns - 1):
        raise ValueError(f"a column holds the delimiter {delimiter.decode()!r}, which only csv can say; choose another")
    if format == "lines" and b"\n" in row:
        raise ValueError("a line cannot hold a newline")
