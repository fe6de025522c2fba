"""How much passes each station: which profile applies, what the sources give, what follows through selectivities.

Simulation and prediction both start from here, so that they speak of the same bytes and records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from streamsim.assumed import complete
from streamsim.circuit import Circuit, Pipe, Station
from streamsim.errors import ModelError, ProfileError
from streamsim.fusion import fused_groups
from streamsim.giving import source_bytes, source_limit
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile, StationProfile

EARLY_END = 0.95
"""A reader that took less than this part of what its writer wrote in the calibration had ended early (``head``)."""
SAME_COUNT = 1e-3
"""Two counts of records that differ by less than this part are of the same records."""


_MOST_ROUNDS = 2000
"""Of what goes round a loop, so many rounds are followed: enough where at least 1 % is lost in each."""


class Flow(NamedTuple):
    """What passes one station in a whole run; ``bytes_out`` and ``records_out`` go to *each* of its outputs.

    Where a station gives different records to different readers (a split that is no copy, a station with ports) they
    are what it gives to all of them together, and `shares` says how much of that goes where.

    A source that reads no pipe has 0 in. Where a reader further down ends early (``head``), the stations above it give
    less than these numbers: they say what each would do if nobody stopped it.
    """

    bytes_in: int
    bytes_out: int
    records_in: int
    records_out: int


def effective_profiles(scenario: Scenario, profile: Profile | None) -> dict[str, StationProfile]:
    """Return the profile of every station of the circuit: the measured one, else the one declared by hand.

    Of what a shape needs beside the stations that somebody wrote (a copy, a split) `assumed` tells what it needs where
    others were measured; beside declared ones it takes no time.

    Raises
    ------
    ProfileError : some stations have neither; they are named.
    ModelError : stations share a process, which no model can do yet.
    """
    for group in fused_groups(scenario.circuit).values():
        raise ModelError(
            f"stations that share a process ({', '.join(group)}) can only be measured; model them without fuse"
        )
    if profile is not None and any(one.source == "fitted" for one in profile.stations.values()):
        profile, _ = complete(profile, scenario)
    measured = profile.stations if profile is not None else {}
    found: dict[str, StationProfile] = {}
    missing: list[str] = []
    for station in scenario.circuit.stations:
        entry = measured.get(station.name) or scenario.services.get(station.name)
        if entry is None and station.role in ("copy", "split", "merge", "loop"):
            entry = StationProfile(source="declared", record_bytes=_size_before(scenario, measured, station))
        if entry is None:
            missing.append(station.name)
        else:
            found[station.name] = _awake(entry, scenario.host.cores)
    if missing:
        names = ", ".join(repr(name) for name in missing)
        raise ProfileError(
            f"scenario {scenario.name!r}: nothing is known of what {names} {'needs' if len(missing) == 1 else 'need'}; "
            f"measure it (streamsim measure writes a profile) or declare it in [service.{missing[0]}]"
        )
    return found


def _awake(profile: StationProfile, cores: int) -> StationProfile:
    """Return the profile whose waiting includes what its processes need to wake each other on so many cores."""
    service = profile.service
    if not service.waking_per_byte:
        return profile
    more = service.waking_per_byte if cores > 1 else 0.0
    changed = msgspec.structs.replace(service, waiting_per_byte=service.waiting_per_byte + more, waking_per_byte=0.0)
    return msgspec.structs.replace(profile, service=changed)


def _size_before(scenario: Scenario, measured: Mapping[str, StationProfile], station: Station) -> float:
    """Return the bytes of the records that come into an inserted station: what the one before gives."""
    for pipe in scenario.circuit.inputs_of(station.name):
        known = measured.get(pipe.upstream) or scenario.services.get(pipe.upstream)
        if known is not None:
            return known.bytes_out / known.records_out if known.records_out and known.bytes_out else known.record_bytes
        return _size_before(scenario, measured, scenario.circuit.station(pipe.upstream))
    return 1.0


def host_for(scenario: Scenario, profile: Profile | None) -> HostProfile:
    """Return the host of the profile as this scenario uses it: another number of cores, the same share of each.

    >>> from streamsim.scenario import Host
    >>> one = Scenario(name="x", circuit=None, host=Host(cores=1))
    >>> host_for(one, Profile(host=HostProfile(cores=2, available_cores=1.8, speed=(1.0, 0.9)))).available_cores
    0.9
    """
    host = profile.host if profile is not None else HostProfile()
    cores = scenario.host.cores
    if cores == host.cores:
        return host
    return msgspec.structs.replace(
        host,
        cores=cores,
        available_cores=host.available_cores / host.cores * cores,
        speed=host.speed[:cores],
    )


def totals(
    scenario: Scenario, profiles: Mapping[str, StationProfile], *, at_most: Mapping[str, int] | None = None
) -> dict[str, Flow]:
    """Return what passes each station, upstream first, from what the sources give and the selectivities.

    What goes round a loop is followed until it is used up: the sum of a geometric series, in whole bytes. ``at_most``
    are bytes that a station takes, whatever comes: how far things have got when it has taken so many.

    Raises
    ------
    ProfileError : it is not known how much a source or a file gives.
    ModelError : a loop brings back as much as it takes, so nothing bounds what goes round.
    """
    circuit, flows = scenario.circuit, dict[str, Flow]()
    order, back = circuit.order(), circuit.feedback()
    for _ in range(_MOST_ROUNDS if back else 1):
        before = dict(flows)
        for name in order:
            flows[name] = _flow(scenario, profiles, flows, name, (at_most or {}).get(name))
        if not back or _sizes(flows) == _sizes(before):  # counts of records may go to and fro by rounding
            return flows
    way = " -> ".join(circuit.cycle() or ())
    raise ModelError(f"what goes round has no bound: by its profile the loop {way} brings back as much as it takes")


def _sizes(flows: Mapping[str, Flow]) -> list[tuple[int, int]]:
    return [(flow.bytes_in, flow.bytes_out) for flow in flows.values()]


def _flow(
    scenario: Scenario,
    profiles: Mapping[str, StationProfile],
    flows: Mapping[str, Flow],
    name: str,
    at_most: int | None,
) -> Flow:
    inputs = input_bytes(scenario, profiles, flows, name)
    if inputs:
        offered = sum(inputs.values())
        return _through(scenario, profiles, flows, name, offered if at_most is None else min(offered, at_most))
    given = source_bytes(scenario, profiles[name], name)
    return Flow(0, given, 0, _count(given, profiles[name].record_bytes))


def input_bytes(
    scenario: Scenario, profiles: Mapping[str, StationProfile], flows: Mapping[str, Flow], name: str
) -> dict[str, int]:
    """Return the bytes that each input of a station offers, by the name of the input, in their order."""
    circuit, profile = scenario.circuit, profiles[name]
    feeds = [feed.name for feed in circuit.feed_of(name)]
    offered = {pipe.source: _part(circuit, profiles, flows, pipe, "bytes_out") for pipe in circuit.inputs_of(name)}
    piped = sum(offered.values())
    for feed in feeds:
        size = scenario.source_bytes.get(feed)
        if size is None:
            if len(feeds) > 1 or profile.source == "declared" or profile.bytes_in < piped:
                raise ProfileError(
                    f"scenario {scenario.name!r}: the size of sources.{feed}, which {name!r} reads, is not known; "
                    "use a file that is there, or measure"
                )
            size = round(profile.bytes_in) - piped
        offered[feed] = min(size, round(profile.bytes_in)) if profile.stops else size
    return {source: offered[source] for source in circuit.station(name).inputs}


def shares(circuit: Circuit, profile: StationProfile, name: str) -> dict[str, float]:
    """Return which part of what a station gives goes into each of its pipes, by the pipe's label.

    1 everywhere where each reader gets all. A split gives an equal part to each, unless the profile knows better; how
    much leaves by a port only a profile knows.

    Raises ProfileError where it is not known.
    """
    station, pipes = circuit.station(name), circuit.outputs_of(name)
    if station.ports:
        unknown = [port for port in station.ports if port not in profile.shares]
        if unknown:
            raise ProfileError(
                f"how much of what {name!r} gives leaves by its port {unknown[0]!r} is not known: measure it, or "
                f"declare shares = {{ {unknown[0]} = … }} in [service.{name}]"
            )
        main = 1.0 - sum(profile.shares[port] for port in station.ports)
        return {pipe.label: profile.shares[pipe.port] if pipe.port else main for pipe in pipes}
    if station.role != "split" or station.parameters.get("by") == "copy":
        return dict.fromkeys((pipe.label for pipe in pipes), 1.0)
    readers = [circuit.station(pipe.downstream) for pipe in pipes]
    known = [profile.shares.get(reader.name) for reader in readers]
    if None not in known and (whole := math.fsum(part for part in known if part is not None)) > 0:
        return {pipe.label: (part or 0.0) / whole for pipe, part in zip(pipes, known, strict=True)}
    return {pipe.label: 1 / len(pipes) for pipe in pipes}


def _part(
    circuit: Circuit,
    profiles: Mapping[str, StationProfile],
    flows: Mapping[str, Flow],
    pipe: Pipe,
    amount: Literal["bytes_out", "records_out"],
) -> int:
    """Return what goes through one pipe; what the pipes of a split get adds up to what it gives."""
    if pipe.upstream not in flows:
        return 0  # it leads back, and nothing has gone round yet
    whole: int = getattr(flows[pipe.upstream], amount)
    parts = shares(circuit, profiles[pipe.upstream], pipe.upstream)
    if parts[pipe.label] == 1.0:
        return whole
    before = 0.0
    for label, part in parts.items():
        if label == pipe.label:
            return round(whole * min(1.0, before + part)) - round(whole * before)
        before += part
    raise KeyError(pipe.label)


def refuse_records(profiles: Mapping[str, StationProfile], world: str) -> None:
    """Raise ModelError where a service is declared in a way that only a simulation record by record knows."""
    for name, profile in profiles.items():
        if profile.at_once > 1 or profile.places is not None:
            what = f"at_once = {profile.at_once}" if profile.at_once > 1 else "places"
            raise ModelError(f"service.{name}: {what} cannot be {world} yet, only simulated record by record")


def refuse_disciplines(profiles: Mapping[str, StationProfile], world: str) -> None:
    """Raise ModelError where a station serves otherwise than in the order of arrival."""
    for name, profile in profiles.items():
        if profile.discipline != "arrival":
            raise ModelError(
                f"service.{name}.discipline: {profile.discipline!r} cannot be {world} yet, only simulated by records"
            )


def early_end(scenario: Scenario, profiles: Mapping[str, StationProfile], name: str) -> int | None:
    """Return after how many bytes a station stops reading although more would come (``head``), or None.

    Seen from the calibration: it took clearly less than the one station that it reads had written. Such a station takes
    a fixed number of bytes, not a part of what there is.
    """
    pipes, station = scenario.circuit.inputs_of(name), scenario.circuit.station(name)
    if len(pipes) != 1 or len(station.inputs) != 1 or station.role == "source":
        return None
    writer, reader = profiles[pipes[0].upstream], profiles[name]
    if writer.source == "declared" or reader.source == "declared":
        return None
    offered = writer.bytes_out * shares(scenario.circuit, writer, pipes[0].upstream)[pipes[0].label]
    if reader.bytes_in >= EARLY_END * offered:
        return None
    return round(reader.bytes_in)


def _through(
    scenario: Scenario,
    profiles: Mapping[str, StationProfile],
    flows: Mapping[str, Flow],
    name: str,
    offered: int,
) -> Flow:
    profile, station = profiles[name], scenario.circuit.station(name)
    taken = offered
    if station.role == "source":  # a paced reader behind a command: its load ends it
        limit = source_limit(scenario, profile, name)
        taken = taken if limit is None else min(taken, limit)
    stop = early_end(scenario, profiles, name)
    if stop is not None:
        taken = min(taken, stop)
    given = math.ceil(profile.given(taken) * (1 - 1e-12))  # 1e-12: the rounding of the product, not a byte
    records_in = _count(taken, profile.record_bytes)
    pipes = scenario.circuit.inputs_of(name)
    upstream = sum(_part(scenario.circuit, profiles, flows, pipe, "records_out") for pipe in pipes)
    if stop is None and taken == offered and abs(upstream - records_in) <= max(1.0, SAME_COUNT * records_in):
        records_in = upstream  # the same records: rounding must not make them differ along the way
    if profile.yields and profile.records_out is not None:
        return Flow(taken, given, records_in, round(given * profile.records_out / profile.bytes_out))
    if profile.records_in and profile.records_out is not None:
        return Flow(taken, given, records_in, round(records_in * profile.records_out / profile.records_in))
    return Flow(taken, given, records_in, _count(given, profile.record_bytes))


def _count(size: int, record_bytes: float) -> int:
    return max(round(size / record_bytes), min(size, 1))
