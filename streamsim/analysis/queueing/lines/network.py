"""Networks with finite places: splits, merges, loops and closed circuits, solved exactly by their Markov chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.lines.description import laws_of
from streamsim.analysis.queueing.phase_type import PhaseType
from streamsim.errors import ModelError

NetworkBlocking = Literal["after-service", "before-service", "repetitive"]
MOST_STATES: Final = 100_000
_BLOCKINGS: Final = ("after-service", "before-service", "repetitive")


class FiniteNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """Stations of one server each, with places for the record in service and those that wait.

    Parameters
    ----------
    services : the law of one service at each station.
    places : Kᵢ, waiting and in service (a record that a blocked server holds counts), at least 1.
    routing : Pᵢⱼ, the chance to go from i to j next; rows add up to at most 1, the rest leaves.
    arrival_rates : γᵢ, Poisson from outside, 1/s, at least 0; who finds no place is lost.
    saturated : stations that always have work of their own: sources. They take nothing from others.
    population : records in a closed network, which nothing enters or leaves; None in an open one.
    blocking : what a server does when the place it sends to is full. "after-service": hold the record, first come
        first served. "before-service": not begin (only where each station has one destination and one sender).
        "repetitive": serve it again, and draw the destination anew.

    Raises ModelError for anything else.
    """

    services: tuple[PhaseType, ...]
    places: tuple[int, ...]
    routing: tuple[tuple[float, ...], ...]
    arrival_rates: tuple[float, ...]
    saturated: tuple[int, ...] = ()
    population: int | None = None
    blocking: NetworkBlocking = "after-service"

    def __post_init__(self) -> None:
        count = len(self.services)
        if count == 0:
            raise ModelError("services: a network has at least one station")
        for name, values in (("places", self.places), ("arrival_rates", self.arrival_rates), ("routing", self.routing)):
            checks.same_length(name, values, count)
        for i in range(count):
            checks.whole(f"places[{i}]", self.places[i], least=1)
            checks.non_negative(f"arrival_rates[{i}]", self.arrival_rates[i])
            checks.same_length(f"routing[{i}]", self.routing[i], count)
            for j, chance in enumerate(self.routing[i]):
                checks.share(f"routing[{i}][{j}]", chance)
            if math.fsum(self.routing[i]) > 1 + 1e-12:
                raise ModelError(f"routing[{i}]: adds up to {math.fsum(self.routing[i])!r} where at most 1 belongs")
        for index in self.saturated:
            if not 0 <= index < count or any(row[index] > 0 for row in self.routing):
                raise ModelError(f"saturated: {index!r} stands where a station that nobody sends to belongs")
        if self.blocking not in _BLOCKINGS:
            raise ModelError(f"blocking: {self.blocking!r} stands where one of {', '.join(_BLOCKINGS)} belongs")
        self._check_population()
        self._check_before_service()

    def _check_population(self) -> None:
        if self.population is None:
            if not self.saturated and not any(self.arrival_rates):
                raise ModelError(
                    "arrival_rates: nothing ever arrives; give a rate, a saturated station or a population"
                )
            return
        checks.whole("population", self.population, least=1)
        if self.saturated or any(self.arrival_rates) or any(self.leaves(i) > 1e-12 for i in range(len(self.places))):
            raise ModelError("population: a closed network has no arrivals, no sources and no way out")
        if self.population > sum(self.places):
            raise ModelError(f"population: {self.population} records where {sum(self.places)} places are")

    def _check_before_service(self) -> None:
        if self.blocking != "before-service":
            return
        for i, row in enumerate(self.routing):
            senders = sum(other[i] > 0 for other in self.routing) + (self.arrival_rates[i] > 0)
            if sum(chance > 0 for chance in row) > 1 or (0 < math.fsum(row) < 1 - 1e-12) or senders > 1 or row[i] > 0:
                raise ModelError(
                    f"blocking: 'before-service' needs one destination and one sender for each station, and station {i}"
                    " has more"
                )

    def leaves(self, station: int) -> float:
        """Return the chance to leave the network from a station."""
        return max(0.0, 1 - math.fsum(self.routing[station]))


class FiniteStation(msgspec.Struct, frozen=True, kw_only=True):
    """One station: its throughput (1/s), how its server spends its time, and how many are there (mean).

    `blocked` is the share of time in which the server may not go on; `held_by[j]` is the part of it for which station j
    is to blame. A record that a blocked server holds is still at the server's station, and counts in `in_system` there.
    """

    throughput: float
    running: float
    blocked: float
    starved: float
    held_by: tuple[float, ...]
    in_system: float


class FiniteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state of a network with finite places.

    `throughput` (1/s) is what leaves an open network, and what station 0 passes on in a closed one; `lost` (1/s) is
    what arrives and finds no place.
    """

    method: str
    exact: bool
    throughput: float
    lost: float
    stations: tuple[FiniteStation, ...]
    states: int


