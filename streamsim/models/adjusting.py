"""Stations whose parameters change while a simulation runs: samplers that keep more or less, filters in another order.

What a parameter does to service and selectivity must be known to be simulated: `Thinning` and `Filtering` are what is.
A sampler keeps what its parameters say, whatever it kept when it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from streamsim.circuit import Station as Placed
from streamsim.errors import ModelError
from streamsim.models.clock import Clock
from streamsim.models.pipe import Channel
from streamsim.models.station import Station
from streamsim.models.table import StationRow
from streamsim.service import StationProfile


@dataclass(frozen=True, kw_only=True)
class Thinning:
    """An operator ``sample``: it keeps a part of what comes."""

    kept: float

    def changed(self, parameters: dict[str, Any]) -> Thinning:
        """Return it with other parameters."""
        return Thinning(kept=_kept(parameters))


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


Adjustable = Thinning | Filtering


def _kept(parameters: dict[str, Any]) -> float:
    every, probability = parameters.get("every"), parameters.get("probability")
    if set(parameters) - {"every", "probability", "seed"} or (every is None) == (probability is None):
        raise ModelError(f"a simulated sampler has either 'every' or 'probability', not {parameters}")
    return 1.0 / float(every) if every is not None else float(probability or 0.0)


def adjustable(station: Placed, profile: StationProfile) -> Adjustable | None:
    """Return what can change of a station while it is simulated; None where nothing is known that can."""
    if station.operator == "sample":
        given = {key: station.parameters.get(key) for key in ("every", "probability")}
        return Thinning(kept=_kept({key: value for key, value in given.items() if value is not None}))
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


class Adjusted(Station):
    """A station that `adjust` changes: from the next chunk on, or, by an appointment, from a byte of its input on."""

    def __init__(
        self,
        row: StationRow,
        clock: Clock,
        inputs: list[Channel],
        outputs: list[Channel],
        rng: np.random.Generator,
    ) -> None:
        super().__init__(row, clock, inputs, outputs, rng)
        assert row.adjustable is not None, "the table says what can change"
        self.now: Adjustable = row.adjustable
        self.curve = None  # what varies along the stream is what changes
        self.made = 0.0
        """Bytes of output that the input so far has given."""
        count = len(self.now.order) if isinstance(self.now, Filtering) else 0
        self.seen, self.passed, self.cost_s = [0.0] * count, [0.0] * count, [0.0] * count
        self.appointments = sorted(row.appointments, key=lambda one: one[0])
        flow = row.flow
        self.size_out = flow.bytes_out / flow.records_out if flow.records_out else row.record_bytes

    def adjust(self, parameters: dict[str, Any]) -> None:
        """Go on with other parameters; raises ModelError where it is not known what they would change."""
        self.now = self.now.changed(dict(parameters))

    @property
    def shown(self) -> dict[str, Any]:
        """What a policy that asks is shown, as the operator itself would show it."""
        if not isinstance(self.now, Filtering):
            return {}
        return {"order": list(self.now.order), "seen": self.seen[:], "passed": self.passed[:], "cost_s": self.cost_s[:]}

    def demand_of(self, size: int) -> float:
        start, end, work = self.bytes_in - size, self.bytes_in, self.row.service.setup
        while self.appointments and self.appointments[0][0] < end:
            byte, parameters = self.appointments.pop(0)
            cut = max(start, byte)
            work += self._through(start, cut - start)
            start = cut
            self.adjust(parameters)
        return work + self._through(start, end - start)

    def _through(self, start: int, size: int) -> float:
        """Take so many bytes through; returns the work that they need."""
        now, service, records = self.now, self.row.service, size / self.row.record_bytes
        if isinstance(now, Thinning):
            self.made += size * now.kept
            return service.demand(records, size) - service.setup
        parts = len(now.passes[0])
        part = min(parts - 1, int(start / self.row.record_bytes / now.records * parts))
        work, left = now.rest_s * records, records
        for place in now.order:
            cost = left * now.costs_s[place][part]
            self.seen[place] += left
            self.cost_s[place] += cost
            work += cost
            left *= now.passes[place][part]
            self.passed[place] += left
        self.made += left * self.size_out
        return work

    def _produced(self, taken: int) -> int:
        return int(self.made + 0.5)
