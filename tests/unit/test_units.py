"""Quantities with units: what is read is what was written, to the last byte, and nothing odd becomes a number."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamsim.units import (
    Rate,
    format_bytes,
    format_rate,
    format_seconds,
    parse_bytes,
    parse_rate,
    parse_seconds,
)

# IEC 80000-13 and SI prefixes, written out here on purpose.
BYTE_UNITS = {
    "": 1,
    "B": 1,
    "bytes": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000000,
    "GB": 1000000000,
    "TB": 1000000000000,
    "KiB": 1024,
    "Ki": 1024,
    "MiB": 1048576,
    "GiB": 1073741824,
    "TiB": 1099511627776,
}
TIME_UNITS = {
    "ns": Fraction(1, 1000000000),
    "us": Fraction(1, 1000000),
    "µs": Fraction(1, 1000000),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
}


@given(st.integers(0, 10**15), st.sampled_from(sorted(BYTE_UNITS)))
def test_a_whole_size_is_read_exactly(count: int, unit: str) -> None:
    assert parse_bytes(f"{count} {unit}") == count * BYTE_UNITS[unit]
    assert parse_bytes(f" {count}{unit} ") == count * BYTE_UNITS[unit]


@given(st.integers(0, 10**9), st.integers(1, 3), st.sampled_from(["kB", "MB", "GB"]))
@example(1001, 3, "kB")  # 1.001 * 1000 is not 1001 in binary floating point
def test_decimals_of_a_size_are_decimal(digits: int, places: int, unit: str) -> None:
    text = f"{Decimal(digits).scaleb(-places)} {unit}"
    assert parse_bytes(text) == Fraction(digits, 10**places) * BYTE_UNITS[unit]


@given(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from(sorted(TIME_UNITS)))
def test_a_duration_is_the_nearest_float_to_what_was_written(digits: int, places: int, unit: str) -> None:
    text = f"{Decimal(digits).scaleb(-places)} {unit}"
    assert parse_seconds(text) == float(Fraction(digits, 10**places) * TIME_UNITS[unit])


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
def test_a_bare_number_is_seconds(seconds: float) -> None:
    assert parse_seconds(seconds) == seconds


@given(st.integers(1, 10**9), st.sampled_from(["records", "record"]), st.sampled_from(sorted(TIME_UNITS)))
def test_a_rate_of_records_is_divided_by_its_period(count: int, noun: str, period: str) -> None:
    assert parse_rate(f"{count} {noun}/{period}") == Rate(float(count / TIME_UNITS[period]), "records")


@given(st.integers(1, 10**9), st.sampled_from(sorted(set(BYTE_UNITS) - {""})))
def test_a_rate_of_bytes_is_told_from_one_of_records(count: int, unit: str) -> None:
    assert parse_rate(f"{count} {unit}/s") == Rate(float(count * BYTE_UNITS[unit]), "bytes")


@pytest.mark.parametrize("text", [0, -1, "0 records/s", "-3 MB/s", 0.0])
def test_a_rate_is_positive(text: str | float) -> None:
    with pytest.raises(ValueError, match="not positive"):
        parse_rate(text)


@pytest.mark.parametrize("parse", [parse_bytes, parse_seconds, parse_rate])
@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), float("-inf"), True, "nan", "inf", "", " ", "KiB", "1 2", "1,5 s", "0x10", "1e9999"],
)
def test_what_is_no_number_is_refused(parse: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse(value)


@given(st.text(), st.sampled_from([parse_bytes, parse_seconds, parse_rate]))
def test_no_text_raises_anything_but_a_value_error_that_shows_it(text: str, parse: Callable[[str], object]) -> None:
    with contextlib.suppress(ValueError):
        parse(text)
        return
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse(text)


@pytest.mark.parametrize("unit", ["Mb", "Kb", "Gib"])
def test_bits_are_not_taken_for_bytes(unit: str) -> None:
    with pytest.raises(ValueError, match="unknown unit"):
        parse_bytes(f"1 {unit}")
    with pytest.raises(ValueError, match="unknown unit"):
        parse_rate(f"1 {unit}/s")


@pytest.mark.parametrize("text", ["0.5 B", "1.0001 kB", "-1", "-1 KiB"])
def test_a_size_is_whole_and_not_negative(text: str) -> None:
    with pytest.raises(ValueError, match="whole, non-negative"):
        parse_bytes(text)


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        parse_seconds("1e400")
    with pytest.raises(ValueError, match="too large"):
        parse_rate(10**400)


@given(st.integers(0, 2**50))
def test_a_size_for_people_is_right_to_three_digits(count: int) -> None:
    assert parse_bytes_loosely(format_bytes(count)) == pytest.approx(count, rel=0.005, abs=0.5)


def parse_bytes_loosely(text: str) -> float:
    number, unit = text.split()
    return float(number) * BYTE_UNITS[unit]


@given(st.floats(1e-9, 1e9))
def test_a_duration_for_people_is_right_to_three_digits(seconds: float) -> None:
    assert parse_seconds(format_seconds(seconds)) == pytest.approx(seconds, rel=0.005)


@given(st.floats(1e-3, 1e12))
def test_a_rate_of_records_for_people_is_read_back(per_second: float) -> None:
    read = parse_rate(format_rate(per_second))
    assert read.unit == "records"
    assert read.per_second == pytest.approx(per_second, rel=0.005)


def test_a_rate_of_bytes_for_people_is_a_size_a_second() -> None:
    assert parse_rate(format_rate(65536, "bytes")) == Rate(65536.0, "bytes")


@given(st.floats(0, 1e15))
def test_no_text_for_people_has_an_exponent_above_one(value: float) -> None:
    for text in (format_bytes(value), format_seconds(value), format_rate(value)):
        assert "e+" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1023, "1023 B"), (1000, "1000 B"), (999, "999 B"), (1 << 40, "1024 GiB"), (1048575, "1 MiB"), (0, "0 B")],
)
def test_sizes_at_the_borders_of_units(value: int, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.9999, "1 s"), (0.00099999, "1 ms"), (999.4, "999 s"), (86400, "86400 s")]
)
def test_durations_at_the_borders_of_units(value: float, text: str) -> None:
    assert format_seconds(value) == text
