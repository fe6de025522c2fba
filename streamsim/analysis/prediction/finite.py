"""Finite pipes, record by record: a saturated circuit whose stations are declared by what each record needs.

Where the demand of every station is known for each record and scatters, a full or an empty pipe costs throughput that
the fluid model cannot see. How much is answered by decomposition (`blocking`) in a millisecond, and for short lines of
small pipes by the exact chain (`queueing.lines`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamsim import assumed
from streamsim.analysis.dataflow.circuit import service_time
from streamsim.analysis.prediction.blocking import LARGE, saturated_throughput
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.fluid import FluidResult
from streamsim.analysis.prediction.layers import number_wanting
from streamsim.analysis.prediction.pinned import Crowd
from streamsim.analysis.prediction.rooms import Joint, Server, Shares
from streamsim.circuit import Pipe
from streamsim.errors import ModelError
from streamsim.placement import Limits
from streamsim.service import UNLIMITED
from streamsim.traffic import Flow, shares

PAGE = 4096
STATES = 100_000
"""The exact chain is asked where it has about so many states at most."""
NEGLIGIBLE = 500
"""Pipes of more records than this are left to the decomposition: blocking is then below a few thousandths."""
WIDE = "its pipes are hardly ever full"
DECOMPOSITION = "decomposition of finite pipes"


@dataclass(frozen=True)
class Finite:
    """A circuit as servers, each of one of the ``stations``, and pipes; ``records`` pass in a whole run."""

    servers: tuple[Server, ...]
    pipes: tuple[Joint, ...]
    records: float
    stations: tuple[str, ...] = ()

    def at_work(self) -> dict[str, int]:
        """Return how many servers of each station can be at work at once."""
        found: dict[str, int] = {}
        for name, one in zip(self.stations, self.servers, strict=True):
            if one.time > 0:
                found[name] = found.get(name, 0) + one.servers
        return found


def finite(case: Case, *, any_load: bool = False) -> Finite | str:
    """Return the circuit record by record, or why it cannot be taken so.

    Parameters
    ----------
    any_load : take it as if saturated, whatever its load is.
    """
    if any_load and _wide(case):
        return WIDE
    refused = _refusal(case, any_load=any_load)
    if refused:
        return refused
    starts = [name for name in case.order if not case.inputs[name]]
    records = max(case.flows[name].records_out for name in starts)
    if not records:
        return "no records pass"
    places: dict[str, tuple[int, ...]] = {}
    servers: list[Server] = []
    for name in case.order:
        count = _at_once(case, name)
        apart = 1 if case.one_queue(name) else count  # each server reads a pipe of its own
        visits = (case.flows[name].records_in or case.flows[name].records_out) / records
        one = Server(
            time=service_time(case, name),
            scv=case.profiles[name].service.scv,
            servers=count if apart == 1 else 1,
            visits=visits if case.partition(name) == "copy" else visits / apart,
            merges=case.scenario.circuit.station(name).operator is not None,
            shares=_shares(case, name),
        )
        places[name] = tuple(range(len(servers), len(servers) + apart))
        servers += [one] * apart
    pipes = []
    for pipe in case.scenario.circuit.pipes:
        flow = case.flows[pipe.upstream]
        part = shares(case.scenario.circuit, case.profiles[pipe.upstream], pipe.upstream)[pipe.label]
        room = _places(case, pipe, _record_bytes(flow))
        above, below = places[pipe.upstream], places[pipe.downstream]
        each = flow.records_out * part / records / len(above)
        each /= 1 if case.partition(pipe.downstream) == "copy" else len(below)
        pipes += [Joint(upper, lower, room, each) for upper in above for lower in below]
    stations = tuple(name for name in case.order for _ in places[name])
    return Finite(tuple(servers), tuple(pipes), records, stations)


def _at_once(case: Case, name: str) -> int:
    """Return how many servers of a station count: on pinned cores no more than these, since more only share them.

    As if independent, more would seem to stretch each other's work at times and to leave the cores idle at others.
    """
    most, count = case.most_cores(name), case.servers[name]
    if most >= case.host.available_cores or case.partition(name) == "copy":
        return count
    return min(count, max(1, math.ceil(most - 1e-9)))


def _wide(case: Case) -> bool:
    """Whether every server has a core and every pipe so much room that what it costs is not worth computing."""
    if case.may_wait(case.servers):
        return False
    least = LARGE * max(1.0, *(profile.service.scv for profile in case.profiles.values()))
    return all(
        _places(case, pipe, _record_bytes(case.flows[name])) >= least
        for name in case.order
        for pipe in case.outputs[name]
    )


def _shares(case: Case, name: str) -> Shares:
    """How a station shares its records out among its outputs."""
    by = case.scenario.circuit.station(name).parameters.get("by")
    named: dict[str, Shares] = {"round-robin": "turn", "key": "random", "least-loaded": "least"}
    return named.get(str(by), "each")


def _places(case: Case, pipe: Pipe, record_bytes: float) -> float:
    """Return how many records wait in a pipe at most: as declared, else what its pages hold."""
    declared = case.profiles[pipe.downstream].places
    if declared is not None:
        return math.inf if declared >= UNLIMITED else declared * case.capacities[pipe.label] / pipe.capacity_bytes
    return float(records_in_pages(case.capacities[pipe.label], record_bytes))


def _record_bytes(flow: Flow) -> float:
    """Return the mean size of a record; a whole number where only the rounding of totals that parted hides it."""
    mean = flow.bytes_out / max(flow.records_out, 1)
    return round(mean) if abs(mean - round(mean)) * flow.records_out <= mean else mean


def records_in_pages(capacity_bytes: int, record_bytes: float) -> int:
    """Return how many records of one size a Linux pipe holds, each written by itself; at least 1.

    A record joins the last page where it fits there whole; one of more than a page counts as taking pages of its own,
    which is a little less than the kernel packs.

    >>> records_in_pages(65536, 100), records_in_pages(65536, 2049), records_in_pages(4096, 10000)
    (640, 16, 1)
    """
    slots = capacity_bytes // PAGE
    size = max(1, math.ceil(record_bytes))
    return max(1, slots * (PAGE // size) if size <= PAGE else slots // -(-size // PAGE))


@dataclass(frozen=True)
class Paced:
    """The pace of a circuit with finite pipes: ``rate`` (records/s), by which method, and whether that is exact.

    ``others`` are what the other methods say, or why they do not apply.
    """

    rate: float
    method: str
    exact: bool
    others: dict[str, float | str]


def pace_of(case: Case, circuit: Finite) -> Paced:
    """Return the pace by the most exact method that applies: the chain of a line, else decomposition."""
    decomposed = throughput_of(circuit, case.host.available_cores, case.limits)
    by_line: tuple[float, str, bool] | str = "servers wait for cores"
    if not case.may_wait(circuit.at_work()):
        by_line = exact_throughput(circuit)
    if isinstance(by_line, str):
        return Paced(decomposed, DECOMPOSITION, False, {"the chain of a line": by_line})
    return Paced(*by_line, others={DECOMPOSITION: decomposed})


def throughput_of(circuit: Finite, available_cores: float, limits: Limits | None = None) -> float:
    """Return the records per second that get through, by decomposition, on cores that the stations share.

    Parameters
    ----------
    limits : who may use which of the cores, where not all may use all.

    Equal shares slow down all servers that want a core alike, while the others have nothing to do: the circuit passes
    the same states as with a core for every server, only slower. With k servers at work and m cores time runs at
    min(1, m/k), so that throughput is what it would be with plenty of cores over E[max(1, k/m)]. The k at work count
    as independent, each busy for its own share of the time. Where stations are pinned, time runs as slowly as
    for the server at work that has least: whom that does not hold up gains little by being faster.
    """
    found = saturated_throughput(circuit.servers, circuit.pipes)
    if limits is not None:
        return _pinned(circuit, limits, found)
    at_work = [one for one in circuit.servers if one.time > 0]
    if sum(one.servers for one in at_work) <= available_cores or not math.isfinite(found):
        return found
    busy = [(min(1.0, found * one.time * one.visits / one.servers), one.servers) for one in at_work]
    slowed = sum(chance * max(1.0, number / available_cores) for number, chance in enumerate(number_wanting(busy)))
    return found / slowed


def _pinned(circuit: Finite, limits: Limits, plenty: float) -> float:
    """Return the throughput on pinned cores: time runs as slowly as for the server at work that has least of them.

    Parameters
    ----------
    plenty : what it is where every server has a core.

    Weights are left out: who weighs little has the cores to itself once the others are blocked or starved, so that no
    work is lost, only put off.
    """
    servers = circuit.at_work()
    crowd = Crowd(limits.alike(), servers)
    if not math.isfinite(plenty) or not crowd.shared:
        return plenty
    work: dict[str, float] = {}
    for name, one in zip(circuit.stations, circuit.servers, strict=True):
        work[name] = work.get(name, 0.0) + one.time * one.visits
    laws = {
        group: number_wanting([(min(1.0, plenty * work[name] / servers[name]), servers[name]) for name in names])
        for group, names in crowd.members.items()
    }
    return plenty / crowd.slowest(laws)


def exact_throughput(circuit: Finite) -> tuple[float, str, bool] | str:
    """Return the records per second of a line by the best solver for lines, its name and whether it is exact.

    A str says why there is none: no line, several servers, pipes that never fill.
    """
    from streamsim.analysis.queueing.lines import saturated_line

    busy = [number for number, one in enumerate(circuit.servers) if one.time > 0]
    chain = [(pipe.upstream, pipe.downstream) for pipe in circuit.pipes]
    if chain != [(number, number + 1) for number in range(len(circuit.servers) - 1)]:
        return "it is no line"
    if any(abs(one.visits - 1) > 1e-9 for one in circuit.servers):
        return "records drop out or multiply on the way"
    if any(circuit.servers[number].scv < 0.05 for number in busy):
        return "service that is (nearly) constant has no phases"
    if len(busy) < 2:
        return "only one station takes any time"
    places, waiting = [], 0.0
    for pipe in circuit.pipes[busy[0] : busy[-1]]:
        waiting += pipe.places
        if pipe.downstream in busy:
            places.append(int(waiting))
            waiting = 0.0
        else:
            waiting += 1  # what passes at once holds one record while it waits for room
    if max(places) > NEGLIGIBLE:
        return f"its pipes hold {max(places)} records, more than the solvers for lines are asked about"
    states = math.prod(place + 3.0 for place in places)
    try:
        answer = saturated_line(
            [circuit.servers[number].time for number in busy],
            places,
            service_scvs=[circuit.servers[number].scv for number in busy],
            servers=[circuit.servers[number].servers for number in busy],
            method="best" if states <= STATES else "windows",
        )
    except ModelError as error:
        return str(error)
    return answer.throughput, answer.method, answer.exact


def seconds_needed(case: Case, fluid: FluidResult, circuit: Finite | str | None = None) -> float:
    """Return the least time in which all of a circuit's sources could be served, startup left out (s).

    Parameters
    ----------
    circuit : `finite` of any load, where it is known already.
    """
    whole = fluid.makespan - fluid.ended.get("startup", 0.0)
    if circuit is None:
        circuit = finite(case, any_load=True)
    if isinstance(circuit, str):
        return whole
    return max(whole, circuit.records / throughput_of(circuit, case.host.available_cores, case.limits))


def _refusal(case: Case, *, any_load: bool) -> str:
    if case.scenario.open and not any_load:
        return "records come at their own times"
    if not any_load and any(load.arrivals == "closed" for load in case.scenario.loads.values()):
        return "so many records are in flight"
    for name in case.order:
        profile = case.profiles[name]
        service = profile.service
        if profile.source != "declared":
            return f"'{name}' was measured by the chunk, not by the record"
        if profile.note == assumed.NOTE:
            continue  # what a change of the scenario inserted takes next to nothing, however it is shared out
        if service.setup or service.per_byte or profile.barrier or service.curve:
            return f"the demand of '{name}' is not one for each record"
    if all(service_time(case, name) == 0 for name in case.order):
        return "no station needs any time"
    if all(case.profiles[name].service.scv == 0 for name in case.order):
        return "no service scatters, so that pipes cost nothing"
    return ""
