"""What the recursions remember from one block of records to the next, laid out as they want it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamsim.models.records.built import recursions_module
from streamsim.models.records.routes import Numbers, Routes
from streamsim.models.records.table import Table

Array = NDArray[np.float64]


def power_above(count: int) -> int:
    """Return the smallest power of two of at least `count`.

    >>> power_above(5), power_above(8)
    (8, 8)
    """
    return 1 << (max(1, int(count)) - 1).bit_length()


class Line:
    """Single servers one after the other; see `recursions.line`."""

    def __init__(self, table: Table, stations: Sequence[int], capacity: Callable[[int], int]) -> None:
        self.stations = tuple(stations)
        count = len(self.stations)
        self.free, self.waited, self.blocked, self.passed = np.zeros(count), np.zeros(count), np.zeros(count), 0
        self._write_at, self._write_mask = np.ones(count, np.int64), np.zeros(count, np.int64)
        self._read_at, self._read_mask = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._limits = np.zeros(count, np.int64)
        cells = 2  # one that is never written, for pipes without a limit, and one that is never read
        for place, station in enumerate(self.stations[:-1]):
            (pipe,) = table.outputs(station)
            limit = capacity(pipe)
            if limit >= 0:
                self._limits[place] = limit
                length = power_above(limit)
                self._read_at[place] = self._write_at[place + 1] = cells
                self._read_mask[place] = self._write_mask[place + 1] = length - 1
                cells += length
        self._rings = np.full(cells, -np.inf)

    def run(self, due: Array, work: Array) -> None:
        """Answer a block: the rows of `work` become the departures from each station."""
        recursions_module().line(
            due, work, self.free, self.passed, self._write_at, self._write_mask, self._read_at, self._read_mask,
            self._limits, self._rings, self.waited, self.blocked,
        )  # fmt: skip
        self.passed += len(due)


class Walk:
    """Any tree of splits with ordered merges; see `recursions.walk`."""

    def __init__(self, table: Table, routes: Routes, capacity: Callable[[int], int], block: int) -> None:
        stations = range(len(table.stations))
        self.waits, self.busy, self.blocked = (np.zeros(len(stations)) for _ in range(3))
        self.served = np.zeros(len(stations), np.int64)
        self.left = np.zeros(block)
        self._ends = np.zeros(block, np.int64)
        self._routes = np.full(len(stations), -1, np.int64)
        for station in stations:
            outputs = table.outputs(station)
            self._routes[station] = outputs[0] if len(outputs) == 1 else -2 if outputs else -1
        self._first = np.arange(len(stations), dtype=np.int64) * block
        self._place = np.zeros(len(stations), np.int64)
        self._work = np.zeros(len(stations) * block)
        self._chosen = np.zeros(len(stations) * block if (self._routes == -2).any() else 1, np.int64)
        self._delay = np.array([row.delay_s for row in table.stations])
        self._servers = np.array([row.servers for row in table.stations], np.int64)
        self._free_at = np.cumsum(self._servers) - self._servers
        self._free = np.zeros(int(self._servers.sum()))
        self._reader = np.array([pipe.downstream for pipe in table.pipes] or [0], np.int64)
        self._limits = np.array([capacity(pipe) for pipe in range(len(table.pipes))] or [0], np.int64)
        lengths = np.array([power_above(limit) if limit >= 0 else 0 for limit in self._limits], np.int64)
        self._ring_at = np.cumsum(lengths) - lengths
        self._mask = np.maximum(lengths - 1, 0)
        self._passed = np.zeros(len(self._limits), np.int64)
        self._rings = np.full(max(1, int(lengths.sum())), -np.inf)
        self._source = routes.source

    def load(self, station: int, work: Array, chosen: Numbers | None) -> None:
        """Put in the services of a station for the next block, and the pipes that its records take."""
        first = self._first[station]
        self._work[first : first + len(work)] = work
        if chosen is not None:
            if len(self._chosen) < len(self._work):
                self._chosen = np.zeros(len(self._work), np.int64)
            self._chosen[first : first + len(chosen)] = chosen

    def run(self, born: Array, saturated: bool, until_s: float) -> int:
        """Answer a block; returns how many of its records came before `until_s`."""
        self._place[:] = 0
        done = recursions_module().walk(
            born, self.left, self._ends, self._source, saturated, until_s, self._routes, self._first, self._place,
            self._work, self._delay, self._chosen, self._servers, self._free_at, self._free, self._reader, self._limits,
            self._ring_at, self._mask, self._passed, self._rings, self.waits, self.busy, self.blocked,
        )  # fmt: skip
        self.served += self._place
        return int(done)

    def left_from(self, station: int) -> Array:
        """Return when the records of the last block left a station (s), in the order in which they came there."""
        first = self._first[station]
        return self._work[first : first + self._place[station]].copy()
