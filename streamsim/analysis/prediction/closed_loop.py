"""Circuits with a fixed number of records in flight: a closed network, by exact mean value analysis."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamsim.analysis.dataflow.circuit import service_time
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.finite import finite
from streamsim.analysis.prediction.fluid import FluidResult
from streamsim.analysis.prediction.layers import Wants, stretches
from streamsim.analysis.prediction.narrow import closed_line_of
from streamsim.analysis.queueing.mva import mva
from streamsim.errors import ModelError

ROUNDS, SETTLED = 30, 1e-6


@dataclass(frozen=True, kw_only=True)
class ClosedLoop:
    """``rate`` (records/s) go round, each in ``response`` (s) on average; by which ``method``, whether that is exact,
    and why (not). ``line``: how much the pipes hold was counted; ``left_out``: what was not, as a warning.
    ``in_flight``, ``demands`` (s) and ``servers``: the network that it was taken for."""

    rate: float
    response: float
    exact: bool
    why: str
    method: str = "mean value analysis"
    line: bool = False
    left_out: str = ""
    in_flight: int = 0
    demands: tuple[float, ...] = ()
    servers: tuple[int, ...] = ()


def makespan_of_loop(case: Case, loop: ClosedLoop, fluid: FluidResult) -> float:
    """Return how long all records take at the pace of the loop, start included (s)."""
    records = max(case.flows[name].records_out for name in case.order if not case.inputs[name])
    return fluid.ended.get("startup", 0.0) + records / loop.rate


def in_flight(case: Case) -> int | None:
    """Return how many records are in the circuit at any time; None where no source holds them to a number."""
    counts = [load.in_flight for load in case.scenario.loads.values() if load.arrivals == "closed"]
    return sum(count or 1 for count in counts) if counts else None


def closed_loop(case: Case, *, whole: bool = False) -> ClosedLoop | None:
    """Return the pace of a circuit with so many records in flight; None where there is no such load, or no work.

    Parameters
    ----------
    whole : answer a line with its pipes and its scatter as a whole, where its chain is small; takes up to a second.

    Servers that share cores are stretched by a fixed point of the circuit and the host (`layers`).

    >>> from streamsim.analysis.prediction.case import case_of
    >>> from streamsim.loading import load
    >>> need = {"per_record": "1 ms", "scv": 1.0}
    >>> source = {"operator": "generate", "count": 9, "arrivals": "closed", "in_flight": 3}
    >>> two = case_of(load({"sources": {"in": source},
    ...     "stations": {"a": {"command": "cat"}, "b": {"command": "cat"}}, "host": {"cores": 4},
    ...     "service": {"in": {"bytes": 720}, "a": need, "b": need}}), None)
    >>> round(closed_loop(two).rate, 6)
    750.0
    """
    count = in_flight(case)
    starts = [name for name in case.order if not case.inputs[name]]
    records = max(case.flows[name].records_out for name in starts)
    if count is None or not records:
        return None
    visits = {name: (case.flows[name].records_in or case.flows[name].records_out) / records for name in case.order}
    times = {name: service_time(case, name) for name in case.order}
    busy = [name for name in case.order if times[name] * visits[name] > 0]
    if not busy:
        return None
    servers = [case.servers[name] for name in busy]
    limit = 1 / case.crowding({name: times[name] * visits[name] for name in busy})[0]
    stretch = dict.fromkeys(busy, 1.0)
    rate, shared = 0.0, False
    for _ in range(ROUNDS):
        demands = [times[name] * visits[name] * stretch[name] for name in busy]
        found = min(limit, mva([count], [demands], servers=servers).throughputs[0])
        if abs(found - rate) <= SETTLED * found:
            break
        rate = math.sqrt(found * rate) if rate else found
        wants = {
            name: Wants(rate * visits[name] / case.servers[name], times[name], case.servers[name]) for name in busy
        }
        stretch = stretches(wants, case.host.available_cores, limits=case.limits)
        shared = any(factor > 1 + 1e-9 for factor in stretch.values())
    doubts = [
        text
        for wrong, text in (
            (shared, "servers wait for cores"),
            (any(case.profiles[name].service.scv != 1 for name in busy), "not all service is exponential"),
            (any(len(case.outputs[name]) > 1 for name in case.order), "records are copied or part on the way"),
            (
                any(case.servers[name] > 1 and not case.one_queue(name) for name in busy),
                "servers have their own queues",
            ),
        )
        if wrong
    ]
    narrow = _narrow(case, count)
    chain = closed_line_of(case, count) if whole and (doubts or narrow) else "not asked"
    asked = tuple(times[name] * visits[name] * stretch[name] for name in busy)
    if not isinstance(chain, str):
        return ClosedLoop(
            in_flight=count,
            demands=asked,
            servers=tuple(servers),
            rate=chain.rate,
            response=count / chain.rate,
            exact=chain.exact,
            why=f"{count} records in flight; the whole line with its pipes",
            method=f"closed line, {chain.method}",
            line=True,
        )
    left_out = ""
    if narrow:
        left_out = f"some pipes hold fewer than the {count} records in flight, which is left out: {chain}"
        doubts.append(left_out)
    return ClosedLoop(
        rate=rate,
        response=count / rate,
        exact=not doubts,
        why=f"{count} records in flight; {' and '.join(doubts) or 'a closed Jackson network'}",
        in_flight=count,
        demands=asked,
        servers=tuple(servers),
        left_out=f"{left_out}; less gets through than this says (streamsim simulate knows how much)" if narrow else "",
    )


def _narrow(case: Case, count: int) -> bool:
    """Whether a pipe may be full although only so many records are in the circuit."""
    circuit = finite(case, any_load=True)
    if isinstance(circuit, str):
        return False
    reads = [pipe for pipe in circuit.pipes if circuit.servers[pipe.upstream].time > 0]  # a source may wait
    return any(pipe.places + 1 < count for pipe in reads)


def others(loop: ClosedLoop) -> dict[str, float | str]:
    """Return the throughput (records/s) that every other method gives the same closed network; the bounds by side.

    A str says why a method does not apply.
    """
    from streamsim.analysis.queueing.amva import linearizer, schweitzer
    from streamsim.analysis.queueing.bounds import asymptotic_bounds, balanced_job_bounds, geometric_bounds
    from streamsim.analysis.queueing.convolution import convolution

    solvers = {
        "mean value analysis": mva,
        "convolution": convolution,
        "Schweitzer": schweitzer,
        "linearizer": linearizer,
    }
    found: dict[str, float | str] = {}
    for name, solve in solvers.items():
        if name == loop.method:
            continue
        try:
            found[name] = solve([loop.in_flight], [loop.demands], servers=loop.servers).throughputs[0]
        except ModelError as error:
            found[name] = str(error)
    if all(count == 1 for count in loop.servers):
        for bounds in (asymptotic_bounds, balanced_job_bounds, geometric_bounds):
            answer = bounds(loop.in_flight, loop.demands)
            found[f"{answer.method}, fastest"] = answer.highest_throughput
            found[f"{answer.method}, slowest"] = answer.lowest_throughput
    return found
