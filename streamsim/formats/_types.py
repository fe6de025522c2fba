"""The types of a column in formats that have them: names, sizes, and how a value is written as text.

>>> [one.name for one in parse_columns(("carrier:S2", "f8"))], parse_columns(("i4",))[0].size
(['carrier', 'c2'], 4)
"""

from __future__ import annotations

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_STRUCT = {
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
"""The letters of `struct` for each type; numpy calls them as we do."""
WRITTEN = "i1 i2 i4 i8 (whole numbers), u1 u2 u4 u8 (from 0 on), f4 f8 (fractions), S12 (text of up to 12 bytes)"


class Column:
    """One column: ``type`` as numpy writes it, ``size`` in bytes, ``code`` as `struct` writes it."""

    __slots__ = ("code", "name", "size", "type")

    def __init__(self, name: str, type: str) -> None:
        self.name, self.type = name, type
        self.code = f"{type[1:]}s" if type[0] == "S" else _STRUCT[type]
        self.size = int(type[1:])

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.type[0] in "iu"

    def value(self, text: bytes) -> int | float | bytes:
        """Return the value that a text stands for; raises ValueError where it does not fit the type."""
        if self.type[0] == "S":
            if len(text) > self.size or text.endswith(b"\0"):
                raise ValueError(f"{len(text)} bytes do not fit {self.type}")
            return text
        if not self.whole:
            return float(text)
        number = int(text)
        bits = 8 * self.size
        low, high = (0, 1 << bits) if self.type[0] == "u" else (-1 << bits - 1, 1 << bits - 1)
        if not low <= number < high:
            raise ValueError(f"{number} does not fit {self.type}")
        return number


def parse_columns(written: Sequence[str]) -> list[Column]:
    """Return columns written as ``"type"`` or ``"name:type"``; raises ValueError for an unknown type.

    >>> parse_columns(("i4", "name:S8"))[1].code
    '8s'
    """
    columns = []
    for place, text in enumerate(written, start=1):
        name, _, type = text.rpartition(":")
        fits = type in _STRUCT or (type[:1] == "S" and type[1:].isdigit() and 0 < int(type[1:]) <= 65536)
        if not fits:
            raise ValueError(f"{type!r} is no type of a column; there are {WRITTEN}")
        columns.append(Column(name or f"c{place}", type))
    return columns


def verify_columns(written: Sequence[str]) -> None:
    """Raise ScenarioError, its path ``columns``, where a type is unknown.

    >>> verify_columns(("i4", "f8"))
    """
    from streamsim.errors import ScenarioError

    try:
        parse_columns(written)
    except ValueError as error:
        raise ScenarioError(str(error), path="columns") from None


def as_text(value: Any) -> bytes:
    """Return a value as the text of a column: a number as the shortest text that reads back as the same.

    >>> as_text(0.1), as_text(b"x"), as_text(None), as_text(True)
    (b'0.1', b'x', b'', b'true')
    """
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "surrogateescape")
