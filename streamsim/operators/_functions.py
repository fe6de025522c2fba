"""The functions that put one number on many: count, sum, mean, min, max.

>>> mean = FUNCTIONS["mean"]()
>>> mean.add(1), mean.add(4), mean.value()
(None, None, 2.5)
>>> other = FUNCTIONS["mean"]()
>>> other.add(7), mean.merge(other), mean.value()
(None, None, 4.0)
"""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Function:
    """Takes numbers one by one; this one counts them."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total: int | float = 0

    def add(self, number: int | float) -> None:
        """Take one more number."""
        self.total += 1

    def value(self) -> int | float:
        """Return what the numbers so far come to."""
        return self.total

    def merge(self, other: Function) -> None:
        """Take all numbers of another of its kind."""
        self.total += other.total


class Sum(Function):
    """Their sum, exact where all are whole."""

    __slots__ = ()

    def add(self, number: int | float) -> None:
        self.total += number


class Mean(Function):
    """Their mean."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def add(self, number: int | float) -> None:
        self.total += number
        self.number += 1

    def value(self) -> int | float:
        return self.total / self.number

    def merge(self, other: Function) -> None:
        super().merge(other)
        self.number += other.number  # type: ignore[attr-defined]  # of its kind


class Min(Function):
    """The least of them."""

    __slots__ = ()

    def __init__(self) -> None:
        self.total = float("inf")

    def add(self, number: int | float) -> None:
        if number < self.total:
            self.total = number

    def merge(self, other: Function) -> None:
        self.add(other.total)


class Max(Function):
    """The greatest of them."""

    __slots__ = ()

    def __init__(self) -> None:
        self.total = float("-inf")

    def add(self, number: int | float) -> None:
        if number > self.total:
            self.total = number

    def merge(self, other: Function) -> None:
        self.add(other.total)


def merged(functions: Iterable[Function], new: Callable[[], Function]) -> Function:
    """Return one that has taken what all of these have."""
    whole = new()
    for function in functions:
        whole.merge(function)
    return whole


FUNCTIONS: dict[str, Callable[[], Function]] = {"count": Function, "sum": Sum, "mean": Mean, "min": Min, "max": Max}
"""Each makes an accumulator that was given nothing yet."""
