"""What a line is: stations in a row, phase-type services, finite pipes between them, and how a full pipe stops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.phase_type import PhaseType, fit_two_moments
from streamsim.errors import ModelError

Blocking = Literal["after-service", "before-service"]
BLOCKINGS: tuple[str, ...] = ("after-service", "before-service")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """N stations in a row, the first never short of work, and the last never blocked.

    Parameters
    ----------
    services : the law of one service at each station.
    servers : at least 1 at each station.
    waiting_places : in each of the N−1 pipes, service not counted, at least 0.
    blocking : "after-service" as a full pipe does (a server holds what it has finished until there is room), or
        "before-service" (it begins only when room is sure).

    Raises ModelError for anything else.
    """

    services: tuple[PhaseType, ...]
    servers: tuple[int, ...]
    waiting_places: tuple[int, ...]
    blocking: Blocking = "after-service"

    def __post_init__(self) -> None:
        if not self.services:
            raise ModelError("services: a line has at least one station")
        checks.same_length("servers", self.servers, len(self.services))
        if len(self.waiting_places) != len(self.services) - 1:
            raise ModelError(
                f"waiting_places: has {len(self.waiting_places)} entries where {len(self.services) - 1} belong, "
                "one for each pipe between two stations"
            )
        for index, count in enumerate(self.servers):
            checks.whole(f"servers[{index}]", count, least=1)
        for index, places in enumerate(self.waiting_places):
            checks.whole(f"waiting_places[{index}]", places, least=0)
        if self.blocking not in BLOCKINGS:
            raise ModelError(f"blocking: {self.blocking!r} stands where 'after-service' or 'before-service' belongs")

    @property
    def stations(self) -> int:
        """The number of stations, N."""
        return len(self.services)

    @property
    def capacities(self) -> tuple[float, ...]:
        """What each station could serve if it never waited, servers / mean service time (1/s)."""
        return tuple(count / law.mean for count, law in zip(self.servers, self.services, strict=True))


class StationShares(msgspec.Struct, frozen=True, kw_only=True):
    """How the servers of a station spend their time, and what waits before it; shares add up to 1.

    A server is `running`, `blocked` (it holds a finished record, or may not begin one, because the pipe behind it is
    full) or `starved`. `in_pipe` is the mean number of records that wait in the pipe before the station: it counts
    neither those in service nor those that a blocked server upstream still holds. `in_system` adds those in service at
    the station and those that its blocked servers hold. Both are None at the first station of a saturated line, where
    as many wait as one likes.
    """

    running: float
    blocked: float
    starved: float
    in_pipe: float | None
    in_system: float | None


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of a line.

    Parameters
    ----------
    method, exact : which method answered; a theorem or an approximation.
    throughput : 1/s.
    stations : one `StationShares` a station.
    states : of the chain, or of all chains of a decomposition.
    spread : how far the throughputs of a decomposition's windows differ, relative; 0 where exact.
    """

    method: str
    exact: bool
    throughput: float
    stations: tuple[StationShares, ...]
    states: int
    spread: float = 0.0


class OpenLineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of a line that records reach at random, or the answer that it has none.

    Parameters
    ----------
    saturated : whether more arrives than the line can carry.
    largest_rate : what it can carry, 1/s: the throughput of the saturated line.
    throughput : 1/s.
    response_time : mean time from arrival to the end of the last service, s; None where saturated.
    stations : None where saturated.
    """

    method: str
    exact: bool
    saturated: bool
    largest_rate: float
    throughput: float
    response_time: float | None
    stations: tuple[StationShares, ...] | None
    states: int


def laws_of(service_times: Sequence[float], service_scvs: Sequence[float] | None) -> tuple[PhaseType, ...]:
    """Return a law for each mean (s) and scv; exponential ones where no scv are given."""
    scvs = [1.0] * len(service_times) if service_scvs is None else service_scvs
    checks.same_length("service_scvs", scvs, len(service_times))
    for index, time in enumerate(service_times):
        checks.positive(f"service_times[{index}]", time)
    return tuple(fit_two_moments(time, scv) for time, scv in zip(service_times, scvs, strict=True))


def line(
    service_times: Sequence[float],
    waiting_places: Sequence[int],
    *,
    service_scvs: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    blocking: Blocking = "after-service",
) -> Line:
    """Return a line whose services are known by mean (s) and scv (1 where absent: exponential)."""
    return Line(
        services=laws_of(service_times, service_scvs),
        servers=tuple([1] * len(service_times) if servers is None else servers),
        waiting_places=tuple(waiting_places),
        blocking=blocking,
    )
