"""Samples of a simulation: the curves of every server and the levels of every pipe, about 1000 to 2000 points each.

Values are exact at every sample. The makespan is not known beforehand, so the grid starts fine, and whenever it
has 2000 points every other one is dropped and the step doubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event

from streamsim.models.clock import Clock
from streamsim.models.pipe import Channel
from streamsim.models.server import COLUMNS, Row, Server
from streamsim.models.table import Model
from streamsim.trace import VISIT, PipeTrace, StationTrace

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 2000
LAST = 1 << 30
"""Rank of a sample: after everything else of its instant."""


class Sampler:
    """Looks at everything on a grid of times, as long as something is still going to happen."""

    def __init__(self, clock: Clock, servers: Sequence[Server], channels: Sequence[Channel], step_s: float) -> None:
        self.clock, self.servers, self.channels, self.step_s = clock, servers, channels, step_s
        self.number = 1
        self.times: list[float] = []
        self.rows: list[list[Row]] = [[] for _ in servers]
        self.levels: list[list[int]] = [[] for _ in channels]
        self.busy: list[float] = []
        self._look(0.0)
        self._again(step_s)

    def _again(self, time_s: float) -> None:
        self.clock.lookers += 1
        self.clock.at(time_s, LAST, self._sample)

    def _sample(self, event: Event) -> None:
        self.clock.lookers -= 1
        if all(server.ended_s is not None for server in self.servers):
            return
        self._look(self.clock.now)
        if len(self.times) >= MOST:
            self._thin()
        if not self.clock.idle:
            self.number += 1
            self._again(self.number * self.step_s)

    def _look(self, now: float) -> None:
        self.times.append(now)
        for server, rows in zip(self.servers, self.rows, strict=True):
            if server.ended_s is None:
                rows.append(server.snapshot(now))
        for channel, levels in zip(self.channels, self.levels, strict=True):
            levels.append(channel.level)
        self.busy.append(self.clock.cores.busy_until(now))

    def finish(self, makespan_s: float) -> None:
        """Look once more, at the end."""
        if self.times[-1] < makespan_s:
            self._look(makespan_s)

    def _thin(self) -> None:
        self.times = self.times[::2]
        self.busy = self.busy[::2]
        self.rows = [rows[::2] for rows in self.rows]
        self.levels = [levels[::2] for levels in self.levels]
        self.step_s *= 2
        self.number //= 2

    def station_traces(self, model: Model) -> dict[str, StationTrace]:
        """Return the trace of every station, each with a last sample at its end."""
        return {
            row.name: _station_trace(server, rows)
            for row, server, rows in zip(model.stations, self.servers, self.rows, strict=True)
        }

    def pipe_traces(self) -> dict[str, PipeTrace]:
        """Return the level of every pipe over time."""
        times = np.asarray(self.times)
        return {
            channel.label: PipeTrace(
                label=channel.label,
                capacity_bytes=channel.capacity_bytes,
                time_s=times,
                level_bytes=np.asarray(levels, dtype=np.float64),
            )
            for channel, levels in zip(self.channels, self.levels, strict=True)
        }

    def busy_cores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return sample times, and how many cores were busy on average since the one before, others' work included."""
        times, used = np.asarray(self.times), np.asarray(self.busy)
        return times[1:], np.diff(used) / np.diff(times) + self.clock.cores.background


def _station_trace(server: Server, rows: list[Row]) -> StationTrace:
    row = server.row
    ended_s = server.ended_s if server.ended_s is not None else server.clock.now
    last = server.snapshot(ended_s)
    while rows and rows[-1][0] >= ended_s:
        rows = rows[:-1]
    # Rounding may take a last bit off a sum between two samples; a cumulative curve never decreases.
    table = np.maximum.accumulate(np.asarray([*rows, last], dtype=np.float64), axis=0)
    curves: dict[str, Any] = {name: table[:, column] for column, name in enumerate(COLUMNS)}
    return StationTrace(
        name=row.name,
        started_s=0.0,
        ended_s=ended_s,
        threads=max(1.0, row.service.threads),
        records_in=row.records_in(server.bytes_in) if row.counted else None,
        records_out=row.records_out(server.bytes_out) if row.counted else None,
        visits=np.array(server.visits, dtype=VISIT) if server.visits is not None else None,
        operator=row.operator,
        **curves,
    )
