"""Closed networks: what is asked, with how many records of which class in it, and what is answered."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError

DELAY = 0
"""In `servers`: a station where nobody waits, because everybody has a server of his own."""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A closed network with product form.

    Parameters
    ----------
    populations : records of each class, at least 0, not all 0.
    demands : `demands[class][station]`, mean visits times mean service time of one, s, at least 0.
    think_times : mean time outside the stations, s, at least 0; 0 where absent.
    servers : of each station, at least 1, or `DELAY`; 1 where absent.
    speeds : for a station None, or how fast it works when n = 1, 2, … records are there, relative to one record
        alone; the last value holds for all larger n. In place of `servers`.

    Raises ModelError for anything else, and for a class that has nowhere to be.

    Assumptions: exponential service alike for all classes at first-come-first-served stations, or any at
    processor-sharing and delay stations (BCMP).
    """

    populations: tuple[int, ...]
    demands: tuple[tuple[float, ...], ...]
    think_times: tuple[float, ...]
    servers: tuple[int, ...]
    speeds: tuple[tuple[float, ...] | None, ...]

    def __post_init__(self) -> None:
        if not self.populations or sum(self.populations) == 0:
            raise ModelError("populations: no records; at least one belongs in a closed network")
        for index, row in enumerate(self.demands):
            checks.countable(f"populations[{index}]", self.populations[index], least=0)
            for station, demand in enumerate(row):
                checks.non_negative(f"demands[{index}][{station}]", demand)
            if checks.non_negative(f"think_times[{index}]", self.think_times[index]) + math.fsum(row) <= 0:
                raise ModelError(f"demands[{index}]: all 0 and no think time, so its records would go round in no time")
        for station, count in enumerate(self.servers):
            checks.countable(f"servers[{station}]", count, least=0)
            for n, speed in enumerate(self.speeds[station] or ()):
                checks.positive(f"speeds[{station}][{n}]", speed)

    @property
    def stations(self) -> int:
        """The number of stations."""
        return len(self.servers)

    @property
    def states(self) -> int:
        """The number of population vectors from none to all."""
        return math.prod(count + 1 for count in self.populations)

    def plain(self, station: int) -> bool:
        """Whether a station has one server of constant speed."""
        return self.speeds[station] is None and self.servers[station] == 1

    def delay(self, station: int) -> bool:
        """Whether nobody waits at a station."""
        return self.speeds[station] is None and self.servers[station] == DELAY

    def speed(self, station: int, number: int) -> float:
        """Return how fast a station works with so many records, relative to one alone."""
        table = self.speeds[station]
        if table is not None:
            return table[min(number, len(table)) - 1]
        return float(number if self.delay(station) else min(number, self.servers[station]))


class ClosedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of a closed network.

    Parameters
    ----------
    throughputs : of each class, 1/s.
    response_times : of each class, time in all stations of one round, s; think time not counted.
    in_system, residence : `[class][station]`: mean number there, and time there in one round (s).
    utilisation : of each station, the busy share of a server; None at delay and load-dependent stations.
    """

    method: str
    exact: bool
    throughputs: tuple[float, ...]
    response_times: tuple[float, ...]
    in_system: tuple[tuple[float, ...], ...]
    residence: tuple[tuple[float, ...], ...]
    utilisation: tuple[float | None, ...]


def closed(
    populations: Sequence[int],
    demands: Sequence[Sequence[float]],
    think_times: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    speeds: Sequence[Sequence[float] | None] | None = None,
) -> Closed:
    """Return a checked closed network; see `Closed`.

    >>> closed([3], [[0.5, 0.2]]).stations
    2
    """
    classes = len(populations)
    if len(demands) != classes or (think_times is not None and len(think_times) != classes):
        raise ModelError(f"demands, think_times: {len(demands)} classes where {classes} belong, as populations has")
    stations = len(demands[0]) if demands else 0
    for index, row in enumerate(demands):
        checks.same_length(f"demands[{index}]", row, stations)
    if stations == 0:
        raise ModelError("demands: no stations; at least one belongs here")
    servers = [1] * stations if servers is None else servers
    speeds = [None] * stations if speeds is None else speeds
    checks.same_length("servers", servers, stations)
    checks.same_length("speeds", speeds, stations)
    return Closed(
        populations=tuple(populations),
        demands=tuple(tuple(float(demand) for demand in row) for row in demands),
        think_times=tuple(think_times) if think_times is not None else (0.0,) * classes,
        servers=tuple(servers),
        speeds=tuple(tuple(table) if table else None for table in speeds),
    )


def answer(
    method: str, network: Closed, throughputs: Sequence[float], in_system: Sequence[Sequence[float]], *, exact: bool
) -> ClosedAnswer:
    """Return what follows from throughputs and mean numbers by Little's law; refuse what overflowed."""
    residence = [
        [number / rate if rate > 0 else 0.0 for number in row] for row, rate in zip(in_system, throughputs, strict=True)
    ]
    used = [
        math.fsum(rate * row[k] for rate, row in zip(throughputs, network.demands, strict=True))
        for k in range(network.stations)
    ]
    numbers = [*throughputs, *(number for row in in_system for number in row)]
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ModelError(f"{method}: the numbers overflowed; populations or demands are too far apart to compute with")
    return ClosedAnswer(
        method=method,
        exact=exact,
        throughputs=tuple(throughputs),
        response_times=tuple(math.fsum(row) for row in residence),
        in_system=tuple(tuple(row) for row in in_system),
        residence=tuple(tuple(row) for row in residence),
        utilisation=tuple(
            None if network.delay(k) or network.speeds[k] is not None else min(1.0, used[k] / network.servers[k])
            for k in range(network.stations)
        ),
    )
