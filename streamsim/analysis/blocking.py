"""Saturated circuits with finite pipes, record by record: how much blocking and starvation cost, in a millisecond.

Every pipe is answered alone, with what feeds it and what empties it as one server each: the time of either is the
station's own and what it loses, for each record of this pipe, at all its other pipes. The flow through all pipes must
agree, and that fixes the times. For lines this is the decomposition of Choong and Gershwin, "A decomposition method for
the approximate evaluation of capacitated transfer lines with unreliable machines and random processing times", IIE
Transactions 19 (1987); for trees of splits and joins see Gershwin, "Assembly/disassembly systems", IIE Transactions 23
(1991). Two-server lines are those of M/M/1/K, with K stretched by how little service scatters (heavy traffic).

It is what elasticities and what-ifs need: smooth, and right about who holds back whom; `queueing.lines` is more exact
and a thousand times slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDS = 100
SETTLED = 1e-6
DAMPING = 0.7
LARGE = 300
"""Where every pipe has so much room, blocking costs less than a three-hundredth, and nothing is computed."""
CONSTANT = 1e-9
"""Below this scatter no room is ever needed."""


@dataclass(frozen=True)
class Server:
    """A station: mean time of a record (s), its scv, how many are served at once, and how many it takes for each
    record of the circuit (``visits``). ``merges``: it takes from whichever of its inputs has a record."""

    time: float
    scv: float = 1.0
    servers: int = 1
    visits: float = 1.0
    merges: bool = False


@dataclass(frozen=True)
class Joint:
    """A pipe between two stations (indices): the records that wait in it at most, and its records for each of the
    circuit."""

    upstream: int
    downstream: int
    places: float
    visits: float = 1.0


def saturated_throughput(stations: Sequence[Server], pipes: Sequence[Joint]) -> float:
    """Return the records of the circuit per second that get through, where every source gives as fast as it may.

    Exact for two exponential stations of one server (M/M/1/K, blocking after service), and without limit of places.

    >>> round(saturated_throughput([Server(1.0), Server(1.0)], [Joint(0, 1, 2)]), 5)
    0.8
    >>> round(saturated_throughput([Server(1.0), Server(2.0, servers=4)], [Joint(0, 1, math.inf)]), 9)
    1.0
    """
    return 1 / _Decomposition(stations, pipes).cycle()


class _Decomposition:
    """Times are seconds for each record of the circuit; ``blocked`` and ``starved`` is what a pipe costs its ends."""

    def __init__(self, stations: Sequence[Server], pipes: Sequence[Joint]) -> None:
        self.pipes = pipes
        self.own = [one.time * one.visits / one.servers for one in stations]
        self.slowest = max(self.own)
        self.rooms = [_room(stations[pipe.upstream], stations[pipe.downstream], pipe) for pipe in pipes]
        self.inputs: list[list[int]] = [[] for _ in stations]
        self.outputs: list[list[int]] = [[] for _ in stations]
        for number, pipe in enumerate(pipes):
            self.outputs[pipe.upstream].append(number)
            self.inputs[pipe.downstream].append(number)
        self.merges = [one.merges and len(self.inputs[place]) > 1 for place, one in enumerate(stations)]
        self.blocked = [0.0] * len(pipes)
        self.starved = [0.0] * len(pipes)
        self.period = [self.slowest] * len(pipes)
        self.idle = [0.0] * len(stations)

    def cycle(self) -> float:
        """Return the time between two records of the circuit (s)."""
        if self.slowest <= 0 or min(self.rooms, default=math.inf) >= LARGE:
            return self.slowest
        forwards = range(len(self.pipes))
        for turn in range(ROUNDS):  # to and fro: what is blocked travels upstream, what is starved downstream
            order = forwards if turn % 2 == 0 else reversed(forwards)
            moved = max([self._settle(number) for number in order], default=0.0)
            if moved <= SETTLED * self.slowest:
                break
        return max(self._busy(place) + self.idle[place] for place in range(len(self.own)))

    def _busy(self, place: int, but: int = -1) -> float:
        """Return what a station needs for itself and loses at its outputs, all but one."""
        return self.own[place] + sum(self.blocked[number] for number in self.outputs[place] if number != but)

    def _settle(self, number: int) -> float:
        """Answer one pipe alone with what is known of its ends; return how far that moved its losses."""
        pipe = self.pipes[number]
        reader = pipe.downstream
        above = self._busy(pipe.upstream, but=number) + self.idle[pipe.upstream]
        below = self._below(number, reader)
        found = _two(above, below, self.rooms[number])
        moved = 0.0
        for lost, side in ((self.blocked, above), (self.starved, below)):
            step = DAMPING * (found - side - lost[number])
            lost[number] += step
            moved = max(moved, abs(step))
        self.period[number] += DAMPING * (found - self.period[number])
        inputs = self.inputs[reader]
        if self.merges[reader]:
            self.idle[reader] = max(0.0, max(self.period[one] for one in inputs) - self._busy(reader))
        else:
            self.idle[reader] = sum(self.starved[one] for one in inputs)
        return moved

    def _below(self, number: int, reader: int) -> float:
        """Return how fast the reader empties a pipe: of a merge what its other inputs leave of it."""
        busy = self._busy(reader)
        if not self.merges[reader]:
            return busy + sum(self.starved[one] for one in self.inputs[reader] if one != number)
        if busy <= 0:
            return 0.0
        whole = sum(self.pipes[one].visits for one in self.inputs[reader])
        own = self.pipes[number].visits
        period = max(busy, *(self.period[one] for one in self.inputs[reader]))
        return own / (whole / busy - (whole - own) / period)


def _room(above: Server, below: Server, pipe: Joint) -> float:
    """Return K of the M/M/1/K that stands for a pipe: its places and what both sides hold, stretched by low scatter."""
    scatter = (_scatter(above) + _scatter(below)) / 2
    if scatter < CONSTANT or math.isinf(pipe.places):
        return math.inf
    return 1 + (pipe.places + above.servers + below.servers - 1) / scatter


def _scatter(station: Server) -> float:
    """Return how much a station scatters; several servers side by side are more regular, and never quite constant.

    What takes no time of its own (a split) is as irregular as what it waits for at its other pipes.
    """
    if station.time == 0:
        return 1.0
    if station.servers == 1:
        return station.scv
    return (station.scv + 1) / 2 / station.servers


def _two(above: float, below: float, room: float) -> float:
    """Return the time between records of two servers of these mean times (s) with room K between: M/M/1/K."""
    if above <= 0 or below <= 0 or math.isinf(room):
        return max(above, below)
    ratio = below / above  # the load of the lower one
    if abs(ratio - 1) < 1e-7:
        return below * (room + 1) / room
    if ratio > 1:  # the same by symmetry, without overflow
        ratio, above = 1 / ratio, below
    if ratio < 1e-12:
        return above
    log = room * math.log(ratio)
    # throughput (1 − rᴷ)/(1 − rᴷ⁺¹)/above with r < 1
    return above * -math.expm1(log + math.log(ratio)) / -math.expm1(log)
