"""Columns and numbers out of records, and what to do with a record that lacks them.

>>> number(b"12"), number(b"0.5")
(12, 0.5)
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import bad_record

DELIMITER = Parameter("delimiter", "delimiter", ",", "what stands between columns")
ON_ERROR = Parameter(
    "on_error",
    "text",
    "fail",
    "a record that cannot be worked on fails the run, or is skipped",
    choices=("fail", "skip"),
)


def number(text: bytes) -> int | float:
    """Return the number that a column holds, exact where it is written in digits alone.

    Raises ValueError where it is none; ``nan`` and ``inf`` are none: they would swallow every other number.
    """
    if text.isdigit() or text[1:].isdigit():  # looking first is 6 times cheaper than a failing int()
        return int(text)
    value = float(text)
    if value - value != 0:
        raise ValueError
    return value


def text(value: int | float) -> bytes:
    """Return a number as a column: the shortest text that reads back as the same number.

    >>> text(3), text(0.1)
    (b'3', b'0.1')
    """
    return str(value).encode()


def column_error(records_before: int, place: int, columns: list[bytes], key: int, value: int) -> Exception:
    """Return the error for a record whose columns ``key`` and ``value`` (from 0) would not do."""
    at = records_before + place + 1
    missing = max(key, value)
    if missing >= len(columns):
        return bad_record(at, f"has {len(columns)} columns, not {missing + 1}")
    return bad_record(at, f"column {value + 1} is {shown(columns[value])}, not a number")


def shown(record: bytes, most: int = 60) -> str:
    """Return bytes as a message shows them.

    >>> shown(b"abc"), shown(b"x" * 9, most=3)
    ("'abc'", "'xxx…'")
    """
    head = record[:most].decode("utf-8", "replace") + ("…" if len(record) > most else "")
    return repr(head)
