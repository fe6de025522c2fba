"""Checks of what a model is given; each names the parameter, what stood there and what would be right."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import SupportsIndex

from streamsim.errors import ModelError


def positive(name: str, value: float) -> float:
    """Return a finite number above 0, or raise ModelError.

    >>> positive("service_time", 0.5)
    0.5
    """
    if not (math.isfinite(value) and value > 0):
        raise ModelError(f"{name}: {value!r} stands where a finite number above 0 belongs")
    return float(value)


def non_negative(name: str, value: float) -> float:
    """Return a finite number of at least 0, or raise ModelError.

    >>> non_negative("arrival_scv", 0)
    0.0
    """
    if not (math.isfinite(value) and value >= 0):
        raise ModelError(f"{name}: {value!r} stands where a finite number of at least 0 belongs")
    return float(value)


def share(name: str, value: float) -> float:
    """Return a number from 0 to 1, or raise ModelError.

    >>> share("probability", 1)
    1.0
    """
    if not 0 <= value <= 1:
        raise ModelError(f"{name}: {value!r} stands where a number from 0 to 1 belongs")
    return float(value)


MOST_STEPS = 1_000_000
"""Of what a model counts through one by one (servers, places, records), it takes no more: that is a second."""


def countable(name: str, value: SupportsIndex, least: int) -> int:
    """Return a whole number from ``least`` to `MOST_STEPS`, or raise ModelError.

    >>> countable("places", 3, least=1)
    3
    """
    number = whole(name, value, least)
    if number > MOST_STEPS:
        raise ModelError(f"{name}: {number} is more than {MOST_STEPS}, which is as many as are counted one by one")
    return number


def whole(name: str, value: SupportsIndex, least: int) -> int:
    """Return a whole number of at least `least`, or raise ModelError; 2.0 and True are not whole numbers.

    >>> whole("servers", 2, least=1)
    2
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ModelError(f"{name}: {value!r} stands where a whole number of at least {least} belongs")
    return number


def same_length(name: str, values: Sequence[object], length: int) -> None:
    """Raise ModelError unless the sequence has the length that the other parameters imply."""
    if len(values) != length:
        raise ModelError(f"{name}: has {len(values)} entries where {length} belong, one for each station")
