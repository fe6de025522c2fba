r"""Keep every nth record, or each with a probability.

>>> from streamsim.operators import create
>>> create("sample", {"every": 3}).run(b"1\n2\n3\n4\n5\n6\n7\n")
b'3\n6\n'
>>> 400 < create("sample", {"probability": 0.5, "seed": 1}).run(b"x\n" * 1000).count(b"x") < 600
True
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec
    from streamsim.operators.base import Base


class Sample(RecordOperator):
    """Keep every nth record, or each with a probability.

    Exactly one of ``every`` and ``probability`` is given. The same seed keeps the same records.
    """

    traits = Traits(inputs=MANY, state="bounded")
    parameters = (
        Parameter("every", "integer", None, "keep the records n, 2n, 3n, …", least=1),
        Parameter("probability", "number", None, "keep each record with this probability", least=0, most=1),
        Parameter("seed", "integer", 1, "where the random choices start"),
    )
    saved = ("_random",)
    adjustable = ("every", "probability")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._random = None
        if values["probability"] is not None:
            from random import Random  # 4 ms that the other way does without

            self._random = Random(values["seed"])
        if getattr(codec, "types", None):
            self._dtype: Any = codec.dtype  # type: ignore[attr-defined]  # rows with types
            self.vector = self._rows

    def _rows(self, block: bytes) -> tuple[bytes, int] | None:
        if self._random is not None:
            return None
        from numpy import frombuffer

        every: int = self.values["every"]
        kept = frombuffer(block, self._dtype)[every - 1 - self.records_in % every :: every]
        return kept.tobytes(), len(kept)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if (values["every"] is None) == (values["probability"] is None):
            raise bad_value("every", "give either 'every' or 'probability'")

    def succeed(self, predecessor: Base, *, keep: bool = True) -> None:
        drew = isinstance(predecessor, Sample) and predecessor._random is not None
        super().succeed(predecessor, keep=keep and drew == (self._random is not None))

    def process(self, records: list[bytes]) -> list[bytes]:
        if self._random is None:
            every: int = self.values["every"]
            return records[every - 1 - self.records_in % every :: every]
        draw, probability = self._random.random, self.values["probability"]
        return [record for record in records if draw() < probability]
