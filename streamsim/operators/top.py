r"""Write the most frequent records, or values of a column, with their counts, when the input has ended.

>>> from streamsim.operators import create
>>> create("top", {"k": 2}).run(b"b\na\nb\nc\na\nb\n")
b'b,3\na,2\n'
>>> create("top", {"k": 1, "capacity": 512}).run(b"b\na\nb\n")
b'b,2\n'
"""

from __future__ import annotations

from collections import Counter

from streamsim.formats.parameters import Parameter
from streamsim.operators._sketch import COLUMN, PARAMETERS, Sketch, as_text
from streamsim.operators.base import MANY, Traits, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec


_SHOWN = 100


class Top(Sketch):
    """Write the most frequent records, or values of a column, with their counts, when the input has ended.

    Most frequent first; among equals, in the byte order of the keys. Exact: it counts every key. With ``capacity`` it
    keeps so many keys, or up to twice as many (the frequent-items sketch of Apache DataSketches, after Misra and
    Gries). Where there are more, a count may be too high, by at most 2.7 / capacity of all records, and a key rarer
    than that may be missing; a restored sketch may forget other keys than the one that it was taken from, within the
    same bound.
    """

    kind = "top"
    traits = Traits(inputs=MANY, barrier=True, state="keys")
    parameters = (
        Parameter("k", "integer", 10, "how many to write", least=1),
        COLUMN,
        Parameter("capacity", "integer", None, "how many keys to keep at least; default: all", least=8),
        *PARAMETERS,
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return () if values["capacity"] is None else ("datasketches",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._counts: Counter[bytes] = Counter()
        self._sketch: Any = None
        if values["capacity"] is not None:
            from streamsim.operators._sketch_library import load

            self._library: Any = load()
            # By the logarithm of the size of its table, of which it fills three quarters.
            self._sketch = self._library.frequent_strings_sketch(((values["capacity"] * 4 + 2) // 3 - 1).bit_length())

    def add(self, records: list[bytes]) -> None:
        keys = self._columns.texts(records)
        if self._sketch is None:
            self._counts.update(keys)
            return
        update = self._sketch.update
        for key in keys:  # one by one: what it forgets must not depend on where the input was cut
            update(as_text(key))

    def absorb(self, sketch: bytes) -> None:
        if self._sketch is not None:
            self._sketch.merge(self._library.frequent_strings_sketch.deserialize(sketch))
        else:
            self._counts.update(_unpacked(sketch))

    def dump(self) -> bytes:
        return bytes(self._sketch.serialize()) if self._sketch is not None else _packed(self._counts)

    def load(self, sketch: bytes) -> None:
        if self._sketch is not None:
            self._sketch = self._library.frequent_strings_sketch.deserialize(sketch)
        else:
            self._counts = Counter(_unpacked(sketch))

    @readable
    def leaders(self) -> dict[str, int]:
        """The most frequent so far with their counts, a hundred at most, the first first."""
        return {as_text(key): int(count) for key, count in self._best(min(self.values["k"], _SHOWN))}

    @readable
    def keys(self) -> int:
        """How many different keys are kept."""
        return len(self._counts) if self._sketch is None else int(self._sketch.num_active_items)

    def answer(self) -> list[Sequence[bytes]]:
        return [(key, b"%d" % count) for key, count in self._best(self.values["k"])]

    def _best(self, many: int) -> list[tuple[bytes, int]]:
        from heapq import nsmallest

        counts = self._counts.items() if self._sketch is None else self._frequent()
        return nsmallest(many, counts, key=lambda item: (-item[1], item[0]))

    def _frequent(self) -> list[tuple[bytes, int]]:
        kind = self._library.frequent_items_error_type.NO_FALSE_NEGATIVES
        return [(item[0].encode(), item[1]) for item in self._sketch.get_frequent_items(kind)]


def _packed(counts: Mapping[bytes, int]) -> bytes:
    """Return counts as bytes: each is its number, the length of its key, and the key.

    >>> _unpacked(_packed({b"a b": 3}))
    {b'a b': 3}
    """
    return b"".join([b"%d %d %b" % (count, len(key), key) for key, count in counts.items()])


def _unpacked(data: bytes) -> dict[bytes, int]:
    counts, place = {}, 0
    while place < len(data):
        middle = data.index(b" ", place)
        start = data.index(b" ", middle + 1) + 1
        end = start + int(data[middle:start])
        if end > len(data):
            raise ValueError("it ends too early")
        counts[data[start:end]] = int(data[place:middle])
        place = end
    return counts
