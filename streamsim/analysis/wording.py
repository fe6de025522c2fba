"""Numbers as people read them: values with their unit and interval, errors with their sign, metrics by their names."""

from __future__ import annotations

from streamsim.placement import CORES, HOST
from streamsim.result import Estimate
from streamsim.units import format_bytes, format_rate, format_seconds

NOTHING = "–"

METRICS = {
    "makespan": "Makespan",
    "bytes_per_s": "Throughput, bytes",
    "records_per_s": "Throughput, records",
    "response_time.mean": "Response time, mean",
    "response_time.p50": "Response time, median",
    "response_time.p95": "Response time, 95th percentile",
    "response_time.p99": "Response time, 99th percentile",
    "utilisation": "Utilisation",
    "cpu": "CPU time",
    "budget.running": "Budget: running",
    "budget.runnable": "Budget: waiting for a core",
    "budget.waiting": "Budget: waiting for something else",
    "budget.blocked": "Budget: blocked by a full pipe",
    "budget.starved": "Budget: starved by an empty pipe",
    "ended": "Ended after",
    "wait": "Wait of a chunk",
    "service_time": "Service time of a chunk",
    "bytes_out": "Bytes out",
    "records_out": "Records out",
}
"""What people call each metric of a comparison, in the order in which they are listed."""


def format_value(value: float | None, unit: str) -> str:
    """Return a number with its unit, three digits that matter; shares as per cent.

    >>> format_value(0.0123, "s"), format_value(0.972, ""), format_value(65536, "B"), format_value(None, "s")
    ('12.3 ms', '97.2 %', '64 KiB', '–')
    >>> format_value(1234567, "records"), format_value(2.5e6, "B/s"), format_value(4.5, "core-s")
    ('1,234,567', '2.38 MiB/s', '4.5 core-s')
    """
    if value is None:
        return NOTHING
    match unit:
        case "":
            return f"{value * 100:.1f} %"
        case "s":
            return format_seconds(value)
        case "core-s":
            return format_seconds(value).replace(" ", " core-", 1)
        case "B":
            return format_bytes(value)
        case "B/s":
            return format_rate(value, "bytes")
        case "records":
            return f"{value:,.0f}"
        case "records/s":
            return format_rate(value)
    return f"{value:.3g} {unit}"


def format_interval(estimate: Estimate | None) -> str:
    """Return the half-width of an interval: of shares in points, of others relative to the value; empty without one.

    >>> format_interval(Estimate(value=2.0, low=1.9, high=2.1, unit="s"))
    '±5.0 %'
    >>> format_interval(Estimate(value=0.5, low=0.48, high=0.52))
    '±2.0 pts'
    """
    if estimate is None or estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    half = (estimate.high - estimate.low) / 2
    if estimate.unit == "":
        return f"±{half * 100:.1f} pts"
    return f"±{half / abs(estimate.value) * 100:.1f} %" if estimate.value else ""


def format_estimate(estimate: Estimate | None) -> str:
    """Return a value with its interval.

    >>> format_estimate(Estimate(value=2.0, low=1.9, high=2.1, unit="s")), format_estimate(None)
    ('2 s ±5.0 %', '–')
    """
    if estimate is None:
        return NOTHING
    return f"{format_value(estimate.value, estimate.unit)} {format_interval(estimate)}".rstrip()


def format_percent(share: float) -> str:
    """Return a signed error in per cent; one digit below 10 %, none from 100 % on where it says nothing.

    >>> format_percent(0.0123), format_percent(-0.5), format_percent(2.5), format_percent(-0.0001)
    ('+1.2 %', '−50.0 %', '+250 %', '0.0 %')
    """
    text = f"{share * 100:+.0f}" if abs(share) >= 1 else f"{share * 100:+.1f}"
    if float(text) == 0:
        text = "0.0"
    return f"{text.replace('-', '−')} %"


def format_error(error: float | None, measured: Estimate | None, other: Estimate | None) -> str:
    """Return how far a model is off: shares in percentage points, everything else relative to what was measured.

    A share of 0.1 % that was foreseen as 0.3 % is off by 0.2 points; that it is off by 200 % says nothing useful.

    >>> format_error(0.5, Estimate(value=0.02), Estimate(value=0.03))
    '+1.0 pts'
    """
    if measured is None or other is None or measured.value is None or other.value is None:
        return NOTHING
    if measured.unit == "":
        return format_percent(other.value - measured.value).replace(" %", " pts")
    return NOTHING if error is None else format_percent(error)


def place_name(station: str | None) -> str:
    """Return what a bottleneck is called in a sentence.

    >>> place_name("host"), place_name("rank"), place_name(None), place_name("cores 0")
    ("the host's cores", "station 'rank'", 'nothing', 'the pinned core 0')
    """
    if station is None:
        return "nothing"
    if station.startswith(CORES):
        return f"the pinned {station if ',' in station else station.replace('cores', 'core')}"
    return "the host's cores" if station == HOST else f"station '{station}'"
