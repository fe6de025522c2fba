"""What changes at a station with its parameters, where that is known: a sampler keeps more, filters stand otherwise.

A sampler keeps what its parameters say, whatever it kept when it was measured. Simulations adjust stations by these
while they run, theory looks for where a controller leads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from streamsim.circuit import Station as Placed
from streamsim.errors import ModelError
from streamsim.service import StationProfile


@dataclass(frozen=True, kw_only=True)
class Thinning:
    """An operator ``sample``: it keeps a part of the records that come, each by chance (``drawn``) or every so many."""

    kept: float
    drawn: bool

    def changed(self, parameters: dict[str, Any]) -> Thinning:
        """Return it with other parameters."""
        return _thinning(parameters)

    def keep(self, before: int, records: int, rng: np.random.Generator) -> int:
        """Return how many it keeps of so many records, ``before`` of which had come earlier."""
        if self.drawn:
            return int(rng.binomial(records, min(1.0, self.kept)))
        return int((before + records) * self.kept + 1e-9) - int(before * self.kept + 1e-9)


@dataclass(frozen=True, kw_only=True)
class Filtering:
    """An operator ``cascade``: filters in an order (places from 0), each with what part it lets through and its cost.

    ``passes`` and ``costs_s`` (of a record, s) have a row for each filter and a column for each equal part of the
    stream's ``records``; ``rest_s`` is what a record costs beside the filters.
    """

    order: tuple[int, ...]
    passes: tuple[tuple[float, ...], ...]
    costs_s: tuple[tuple[float, ...], ...]
    records: float
    rest_s: float

    def changed(self, parameters: dict[str, Any]) -> Filtering:
        """Return it with other parameters."""
        text = parameters.pop("order", None)
        order = tuple(int(word) - 1 for word in str(text).split(",")) if text is not None else self.order
        if parameters or sorted(order) != list(range(len(self.passes))):
            raise ModelError(f"a simulated cascade can change its order alone, not {parameters or text}")
        return Filtering(
            order=order, passes=self.passes, costs_s=self.costs_s, records=self.records, rest_s=self.rest_s
        )

    def through(self, before: float, records: float) -> Passed:
        """Return what so many records do to the filters, `before` of them having come earlier."""
        parts = len(self.passes[0])
        part = min(parts - 1, int(before / self.records * parts))
        work, left = self.rest_s * records, records
        seen, cost_s, passed = ([0.0] * len(self.passes) for _ in range(3))
        for place in self.order:
            seen[place], cost_s[place] = left, left * self.costs_s[place][part]
            work += cost_s[place]
            left *= self.passes[place][part]
            passed[place] = left
        return Passed(work, left, seen, passed, cost_s)


class Passed(NamedTuple):
    """The work (s) of some records in a cascade and how many are left of them; what each filter saw and let through
    (records), and what that took (s)."""

    work: float
    left: float
    seen: list[float]
    passed: list[float]
    cost_s: list[float]


@dataclass(frozen=True, kw_only=True)
class Passing:
    """Any other program: so many bytes it ``gives`` for each that it takes."""

    gives: float

    def changed(self, parameters: dict[str, Any]) -> Passing:
        """Refuse: what its parameters change is in no profile."""
        raise ModelError(f"what {', '.join(parameters)} changes is not known")


Adjustable = Thinning | Filtering
Program = Thinning | Filtering | Passing


class Change(NamedTuple):
    """Done to a station before a byte of its input: ``parameters`` are set, or those of an ``operator`` put there.

    ``work_s``: what doing it takes (core-seconds).
    """

    byte: int
    parameters: dict[str, Any]
    operator: str | None = None
    work_s: float = 0.0


class Turn(NamedTuple):
    """Another command in the place of a station's, from a byte of the input of the one ``behind`` which it is.

    ``work_s``: what turning to it takes that one (core-seconds).
    """

    behind: str
    byte: int
    station: str
    command: str
    work_s: float = 0.0


class Known(NamedTuple):
    """A station of some circuit, and what was measured of it: so its program is known wherever it is put."""

    station: Placed
    profile: StationProfile


class Timed(NamedTuple):
    """Done to a station at a time (s).

    ``pause``, ``resume``; ``pipe``: its input pipes get a ``size`` (bytes); ``niceness``: ``size`` is that; ``cores``:
    it may use these CPUs; ``scale``: ``size`` of its servers take part; for ``ready_s`` they get ready, and for
    ``moving_s`` keys change hands. ``work_s``: what it takes of the server, or of all that take part (core-seconds).
    """

    time_s: float
    station: str
    what: Literal["pause", "resume", "pipe", "niceness", "cores", "scale"]
    size: int = 0
    cores: tuple[int, ...] = ()
    work_s: float = 0.0
    ready_s: float = 0.0
    moving_s: float = 0.0


class Replay(NamedTuple):
    """What a real run was told: what is done before bytes of a station's input, and what is a matter of time.

    ``turns`` are those of commands; ``known``: programs beside those of the scenario's own stations.
    """

    placed: Mapping[str, Sequence[Change]]
    timed: tuple[Timed, ...] = ()
    known: tuple[Known, ...] = ()
    turns: tuple[Turn, ...] = ()


def _thinning(parameters: dict[str, Any]) -> Thinning:
    every, probability = parameters.get("every"), parameters.get("probability")
    if set(parameters) - {"every", "probability", "seed"} or (every is None) == (probability is None):
        raise ModelError(f"a simulated sampler has either 'every' or 'probability', not {parameters}")
    kept = 1.0 / float(every) if every is not None else float(probability or 0.0)
    return Thinning(kept=kept, drawn=every is None)


def adjustable(station: Placed, profile: StationProfile) -> Adjustable | None:
    """Return what can change of a station while it is simulated; None where nothing is known that can."""
    if station.operator == "sample":
        given = {key: station.parameters.get(key) for key in ("every", "probability")}
        return _thinning({key: value for key, value in given.items() if value is not None})
    if station.operator == "cascade" and profile.filters:
        count, records = len(profile.filters), profile.records_in or 1.0
        whole, spent = (
            profile.service.demand(records, profile.bytes_in),
            records * sum(one.per_record for one in profile.filters),
        )
        scale = min(1.0, whole / spent) if spent > 0 else 1.0
        order = station.parameters.get("order")
        return Filtering(
            order=tuple(range(count)) if order is None else tuple(int(word) - 1 for word in str(order).split(",")),
            passes=tuple(one.passes for one in profile.filters),
            costs_s=tuple(tuple(scale * cost for cost in one.costs) for one in profile.filters),
            records=records,
            rest_s=max(0.0, whole - scale * spent) / records,
        )
    return None
