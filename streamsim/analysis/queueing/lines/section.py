"""The Markov chain of a section of a line: its states, and every transition that its events make.

A section is some neighbouring stations and the pipes between them; the whole line is one. State, in columns:

    u      records at hand for the first station, at most one a server (only where stations precede the section)
    n_j    records that have left service at station j and not yet at j+1: blocked, in the pipe, or in service
    d      servers of the last station that are held up (only where stations follow the section)
    s_j    in which phases the servers of station j are (an index into its `ServerTable`)

How many are held up everywhere follows from n and d, from the last pipe backwards. After service it is what is more
than pipe and free servers take, b_j = n_j − B_j − (c_{j+1} − b_{j+1}); before service it is what may not begin,
b_j = c_j − (B_j + c_{j+1} − n_j); both kept within 0 and c_j. At work are min(at hand, c_j − b_j).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamsim.analysis.queueing.lines.description import Line
from streamsim.analysis.queueing.lines.servers import Floats, Ints, ServerTable, server_table

ALWAYS, KEEP_HAND, LOSE_HAND, STAY_FREE, BE_HELD, GAIN_HAND, BE_FREED = range(7)
"""What a transition's rate is multiplied by: nothing, or a chance or rate that the neighbouring sections know."""


@dataclass
class Section:
    """The chain of stations first … last of a line; `boundary[kind, state]` multiplies the rates of that kind."""

    line: Line
    first: int
    last: int
    fed: bool = field(init=False)
    drained: bool = field(init=False)
    tables: list[ServerTable] = field(init=False)
    columns: Ints = field(init=False)
    held: Ints = field(init=False)
    busy: Ints = field(init=False)
    source: Ints = field(init=False)
    target: Ints = field(init=False)
    base: Floats = field(init=False)
    kind: Ints = field(init=False)
    boundary: Floats = field(init=False)

    def __post_init__(self) -> None:
        line = self.line
        self.fed, self.drained = self.first > 0, self.last < line.stations - 1
        self.tables = [server_table(line.services[i], line.servers[i]) for i in range(self.first, self.last + 1)]
        self.columns = self._states()
        self.held = self.held_up(self.columns)
        self.busy = self._at_work(self.columns, self.held)
        self._radix = self.columns.max(axis=0) + 1
        keys = self._keys(self.columns)
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._connect()
        self.boundary = np.ones((7, self.size))

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.columns)

    @property
    def pipes(self) -> int:
        """The number of pipes inside, one less than the stations."""
        return self.last - self.first

    @property
    def rates(self) -> Floats:
        """The rate (1/s) of every transition, with what is known of the neighbours."""
        known: Floats = self.base * self.boundary[self.kind, self.source]
        return known

    def at_hand(self) -> Ints:
        """Return u of every state."""
        return self.columns[:, 0]

    def inside(self, pipe: int) -> Ints:
        """Return n of a pipe of the section in every state."""
        return self.columns[:, 1 + pipe]

    def phase(self, station: int) -> Ints:
        """Return s of a station of the section in every state."""
        return self.columns[:, self.pipes + 2 + station]

    def completing(self, station: int) -> Floats:
        """Return the rate (1/s) at which a station of the section completes services in every state."""
        return self.tables[station].completion_rate[self.phase(station)]

    def held_up(self, columns: Ints) -> Ints:
        """Return b of every station for these states."""
        line, pipes = self.line, self.pipes
        held = np.zeros((len(columns), pipes + 1), dtype=np.int64)
        held[:, pipes] = columns[:, pipes + 1]
        for j in range(pipes - 1, -1, -1):
            i = self.first + j
            free = line.servers[i + 1] - (held[:, j + 1] if line.blocking == "after-service" else line.servers[i])
            held[:, j] = np.clip(columns[:, 1 + j] - line.waiting_places[i] - free, 0, line.servers[i])
        return held

    def _at_work(self, columns: Ints, held: Ints) -> Ints:
        servers = np.array(self.line.servers[self.first : self.last + 1])
        work: Ints = np.minimum(columns[:, : self.pipes + 1], servers - held)
        return work

    def _states(self) -> Ints:
        """Return all states, from the last pipe backwards: each choice there bounds what is before it."""
        line, pipes = self.line, self.pipes
        table = np.zeros((1, 2 * pipes + 3), dtype=np.int64)
        if self.drained:
            table = _spread(table, pipes + 1, np.array([line.servers[self.last]]))
        for j in range(pipes - 1, -1, -1):
            i = self.first + j
            most = np.full(len(table), line.waiting_places[i] + line.servers[i + 1])
            if line.blocking == "after-service":
                most += line.servers[i] - self.held_up(table)[:, j + 1]
            table = _spread(table, 1 + j, most)
        if self.fed:
            table = _spread(table, 0, np.full(len(table), line.servers[self.first]))
        else:
            table[:, 0] = line.servers[self.first]
        work = self._at_work(table, self.held_up(table))
        for j, servers in enumerate(self.tables):
            counts = np.array([len(states) for states in servers.of_busy])
            firsts = np.array([states[0] for states in servers.of_busy])
            offsets = firsts[work[:, j]]
            table = _spread(table, pipes + 2 + j, counts[work[:, j]] - 1, offsets)
            work = self._at_work(table, self.held_up(table))
        return table

    def _keys(self, columns: Ints) -> Ints:
        keys = np.zeros(len(columns), dtype=np.int64)
        for column, radix in enumerate(self._radix):
            keys = keys * radix + columns[:, column]
        return keys

    def _connect(self) -> None:
        """Fill the transitions, event by event, each for all states at once."""
        found: list[tuple[Ints, Ints, Floats, Ints]] = []
        for station, table in enumerate(self.tables):
            phase = self.phase(station)
            for moves, completes in ((table.complete, True), (table.change, False)):
                for slot in range(moves.weight.shape[1]):
                    rows = np.flatnonzero(moves.weight[phase, slot] > 0)
                    columns = self.columns[rows].copy()
                    columns[:, self.pipes + 2 + station] = moves.target[phase[rows], slot]
                    rates = moves.weight[phase[rows], slot]
                    branches = self._completed(station, rows, columns, rates) if completes else [
                        (rows, columns, rates, ALWAYS)
                    ]  # fmt: skip
                    found += [self._began(*branch) for branch in branches]
        if self.fed:
            rows = np.flatnonzero(self.columns[:, 0] < self.line.servers[self.first])
            found.append(self._began(rows, _added(self.columns[rows], 0, 1), np.ones(len(rows)), GAIN_HAND))
        if self.drained:
            rows = np.flatnonzero(self.columns[:, self.pipes + 1] > 0)
            found.append(
                self._began(rows, _added(self.columns[rows], self.pipes + 1, -1), np.ones(len(rows)), BE_FREED)
            )
        source, target, base, kind = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self.source, self.target, self.base, self.kind = source, target, base, kind

    def _completed(
        self, station: int, rows: Ints, columns: Ints, rates: Floats
    ) -> list[tuple[Ints, Ints, Floats, int]]:
        """Move a record on behind a completion; at the section's ends its neighbours decide between two outcomes."""
        before, behind = station, station + 1
        if station == 0 and not self.fed:
            pass  # there is always another record at hand
        elif station == 0:
            sure = columns[:, 0] < self.line.servers[self.first]
            columns[sure, 0] -= 1
        else:
            columns[:, before] -= 1
        if station < self.pipes:
            columns[:, behind] += 1
        elif self.drained:
            held = columns[:, behind] > 0
            columns[held, behind] += 1
        if station == 0 and self.fed:
            return [
                (rows[sure], columns[sure], rates[sure], ALWAYS),
                (rows[~sure], columns[~sure], rates[~sure], KEEP_HAND),
                (rows[~sure], _added(columns[~sure], 0, -1), rates[~sure], LOSE_HAND),
            ]
        if station == self.pipes and self.drained:
            return [
                (rows[held], columns[held], rates[held], ALWAYS),
                (rows[~held], columns[~held], rates[~held], STAY_FREE),
                (rows[~held], _added(columns[~held], behind, 1), rates[~held], BE_HELD),
            ]
        return [(rows, columns, rates, ALWAYS)]

    def _began(self, rows: Ints, columns: Ints, rates: Floats, kind: int) -> tuple[Ints, Ints, Floats, Ints]:
        """Let every server that now can begin a service, in each phase with its chance; then look the states up."""
        for station, table in enumerate(self.tables):
            column = self.pipes + 2 + station
            while True:
                work = self._at_work(columns, self.held_up(columns))[:, station]
                short = work > table.busy[columns[:, column]]
                if not short.any():
                    break
                parts = [(rows[~short], columns[~short], rates[~short])]
                for slot in range(table.start.weight.shape[1]):
                    chance = table.start.weight[columns[:, column], slot]
                    take = short & (chance > 0)
                    begun = columns[take].copy()
                    begun[:, column] = table.start.target[begun[:, column], slot]
                    parts.append((rows[take], begun, rates[take] * chance[take]))
                rows, columns, rates = (np.concatenate(part) for part in zip(*parts, strict=True))
        target = self._order[np.searchsorted(self._sorted, self._keys(columns))]
        return rows, target, rates, np.full(len(rows), kind)


