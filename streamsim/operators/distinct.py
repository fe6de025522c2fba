r"""Estimate how many different records there are, in little memory (HyperLogLog); one number, at the end.

>>> from streamsim.operators import create
>>> create("distinct").run(b"a\nb\na\n")
b'2\n'
>>> create("distinct", {"column": 2, "bounds": True}).run(b"1,JFK\n2,LGA\n3,JFK\n")
b'2,2,2\n'

Two servers can see a part each, and a third merge what they saw: see streamsim/operators/_sketch.py.
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._sketch import COLUMN, PARAMETERS, Sketch, hashable
from streamsim.operators.base import readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec


class Distinct(Sketch):
    """Estimate how many different records, or values of a column, there are; one number, at the end.

    HyperLogLog of Apache DataSketches, 2^precision bytes: the relative standard error is 1.04 / 2^(precision / 2), so
    0.8 % at 14. ``bounds`` adds the bounds of two standard errors. The estimate is the one of merged sketches, so that
    it is the same on one server and on many; texts are hashed as UTF-8, as in the library's other languages.
    """

    kind = "distinct"
    parameters = (
        COLUMN,
        Parameter("precision", "integer", 14, "2^precision registers", least=7, most=21),
        Parameter("bounds", "flag", False, "write the lower and upper bound of two standard errors too"),
        *PARAMETERS,
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("datasketches",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        from streamsim.operators._sketch_library import load

        self._library: Any = load()
        self._sketch = self._new()
        self._merged = self._library.hll_union(values["precision"])

    def _new(self) -> Any:
        return self._library.hll_sketch(self.values["precision"], self._library.tgt_hll_type.HLL_8)

    def add(self, records: list[bytes]) -> None:
        update = self._sketch.update
        for key in dict.fromkeys(self._columns.texts(records)):
            update(hashable(key))

    def absorb(self, sketch: bytes) -> None:
        other = self._library.hll_sketch.deserialize(sketch)
        if other.lg_config_k != self.values["precision"]:
            raise ValueError(f"its precision is {other.lg_config_k}, not {self.values['precision']}")
        self._merged.update(other)

    def _whole(self) -> Any:
        """Return the union of all: its estimate does not depend on the order of the records."""
        union = self._library.hll_union(self.values["precision"])
        union.update(self._merged.get_result(self._library.tgt_hll_type.HLL_8))
        union.update(self._sketch)
        return union

    def dump(self) -> bytes:
        return bytes(self._whole().get_result(self._library.tgt_hll_type.HLL_8).serialize_compact())

    def load(self, sketch: bytes) -> None:
        self._sketch, self._merged = self._new(), self._library.hll_union(self.values["precision"])
        self.absorb(sketch)

    def _state(self) -> dict[str, Any]:
        merged = self._merged.get_result(self._library.tgt_hll_type.HLL_8)
        return {"own": bytes(self._sketch.serialize_updatable()), "merged": bytes(merged.serialize_updatable())}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self.load(state["merged"])
        self._sketch = self._library.hll_sketch.deserialize(state["own"])

    @readable
    def estimate(self) -> float:
        """How many different ones there have been."""
        return float(self._whole().get_estimate())

    @readable
    def estimate_bounds(self) -> list[float]:
        """Two standard errors below and above the estimate."""
        whole = self._whole()
        return [whole.get_lower_bound(2), whole.get_upper_bound(2)]

    def answer(self) -> list[Sequence[bytes]]:
        whole = self._whole()
        found = [whole.get_estimate()]
        if self.values["bounds"]:
            found += [whole.get_lower_bound(2), whole.get_upper_bound(2)]
        return [[b"%d" % round(number) for number in found]]