def finite_network(
    service_times: Sequence[float],
    places: Sequence[int],
    routing: Sequence[Sequence[float]],
    *,
    arrival_rates: Sequence[float] | None = None,
    saturated: Sequence[int] = (),
    population: int | None = None,
    service_scvs: Sequence[float] | None = None,
    blocking: NetworkBlocking = "after-service",
) -> FiniteNetwork:
    """Describe splits, merges and loops with finite places; `solve_network` answers it.

    Parameters
    ----------
    service_times : means, s, above 0; `service_scvs` their squared coefficients of variation (1 where absent:
        exponential).
    places, routing, arrival_rates, saturated, population, blocking : as of `FiniteNetwork`: places of each station,
        the one in service counts; the chance from each to each; arrivals from outside (1/s), or stations that never
        lack records, or a number of records that go round.

    Raises ModelError for what `FiniteNetwork` refuses.
    """
    count = len(service_times)
    return FiniteNetwork(
        services=laws_of(service_times, service_scvs),
        places=tuple(places),
        routing=tuple(tuple(row) for row in routing),
        arrival_rates=(0.0,) * count if arrival_rates is None else tuple(arrival_rates),
        saturated=tuple(saturated),
        population=population,
        blocking=blocking,
    )


def solve_network(
    network: FiniteNetwork, *, method: Literal["best", "exact", "windows"] = "best", most_states: int = MOST_STATES
) -> FiniteAnswer:
    """Solve a network with finite places: exactly by its Markov chain, or by windows where that is too large.

    Parameters
    ----------
    network : made by `finite_network` or `closed_line`.
    method : "exact" for the chain of all stations, "windows" for its decomposition (`network_windows`: open networks
        without loops, blocking after service), "best" for the chain where it has at most `most_states` states.
    most_states : the largest chain that is solved.

    Raises ModelError for a larger chain that windows cannot answer either, and for a network that can come to stand
    still for ever.

    >>> split = finite_network([1.0, 2.0, 2.0], [1, 2, 2], [[0, 0.5, 0.5], [0] * 3, [0] * 3], saturated=[0])
    >>> answer = solve_network(split)
    >>> round(answer.throughput, 6), answer.states
    (0.631068, 15)
    """
    checks.whole("most_states", most_states, least=1)
    if method not in ("best", "exact", "windows"):
        raise ModelError(f"method: {method!r} stands where 'best', 'exact' or 'windows' belongs")
    from streamsim.analysis.queueing.lines.network_chain import TooLarge, solve_chain
    from streamsim.analysis.queueing.lines.network_windows import solve_network_by_windows

    if method == "windows":
        return solve_network_by_windows(network)
    try:
        return solve_chain(network, most_states)
    except TooLarge as large:
        if method == "exact":
            raise
        try:
            return solve_network_by_windows(network)
        except ModelError as refusal:
            raise ModelError(f"{large}; {refusal}") from None


def closed_line(
    service_times: Sequence[float],
    places: Sequence[int],
    population: int,
    *,
    service_scvs: Sequence[float] | None = None,
    blocking: NetworkBlocking = "after-service",
) -> FiniteNetwork:
    """Describe a closed cyclic line: what leaves the last station enters the first again; N records go round.

    Parameters
    ----------
    service_times : means, s, above 0.
    places : Kᵢ, waiting and in service, at least 1.
    population : N, at least 1; after service below the sum of the places, or the line stands still for ever.

    >>> round(solve_network(closed_line([1.0, 1.0], [4, 4], 7)).throughput, 9)
    0.75
    """
    count = len(service_times)
    routing = [[1.0 if j == (i + 1) % count else 0.0 for j in range(count)] for i in range(count)]
    return finite_network(
        service_times, places, routing, population=population, service_scvs=service_scvs, blocking=blocking
    )
