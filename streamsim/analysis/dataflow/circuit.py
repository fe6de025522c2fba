"""A circuit as a dataflow graph: what paces it when every record takes the mean time, and what is never exceeded."""

from __future__ import annotations

from fractions import Fraction

from streamsim.analysis.dataflow import buffers, calculus
from streamsim.analysis.dataflow.graph import Actor, Channel, Graph, repetitions
from streamsim.analysis.dataflow.ratio import pace
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.segments import moved, reading_demand
from streamsim.errors import ModelError
from streamsim.giving import arrival_times
from streamsim.result import Dataflow, StationBound, Trade

LARGEST = 100
"""Selectivities with a larger denominator are no fixed pattern of records, but a share."""
ALIKE = 1e-9


def dataflow(case: Case) -> Dataflow | str:
    """Answer a circuit as synchronous dataflow, or say why it is none.

    A station takes and gives whole numbers of records in a fixed pattern, each in its mean time: exact where service
    is constant, otherwise the throughput is one that randomness can only lower.
    """
    refused = _refusal(case)
    if refused:
        return refused
    try:
        graph = graph_of(case)
        counts = repetitions(graph)
        rooms = {pipe.label: records_in(case, pipe.label, pipe.downstream) for pipe in case.scenario.circuit.pipes}
        free, limited = pace(graph), pace(graph, rooms)
    except ModelError as error:
        return str(error)
    if free.throughput is None:
        return "no station needs any time for a record"
    try:
        trades = buffers.front(graph, most=500)
    except ModelError:
        trades = ()
    starts = [name for name in case.order if not case.inputs[name]]
    given = sum(counts[name] for name in starts)
    bounds, delay = bounds_of(case)
    return Dataflow(
        repetitions=counts,
        exact=all(case.profiles[name].service.scv == 0 for name in case.order),
        unlimited_per_s=free.throughput * given,
        limited_per_s=(limited.throughput or 0.0) * given,
        deadlock=limited.deadlock,
        critical=limited.actors,
        critical_pipes=limited.channels,
        trades=tuple(
            Trade(records=trade.size, per_s=trade.throughput * given, capacities=trade.capacities) for trade in trades
        ),
        bounds=bounds,
        delay_s=delay,
    )


def graph_of(case: Case) -> Graph:
    """Return the graph: a firing of a station takes so many records that it gives a whole number.

    Raises ModelError where a selectivity is no small fraction.
    """
    yields = {name: selectivity(case, name) for name in case.order}
    actors = []
    for name in case.order:
        taken = yields[name].denominator if case.inputs[name] else 1
        actors.append(Actor(name, service_time(case, name) * taken, case.servers[name]))
    channels = []
    for pipe in case.scenario.circuit.pipes:
        above, below = yields[pipe.upstream], yields[pipe.downstream]
        given = above.numerator if case.inputs[pipe.upstream] else 1
        channels.append(Channel(pipe.upstream, given, pipe.downstream, below.denominator))
    return Graph(tuple(actors), tuple(channels))


def selectivity(case: Case, name: str) -> Fraction:
    """Return the records out per record in, as the small fraction that it is; raises ModelError where it is none."""
    flow = case.flows[name]
    if not flow.records_in:
        return Fraction(1)
    exact = Fraction(flow.records_out, flow.records_in)
    found = exact.limit_denominator(LARGEST)
    # one record more or less in the whole run is rounding: the last group of records may be incomplete
    if found <= 0 or abs(found - exact) * flow.records_in > 1 + ALIKE:
        raise ModelError(f"'{name}' gives {float(exact):.4g} records for each it takes, which is no fixed pattern")
    return found


def service_time(case: Case, name: str) -> float:
    """Return the mean time of one record at one server (s) where a core is free at once."""
    profile, flow = case.profiles[name], case.flows[name]
    size, records = moved(flow)
    service = profile.service
    work = reading_demand(profile, flow) / max(records, 1) / case.host.speed_when(1.0)
    return work + service.waiting_per_record + service.waiting_per_byte * size / max(records, 1)


def records_in(case: Case, label: str, reader: str) -> int:
    """Return how many records of mean size a pipe holds; at least 1."""
    flow = case.flows[reader]
    size = flow.bytes_in / max(flow.records_in, 1)
    return max(1, int(case.capacities[label] / max(size, 1.0)))


def bounds_of(case: Case) -> tuple[dict[str, StationBound], float | None]:
    """Return delay and backlog of every station that are never exceeded, and the delay along the worst path.

    Empty where arrivals or service have no bound: Poisson arrivals, exponential service.
    """
    arrivals = {name: _arrivals(case, name) for name in case.order if case.scenario.load_of(name).open}
    found: dict[str, StationBound] = {}
    out: dict[str, calculus.Bucket | None] = {}
    longest: dict[str, float] = {}
    for name in case.order:
        if name in arrivals:
            out[name], longest[name] = arrivals[name], 0.0
            continue
        above = [out.get(pipe.upstream) for pipe in case.inputs[name]]
        known = [one for one in above if one is not None]
        slowest = _slowest(case, name)
        if not above or len(known) < len(above) or slowest is None:
            continue
        bucket = calculus.Bucket(sum(one.burst for one in known), sum(one.rate for one in known))
        if slowest == 0:
            out[name], longest[name] = bucket, max(longest[pipe.upstream] for pipe in case.inputs[name])
            continue
        servers = case.servers[name]
        service = calculus.Service(servers / slowest, slowest if servers > 1 else 0.0)
        served = calculus.bound(bucket, service, packet=1.0)
        if served.delay is None or served.backlog is None or served.output is None:
            continue
        found[name] = StationBound(delay_s=served.delay, backlog_records=served.backlog)
        factor = float(selectivity(case, name))
        out[name] = calculus.Bucket(served.output.burst * factor, served.output.rate * factor)
        longest[name] = served.delay + max(longest[pipe.upstream] for pipe in case.inputs[name])
    ends = [name for name in case.order if not case.outputs[name]]
    whole = [longest[name] for name in ends if name in longest]
    return found, max(whole) if found and len(whole) == len(ends) else None


def _arrivals(case: Case, name: str) -> calculus.Bucket | None:
    """Return the token bucket of a source: one record at a time where they come evenly, else what its trace needs."""
    load, flow = case.scenario.load_of(name), case.flows[name]
    if load.arrivals == "even" and load.rate is not None:
        size = flow.bytes_out / max(flow.records_out, 1)
        rate = load.rate.per_second / (size if load.rate.unit == "bytes" else 1.0)
        return calculus.Bucket(1.0, rate * case.rate)
    if load.arrivals == "trace":
        times = arrival_times(case.scenario, name) / case.rate
        if len(times) > 1 and times[-1] > times[0]:
            return calculus.bucket_of(times.tolist(), (len(times) - 1) / float(times[-1] - times[0]))
    return None


def _slowest(case: Case, name: str) -> float | None:
    """Return the longest that a record can take at one server (s), None where nothing bounds it."""
    law = case.profiles[name].service.distribution
    time = service_time(case, name)
    if time == 0 or law.family == "deterministic":
        return time
    factors = law.values or law.quantiles
    return time * max(factors) if law.family == "empirical" and factors else None


def _refusal(case: Case) -> str:
    for name in case.order:
        profile = case.profiles[name]
        if profile.barrier:
            return f"'{name}' gives nothing before its input has ended"
        if profile.service.curve:
            return f"the work of '{name}' varies along the stream"
        if profile.records_in is None and profile.records_out is None:
            return f"nobody counted the records of '{name}'"
    return ""
