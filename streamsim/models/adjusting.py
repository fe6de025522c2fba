"""Stations that change while a simulation runs: other parameters, or another program in the place of theirs.

What that does to service and selectivity must be known to be simulated: `adjustable` and `programs` say what is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamsim.adjustable import Filtering, Passing, Program, Thinning
from streamsim.models.clock import Clock
from streamsim.models.pipe import Channel
from streamsim.models.random import chunk_factors
from streamsim.models.station import Station
from streamsim.models.table import StationRow
from streamsim.programs import Behaviour


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
        self.now: Program = row.adjustable
        self.curve = None  # what varies along the stream is what changes
        self.made = 0.0
        """Bytes of output that the input so far has given."""
        self._count_anew()
        self.appointments = sorted(row.appointments, key=lambda one: one.byte)
        flow = row.flow
        self.size_out = flow.bytes_out / flow.records_out if flow.records_out else row.record_bytes
        self._draw = rng.spawn(1)[0]
        self._records = 0
        """How many records have come whole."""

    def adjust(self, parameters: dict[str, Any]) -> None:
        """Go on with other parameters; raises ModelError where it is not known what they would change."""
        self.now = self.now.changed(dict(parameters))

    def become(self, program: Behaviour) -> None:
        """Go on as another program."""
        self.service, self.now, self.size_out = program.service, program.adjustable, program.size_out
        self.factor = chunk_factors(self.service, self._draw)
        self.threads = max(1.0, self.service.threads)
        self._count_anew()

    def _count_anew(self) -> None:
        count = len(self.now.order) if isinstance(self.now, Filtering) else 0
        self.seen, self.passed, self.cost_s = [0.0] * count, [0.0] * count, [0.0] * count

    @property
    def shown(self) -> dict[str, Any]:
        """What a policy that asks is shown, as the operator itself would show it."""
        if not isinstance(self.now, Filtering):
            return {}
        return {"order": list(self.now.order), "seen": self.seen[:], "passed": self.passed[:], "cost_s": self.cost_s[:]}

    def demand_of(self, size: int) -> float:
        start, end, work = self.bytes_in - size, self.bytes_in, self.service.setup
        while self.appointments and self.appointments[0].byte < end:
            byte, change, work_s = self.appointments.pop(0)
            self.owe(work_s)
            cut = max(start, byte)
            work += self._through(start, cut - start)
            start = cut
            if isinstance(change, Behaviour):
                self.become(change)
            else:
                self.adjust(change)
        return work + self._through(start, end - start)

    def _through(self, start: int, size: int) -> float:
        """Take so many bytes through; returns the work that they need."""
        now, service, records = self.now, self.service, size / self.row.record_bytes
        if isinstance(now, Passing):
            self.made += size * now.gives
            return service.demand(records, size) - service.setup
        if isinstance(now, Thinning):  # it gives whole records, which who reads it is woken for
            before, self._records = self._records, int((start + size) / self.row.record_bytes + 1e-9)
            self.made += now.keep(before, self._records - before, self._draw) * self.size_out
            return service.demand(records, size) - service.setup
        found = now.through(start / self.row.record_bytes, records)
        for place in range(len(self.seen)):
            self.seen[place] += found.seen[place]
            self.passed[place] += found.passed[place]
            self.cost_s[place] += found.cost_s[place]
        self.made += found.left * self.size_out
        return found.work

    def _produced(self, taken: int) -> int:
        """Whole records of a filter: who reads single bytes of one would wake, and pay, for each of them."""
        if isinstance(self.now, Passing):
            return math.ceil(self.made * (1 - 1e-12))
        return int(int(self.made / self.size_out + 1e-6) * self.size_out + 0.5)
