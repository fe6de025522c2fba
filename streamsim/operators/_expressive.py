"""What `filter` and `map` share: an expression run over a whole block, and over its records where one fails."""

from __future__ import annotations

from streamsim.formats.base import Codec
from streamsim.operators._columns import DELIMITER, shown
from streamsim.operators._expression import block_function
from streamsim.operators.base import RecordOperator

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar

    from streamsim.formats.parameters import Parameter


class Expressive(RecordOperator):
    """Runs the expression that the parameter named ``expression`` holds."""

    expression: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = (DELIMITER,)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        plain = type(codec).columns is Codec.columns
        delimiter = values["delimiter"].encode()
        columns = bytes.split if plain else codec.columns
        self._run = block_function(values[self.expression], self.expression, delimiter, columns)
        self._keep: Callable[[Any], Any] | None = None
        types = getattr(codec, "types", None)
        if types and self.expression == "where":
            from streamsim.operators._vector import vector_function

            self._keep = vector_function(values[self.expression], types)
            self._dtype: Any = codec.dtype  # type: ignore[attr-defined]  # rows with types
            self.vector = None if self._keep is None else self._kept

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        block_function(values[cls.expression], cls.expression, b",", bytes.split)

    def _kept(self, block: bytes) -> tuple[bytes, int] | None:
        from numpy import frombuffer

        assert self._keep is not None
        rows = frombuffer(block, self._dtype)
        try:
            kept = rows[self._keep(rows)]
        except ArithmeticError:
            return None
        return kept.tobytes(), len(kept)

    def process(self, records: list[bytes]) -> list[bytes]:
        try:
            return self._run(records)
        except (ValueError, ArithmeticError):
            return self._one_by_one(records)

    def _one_by_one(self, records: list[bytes]) -> list[bytes]:
        """Run the block again to find the record that failed: cheaper than a guard around each of them."""
        out: list[bytes] = []
        for place, record in enumerate(records):
            try:
                out += self._run([record])
            except (ValueError, ArithmeticError) as error:
                self.reject(records, place, f"{error}, in {shown(record)}")
        return out
