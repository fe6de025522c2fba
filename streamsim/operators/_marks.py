"""What says of a method that the control channel has it."""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Marked = TypeVar("Marked", bound=Callable[..., Any])


def control(method: Marked) -> Marked:
    """Mark a method as one that can be called through the control channel; its type hints are its contract."""
    method.__control__ = True  # type: ignore[attr-defined]  # functions take attributes
    return method


def readable(method: Marked) -> Marked:
    """Mark a method without parameters as a field of the operator's state, readable through the control channel."""
    method.__readable__ = True  # type: ignore[attr-defined]  # functions take attributes
    return method
