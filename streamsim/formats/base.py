"""What every format has: whole records out of chunks cut anywhere, and records back into bytes.

A *record* in the hands of an operator is its content, without the newline or the length that frames it. A
*block* is the bytes of whole records, framed as they stand in the stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar, NoReturn, Self

    from streamsim.formats.parameters import Parameter

RECORD_LIMIT = 64 << 20
"""The longest record, in bytes, that a format with lengths or quotes believes; more is damage, not data."""


class Codec(ABC):
    """Cuts one stream into records and joins records into a stream; one object for each input.

    ``offset`` counts the bytes, and ``number`` the records (where the format has to look at each), of the
    blocks returned so far: where an error was.
    """

    name: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    overhead: ClassVar[int] = 0
    """How many bytes the framing adds to a record."""
    one_heading: ClassVar[bool] = False
    """Whether records of streams with other headings cannot stand in one stream."""
    heading = b""
    """The framed first record, where the format has been told that it names the columns and it has come."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values = dict(values) if values else {}
        self.offset = self.number = 0
        self._parts: list[bytes] = []

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the modules outside the standard library that these options need."""
        return ()

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        """Raise ScenarioError, its path the option, where options of the right types are wrong together."""
        return

    def fresh(self) -> Self:
        """Return a codec of the same format and options that has seen nothing."""
        return type(self)(self.values)

    def plain(self) -> Codec:
        """Return a fresh codec to which a heading is a record like any other."""
        return self.fresh()

    @abstractmethod
    def take(self, chunk: bytes) -> bytes:
        """Return the block of whole records that this chunk completes; the tail is kept for the next."""

    def rest(self) -> bytes:
        """Return, at the end of the stream, what was kept: a last record that nothing terminated, or nothing."""
        tail = b"".join(self._parts)
        self._parts.clear()
        return tail

    def tail(self) -> bytes:
        """Return what is kept of a record that has not come whole, without taking it."""
        return b"".join(self._parts)

    @abstractmethod
    def split(self, block: bytes) -> list[bytes]:
        """Return the records of a block."""

    @abstractmethod
    def join(self, records: Sequence[bytes]) -> bytes:
        """Return the block of these records."""

    def size(self, records: Sequence[bytes]) -> int:
        """Return how many bytes the block of these records has."""
        return sum(map(len, records)) + self.overhead * len(records)

    def count(self, block: bytes) -> int:
        """Return how many records a block holds."""
        return len(self.split(block))

    def tally(self, chunk: bytes) -> int:
        """Return how many records this chunk (cut anywhere) completes, for who only counts."""
        return self.count(self.take(chunk))

    def tally_rest(self) -> int:
        """Return, at the end of the stream, 1 where a last record stood that nothing terminated."""
        return self.count(self.rest())

    def inside(self) -> bool:
        """Return whether the stream stands inside a record: a part of it has been taken, or tallied."""
        return bool(self._parts)

    def columns(self, record: bytes, delimiter: bytes) -> list[bytes]:
        """Return the columns of a record."""
        return record.split(delimiter)

    def row(self, columns: Sequence[bytes], delimiter: bytes) -> bytes:
        """Return the record that has these columns."""
        return delimiter.join(columns)

    def fields(self, record: bytes, delimiter: bytes) -> list[Any]:
        """Return the columns of a record with their types where the format has some: texts are bytes."""
        return list(self.columns(record, delimiter))

    def record(self, fields: Sequence[Any], delimiter: bytes) -> bytes:
        """Return the record that has these fields; raises ValueError where the format cannot hold them."""
        from streamsim.formats._types import as_text

        return self.row([as_text(value) for value in fields], delimiter)

    @property
    def names(self) -> list[str] | None:
        """The names of the columns, where the format has some and they have come."""
        return None

    @property
    def column_types(self) -> list[str] | None:
        """The types of the columns (see _types.py), where the format has some."""
        return None

    def head(self, names: Sequence[str], types: Sequence[str] | None) -> bytes:
        """Return what stands at the head of a stream of these columns, before the first record."""
        return b""

    @classmethod
    def answer_format(cls, values: Mapping[str, Any]) -> str | None:
        """Return the format of what operators write that make columns of their own; None: this one."""
        return None

    @classmethod
    def is_text(cls, values: Mapping[str, Any]) -> bool:
        """Return whether any text can be a record."""
        return cls.answer_format(values) is None

    def answers(self) -> Codec:
        """Return the codec of that format."""
        name = self.answer_format(self.values)
        if name is None:
            return self
        from streamsim.formats import create

        return create(name)

    def snapshot(self) -> dict[str, Any]:
        """Return what `restore` needs to go on from here."""
        return {name: value for name, value in self.__dict__.items() if name != "values"} | {
            "_parts": list(self._parts)
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `snapshot` was called."""
        self.__dict__.update(state)
        self._parts = list(state["_parts"])

    def _malformed(self, message: str) -> NoReturn:
        from streamsim.errors import RunError  # here only: it costs a server 15 ms

        raise RunError(f"record {self.number + 1}, byte {self.offset}: {message}")
