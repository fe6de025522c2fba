"""The ways of records where they do not depend on time: who passes where, known before any time is."""

from __future__ import annotations

from collections.abc import Callable
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamsim.models.records.streams import bounds_of, ended
from streamsim.models.records.table import Table

Numbers = NDArray[np.int64]


def lone_source(table: Table) -> int | None:
    """Return the station that all records come from; None where there are several."""
    found = [number for number, station in enumerate(table.stations) if station.source is not None]
    return found[0] if len(found) == 1 else None


def sees_all(table: Table, source: int, station: int) -> bool:
    """Whether every record passes a station: without it, none could leave."""
    seen, todo = {source, station}, [source]
    if source == station:
        return True
    while todo:
        outputs = table.outputs(todo.pop())
        if not outputs:
            return False
        for target in (table.pipes[pipe].downstream for pipe in outputs):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return True


class Routes:
    """Which pipe each record takes at each station; one record gives one, so that its way is a path.

    ``order`` has the stations that records reach, upstream first. ``takes`` gives what draws a station's numbers in a
    role.
    """

    def __init__(self, table: Table, source: int, takes: Callable[[int, str], Any]) -> None:
        self.table, self.source = table, source
        before: dict[int, list[int]] = {source: []}
        todo = [source]
        while todo:
            here = todo.pop()
            for target in (table.pipes[pipe].downstream for pipe in table.outputs(here)):
                if target not in before:
                    before[target] = [table.pipes[pipe].upstream for pipe in table.inputs(target)]
                    todo.append(target)
        self.order = tuple(number for number in TopologicalSorter(before).static_order() if number in before)
        self._sizes = self._constant_sizes()
        self._keys = takes(source, "keys")
        self._drawn = {number: takes(number, "route") for number in self.order}
        self._bounds = {number: bounds_of(table.stations[number].weights) for number in self.order}
        self._turn = dict.fromkeys(self.order, 0)

    def size_of(self, station: int) -> int:
        """Return the size (bytes) of the records that a station gives."""
        return self._sizes[station][1]

    def taken_size(self, station: int) -> int:
        """Return the size (bytes) of the records that a station takes."""
        return self._sizes[station][0]

    def choose(self, count: int) -> tuple[dict[int, int], dict[int, Numbers | None]]:
        """Return how many of the next records each station gets, and the pipe of each where a station has several."""
        table = self.table
        keys = self._keys(count).astype(np.int64) if self._keys is not None else np.zeros(count, np.int64)
        here: dict[int, list[Numbers]] = {number: [] for number in self.order}
        here[self.source] = [np.arange(count)]
        counts: dict[int, int] = {}
        chosen: dict[int, Numbers | None] = {}
        for station in self.order:
            parts, outputs = here[station], table.outputs(station)
            records = parts[0] if len(parts) == 1 else np.sort(np.concatenate(parts))
            counts[station], chosen[station] = len(records), None
            if len(outputs) == 1:
                here[table.pipes[outputs[0]].downstream].append(records)
            elif outputs:
                places = self._places(station, keys[records], len(outputs))
                chosen[station] = np.asarray(outputs, np.int64)[places]
                for place, pipe in enumerate(outputs):
                    here[table.pipes[pipe].downstream].append(records[places == place])
        return counts, chosen

    def _places(self, station: int, keys: Numbers, outputs: int) -> Numbers:
        row, count = self.table.stations[station], len(keys)
        if row.split == "key":
            place: Numbers = keys % outputs
            return place
        if row.split == "turns":
            turn = self._turn[station]
            self._turn[station] = (turn + count) % outputs
            in_turn: Numbers = (turn + np.arange(count)) % outputs
            return in_turn
        drawn = self._drawn[station](count)
        assert len(drawn) == count, ended(row.name, "route")
        bounds = np.asarray(self._bounds[station][:-1], dtype=np.float64)
        found: Numbers = np.searchsorted(bounds, drawn, side="right").astype(np.int64)
        return found

    def _constant_sizes(self) -> dict[int, tuple[int, int]]:
        sizes: dict[int, tuple[int, int]] = {}
        for station in self.order:
            inputs = [pipe for pipe in self.table.inputs(station) if self.table.pipes[pipe].upstream in sizes]
            taken = sizes[self.table.pipes[inputs[0]].upstream][1] if inputs else 1
            own = self.table.stations[station].size
            sizes[station] = (taken, own if isinstance(own, int) else taken)
        return sizes

    def differing(self) -> int | None:
        """Return a station whose inputs bring records of different sizes; None where there is none."""
        for station in self.order:
            uppers = {self._sizes[self.table.pipes[pipe].upstream][1] for pipe in self.table.inputs(station)}
            if len(uppers) > 1:
                return station
        return None
