"""The servers of one station as a small table: how many services are in which phase, and what happens next.

Like servers are told apart by nothing but their phases, so a station's state is a tuple of counts, one a phase. The
tables are padded to arrays, so that a chain can be built for all its states at once.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamsim.analysis.queueing.phase_type import PhaseType

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Moves:
    """What can happen in each state: row s has the rates or chances, and the states that follow; 0 pads."""

    weight: Floats
    target: Ints


@dataclass(frozen=True)
class ServerTable:
    """All states of the servers of one station.

    `busy[s]` is how many serve in state s; `of_busy[b]` lists the states with b busy; `complete` are services that
    end (rates), `change` changes of phase (rates), `start` beginnings of one more service (chances).
    """

    busy: Ints
    of_busy: tuple[Ints, ...]
    complete: Moves
    change: Moves
    start: Moves

    @property
    def completion_rate(self) -> Floats:
        """The rate (1/s) at which services end in each state."""
        rates: Floats = self.complete.weight.sum(axis=1)
        return rates


@functools.lru_cache(maxsize=256)
def server_table(law: PhaseType, servers: int) -> ServerTable:
    """Return the table of a station with this many servers and this law of service."""
    phases = law.phases
    states = [counts for counts in itertools.product(range(servers + 1), repeat=phases) if sum(counts) <= servers]
    states.sort(key=lambda counts: (sum(counts), counts))
    place = {counts: index for index, counts in enumerate(states)}
    busy = np.array([sum(counts) for counts in states])

    def shifted(counts: tuple[int, ...], out: int | None, into: int | None) -> int:
        moved = list(counts)
        if out is not None:
            moved[out] -= 1
        if into is not None:
            moved[into] += 1
        return place[tuple(moved)]

    complete, change, start = [], [], []
    for counts in states:
        present = [i for i in range(phases) if counts[i]]
        complete.append([(counts[i] * law.exits[i], shifted(counts, i, None)) for i in present if law.exits[i] > 0])
        change.append(
            [
                (counts[i] * law.generator[i][j], shifted(counts, i, j))
                for i in present
                for j in range(phases)
                if j != i and law.generator[i][j] > 0
            ]
        )
        room = sum(counts) < servers
        start.append([(law.initial[i], shifted(counts, None, i)) for i in range(phases) if room and law.initial[i] > 0])
    return ServerTable(
        busy=busy,
        of_busy=tuple(np.flatnonzero(busy == number) for number in range(servers + 1)),
        complete=_padded(complete),
        change=_padded(change),
        start=_padded(start),
    )


def _padded(rows: list[list[tuple[float, int]]]) -> Moves:
    width = max(1, max(map(len, rows)))
    weight, target = np.zeros((len(rows), width)), np.zeros((len(rows), width), dtype=np.int64)
    for index, row in enumerate(rows):
        for slot, (value, state) in enumerate(row):
            weight[index, slot], target[index, slot] = value, state
    return Moves(weight, target)
