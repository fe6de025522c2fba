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

ROUNDS = 500
SETTLED = 1e-10
DAMPING = 0.5


@dataclass(frozen=True)
class Server:
    """A station: mean time of a record (s), its scv, how many are served at once, and how many it takes for each
    record of the circuit (``visits``)."""

    time: float
    scv: float = 1.0
    servers: int = 1
    visits: float = 1.0


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

    >>> round(saturated_throughput([Server(1.0), Server(1.0)], [Joint(0, 1, 2)]), 9)
    0.8
    >>> round(saturated_throughput([Server(1.0), Server(2.0, servers=4)], [Joint(0, 1, math.inf)]), 9)
    1.0
    """
    own = [one.time * one.visits / one.servers for one in stations]
    slowest = max(own)
    if slowest <= 0:
        return math.inf
    lost = [[0.0, 0.0] for _ in pipes]  # for each pipe and record of the circuit: blocked above, starved below (s)
    sizes = [_room(stations[pipe.upstream], stations[pipe.downstream], pipe) for pipe in pipes]
    touching: list[list[tuple[int, int]]] = [[] for _ in stations]
    for number, pipe in enumerate(pipes):
        touching[pipe.upstream].append((number, 0))
        touching[pipe.downstream].append((number, 1))
    cycle = slowest
    for _ in range(ROUNDS):
        moved = 0.0
        for number, pipe in enumerate(pipes):
            above = own[pipe.upstream] + _others(touching[pipe.upstream], number, lost)
            below = own[pipe.downstream] + _others(touching[pipe.downstream], number, lost)
            period = _two(above, below, sizes[number])
            for side, time in enumerate((above, below)):
                found = lost[number][side] + DAMPING * (period - time - lost[number][side])
                moved = max(moved, abs(found - lost[number][side]))
                lost[number][side] = found
        cycle = max(time + _others(touching[place], -1, lost) for place, time in enumerate(own))
        if moved <= SETTLED * cycle:
            break
    return 1 / cycle


def _others(touching: Sequence[tuple[int, int]], but: int, lost: Sequence[Sequence[float]]) -> float:
    """Return what a station loses at its pipes, all but one."""
    return sum(lost[number][side] for number, side in touching if number != but)


def _room(above: Server, below: Server, pipe: Joint) -> float:
    """Return K of the M/M/1/K that stands for a pipe: its places, what both sides hold, stretched by low scatter."""
    scatter = (above.scv / above.servers + below.scv / below.servers) / 2
    if scatter < 1e-9 or math.isinf(pipe.places):
        return math.inf
    return 1 + (pipe.places + above.servers + below.servers - 1) / scatter


def _two(above: float, below: float, room: float) -> float:
    """Return the time between records of two servers of these mean times (s) with room K between: M/M/1/K."""
    if above <= 0 or below <= 0 or math.isinf(room):
        return max(above, below)
    ratio = below / above  # the load of the lower one
    if abs(ratio - 1) < 1e-7:
        return below * (room + 1) / room
    if ratio > 1:  # the same by symmetry, without overflow
        ratio, above, below = 1 / ratio, below, above
    log = room * math.log(ratio)
    # throughput (1 − rᴷ)/(1 − rᴷ⁺¹)/above with r < 1
    return above * -math.expm1(log + math.log(ratio)) / -math.expm1(log)
