"""The functions that put one number on many: count, sum, mean, min, max.

>>> mean = FUNCTIONS["mean"]()
>>> mean.add(1), mean.add(4), mean.value()
(None, None, 2.5)
"""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable


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


class Min(Function):
    """The least of them."""

    __slots__ = ()

    def __init__(self) -> None:
        self.total = float("inf")

    def add(self, number: int | float) -> None:
        if number < self.total:
            self.total = number


class Max(Function):
    """The greatest of them."""

    __slots__ = ()

    def __init__(self) -> None:
        self.total = float("-inf")

    def add(self, number: int | float) -> None:
        if number > self.total:
            self.total = number


FUNCTIONS: dict[str, Callable[[], Function]] = {"count": Function, "sum": Sum, "mean": Mean, "min": Min, "max": Max}
"""Each makes an accumulator that was given nothing yet."""
