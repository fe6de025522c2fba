r"""Put count, mean, variance, skewness, kurtosis, least and greatest on a column of numbers; one row, at the end.

>>> from streamsim.operators import create
>>> create("moments").run(b"1\n2\n3\n4\n")
b'4,2.5,1.6666666666666667,0.0,-1.36,1.0,4.0\n'
"""

from __future__ import annotations

from math import fsum
from struct import Struct, error

from streamsim.operators._columns import Columns, text
from streamsim.operators._sketch import PARAMETERS, VALUE, Sketch
from streamsim.operators.base import readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec

    Sums = tuple[float, float, float, float, float, float, float]
    """Count, mean, the sums of the second, third and fourth powers of the deviations from it, least, greatest."""

_LARGEST = 1e60
"""The sums of the fourth powers of larger numbers would overflow."""
_STEP = 1024
"""How many numbers are put together at once: a fixed number, lest the rounding depend on where the input was cut."""
_SUMS = Struct("<7d")
_NOTHING: Sums = (0.0, 0.0, 0.0, 0.0, 0.0, float("inf"), float("-inf"))


class Moments(Sketch):
    """Put count, mean, variance, skewness, kurtosis, least and greatest on a column of numbers; one row, at the end.

    The variance is the unbiased one (over n - 1); skewness is m3 / m2^1.5 and kurtosis m4 / m2^2 - 3, of the central
    moments over n. What is not defined (fewer than two numbers, or all equal) is an empty column. Sums are kept as
    Pébay does (Sandia report SAND2008-6212, equations 2.1 to 2.5), which loses no digits where values are large; a
    number beyond 1e60 cannot be worked on.
    """

    kind = "moments"
    parameters = (VALUE, *PARAMETERS)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._sums = _NOTHING
        self._pending: list[float] = []
        self._columns = Columns(codec, values["column"], self._delimiter, _LARGEST)
        if self._columns.typed and values["reads"] == "records":
            self.vector = self._block

    def _block(self, block: bytes) -> tuple[bytes, int] | None:
        values = self._columns.array(block)
        if values is None:
            return None
        self._take_numbers(values.tolist())
        return b"", 0

    def add(self, records: list[bytes]) -> None:
        self._take_numbers(self._columns.numbers(self, records))

    def _take_numbers(self, numbers: list[float]) -> None:
        pending = self._pending
        pending += numbers
        while len(pending) >= _STEP:
            self._sums = _merged(self._sums, _sums(pending[:_STEP]))
            del pending[:_STEP]

    def _whole(self) -> Sums:
        return _merged(self._sums, _sums(self._pending))

    def absorb(self, sketch: bytes) -> None:
        try:
            other: Any = _SUMS.unpack(sketch)
        except error as wrong:
            raise ValueError(str(wrong)) from None
        self._sums = _merged(self._sums, other)

    def dump(self) -> bytes:
        return _SUMS.pack(*self._whole())

    def load(self, sketch: bytes) -> None:
        self._sums, self._pending = _NOTHING, []
        self.absorb(sketch)

    def _state(self) -> dict[str, Any]:
        return {"_sums": self._sums, "_pending": list(self._pending)}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @readable
    def moments(self) -> dict[str, float | None]:
        """Count, mean, variance, skewness, kurtosis, least and greatest so far; null where not defined."""
        names = ("count", "mean", "variance", "skewness", "kurtosis", "least", "greatest")
        return dict(zip(names, self._found(), strict=True))

    def answer(self) -> list[Sequence[bytes]]:
        count, *found = self._found()
        return [(b"%d" % (count or 0), *(b"" if value is None else text(value) for value in found))]

    def _found(self) -> tuple[float | None, ...]:
        count, mean, second, third, fourth, least, greatest = self._whole()
        shape: list[float | None] = [None, None, None]
        if count >= 2:
            shape[0] = second / (count - 1)
        variance = second / count if count else 0.0
        if variance**2 > 0:
            shape[1] = third / count / variance**1.5
            shape[2] = fourth / count / variance**2 - 3
        return (count, mean, *shape, least, greatest) if count else (count, *[None] * 6)


def _sums(numbers: Sequence[float]) -> Sums:
    if not numbers:
        return _NOTHING
    count = float(len(numbers))
    mean = fsum(numbers) / count
    deviations = [number - mean for number in numbers]
    squares = [deviation * deviation for deviation in deviations]
    third = fsum([square * deviation for square, deviation in zip(squares, deviations, strict=True)])
    fourth = fsum([square * square for square in squares])
    return count, mean, fsum(squares), third, fourth, float(min(numbers)), float(max(numbers))


def _merged(one: Sums, other: Sums) -> Sums:
    """Return the sums of both together.

    >>> _merged(_sums([1.0, 2.0]), _sums([6.0])) == _sums([1.0, 2.0, 6.0])
    True
    """
    if not one[0] or not other[0]:
        return other if other[0] else one
    (a, mean_a, a2, a3, a4, *_), (b, mean_b, b2, b3, b4, *_) = one, other
    count = a + b
    d = (mean_b - mean_a) / count
    mean = mean_a + b * d
    ab = a * b
    second = a2 + b2 + ab * count * d**2
    third = a3 + b3 + ab * (a - b) * count * d**3 + 3 * (a * b2 - b * a2) * d
    fourth = a4 + b4 + ab * (a * a - ab + b * b) * count * d**4
    fourth += 6 * (a * a * b2 + b * b * a2) * d**2 + 4 * (a * b3 - b * a3) * d
    return count, mean, second, third, fourth, min(one[5], other[5]), max(one[6], other[6])
