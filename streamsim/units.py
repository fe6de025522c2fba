"""Quantities with units: "64 KiB", "2000 records/s", "12 us" to numbers and back."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

_NUMBER = re.compile(
    r"\s*([-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?)\s*(.*?)\s*", re.DOTALL
)
_CORES = re.compile(r"\s*([0-9]{1,4})(?:-([0-9]{1,4}))?\s*")
_BITS = re.compile(r"[KMGT]i?b")

_BYTES = {"": 1, "b": 1, "byte": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12} | {
    f"{prefix}i{tail}": 1 << (10 * power) for power, prefix in enumerate("kmgt", start=1) for tail in ("b", "")
}
_MICRO = Fraction(1, 10**6)
_SECONDS = {"ns": Fraction(1, 10**9), "us": _MICRO, "µs": _MICRO, "μs": _MICRO, "ms": Fraction(1, 1000)}
_SECONDS |= dict.fromkeys(("s", "sec", "second", "seconds"), Fraction(1))
_SECONDS |= dict.fromkeys(("min", "minute", "minutes"), Fraction(60))
_SECONDS |= dict.fromkeys(("h", "hour", "hours"), Fraction(3600))
_MANY = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


class Rate(NamedTuple):
    """So many of something each second: ``unit`` is ``"records"`` or ``"bytes"``."""

    per_second: float
    unit: str


def _split(text: str | int | float, what: str) -> tuple[Fraction, str]:
    """Return the number, exactly as it is written in decimals, and its unit."""
    wrong = ValueError(f"{text!r} is not a {what}")
    if isinstance(text, bool) or (isinstance(text, float) and not math.isfinite(text)):
        raise wrong
    if isinstance(text, int):
        return Fraction(text), ""
    match = _NUMBER.fullmatch(text if isinstance(text, str) else repr(text))
    if not match:
        raise wrong
    return Fraction(match[1]), match[2]


def _float(number: Fraction, text: object) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{text!r} is too large") from None


def _byte_scale(unit: str) -> int | None:
    """Return how many bytes the unit is; Mb could be bits, so it is none."""
    return None if _BITS.fullmatch(unit) else _BYTES.get(unit.lower())


def parse_bytes(text: str | int) -> int:
    """Return a size in bytes; a bare number is bytes, KiB = 1024, kB = 1000.

    >>> parse_bytes("64 KiB"), parse_bytes(100), parse_bytes("1.5 MB")
    (65536, 100, 1500000)
    """
    number, unit = _split(text, "size such as '64 KiB'")
    scale = _byte_scale(unit)
    if scale is None:
        raise ValueError(f"unknown unit {unit!r} in {text!r}; sizes are B, KiB, MiB, GiB, kB, MB, GB")
    size = number * scale
    if size < 0 or size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole, non-negative number of bytes")
    return size.numerator


def parse_cores(given: str | int | list[int]) -> tuple[int, ...]:
    """Return the numbers of some cores, in order: 1, [0, 1], "0,1" or "0-2,5", as taskset(1) and /proc write them.

    >>> parse_cores("0-2,5"), parse_cores("1"), parse_cores(0), parse_cores([1, 0])
    ((0, 1, 2, 5), (1,), (0,), (0, 1))
    """
    if isinstance(given, str):
        parts = [_CORES.fullmatch(part) for part in given.split(",")]
        spans = [(int(part[1]), int(part[2] or part[1])) for part in parts if part]
        right = len(spans) == len(parts) and all(first <= last for first, last in spans)
        found = {core for first, last in spans for core in range(first, last + 1)} if right else set()
    else:
        found = {given} if isinstance(given, int) else set(given)
    if not found or min(found) < 0:
        raise ValueError(f"{given!r} names no cores; cores are such as 0, '0,1' or '0-3'")
    return tuple(sorted(found))


def parse_seconds(text: str | int | float) -> float:
    """Return a duration in seconds; a bare number is seconds.

    >>> parse_seconds("12 us"), parse_seconds("2 min"), parse_seconds(0.5)
    (1.2e-05, 120.0, 0.5)
    """
    number, unit = _split(text, "duration such as '12 us'")
    scale = Fraction(1) if unit == "" else _SECONDS.get(unit)
    if scale is None:
        raise ValueError(f"unknown unit {unit!r} in {text!r}; durations are ns, us, ms, s, min, h")
    if number < 0:
        raise ValueError(f"{text!r} is negative")
    return _float(number * scale, text)


def parse_rate(text: str | int | float) -> Rate:
    """Return a rate; a bare number is records per second.

    >>> parse_rate("2000 records/s")
    Rate(per_second=2000.0, unit='records')
    >>> parse_rate("10 MB/s")
    Rate(per_second=10000000.0, unit='bytes')
    """
    number, unit = _split(text, "rate such as '2000 records/s'")
    amount, slash, period = unit.partition("/")
    amount, period = amount.strip(), period.strip()
    if not slash:
        amount, period = amount or "records", "s"
    seconds = _SECONDS.get(period)
    if seconds is None:
        raise ValueError(f"unknown unit {unit!r} in {text!r}; rates are records/s, KiB/s, MB/s, records/min")
    if number <= 0:
        raise ValueError(f"{text!r} is not positive")
    many, _, noun = amount.rpartition(" ")
    if noun in ("records", "record") and many in _MANY:
        return Rate(_float(number * _MANY[many] / seconds, text), "records")
    scale = _byte_scale(amount)
    if scale is None or amount == "":
        raise ValueError(f"unknown unit {unit!r} in {text!r}; rates are records/s, KiB/s, MB/s, records/min")
    return Rate(_float(number * scale / seconds, text), "bytes")


def _digits(value: float) -> str:
    """Return three significant digits, more where the whole part has more, and never an exponent above 1."""
    return f"{value:.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def _scaled(value: float, steps: list[tuple[float, str]]) -> str:
    for (scale, unit), (_, smaller) in zip(steps, [*steps[1:], steps[-1]], strict=True):
        # What rounds up to 1000 of the smaller unit is shown in the larger one, where 1000 of it make one.
        if abs(value) >= scale or (unit != smaller and abs(value) >= 0.9995 * scale):
            return f"{_digits(value / scale)} {unit}"
    scale, unit = steps[-1]
    return f"{_digits(value / scale)} {unit}"


def format_bytes(count: float) -> str:
    """Return a size for people.

    >>> format_bytes(65536), format_bytes(12), format_bytes(31525224)
    ('64 KiB', '12 B', '30.1 MiB')
    """
    return _scaled(count, [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")])


def format_seconds(seconds: float) -> str:
    """Return a duration for people.

    >>> format_seconds(0.0000123), format_seconds(2), format_seconds(0)
    ('12.3 us', '2 s', '0 s')
    """
    if seconds == 0:
        return "0 s"
    return _scaled(seconds, [(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")])


def format_rate(per_second: float, unit: str = "records") -> str:
    """Return a rate for people.

    >>> format_rate(2000), format_rate(1.5e7, "bytes")
    ('2k records/s', '14.3 MiB/s')
    """
    if unit == "bytes":
        return f"{format_bytes(per_second)}/s"
    text = _scaled(per_second, [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]).replace(" ", "")
    return f"{text} {unit}/s"
