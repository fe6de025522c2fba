"""What stands for Cython's own module where the kernel runs as plain Python: types and decorators that do nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

compiled = False


def _as_it_is(function: Any) -> Any:
    return function


def exceptval(**options: Any) -> Callable[[Any], Any]:
    """Return a decorator that does nothing."""
    return _as_it_is


def cast(kind: type, value: float) -> Any:
    """Return a number as one of another kind."""
    return kind(value)


def declare(kind: Any, value: Any) -> Any:
    """Return the value."""
    return value


cfunc = ccall = inline = _as_it_is
longlong = int
double = float
