r"""Group records by a column and put a number on each group, when the input has ended; sorted by key.

>>> from streamsim.operators import create
>>> create("group", {"key": 1, "value": 2, "function": "mean"}).run(b"b,1\na,5\nb,2\n")
b'a,5.0\nb,1.5\n'
>>> create("group", {"key": 1}).run(b"b\na\nb\n")
b'a,1\nb,2\n'
"""

from __future__ import annotations

from itertools import islice

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, column_error, number, text
from streamsim.operators._functions import FUNCTIONS, Function
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


_SHOWN = 100


class Group(RecordOperator):
    """Group records by a column and put a number on each group, when the input has ended; sorted by key.

    The output has two columns, key and number, in the byte order of the keys, so that it does not depend on the
    order of the input (but for the rounding of sums of fractions). A record with a missing column, or a value that is
    no finite number, cannot be worked on.
    """

    traits = Traits(inputs=MANY, barrier=True, state="keys")
    keeps_columns = False
    parameters = (
        Parameter("key", "integer", None, "the column to group by, the first is 1", required=True, least=1),
        Parameter("value", "integer", None, "the column of the numbers; count needs none", least=1),
        Parameter("function", "text", "count", "what to put on a group", choices=tuple(FUNCTIONS)),
        DELIMITER,
    )
    saved = ("_groups",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._key = values["key"] - 1
        self._value = -1 if values["value"] is None else values["value"] - 1
        self._new = FUNCTIONS[values["function"]]
        self._groups: dict[bytes, Function] = {}
        self._known: dict[Any, Function] = {}
        """The same groups by the value of a typed column."""
        types = getattr(codec, "types", None)
        kinds = [column.type[0] for column in types] if types and max(self._key, self._value) < len(types) else []
        if kinds and kinds[self._key] != "f" and (self._value < 0 or kinds[self._value] != "S"):
            self._dtype: Any = codec.dtype  # type: ignore[attr-defined]  # rows with types
            self.vector = self._rows

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["value"] is None and values["function"] != "count":
            raise bad_value("value", f"function '{values['function']}' needs the column of its numbers")

    def by_key(self) -> dict[bytes, Any]:
        return self._groups

    @readable
    def groups(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @readable
    def first_groups(self) -> dict[str, float]:
        """The groups with their numbers so far, a hundred of them at most, in the order in which they appeared."""
        return {key.decode("utf-8", "backslashreplace"): group.value() for key, group in self._shown()}

    def _shown(self) -> list[tuple[bytes, Function]]:
        return list(islice(self._groups.items(), _SHOWN))

    def _rows(self, block: bytes) -> tuple[bytes, int] | None:
        """Take a block column by column: no row is cut, and no number written and read again."""
        from numpy import frombuffer, isfinite

        from streamsim.formats._types import as_text

        rows = frombuffer(block, self._dtype)
        keys = rows[f"f{self._key}"].tolist()
        values: list[Any] = [0] * len(rows)
        if self._value >= 0:
            column = rows[f"f{self._value}"]
            if column.dtype.kind == "f" and not isfinite(column).all():
                return None
            values = column.tolist()
        groups, known = self._groups, self._known
        for key, value in zip(keys, values, strict=True):
            group = known.get(key)
            if group is None:
                name = as_text(key)
                group = groups.get(name)
                if group is None:
                    group = groups[name] = self._new()
                known[key] = group
            group.add(value)
        return b"", 0

    def _restore_state(self, state: dict[str, Any]) -> None:
        super()._restore_state(state)
        self._known = {}

    def process(self, records: list[bytes]) -> list[bytes]:
        groups, columns, delimiter = self._groups, self.codec.columns, self._delimiter
        key, value = self._key, self._value
        for place, record in enumerate(records):
            row = columns(record, delimiter)
            try:
                name = row[key]
                found = number(row[value]) if value >= 0 else 0
            except (IndexError, ValueError):
                self.reject(records, place, column_error(row, key, value))
                continue
            group = groups.get(name)
            if group is None:
                group = groups[name] = self._new()
            group.add(found)
        return []

    def flush(self) -> list[bytes]:
        row, delimiter = self.writes.row, self._delimiter
        return [row((name, text(group.value())), delimiter) for name, group in sorted(self._groups.items())]
