"""Results: all estimates of one world, in one shape, so that comparing worlds is a join."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from streamsim.errors import ProfileError
from streamsim.files import from_json
from streamsim.scenario import ScenarioKey

SCHEMA = "streamsim.result/1"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its interval and unit; ``low`` and ``high`` are None where it is exact or a single one.

    >>> Estimate(value=2.0, low=1.9, high=2.1, unit="s").spread
    0.05
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    unit: str = ""

    @property
    def spread(self) -> float | None:
        """The half-width of the interval relative to the value; None where there is no interval."""
        if self.value is None or self.low is None or self.high is None or self.value == 0:
            return None
        return round((self.high - self.low) / 2 / abs(self.value), 12)


class Bottleneck(msgspec.Struct, frozen=True, kw_only=True):
    """The station (or ``"host"``: the cores) whose relief would raise throughput most.

    ``share`` is the part of the makespan in which it was at work (0 to 1): a station running, or waiting for what its
    work waits for (a timer, a disk); cores used over those available. The largest share need not be the bottleneck:
    where phases follow each other, what is the constraint in one may be less busy in all than what never is.
    ``saturated``: it is what throughput depends on. Otherwise a load of its own is carried, and this would be the first
    that more of it uses up.
    """

    station: str | None
    share: Estimate
    runner_up: str | None = None
    runner_up_share: Estimate | None = None
    saturated: bool = False


class ResponseTime(msgspec.Struct, frozen=True, kw_only=True):
    """From the moment a record is due at its source to the moment it leaves the circuit (s)."""

    mean: Estimate
    p50: Estimate
    p95: Estimate
    p99: Estimate


class CircuitResult(msgspec.Struct, frozen=True, kw_only=True):
    """Estimates of the circuit as a whole; ``records_per_s`` and ``bytes_per_s`` are what its starts put in.

    ``response_by_source`` are those of the records of each source, where there are several and records were told apart:
    the classes of a station that serves by urgency. What several records were joined into is of the first one's source.
    """

    makespan: Estimate
    bytes_per_s: Estimate
    records_per_s: Estimate | None = None
    response_time: ResponseTime | None = None
    response_by_source: dict[str, ResponseTime] = msgspec.field(default_factory=dict)
    bottleneck: Bottleneck | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server's time went, as parts of its life, adding up to 1."""

    starved: Estimate
    running: Estimate
    runnable: Estimate
    waiting: Estimate
    blocked: Estimate


class StationResult(msgspec.Struct, frozen=True, kw_only=True):
    """Estimates of one station; ``rejected`` records are those that an operator could not work on and left out."""

    servers: int = 1
    bytes_in: Estimate
    bytes_out: Estimate
    records_in: Estimate | None = None
    records_out: Estimate | None = None
    utilisation: Estimate
    cpu: Estimate
    demand_per_byte: Estimate | None = None
    demand_per_record: Estimate | None = None
    service_time: Estimate | None = None
    service_scv: Estimate | None = None
    wait: Estimate | None = None
    response_time: Estimate | None = None
    budget: Budget | None = None
    ended: Estimate | None = None
    rejected: Estimate | None = None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """How many bytes a pipe held, over time."""

    mean: Estimate
    p99: Estimate


class PipeResult(msgspec.Struct, frozen=True, kw_only=True):
    """Estimates of one pipe; ``full`` and ``empty`` are parts of the time."""

    capacity_bytes: int
    level_bytes: Level
    full: Estimate
    empty: Estimate


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """What another method says of the same thing; ``value`` None: it does not apply, and ``note`` says why."""

    method: str
    value: float | None
    unit: str
    exact: bool = False
    note: str = ""


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """How one station, or the circuit, was answered: ``of`` is what ``value`` and the alternatives are of.

    ``exact``: a theorem whose assumptions the scenario keeps; else an approximation, or exact but for what ``why``
    says.
    """

    method: str
    exact: bool
    why: str
    of: str
    value: float | None
    unit: str
    alternatives: tuple[Alternative, ...] = ()


class StationBound(msgspec.Struct, frozen=True, kw_only=True):
    """What is never exceeded at one station: the time of a record (s) and the records inside."""

    delay_s: float
    backlog_records: float


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """So many records a second with pipes that hold so many ``records`` in all; nothing smaller is as fast."""

    records: int
    per_s: float
    capacities: dict[str, int]


