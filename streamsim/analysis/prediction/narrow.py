"""Narrow pipes under a load of its own, or with so many records in flight: the chain of a whole line, where it is one.

Decomposition into stations lets any number of records wait before each. Where a line's pipes hold so few that they are
full now and then, its stations hold each other up; then the chain of the whole line answers (`queueing.lines`), as long
as it is small. Elsewhere the load that holds still counts what narrow pipes cost (`finite.seconds_needed`).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.finite import WIDE, Finite, finite
from streamsim.analysis.prediction.open_load import OpenAnswer, StationAnswer
from streamsim.analysis.prediction.rooms import Server
from streamsim.analysis.queueing.lines import closed_line, solve_network, solve_open_line
from streamsim.analysis.queueing.lines.description import Line, laws_of
from streamsim.errors import ModelError

NARROW = 50
"""Records; a pipe that holds more is hardly ever full while the load holds."""
LEAST_SCV = 0.1
MOST_STATES = 400
"""Of the line behind its first pipe, phases included: a tenth of a second."""
MOST_CLOSED_STATES = 20_000


@dataclass(frozen=True)
class Chain:
    """A circuit as the busy stations of a line, by name, and the records that wait before each but the first."""

    names: tuple[str, ...]
    servers: tuple[Server, ...]
    places: tuple[int, ...]


def chain_of(case: Case, circuit: Finite | str) -> Chain | str:
    """Return the circuit as a line of busy stations, or why it is none. What takes no time adds its own place."""
    if isinstance(circuit, str):
        return circuit
    if len(circuit.servers) != len(case.order) or any(
        (pipe.upstream, pipe.downstream) != (place, place + 1) for place, pipe in enumerate(circuit.pipes)
    ):
        return "it is no line"
    busy = [place for place, one in enumerate(circuit.servers) if one.time > 0]
    if any(abs(circuit.servers[place].visits - 1) > 1e-9 for place in busy):
        return "records drop out or multiply on the way"
    if any(circuit.servers[place].scv < LEAST_SCV for place in busy):
        return "service that is (nearly) constant has no phases"
    if case.may_wait(circuit.at_work()):
        return "servers wait for cores"
    return Chain(tuple(case.order[place] for place in busy), tuple(circuit.servers[place] for place in busy),
                 _between(circuit, busy))  # fmt: skip


def _between(circuit: Finite, busy: list[int]) -> tuple[int, ...]:
    places = []
    for above, below in itertools.pairwise(busy):
        room = sum(circuit.pipes[place].places + 1 for place in range(above, below)) - 1
        places.append(10**6 if math.isinf(room) else int(room))
    return tuple(places)


def open_line_of(case: Case, circuit: Finite | str, answer: OpenAnswer) -> OpenAnswer | str:
    """Return the answer with the waits of the whole line in it; why not, where decomposition stays the answer.

    Parameters
    ----------
    circuit : `finite` of any load.
    """
    if answer.saturated:
        return "the load cannot be carried"
    if isinstance(circuit, str):
        return circuit
    if min((pipe.places for pipe in circuit.pipes), default=math.inf) > NARROW:
        return WIDE
    chain = chain_of(case, circuit)
    if isinstance(chain, str):
        return chain
    if not chain.places or min(chain.places) > NARROW:
        return WIDE
    asked = answer.stations[chain.names[0]].asked
    if asked is None or asked.arrivals.process is None:
        return "what comes has no phases"
    states = asked.arrivals.process.phases * math.prod(room + 3.0 for room in chain.places)
    if states > MOST_STATES:
        return f"its chain has about {states:.3g} states where at most {MOST_STATES} are solved at once"
    line = Line(
        services=laws_of([one.time for one in chain.servers], [one.scv for one in chain.servers]),
        servers=tuple(one.servers for one in chain.servers),
        waiting_places=chain.places,
    )
    try:
        found = solve_open_line(line, asked.arrivals.process)
    except ModelError as error:
        return str(error)
    if found.saturated or found.stations is None or found.response_time is None:
        return "the line is saturated"
    stations = dict(answer.stations)
    for name, shares in zip(chain.names, found.stations, strict=True):
        before = stations[name]
        waking = (before.response_time_s or 0.0) - (before.wait_s or 0.0) - before.service_time_s
        inside = (shares.in_system or 0.0) / found.throughput
        stations[name] = replace(before, wait_s=(shares.in_pipe or 0.0) / found.throughput,
                                 response_time_s=inside + waking)  # fmt: skip
    return _with(answer, stations, found.method, exact=found.exact and _as_declared(case, chain))


def _with(answer: OpenAnswer, stations: dict[str, StationAnswer], method: str, *, exact: bool) -> OpenAnswer:
    """Return the answer with these stations: the mean is theirs, the quantiles grow as it does."""
    mean = sum(stations[name].response_time_s or 0.0 for name in answer.path)
    before = answer.response_mean_s or mean
    grown = tuple(None if one is None else one * mean / before for one in answer.response_quantiles_s)
    p50, p95, p99 = grown
    return replace(
        answer,
        makespan=answer.makespan + mean - before,
        stations=stations,
        response_mean_s=mean,
        response_quantiles_s=(p50, p95, p99),
        exact=exact and answer.exact,
        line=f"the open line as a whole, {method}",
        notes=(
            f"waits: the whole line with its pipes, by its chain ({method})",
            "response-time quantiles: those of stations with pipes that never fill, stretched as the mean",
        ),
    )


def _as_declared(case: Case, chain: Chain) -> bool:
    """Whether two moments say all of every service."""
    laws = (case.profiles[name].service.distribution for name in chain.names)
    return all(law.family in ("exponential", "erlang", "hyperexponential") for law in laws)


@dataclass(frozen=True)
class ClosedPace:
    """What goes round in a closed line: ``rate`` (records/s), by which method, and whether that is exact."""

    rate: float
    method: str
    exact: bool


def closed_line_of(case: Case, count: int) -> ClosedPace | str:
    """Return the pace of a line with so many records in flight by its chain, pipes and scatter counted; or why not."""
    chain = chain_of(case, finite(case, any_load=True))
    if isinstance(chain, str):
        return chain
    if any(one.servers > 1 for one in chain.servers):
        return "the chain of a closed line has one server a station"
    if len(chain.names) == 1:
        return "only one station takes any time"
    places = [count, *(min(count, room + 1) for room in chain.places)]
    phases = math.prod(math.ceil(max(1 / one.scv, 2 if one.scv > 1 else 1) - 1e-9) for one in chain.servers)
    states = phases * math.comb(count + len(places) - 1, len(places) - 1)
    if states > MOST_CLOSED_STATES:
        return f"its chain has about {states:.3g} states where at most {MOST_CLOSED_STATES} are solved at once"
    network = closed_line(
        [one.time for one in chain.servers], places, count, service_scvs=[one.scv for one in chain.servers]
    )
    try:
        found = solve_network(network, method="exact")
    except ModelError as error:
        return str(error)
    return ClosedPace(found.throughput, found.method, _as_declared(case, chain))
