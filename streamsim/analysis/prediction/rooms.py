"""Servers, the pipes between them as rooms for records, and two servers with one such room between them.

A pair of servers is M/M/1/K, with K stretched by how little service scatters (heavy traffic).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CONSTANT = 1e-9
"""Below this scatter no room is ever needed."""

Shares = Literal["each", "turn", "random", "least"]


@dataclass(frozen=True)
class Server:
    """A station: mean time of a record (s), its scv, how many are served at once, and how many it takes for each
    record of the circuit (``visits``). ``merges``: it takes from whichever of its inputs has a record. ``shares``: to
    which of several outputs a record goes: to each, to the next in turn, to one at random, to the least loaded."""

    time: float
    scv: float = 1.0
    servers: int = 1
    visits: float = 1.0
    merges: bool = False
    shares: Shares = "each"


@dataclass(frozen=True)
class Joint:
    """A pipe between two stations (indices): the records that wait in it at most, and its records for each of the
    circuit."""

    upstream: int
    downstream: int
    places: float
    visits: float = 1.0


def room(above: Server, below: Server, pipe: Joint, scatter: float) -> float:
    """Return K of the M/M/1/K that stands for a pipe: its places and what both sides hold, stretched by low scatter."""
    if above.shares == "least":  # who is least loaded is settled before there is room, and that one is waited for
        return stretched(pipe.places, math.sqrt(below.scv))
    return stretched(pipe.places + above.servers + below.servers - 1, scatter)


def stretched(places: float, scatter: float) -> float:
    return math.inf if scatter < CONSTANT or math.isinf(places) else 1 + places / scatter


def _scatter(station: Server) -> float:
    """Return how much a station scatters; several servers side by side are more regular, and never quite constant."""
    if station.servers == 1:
        return station.scv
    return (station.scv + 1) / 2 / station.servers


def scatters(stations: Sequence[Server], pipes: Sequence[Joint], *, giving: bool) -> list[float]:
    """Return how much each station scatters as one that gives (or takes): what takes no time, as those beyond it."""
    beyond: list[list[int]] = [[] for _ in stations]
    for pipe in pipes:
        near, far = (pipe.downstream, pipe.upstream) if giving else (pipe.upstream, pipe.downstream)
        beyond[near].append(far)
    found: dict[int, float] = {}

    def of(place: int, seen: int = 0) -> float:
        if place not in found:
            one = stations[place]
            if one.time > 0 or not beyond[place] or seen > len(stations):
                found[place] = _scatter(one)
            else:
                found[place] = sum(of(other, seen + 1) for other in beyond[place]) / len(beyond[place])
        return found[place]

    return [of(place) for place in range(len(stations))]


def two(above: float, below: float, room: float) -> float:
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
