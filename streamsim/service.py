"""Service models and profiles: what a chunk asks of a station, kept apart from who else wants the cores.

All CPU demand is in *reference core-seconds*: the seconds that one core needs at the speed it has when it is
the only busy one, in the calibration (`HostProfile.speed`). See docs/design.md, "The physics".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from streamsim.errors import ProfileError
from streamsim.files import from_json, read_within

SCHEMA = "streamsim.profile/1"
UNLIMITED = 1 << 52
"""Places before a station that never run out."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """How the demand of one chunk scatters about its mean, as a factor with mean 1.

    ``parameters`` by ``family``: those of `scipy.stats` (shape, location, scale) for ``gamma``, ``lognormal`` (shape:
    sigma) and ``weibull``; the number of phases for ``erlang``; the two-phase ``(p, rate_1, rate_2)`` for
    ``hyperexponential``; the number m of phases, the initial chances and the m × m rates, row by row, for
    ``phase-type``; m, the hidden and the visible rates for ``map``; the mean length of a block for ``bootstrap``; none
    for ``deterministic``, ``exponential`` and ``empirical``. ``values`` are the factors of the file that a
    ``bootstrap`` replays or an ``empirical`` draws from; an ``empirical`` that was fitted has equally spaced
    ``quantiles`` (0, 1/n, …, 1) in their place. ``ks`` is the
    Kolmogorov–Smirnov distance to the data and ``samples`` their number: the goodness of fit.
    """

    family: str = "deterministic"
    parameters: tuple[float, ...] = ()
    scv: float = 0.0
    quantiles: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    aic: float | None = None
    ks: float | None = None
    samples: int = 0


class CurvePoint(msgspec.Struct, frozen=True, array_like=True):
    """A point of the demand curve: ``taken`` and ``demand`` as fractions of their totals, in [0, 1].

    ``threads`` is how many cores the station used at once on the piece that ends here.
    """

    taken: float
    demand: float
    threads: float = 1.0


class YieldPoint(msgspec.Struct, frozen=True, array_like=True):
    """A point of the yield curve: ``taken`` and ``given`` so far as fractions of their totals, in [0, 1]."""

    taken: float
    given: float


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """What the demand was at one size of chunk: small chunks cost more for each byte."""

    chunk_bytes: float
    demand_per_byte: float
    chunks: int


class ServiceModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a station needs to do its work; times in reference core-seconds unless said otherwise.

    A chunk of n records and b bytes needs ``setup + per_record·n + per_byte·b`` times a random factor of mean
    1 (`distribution`; ``scatters``: one for the chunk, or the mean of one for each of its records), and
    ``waiting_per_record·n + waiting_per_byte·b`` seconds without a core (disk, timer, network). ``startup``
    is spent once before the first read, ``finish`` once at the end of the input before the last output
    (the sorting of ``sort``), with ``finish_threads`` cores at once; ``output_per_byte`` for each byte written
    after it.
    ``waking_per_byte`` (s) is what a command's own processes need to wake each other across cores; on a single core
    they hand on at once.
    ``curve``, where a mean per byte would lose it, spreads the input-phase demand along the stream.
    ``filling_per_byte`` is the part of ``per_byte`` that a station spends on taking bytes into its buffer, before
    the work on a full one begins (`StationProfile.gather_bytes`).
    """

    setup: float = 0.0
    per_record: float = 0.0
    per_byte: float = 0.0
    waiting_per_record: float = 0.0
    waiting_per_byte: float = 0.0
    waking_per_byte: float = 0.0
    scv: float = 0.0
    distribution: Distribution = Distribution()
    scatters: Literal["by-chunk", "by-record"] = "by-chunk"
    curve: tuple[CurvePoint, ...] = ()
    filling_per_byte: float = 0.0
    threads: float = 1.0
    startup: float = 0.0
    startup_waiting: float = 0.0
    finish: float = 0.0
    finish_threads: float = 1.0
    finish_waiting: float = 0.0
    output_per_byte: float = 0.0
    output_threads: float = 1.0
    output_waiting_per_byte: float = 0.0
    regimes: tuple[Regime, ...] = ()

    def demand(self, records: float, size: float) -> float:
        """Return the mean demand of one chunk of so many records and bytes, in reference core-seconds.

        >>> ServiceModel(setup=0.5, per_byte=0.25).demand(0, 2)
        1.0
        """
        return self.setup + self.per_record * records + self.per_byte * size


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """One of the filters of a ``cascade``, in equal parts of the stream's records, one after the other.

    ``passes`` is what part it let through of the records that it saw, ``costs`` the seconds that each of them took,
    as the filter's own clock says; ``seen`` is how many it saw of all that came to the cascade, as a fraction.
    """

    passes: tuple[float, ...]
    costs: tuple[float, ...]
    seen: tuple[float, ...]

    @property
    def per_record(self) -> float:
        """What it took for each record that came to the cascade, seen by it or not (s)."""
        return sum(seen * cost for seen, cost in zip(self.seen, self.costs, strict=True)) / len(self.seen)


Discipline = Literal["arrival", "priority", "preemptive", "sharing"]


class StationProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The service model of one station and how its output follows from its input.

    ``bytes_in``, ``records_in``, … are the totals of the calibration (means over its repetitions); selectivity is
    out per in. ``read_bytes`` is the most that one read takes, ``write_bytes`` what one write hands over.
    ``gather_bytes``: it works only on so many bytes together, over several reads (gzip and sort fill a buffer).
    ``barrier``: no output before the input has ended. ``held_bytes``: what a streaming station keeps back
    before its output starts to flow (a compressor's window, a stdio buffer). ``demand_spread``: the half-width of the
    95 % interval of its work over the repetitions of the calibration, relative to the mean; None where there was one.
    ``shares``: which part of what it gives goes where, by the reader's name for a split and by the port's for a station
    with ports (see `traffic.shares`). ``at_once``: so many records are served at the same time, from one queue.
    ``yields``, where a selectivity would lose it, is how what it has given follows what it has taken: in a loop an
    early record brings back more than a late one (what has been seen before is dropped).
    ``places``: so many records wait before it at most (`UNLIMITED`: any number), where its pipe is not to be counted in
    bytes; models by record alone. ``filters``: those of a ``cascade``, in the order in which they are written.
    ``stops``: it left much of the file that it opens unread (``head``) and takes so many bytes, whatever there is.
    ``discipline``: whom it serves, in the order of arrival; by ``priority``, the most urgent class first, and
    ``preemptive`` where that interrupts another; or up to ``at_once`` together, ``sharing`` one core of its own.
    """

    service: ServiceModel = ServiceModel()
    bytes_in: float = 0.0
    bytes_out: float = 0.0
    records_in: float | None = None
    records_out: float | None = None
    read_bytes: float = 65536.0
    gather_bytes: float = 0.0
    write_bytes: float = 4096.0
    barrier: bool = False
    held_bytes: float = 0.0
    record_bytes: float = 1.0
    shares: dict[str, float] = msgspec.field(default_factory=dict)
    source: Literal["fitted", "declared"] = "fitted"
    note: str = ""
    demand_spread: float | None = None
    at_once: int = 1
    places: int | None = None
    discipline: Discipline = "arrival"
    filters: tuple[Filter, ...] = ()
    yields: tuple[YieldPoint, ...] = ()
    stops: bool = False

    @property
    def selectivity(self) -> float:
        """Bytes out per byte in; 1 where nothing came in (a source)."""
        return self.bytes_out / self.bytes_in if self.bytes_in else 1.0

    def given(self, taken: float) -> float:
        """Return how many bytes it has given when it has taken so many; past the calibration as at its end.

        >>> seen = StationProfile(bytes_in=100, bytes_out=40, yields=(YieldPoint(0.2, 0.5), YieldPoint(1.0, 1.0)))
        >>> seen.given(10), seen.given(100), round(seen.given(120), 9)
        (10.0, 40.0, 45.0)
        """
        if not self.yields or not self.bytes_in:
            return taken * self.selectivity
        part, before = taken / self.bytes_in, YieldPoint(0.0, 0.0)
        for point in self.yields:
            if part <= point.taken or point is self.yields[-1]:
                slope = (point.given - before.given) / (point.taken - before.taken)
                return (before.given + (part - before.taken) * slope) * self.bytes_out
            before = point
        raise AssertionError("a curve has a last point")


class HostProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine gave while it was measured.

    ``speed[k-1]`` is the speed of each of k busy cores against one busy core alone (``speed[0]`` is 1 in the
    calibration; other runs are relative to that). ``available_cores`` = cores − what others used − what the
    hypervisor stole. ``wake_near_s`` and ``wake_far_s``: from a write to the reader running, on the same core
    and on another (idle) one.
    """

    cores: int = 1
    available_cores: float = 1.0
    speed: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)] = (1.0,)
    wake_near_s: float = 3e-6
    wake_far_s: float = 40e-6
    probe_rate: float | None = None
    """Iterations of the speed probe in one core-second, one core busy: what ``speed`` 1 means."""

    def speed_when(self, busy: float) -> float:
        """Return the speed of each core when so many (a mean, ≥ 0) are busy, interpolated.

        >>> HostProfile(cores=2, speed=(1.0, 0.8)).speed_when(1.5)
        0.9
        """
        if busy <= 1 or len(self.speed) == 1:
            return self.speed[0]
        place = min(busy, float(len(self.speed))) - 1.0
        low = min(int(place), len(self.speed) - 2)
        part = place - low
        return self.speed[low] * (1.0 - part) + self.speed[low + 1] * part


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The service models and selectivities of all stations of a scenario, and the host that they were fitted on."""

    schema: str = SCHEMA
    scenario: str = ""
    digest: str = ""
    host: HostProfile = HostProfile()
    stations: dict[str, StationProfile] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


_LARGEST = 256 << 20
"""Bytes of a profile.json; those of ours have some tens of thousands."""

_POSITIVE = ("record_bytes", "at_once", "chunk_bytes")
"""What others are divided by."""


def read_profile(path: str | Path) -> Profile:
    """Read a ``profile.json``; raises ProfileError naming the file and what is wrong with it."""
    try:
        profile: Profile = from_json(read_within(path, _LARGEST), Profile)
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}; streamsim measure writes a profile") from None
    except msgspec.DecodeError as error:
        raise ProfileError(f"{path}: not a profile: {error}") from None
    if profile.schema != SCHEMA:
        raise ProfileError(f"{path}: its schema is {profile.schema!r}, this version reads {SCHEMA!r}")
    if not profile.stations:
        raise ProfileError(f"{path}: not a profile: it has no stations; streamsim measure writes a profile")
    for place, value in _numbers(msgspec.to_builtins(profile), ""):
        if not 0 <= value <= 1e18:
            raise ProfileError(
                f"{path}: not a profile: {place} is {value:g}, which is no quantity that can be measured"
            )
        if value == 0 and place.rpartition(".")[2] in _POSITIVE:
            raise ProfileError(f"{path}: not a profile: {place} is 0, which must be more")
    host = profile.host
    if min(host.cores, host.available_cores, *host.speed) <= 0:
        raise ProfileError(f"{path}: not a profile: host has no core, or cores without speed")
    return profile


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """Yield every quantity inside, with its path; what may be negative (scores of fit, parameters) is left out."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ("aic", "parameters"):
                yield from _numbers(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _numbers(item, f"{place}[{number}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, float(value)
