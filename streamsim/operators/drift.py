r"""Tell where the mean of a column of numbers changes (ADWIN): a row for each change, as soon as it is sure.

>>> from streamsim.operators import create
>>> create("drift").run(b"0\n" * 500 + b"1\n" * 500)
b'512,0.0,1.0\n'
"""

from __future__ import annotations

from math import log, sqrt

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, Columns, text
from streamsim.operators._sketch import VALUE
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec

_BUCKETS = 5
"""Buckets of one size: two more, and the two oldest become one of twice the size (M of the paper)."""
_EVERY = 32
_LEAST = 5


class Drift(RecordOperator):
    """Tell where the mean of a column of numbers changes; a row for each change, as soon as it is sure.

    A row holds the number of the record at which the change was seen, and the means before and after it. ADWIN2
    (Bifet and Gavaldà 2007, theorem 3.1 and section 4): a window of the past, which grows while nothing changes and is
    cut where two parts of it have means too different for chance. ``confidence`` is the probability that a look at a
    stream that does not change finds none; a look is taken every 32 numbers. ``low`` and ``high`` are bounds of the
    numbers; one beyond them counts as the bound.
    """

    traits = Traits(inputs=MANY, state="bounded")
    keeps_columns = False
    parameters = (
        VALUE,
        Parameter("confidence", "number", 0.998, "that no change is seen where none is", least=0.5, most=0.999999),
        Parameter("low", "number", 0.0, "what the numbers do not fall below"),
        Parameter("high", "number", 1.0, "what they do not exceed"),
        DELIMITER,
    )
    saved = ("_window", "_seen")

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["low"] >= values["high"]:
            raise bad_value("high", f"{values['high']:g} must exceed low, {values['low']:g}")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._columns = Columns(codec, values["column"], self._delimiter)
        self._window = _Window(1 - values["confidence"])
        self._seen = 0

    @readable
    def window(self) -> int:
        """How many of the last numbers it takes for alike: since the last change, or the start."""
        return self._window.count

    @readable
    def mean(self) -> float | None:
        """Their mean; null before the first."""
        low, width = self.values["low"], self.values["high"] - self.values["low"]
        return low + width * self._window.total / self._window.count if self._window.count else None

    @readable
    def changes(self) -> int:
        """How many changes it has told."""
        return self.records_out

    def process(self, records: list[bytes]) -> list[bytes]:
        low, high = self.values["low"], self.values["high"]
        width, add = high - low, self._window.add
        out = []
        for number in self._columns.numbers(self, records):
            self._seen += 1
            add((min(max(number, low), high) - low) / width)
            if self._seen % _EVERY == 0 and (means := self._window.cut()) is not None:
                before, after = (text(low + width * mean) for mean in means)
                out.append(self.writes.row((text(self._seen), before, after), self._delimiter))
        return out


class _Window:
    """Numbers from 0 to 1, the older the more of them in one bucket: count, sum, sum of squared deviations."""

    def __init__(self, doubt: float) -> None:
        self._doubt = doubt
        self._rows: list[list[tuple[float, float]]] = [[]]
        """Buckets of 1, 2, 4, … numbers, oldest first: their sum and the squares of their deviations from its mean."""

    def add(self, number: float) -> None:
        self._rows[0].append((number, 0.0))
        size = 1
        for level, row in enumerate(self._rows):
            if len(row) <= _BUCKETS:
                break
            (sum_a, spread_a), (sum_b, spread_b) = row[:2]
            del row[:2]
            spread = spread_a + spread_b + (sum_a - sum_b) ** 2 / (2 * size)
            if level + 1 == len(self._rows):
                self._rows.append([])
            self._rows[level + 1].append((sum_a + sum_b, spread))
            size *= 2

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return sum(size for size, _, _ in self._buckets())

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(part for _, part, _ in self._buckets())

    def cut(self) -> tuple[float, float] | None:
        """Drop the past where it differs from what came later; return the means of both, or None."""
        found = None
        while (means := self._cut_once()) is not None:
            found = (found[0] if found else means[0]), means[1]
        return found

    def _buckets(self) -> list[tuple[int, float, float]]:
        """Return all buckets, oldest first."""
        rows = enumerate(self._rows)
        return [(1 << level, total, spread) for level, row in reversed(list(rows)) for total, spread in row]

    def _cut_once(self) -> tuple[float, float] | None:
        buckets = self._buckets()
        count, total = sum(size for size, _, _ in buckets), sum(part for _, part, _ in buckets)
        if count < 2 * _LEAST:
            return None
        mean = total / count
        variance = sum(spread + size * (part / size - mean) ** 2 for size, part, spread in buckets) / count
        doubt = log(2 * log(count) / self._doubt)
        past, past_total = 0, 0.0
        clearest, where, means = 1.0, 0, (0.0, 0.0)
        for number, (size, part, _) in enumerate(buckets, start=1):
            past, past_total = past + size, past_total + part
            later = count - past
            if past < _LEAST or later < _LEAST:
                continue
            harmonic = 1 / past + 1 / later
            bound = sqrt(2 * harmonic * variance * doubt) + 2 / 3 * harmonic * doubt
            before, after = past_total / past, (total - past_total) / later
            if abs(before - after) > clearest * bound:  # of all cuts the clearest, where the paper takes the first
                clearest, where, means = abs(before - after) / bound, number, (before, after)
        self._drop(where)
        return means if where else None

    def _drop(self, buckets: int) -> None:
        for row in reversed(self._rows):
            dropped = min(buckets, len(row))
            del row[:dropped]
            buckets -= dropped
        while len(self._rows) > 1 and not self._rows[-1]:
            self._rows.pop()
