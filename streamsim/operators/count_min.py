r"""Estimate how often each of some keys occurs, in memory that does not grow (count-min); a row a key, at the end.

>>> from streamsim.operators import create
>>> create("count-min", {"keys": ["JFK", "LGA"], "column": 2}).run(b"1,JFK\n2,EWR\n3,JFK\n")
b'JFK,2\nLGA,0\n'
"""

from __future__ import annotations

from collections import Counter

from streamsim.formats.parameters import Parameter
from streamsim.operators._sketch import COLUMN, PARAMETERS, Sketch, hashable
from streamsim.operators.base import bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec


_SHOWN = 100


class CountMin(Sketch):
    """Estimate how often each of some keys occurs, in memory that does not grow; a row a key, at the end.

    The keys are records, or values of a column. An estimate is never too low; it is too high by more than ``error`` of
    all records with a probability of at most 1 - ``confidence`` (Cormode and Muthukrishnan 2005, theorem 1). The sketch
    has e / error · ln(1 / (1 - confidence)) counters of 8 bytes, whatever the number of different keys. To ask a merged
    sketch, ask where it is merged.
    """

    kind = "count-min"
    parameters = (
        Parameter("keys", "texts", (), "whose counts to write"),
        COLUMN,
        Parameter("error", "number", 0.001, "relative to the number of all records", least=0.0000001, most=0.5),
        Parameter("confidence", "number", 0.99, "how often an estimate keeps to the error", least=0.5, most=0.999999),
        *PARAMETERS,
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("datasketches",)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if not values["keys"] and values["writes"] == "answer":
            raise bad_value("keys", "name the keys whose counts it shall write (or write the sketch)")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        from streamsim.operators._sketch_library import load

        self._library: Any = load()
        kind = self._library.count_min_sketch
        hashes = kind.suggest_num_hashes(values["confidence"])
        self._sketch = kind(hashes, kind.suggest_num_buckets(values["error"]))

    def add(self, records: list[bytes]) -> None:
        update = self._sketch.update
        for key, count in Counter(self._columns.texts(records)).items():
            update(hashable(key), float(count))

    def absorb(self, sketch: bytes) -> None:
        self._sketch.merge(self._library.count_min_sketch.deserialize(sketch))

    def dump(self) -> bytes:
        return bytes(self._sketch.serialize())

    def load(self, sketch: bytes) -> None:
        self._sketch = self._library.count_min_sketch.deserialize(sketch)

    @readable
    def total(self) -> float:
        """How many records the sketch has counted."""
        return float(self._sketch.total_weight)

    @readable
    def estimates(self) -> dict[str, float]:
        """How often each of the keys has occurred, a hundred of them at most."""
        return {key: self._sketch.get_estimate(hashable(key.encode())) for key in self.values["keys"][:_SHOWN]}

    def answer(self) -> list[Sequence[bytes]]:
        estimate = self._sketch.get_estimate
        return [(key, b"%d" % round(estimate(hashable(key)))) for key in map(str.encode, self.values["keys"])]
