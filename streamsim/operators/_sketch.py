"""What the sketches share: a small state that stands for many records, and that servers can merge.

With ``writes = "sketch"`` such an operator ends with one record that holds its state, in base64 behind its name; with
``reads = "sketches"`` it takes such records instead of data. So several servers sketch a part each and one more puts
the whole together:

>>> from streamsim.operators import create
>>> parts = [create("moments", {"writes": "sketch"}).run(data) for data in (b"1\\n2\\n", b"6\\n")]
>>> create("moments", {"reads": "sketches"}).run(b"".join(parts)) == create("moments").run(b"1\\n2\\n6\\n")
True
>>> parts = [create("distinct", {"writes": "sketch"}).run(data) for data in (b"a\\nb\\n", b"b\\nc\\n")]
>>> create("distinct", {"reads": "sketches"}).run(b"".join(parts))
b'3\\n'
"""

from __future__ import annotations

from abc import abstractmethod
from binascii import Error as NoBase64
from binascii import a2b_base64, b2a_base64

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, Columns, shown
from streamsim.operators.base import MANY, RecordOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar

    from streamsim.formats.base import Codec

MERGING = (
    Parameter("reads", "text", "records", "what comes in", choices=("records", "sketches")),
    Parameter("writes", "text", "answer", "what goes out at the end", choices=("answer", "sketch")),
)
COLUMN = Parameter("column", "integer", None, "the column to look at; default: the whole record", least=1)
VALUE = Parameter("column", "integer", 1, "the column of the numbers", least=1)


class Sketch(RecordOperator):
    """Keeps a sketch of what it reads. ``kind`` names its sketches."""

    traits = Traits(inputs=MANY, barrier=True, state="bounded")
    keeps_columns = False
    kind: ClassVar[str]

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._columns = Columns(codec, values["column"], self._delimiter)
        self._prefix = self.kind.encode() + b":"

    @abstractmethod
    def add(self, records: list[bytes]) -> None:
        """Take these records in."""

    @abstractmethod
    def absorb(self, sketch: bytes) -> None:
        """Take another sketch in; any error means that it is none of this kind, or has other parameters."""

    @abstractmethod
    def dump(self) -> bytes:
        """Return the sketch."""

    @abstractmethod
    def load(self, sketch: bytes) -> None:
        """Replace the sketch by one that `dump` returned."""

    @abstractmethod
    def answer(self) -> list[Sequence[bytes]]:
        """Return the rows of the answer."""

    def by_key(self) -> dict[bytes, Any] | None:
        """Return that any server may get any record, where their sketches become one."""
        return {} if self.values["writes"] == "sketch" else None

    def process(self, records: list[bytes]) -> list[bytes]:
        if self.values["reads"] == "records":
            self.add(records)
        else:
            self._merge(records)
        return []

    def _merge(self, records: list[bytes]) -> None:
        for place, record in enumerate(records):
            if not record.startswith(self._prefix):
                self.reject(records, place, f"no sketch of '{self.kind}': {shown(record, 20)}")
                continue
            try:
                self.absorb(a2b_base64(record[len(self._prefix) :], strict_mode=True))
            except (NoBase64, ValueError, RuntimeError, IndexError) as error:  # RuntimeError: from the C++ library
                self.reject(records, place, f"a sketch of '{self.kind}' that does not fit: {error}")

    def flush(self) -> list[bytes]:
        if self.values["writes"] == "sketch":
            return [self._prefix + b2a_base64(self.dump(), newline=False)]
        return [self.writes.row(row, self._delimiter) for row in self.answer()]

    def _state(self) -> dict[str, Any]:
        return {"sketch": self.dump()}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self.load(state["sketch"])


PARAMETERS = (DELIMITER, *MERGING)
"""What all of them take besides their own."""


def as_text(key: bytes) -> str:
    """Return a key as the text that Apache DataSketches hashes: its UTF-8, as all its languages have it.

    Bytes that are no UTF-8 are written as ``\\xff``.
    """
    return key.decode("utf-8", "backslashreplace")


def hashable(key: bytes) -> str | int:
    """Return what Apache DataSketches is given to hash for a key.

    It takes no notice of an empty text. So an empty key is a number, whose eight bytes 0xff no text has.
    """
    return as_text(key) or -1
