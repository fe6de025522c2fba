"""Cut a circuit at its barriers into the segments of the fluid model."""

from __future__ import annotations

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.fluid import Segment, Work
from streamsim.analysis.prediction.rhythm import Curve, rhythms
from streamsim.service import ServiceModel, StationProfile
from streamsim.traffic import Flow

Side = tuple[str, str]

READS, WRITES = "reads", "writes"


def segments_of(case: Case) -> tuple[list[Segment], list[str]]:
    """Return the segments in an order that respects who waits for whom, and warnings.

    The first segment, ``startup``, is what every process does before it reads. A barrier reads in one segment,
    finishes in one of its own and writes in a third.
    """
    profiles, flows = case.profiles, case.flows
    group, rhythm = _groups(case), rhythms(case)
    works: dict[str, list[Work]] = {}
    after: dict[str, set[str]] = {}
    warnings: list[str] = []
    finishes: list[Segment] = []
    for name in case.order:
        profile, servers = profiles[name], case.servers[name]
        reads, writes = group[name, READS], group[name, WRITES]
        after.setdefault(reads, {"startup"})
        after.setdefault(writes, {"startup"})
        works.setdefault(reads, []).append(_reading(case, name, rhythm.get(name)))
        needs_finish = profile.service.finish > 0 or profile.service.finish_waiting > 0
        finish = f"{name} finishes"
        if needs_finish:
            finishes.append(Segment(name=finish, works=(_finishing(name, profile.service, servers),), after=(reads,)))
        if profile.barrier:
            works.setdefault(writes, []).append(_writing(name, profile.service, flows[name].bytes_out, servers))
            if writes == reads:
                warnings.append(
                    f"'{name}' gives nothing before its input has ended, while what it feeds reads the same stream "
                    "on another way too: the circuit stands still if that way's pipes cannot hold it; predicted as if "
                    "they did"
                )
            else:
                after[writes].add(finish if needs_finish else reads)
    startup = Segment(
        name="startup",
        works=tuple(
            Work(
                station=name,
                at=(0.0, 1.0),
                done=(0.0, profiles[name].service.startup),
                threads=(1.0,),
                waiting=profiles[name].service.startup_waiting,
            )
            for name in case.order
        ),
    )
    apart: dict[str, list[tuple[float, float]]] = {}
    for name, found in rhythm.items():
        apart.setdefault(group[name, READS], []).extend(found.windows)
    moving = [
        Segment(
            name=name,
            works=tuple(works.get(name, ())),
            after=tuple(sorted(after[name])),
            apart=tuple(sorted(set(apart.get(name, ())))),
        )
        for name in after
    ]
    return [startup, *moving, *finishes], warnings


def _groups(case: Case) -> dict[Side, str]:
    """Return the segment of each station's reading and writing side (union–find over pipes and streaming stations)."""
    parent: dict[Side, Side] = {}

    def find(side: Side) -> Side:
        parent.setdefault(side, side)
        while parent[side] != side:
            parent[side] = parent[parent[side]]
            side = parent[side]
        return side

    for name in case.order:
        for side in (READS, WRITES):
            find((name, side))
        if not case.profiles[name].barrier:
            parent[find((name, WRITES))] = find((name, READS))
    for pipe in case.scenario.circuit.pipes:
        parent[find((pipe.downstream, READS))] = find((pipe.upstream, WRITES))
    return {side: f"{find(side)[0]} {find(side)[1]}" for side in list(parent)}


def reading_demand(profile: StationProfile, flow: Flow) -> float:
    """Return all the work of the reading phase (reference core-seconds); a source reads what it gives."""
    size, records = moved(flow)
    service = profile.service
    return service.setup * size / mean_chunk(profile) + service.per_record * records + service.per_byte * size


def moved(flow: Flow) -> tuple[int, int]:
    """Return the bytes and records that a station handles: what it takes in, or what it gives where it is a source."""
    return (flow.bytes_in, flow.records_in) if flow.bytes_in else (flow.bytes_out, flow.records_out)


def mean_chunk(profile: StationProfile) -> float:
    """Return the mean size (bytes) of a chunk as the calibration saw it; where it saw none, what one call moves."""
    chunks = sum(regime.chunks for regime in profile.service.regimes)
    if not chunks:
        return max(profile.read_bytes if profile.bytes_in else profile.write_bytes, 1.0)
    return sum(regime.chunk_bytes * regime.chunks for regime in profile.service.regimes) / chunks


def _reading(case: Case, name: str, rhythm: Curve | None) -> Work:
    profile, flow, servers = case.profiles[name], case.flows[name], case.servers[name]
    service = profile.service
    each = servers if case.partition(name) == "copy" else 1  # then every server works on all of it
    total = reading_demand(profile, flow) * each
    size, records = moved(flow)
    waiting = (service.waiting_per_byte * size + service.waiting_per_record * records) * each
    if service.curve:
        return Work(
            station=name,
            at=tuple(point.taken for point in service.curve),
            done=tuple(point.demand * total for point in service.curve),
            threads=tuple(max(point.threads, 1.0) for point in service.curve[1:]),
            waiting=waiting,
            servers=servers,
        )
    at, done = (rhythm.at, rhythm.done) if rhythm is not None else ((0.0, 1.0), (0.0, 1.0))
    return Work(
        station=name,
        at=at,
        done=tuple(part * total for part in done),
        threads=(max(service.threads, 1.0),) * (len(at) - 1),
        waiting=waiting,
        servers=servers,
    )


def _finishing(name: str, service: ServiceModel, servers: int) -> Work:
    return Work(
        station=name,
        at=(0.0, 1.0),
        done=(0.0, service.finish),
        threads=(max(service.finish_threads, 1.0),),
        waiting=service.finish_waiting,
        servers=servers,
    )


def _writing(name: str, service: ServiceModel, size: float, servers: int) -> Work:
    return Work(
        station=name,
        at=(0.0, 1.0),
        done=(0.0, service.output_per_byte * size),
        threads=(max(service.output_threads, 1.0),),
        waiting=service.output_waiting_per_byte * size,
        servers=servers,
    )
