"""What models make of stations that share a process: one station, which does the work of all of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from streamsim.circuit import Circuit, Station
from streamsim.fusion import fused_groups
from streamsim.scenario import Scenario
from streamsim.service import Distribution, Profile, ServiceModel, StationProfile
from streamsim.traffic import Flow, effective_profiles, totals

Models = TypeVar("Models", bound="Profile | None")


def joined(scenario: Scenario, profile: Models, *, by_record: bool = False) -> tuple[Scenario, Models]:
    """Return the scenario and profile in which stations that share a process are one, named ``"first+second"``.

    Its demand is the sum of theirs, each for what comes to it of what comes to the first. What pipes between them cost
    is in it as far as the profile was measured with such pipes: one that was measured without ``fuse`` gives too much
    by the system calls of a chunk. Of a source that shares a process the times of its records stay apart, in a station
    ``"first+second.source"`` that takes no time: what it needs to make them is part of the process that reads it.
    Without fused stations both come back as they are.

    ``by_record``: its scv is that of the demand of one record, to which it matters whether any of it comes to the parts
    below; of a chunk the same part always does.

    Raises ProfileError where a station is neither measured nor declared.
    """
    groups = fused_groups(scenario.circuit)
    if not groups:
        return scenario, profile
    apart = msgspec.structs.replace(scenario, circuit=_apart(scenario.circuit))
    profiles = effective_profiles(apart, profile)
    flows = totals(apart, profiles)
    found = {name: one for name, one in profiles.items() if not any(name in group for group in groups.values())}
    services = {name: one for name, one in scenario.services.items() if name in found}
    for group in groups.values():
        whole = "+".join(group)
        found[whole] = services[whole] = _sum(*_parts(apart.circuit, group, profiles, flows), by_record=by_record)
        if _is_source(apart.circuit, group[0]):
            source = f"{whole}.source"
            found[source] = services[source] = msgspec.structs.replace(profiles[group[0]], service=ServiceModel())
    known: Models = profile if profile is None else msgspec.structs.replace(profile, stations=found)
    return msgspec.structs.replace(merged(scenario), services=services), known


def merged(scenario: Scenario) -> Scenario:
    """Return the scenario in whose circuit stations that share a process are one, as simulations have it."""
    circuit = scenario.circuit
    groups = fused_groups(circuit)
    if not groups:
        return scenario
    names = {member: "+".join(group) for group in groups.values() for member in group}
    sources = {group[0]: f"{names[group[0]]}.source" for group in groups.values() if _is_source(circuit, group[0])}
    given = scenario.loads, scenario.source_bytes
    loads, sizes = ({sources.get(name, name): value for name, value in one.items()} for one in given)
    return msgspec.structs.replace(
        scenario, circuit=_merged(_apart(circuit), {**names, **sources}), loads=loads, source_bytes=sizes
    )


def _is_source(circuit: Circuit, name: str) -> bool:
    return circuit.station(name).role == "source"


def _parts(
    circuit: Circuit, group: Sequence[str], profiles: Mapping[str, StationProfile], flows: Mapping[str, Flow]
) -> tuple[list[StationProfile], list[Flow]]:
    """Return profiles and flows of the parts of a process; a source works on what it gives, as it gives it."""
    found, passed = [profiles[name] for name in group], [flows[name] for name in group]
    if _is_source(circuit, group[0]):
        given = passed[0]
        passed[0] = Flow(given.bytes_out, given.bytes_out, given.records_out, given.records_out)
        found[0] = msgspec.structs.replace(found[0], read_bytes=found[0].write_bytes)
    return found, passed


def _apart(circuit: Circuit) -> Circuit:
    stations = tuple(msgspec.structs.replace(station, fuse=False) for station in circuit.stations)
    return msgspec.structs.replace(circuit, stations=stations)


def _merged(circuit: Circuit, names: Mapping[str, str]) -> Circuit:
    """Give stations their names; of those that have the same, the first stays, and who read the last reads it."""
    stations: dict[str, Station] = {}
    for station in circuit.stations:
        inputs = tuple(names.get(source, source) for source in station.inputs)
        name = names.get(station.name, station.name)
        stations.setdefault(name, msgspec.structs.replace(station, name=name, inputs=inputs))
    pipes = tuple(
        msgspec.structs.replace(pipe, upstream=upstream, downstream=downstream)
        for pipe in circuit.pipes
        if (upstream := names.get(pipe.upstream, pipe.upstream))
        != (downstream := names.get(pipe.downstream, pipe.downstream))
    )
    sinks = tuple(msgspec.structs.replace(sink, input=names.get(sink.input, sink.input)) for sink in circuit.sinks)
    return msgspec.structs.replace(circuit, stations=tuple(stations.values()), pipes=pipes, sinks=sinks)


def _gamma(scv: float) -> Distribution:
    """Return the gamma factor of mean 1 that scatters so: of a sum no more than that is known."""
    if scv <= 0:
        return Distribution()
    return Distribution(family="gamma", parameters=(1 / scv, 0.0, scv), scv=scv)


def _variance(scv: float, demand: float, share: float) -> float:
    """Return the variance of a part's demand of this mean, where ``share`` of its records come to one of the first's.

    So many come as evenly as whole numbers allow: of 2/3 none or one. With N of them, each of variance v and mean m,
    it is E[N]·v + Var[N]·m² (Wald).

    >>> round(_variance(0.0, 0.5, 0.5), 3), _variance(2.0, 3.0, 1.0)
    (0.25, 18.0)
    """
    alone, odd = demand / share, share % 1.0
    return (share * scv + odd * (1.0 - odd)) * alone**2


_ONCE = ("startup_waiting", "finish", "finish_waiting")


def _sum(profiles: Sequence[StationProfile], flows: Sequence[Flow], *, by_record: bool = False) -> StationProfile:
    """Return the profile of stations that do their work one after the other, for each chunk that the first takes."""
    first, last = profiles[0], profiles[-1]
    services = [one.service for one in profiles]
    records = [flow.records_in / flows[0].records_in if flows[0].records_in else 1.0 for flow in flows]
    sizes = [flow.bytes_in / flows[0].bytes_in if flows[0].bytes_in else 1.0 for flow in flows]
    often = [min(1.0, part) for part in records] if by_record else [1.0] * len(records)  # of a record, how many chunks
    chunks = flows[0].records_in if by_record else 1
    parts = [
        one.setup * part * chunks + one.per_record * flow.records_in + one.per_byte * flow.bytes_in
        for one, flow, part in zip(services, flows, often, strict=True)
    ]
    total = sum(parts)
    # Independent factors: the variances add up.
    shares = records if by_record else [1.0] * len(parts)
    variances = [
        _variance(one.scv, part, share) for one, part, share in zip(services, parts, shares, strict=True) if share > 0
    ]
    scv = sum(variances) / total**2 if total else 0.0
    service: ServiceModel = msgspec.structs.replace(
        services[0],
        setup=sum(one.setup * part for one, part in zip(services, often, strict=True)),
        per_record=sum(one.per_record * part for one, part in zip(services, records, strict=True)),
        per_byte=sum(one.per_byte * part for one, part in zip(services, sizes, strict=True)),
        waiting_per_record=sum(one.waiting_per_record * part for one, part in zip(services, records, strict=True)),
        waiting_per_byte=sum(one.waiting_per_byte * part for one, part in zip(services, sizes, strict=True)),
        scv=scv,
        distribution=services[0].distribution if total == parts[0] else _gamma(scv),
        startup=max(one.startup for one in services),  # one process, which loads what all of them need
        output_per_byte=services[-1].output_per_byte,
        output_waiting_per_byte=services[-1].output_waiting_per_byte,
        curve=services[0].curve if total == parts[0] else (),
        regimes=(),
        **{name: sum(getattr(one, name) for one in services) for name in _ONCE},
    )
    return msgspec.structs.replace(
        first,
        service=service,
        bytes_in=float(flows[0].bytes_in),
        bytes_out=float(flows[-1].bytes_out),
        records_in=float(flows[0].records_in),
        records_out=float(flows[-1].records_out),
        write_bytes=last.write_bytes,
        barrier=any(one.barrier for one in profiles),
        held_bytes=sum(one.held_bytes for one in profiles),
        shares={},
        yields=(),
        note="the work of several stations in one process",
    )