class Dataflow(msgspec.Struct, frozen=True, kw_only=True):
    """A circuit as synchronous dataflow: every record takes the mean time, in a fixed pattern.

    ``repetitions`` is how often each station fires in one iteration. ``unlimited_per_s`` and ``limited_per_s`` are the
    records per second that its starts can give with unlimited pipes and with those that there are, ``critical`` and
    ``critical_pipes`` the cycle that sets the pace (or ``deadlock``), ``trades`` the smallest pipes for each
    throughput, empty where the circuit is too large for that. ``bounds`` and ``delay_s`` are never exceeded; they exist
    where arrivals and service are bounded. ``exact``: service is constant; else randomness lowers the throughput.
    """

    repetitions: dict[str, int]
    exact: bool
    unlimited_per_s: float
    limited_per_s: float
    deadlock: bool
    critical: tuple[str, ...]
    critical_pipes: tuple[str, ...]
    trades: tuple[Trade, ...] = ()
    bounds: dict[str, StationBound] = msgspec.field(default_factory=dict)
    delay_s: float | None = None


class Transient(msgspec.Struct, frozen=True, kw_only=True):
    """How a circuit that begins empty gets to its steady state or follows a step in its load, over replications.

    Span k ends at ``times_s[k]`` and begins where the one before it ends, the first at 0. ``response_time`` is that of
    the records that were due in it, ``records_per_s`` how many left, ``records_inside`` how many had come and not left,
    averaged over the span; None where records multiply, meet or get lost. ``steps`` says what changes on the way.
    """

    engine: str
    replications: int
    steps: tuple[str, ...] = ()
    times_s: tuple[float, ...]
    response_time: tuple[Estimate, ...]
    records_per_s: tuple[Estimate, ...]
    records_inside: tuple[Estimate, ...] | None = None


class HostResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the host offered: cores, what was left of them, and their speed by how many are busy."""

    cores: int
    available_cores: float
    background_cores: float = 0.0
    speed: tuple[float, ...] = (1.0,)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All estimates of one world.

    ``methods`` (by station, or ``"circuit"``) and ``dataflow`` are theory's: how it came to its answer, and what other
    methods say. ``transient`` is of a simulation that was asked for it.
    """

    schema: str = SCHEMA
    world: Literal["measured", "simulated", "predicted"]
    engine: str
    scenario: ScenarioKey
    host: HostResult
    circuit: CircuitResult
    stations: dict[str, StationResult]
    pipes: dict[str, PipeResult] = msgspec.field(default_factory=dict)
    saturated: bool = False
    repetitions: int = 1
    methods: dict[str, Method] = msgspec.field(default_factory=dict)
    dataflow: Dataflow | None = None
    transient: Transient | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def estimate(values: Sequence[float | None], unit: str, *, level: float = 0.95) -> Estimate:
    """Return the mean of independent repetitions with Student's t interval.

    Missing values are left out; one value has no interval; none at all gives a value of None.

    >>> e = estimate([1.0, 2.0, 3.0], "s"); e.value, round(e.high, 3)
    (2.0, 4.484)
    """
    kept = [float(value) for value in values if value is not None and math.isfinite(value)]
    if not kept:
        return Estimate(value=None, unit=unit)
    mean = math.fsum(kept) / len(kept)
    if len(kept) == 1:
        return Estimate(value=mean, unit=unit)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in kept) / (len(kept) - 1))
    half = t_quantile((1 + level) / 2, len(kept) - 1) * deviation / math.sqrt(len(kept))
    return Estimate(value=mean, low=mean - half, high=mean + half, level=level, unit=unit)


@cache
def t_quantile(level: float, freedom: int) -> float:
    """Return the quantile (above the median) of Student's t with so many degrees of freedom (a whole number).

    The angle whose probability is the wanted one, by bisection; not from SciPy, whose import would take longer than
    many a simulation.

    >>> round(t_quantile(0.975, 4), 3), round(t_quantile(0.975, 1), 3)
    (2.776, 12.706)
    """
    low, high, wanted = 0.0, math.pi / 2, 2.0 * level - 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _within_angle(middle, freedom) < wanted else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _within_angle(angle: float, freedom: int) -> float:
    r"""Return how probable it is that \|t\| is at most tan(angle)·√freedom (Abramowitz & Stegun 1964, 26.7.3 and 4)."""
    square = math.cos(angle) ** 2
    odd = freedom % 2
    term = total = (math.cos(angle) if odd else 1.0) * (freedom > 1)
    for number in range(2 + odd, freedom - 1, 2):
        term *= square * (number - 1) / number
        total += term
    total *= math.sin(angle)
    return 2.0 / math.pi * (angle + total) if odd else total


def read_result(path: str | Path) -> Result:
    """Read a ``measured.json`` or its like; raises ProfileError naming the file and what is wrong."""
    try:
        result: Result = from_json(Path(path).read_bytes(), Result)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ProfileError(f"{path}: not a result: {error}") from None
    if result.schema != SCHEMA:
        raise ProfileError(f"{path}: its schema is {result.schema!r}, this version reads {SCHEMA!r}")
    return result