def _added(columns: Ints, column: int, amount: int) -> Ints:
    changed = columns.copy()
    changed[:, column] += amount
    return changed


def _spread(table: Ints, column: int, most: Ints, offset: Ints | None = None) -> Ints:
    """Repeat every row with offset + 0, 1, … most in a column."""
    times = most + 1
    repeated = np.repeat(table, np.broadcast_to(times, len(table)), axis=0)
    starts = np.repeat(np.cumsum(np.broadcast_to(times, len(table))) - times, np.broadcast_to(times, len(table)))
    repeated[:, column] = np.arange(len(repeated)) - starts
    if offset is not None:
        repeated[:, column] += np.repeat(offset, times)
    return repeated


def count_states(line: Line, first: int, last: int) -> int:
    """Return how many states the section first … last has, without making them."""
    tables = [server_table(line.services[i], line.servers[i]) for i in range(first, last + 1)]
    counts: dict[int, int] = dict.fromkeys(range(line.servers[last] + 1) if last < line.stations - 1 else (0,), 1)
    for i in range(last - 1, first - 1, -1):
        following: dict[int, int] = {}
        for held, number in counts.items():
            free = line.servers[i + 1] - held if line.blocking == "after-service" else line.servers[i + 1]
            extra = line.servers[i] if line.blocking == "after-service" else 0
            for inside in range(line.waiting_places[i] + free + extra + 1):
                work = min(inside, line.servers[i + 1] - held)
                behind = free if line.blocking == "after-service" else free - line.servers[i]
                now = min(max(inside - line.waiting_places[i] - behind, 0), line.servers[i])
                following[now] = following.get(now, 0) + number * len(tables[i + 1 - first].of_busy[work])
        counts = following
    total = 0
    for held, number in counts.items():
        for hand in range(line.servers[first] + 1) if first > 0 else (line.servers[first],):
            total += number * len(tables[0].of_busy[min(hand, line.servers[first] - held)])
    return total
