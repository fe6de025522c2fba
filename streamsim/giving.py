"""How much the sources of a scenario give, and when: what files hold, loads allow and generators are told."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError, ProfileError, ScenarioError
from streamsim.scenario import Scenario
from streamsim.service import StationProfile


def source_bytes(scenario: Scenario, profile: StationProfile, name: str) -> int:
    """Return how many bytes a source without inputs is expected to give.

    What a file holds and what the load allows count first; else what it gave when it was measured.
    """
    limit = source_limit(scenario, profile, name)
    if limit is not None:
        return limit
    if profile.source == "fitted":
        return round(profile.bytes_out * _generated(scenario, profile, name))
    raise ProfileError(
        f"scenario {scenario.name!r}: how much source {name!r} gives is not known; measure it, declare bytes = in "
        f"[service.{name}], or end it by records = or duration = in [measure]"
    )


def source_ceiling(scenario: Scenario, profile: StationProfile, name: str) -> int | None:
    """Return the bytes at which a source ends whatever the clock says; None where nothing but time ends it.

    That is what its file holds, the records that its load allows or that it makes, or else what it gave when it was
    measured.
    """
    load = scenario.load_of(name)
    size = scenario.source_bytes.get(name)
    if size is None and profile.source == "declared" and profile.bytes_in == 0:
        size = round(profile.bytes_out)
    limits = [size] if size is not None else []
    if load.records is not None:
        limits.append(round(load.records * profile.record_bytes))
    count = _made(scenario, name)
    if size is None and count is not None and profile.source == "declared":
        limits.append(round(count * profile.record_bytes))
    timed = load.duration_s is not None or load.arrivals == "trace"
    reads = bool(scenario.circuit.inputs_of(name))
    if not limits and not timed and not reads and profile.source == "fitted":
        limits.append(round(profile.bytes_out * _generated(scenario, profile, name)))
    return min(limits) if limits else None


def _generated(scenario: Scenario, profile: StationProfile, name: str) -> float:
    """Return how much a source gives for what it gave when it was measured: its `count` may have been another then."""
    count = _made(scenario, name)
    return float(count) / profile.records_out if count and profile.records_out else 1.0


def _made(scenario: Scenario, name: str) -> int | None:
    """Return how many records a source makes, where it says so."""
    station = scenario.circuit.station(name)
    count: int | None = station.parameters.get("count") if station.operator == "generate" else None
    return count


def source_limit(scenario: Scenario, profile: StationProfile, name: str) -> int | None:
    """Return the bytes that a source is expected to give at most, the clock of an open load included."""
    load = scenario.load_of(name)
    records: int | None = None
    if load.arrivals == "trace":
        records = len(arrival_times(scenario, name))
    elif load.rate is not None and load.duration_s is not None:
        records = math.ceil(record_rate(scenario, profile, name) * load.duration_s)
    ceiling = source_ceiling(scenario, profile, name)
    if records is None:
        return ceiling
    due = round(records * profile.record_bytes)
    return due if ceiling is None else min(due, ceiling)


def record_rate(scenario: Scenario, profile: StationProfile, name: str) -> float:
    """Return the records per second of an open load with a rate."""
    rate = scenario.load_of(name).rate
    if rate is None:
        raise ModelError(f"source {name!r} has no rate")
    return rate.per_second / (profile.record_bytes if rate.unit == "bytes" else 1.0)


def arrival_times(scenario: Scenario, name: str) -> NDArray[np.float64]:
    """Return the due times (s since the start, sorted) of ``arrivals = "trace"``, cut at its records and duration.

    Raises ScenarioError where the file cannot be read or is not one number a line.
    """
    load = scenario.load_of(name)
    path = f"sources.{name}.times"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="loadtxt: input contained no data")  # said below, as ours
            times = np.loadtxt(str(load.times), dtype=np.float64, ndmin=1)
    except OSError as error:
        raise ScenarioError(f"{load.times}: {error.strerror or error}", file=scenario.file, path=path) from None
    except ValueError as error:
        raise ScenarioError(f"{load.times}: not one time a line: {error}", file=scenario.file, path=path) from None
    if not times.size:
        raise ScenarioError(
            f"{load.times}: no times; write one (s since the start) a line", file=scenario.file, path=path
        )
    if times.ndim != 1 or not np.isfinite(times).all() or (times < 0).any():
        raise ScenarioError(f"{load.times}: not one time of at least 0 s a line", file=scenario.file, path=path)
    times = np.sort(times)
    if load.duration_s is not None:
        times = times[times < load.duration_s]
    return times[: load.records]
