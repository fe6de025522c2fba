"""Scenarios: a circuit, its load, a host, how long and how often to run, and a seed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from streamsim.circuit import Circuit
from streamsim.service import StationProfile
from streamsim.units import Rate

Arrivals = Literal["even", "poisson", "bursty", "mmpp", "trace", "closed"]


DEFAULT_GROWTH_BYTES = 64 << 20
"""As much as Linux gives the pipes of an ordinary user together (pipe-user-pages-soft, pipe(7))."""


class LoadState(msgspec.Struct, frozen=True, kw_only=True):
    """One state of an ``mmpp`` load: its rate relative to the mean rate, and how long it stays in it on average."""

    share: float
    stay_s: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How the records of one source arrive; ``rate`` None: as fast as the circuit takes them.

    ``scv`` is the squared coefficient of variation of the gaps of ``bursty`` arrivals (two-phase hyper-exponential with
    balanced means); ``states`` are those that ``mmpp`` arrivals pass through in a circle; ``times`` is the file of
    ``trace`` arrivals, one time in seconds since the start on each line. ``in_flight`` records are in the circuit
    at any time where arrivals are ``closed``: the next enters when one has left. ``records`` and ``duration_s`` end
    the source early. ``urgency`` is that of its records at stations that serve by priority, 0 the most urgent.
    """

    rate: Rate | None = None
    arrivals: Arrivals = "even"
    scv: float = 1.0
    states: tuple[LoadState, ...] = ()
    times: str | None = None
    in_flight: int | None = None
    records: int | None = None
    duration_s: float | None = None
    urgency: int = 0

    @property
    def open(self) -> bool:
        """Whether records arrive at their own times rather than as fast as they are taken."""
        return self.rate is not None or self.arrivals == "trace"


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that the circuit may use; its pipes may grow by so much together where it would stand still."""

    cores: int = 1
    pipe_growth_bytes: int = DEFAULT_GROWTH_BYTES


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long to run for real; ``warmup`` runs are thrown away first."""

    repetitions: int = 3
    duration_s: float | None = None
    records: int | None = None
    warmup: int = 1


class Simulate(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate, and when to stop: every interval this narrow relative to its value, or so many replications."""

    precision: float = 0.02
    seed: int = 1
    replications: int = 30
    grain: Literal["chunks", "records"] | None = None
    cores: Literal["shared", "own"] = "shared"


class Controller(msgspec.Struct, frozen=True, kw_only=True):
    """A policy (see `streamsim.policies`), its parameters as the file has them, and the seconds between decisions."""

    policy: str
    period_s: float
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)


class ScenarioKey(msgspec.Struct, frozen=True, kw_only=True):
    """Which scenario a result belongs to."""

    name: str
    digest: str
    overrides: dict[str, Any] = msgspec.field(default_factory=dict)


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a world needs to answer; `streamsim.load` makes one from a TOML file.

    ``document`` is the scenario as written, without overrides; ``services`` the station profiles declared by hand.
    ``source_bytes`` are the sizes (bytes) of the sources whose files could be seen.
    """

    name: str
    title: str = ""
    file: str | None = None
    circuit: Circuit
    loads: dict[str, Load] = msgspec.field(default_factory=dict)
    host: Host = Host()
    measure: Measure = Measure()
    simulate: Simulate = Simulate()
    services: dict[str, StationProfile] = msgspec.field(default_factory=dict)
    source_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    controllers: dict[str, Controller] = msgspec.field(default_factory=dict)
    document: dict[str, Any] = msgspec.field(default_factory=dict)
    overrides: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The identity of the scenario as written: 16 hexadecimal digits of the SHA-256 of its content.

        Titles, comments, the order of keys and overrides do not count.
        """
        content = {key: value for key, value in self.document.items() if key != "title"}
        return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:16]

    @property
    def key(self) -> ScenarioKey:
        """What results write down to say whose they are."""
        return ScenarioKey(name=self.name, digest=self.digest, overrides=self.overrides)

    @property
    def directory(self) -> Path:
        """Where relative paths start: the directory of the file, or the current one."""
        return directory_of(self.file)

    @property
    def open(self) -> bool:
        """Whether any source has a rate of its own, so that waits and response times mean something."""
        return any(load.open for load in self.loads.values())

    def load_of(self, name: str) -> Load:
        """Return the load of a source; one as fast as the circuit takes it where none was said."""
        return self.loads.get(name, Load())


def directory_of(file: str | None) -> Path:
    """Return where the relative paths of a scenario start; one that came through a pipe stands in no directory.

    >>> str(directory_of("/srv/circuits/words.toml"))
    '/srv/circuits'
    """
    return Path.cwd() if file is None or Path(file).is_fifo() else Path(file).resolve().parent
