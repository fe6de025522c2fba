r"""Estimate quantiles of a column of numbers, in little memory (KLL); one row a level, at the end.

>>> from streamsim.operators import create
>>> create("quantiles", {"levels": ["0", "0.5", "1"]}).run(b"3\n1\n2\n")
b'0,1.0\n0.5,2.0\n1,3.0\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import text
from streamsim.operators._sketch import PARAMETERS, VALUE, Sketch
from streamsim.operators.base import bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec


class Quantiles(Sketch):
    """Estimate quantiles of a column of numbers; one row a level (level, quantile), at the end.

    KLL of Apache DataSketches (Karnin, Lang, Liberty 2016). The rank of an answer is off by at most
    2.3 / size^0.92, with a confidence of 99 % (1.3 % at 200, the default). Exact until about ``size`` numbers have
    come; past them the sketch forgets at random, so that two runs may differ within that bound. Without any number
    there is no row.
    """

    kind = "quantiles"
    parameters = (
        VALUE,
        Parameter("levels", "texts", ("0.5", "0.9", "0.99"), "which quantiles, from 0 to 1"),
        Parameter("size", "integer", 200, "the sketch's k: larger is more precise", least=8, most=65535),
        *PARAMETERS,
    )

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return ("datasketches",)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        for level in values["levels"]:
            if not _is_level(level):
                raise bad_value("levels", f"{level!r} is no number from 0 to 1")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        from array import array

        from streamsim.operators._sketch_library import load

        self._library: Any = load()
        self._array = array
        self._sketch = self._library.kll_doubles_sketch(values["size"])
        if self._columns.typed and values["reads"] == "records":
            self.vector = self._block

    def _block(self, block: bytes) -> tuple[bytes, int] | None:
        values = self._columns.array(block)
        if values is None:
            return None
        self._sketch.update(values.astype("f8"))
        return b"", 0

    def add(self, records: list[bytes]) -> None:
        numbers = self._columns.numbers(self, records)
        if numbers:
            self._sketch.update(self._array("d", numbers))

    def absorb(self, sketch: bytes) -> None:
        self._sketch.merge(self._library.kll_doubles_sketch.deserialize(sketch))

    def dump(self) -> bytes:
        return bytes(self._sketch.serialize())

    def load(self, sketch: bytes) -> None:
        self._sketch = self._library.kll_doubles_sketch.deserialize(sketch)

    @readable
    def quantiles(self) -> dict[str, float]:
        """The quantiles so far, by level; none before the first number."""
        if self._sketch.is_empty():
            return {}
        return {level: self._sketch.get_quantile(float(level)) for level in self.values["levels"]}

    @readable
    def numbers(self) -> int:
        """How many numbers it has taken."""
        return int(self._sketch.n)

    @readable
    def rank_error(self) -> float:
        """By how much the rank of a quantile may be off (99 % confidence)."""
        return float(self._sketch.normalized_rank_error(False))

    def answer(self) -> list[Sequence[bytes]]:
        if self._sketch.is_empty():
            return []
        levels = self.values["levels"]
        return [(level.encode(), text(self._sketch.get_quantile(float(level)))) for level in levels]


def _is_level(written: str) -> bool:
    try:
        return 0 <= float(written) <= 1
    except ValueError:
        return False
