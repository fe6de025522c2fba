r"""Pass each record, or each value of a column, the first time it is seen; in memory that grows, or that does not.

>>> from streamsim.operators import create
>>> create("dedup").run(b"b\na\nb\n")
b'b\na\n'
>>> create("dedup", {"column": 1}).run(b"b,1\na,2\nb,3\n")
b'b,1\na,2\n'
>>> create("dedup", {"capacity": 1000}).run(b"b\na\nb\n")
b'b\na\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, Columns
from streamsim.operators._sketch import COLUMN
from streamsim.operators.base import MANY, RecordOperator, Traits, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from streamsim.formats.base import Codec

_MIDDLE = 1 << 127


class Dedup(RecordOperator):
    """Pass each record, or each value of a column, the first time it is seen.

    Exact where no ``capacity`` is given: it remembers every key. With it, keys go into two Bloom filters of half as
    many each: when one is full the older is emptied. So memory is bounded (about 2.5 bytes a key at 0.1 %) for a
    stream without end; a key is remembered until at least half of ``capacity`` other keys have come, and a new one is
    taken for a known one with a probability of at most ``false_positives``. A record without the column counts as
    having it empty.
    """

    traits = Traits(inputs=MANY, state="keys")
    parameters = (
        COLUMN,
        Parameter("capacity", "integer", None, "how many keys to remember at most; default: all", least=2),
        Parameter("false_positives", "number", 0.001, "of new keys, with a capacity", least=1e-9, most=0.5),
        DELIMITER,
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return () if values["capacity"] is None else ("rbloom", "xxhash")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._columns = Columns(codec, values["column"], values["delimiter"].encode())
        self._whole = values["column"] is None
        self._seen: set[bytes] = set()
        if values["capacity"] is not None:
            self._filters = _Filters((values["capacity"] + 1) // 2, values["false_positives"] / 2)

    def by_key(self) -> dict[bytes, Any] | None:
        return dict.fromkeys(self._seen) if self.values["capacity"] is None else None

    def exchange_keys(self, gone: Iterable[bytes], come: Mapping[bytes, Any]) -> None:
        self._seen.difference_update(gone)
        self._seen.update(come)

    @readable
    def seen(self) -> int:
        """How many keys it remembers; with a capacity those since the older half was forgotten."""
        return len(self._seen) if self.values["capacity"] is None else self._filters.filled

    def process(self, records: list[bytes]) -> list[bytes]:
        if self.values["capacity"] is not None:
            new = self._filters.is_new
            return [r for r, key in zip(records, self._columns.texts(records), strict=True) if new(key)]
        seen = self._seen
        if self._whole:
            fresh = [record for record in dict.fromkeys(records) if record not in seen]
            seen.update(fresh)
            return fresh
        first: list[bytes] = []
        for record, key in zip(records, self._columns.texts(records), strict=True):
            if key not in seen:
                seen.add(key)
                first.append(record)
        return first

    def _state(self) -> dict[str, Any]:
        return {"seen": set(self._seen)} if self.values["capacity"] is None else self._filters.state()

    def _restore_state(self, state: dict[str, Any]) -> None:
        if self.values["capacity"] is None:
            self._seen = state["seen"]
        else:
            self._filters.restore(**state)


class _Filters:
    """Two Bloom filters that take turns: the newer is filled, both are asked."""

    def __init__(self, size: int, false_positives: float) -> None:
        from rbloom import Bloom
        from xxhash import xxh3_128_intdigest

        self._hash: Callable[[bytes], int] = lambda key: xxh3_128_intdigest(key) - _MIDDLE  # rbloom wants it signed
        self._load = Bloom.load_bytes
        self._new: Callable[[], Any] = lambda: Bloom(size, false_positives, self._hash)
        self._size, self._filled = size, 0
        self._newer, self._older = self._new(), self._new()

    def is_new(self, key: bytes) -> bool:
        """Return whether a key has not been seen, and remember it."""
        newer = self._newer
        if key in newer:
            return False
        known = key in self._older
        newer.add(key)
        self._filled += 1
        if self._filled == self._size:
            self._older, self._newer, self._filled = newer, self._new(), 0
        return not known

    @property
    def filled(self) -> int:
        """How many keys the newer filter has."""
        return self._filled

    def state(self) -> dict[str, Any]:
        return {"newer": self._newer.save_bytes(), "older": self._older.save_bytes(), "filled": self._filled}

    def restore(self, newer: bytes, older: bytes, filled: int) -> None:
        self._newer, self._older = self._load(newer, self._hash), self._load(older, self._hash)
        self._filled = filled
