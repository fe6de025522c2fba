"""From a scenario and its profile to a table of records: every server a station, every record a thing of its own.

What this grain leaves out is said in `Compiled.notes`; what it cannot say at all is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import msgspec

from streamsim.adjustable import Replay
from streamsim.circuit import Circuit, Pipe, Station
from streamsim.deadlocks import reading_order
from streamsim.errors import ModelError
from streamsim.expansion import expand
from streamsim.giving import arrival_times, record_rate, source_ceiling
from streamsim.joining import joined
from streamsim.models.records import table as records
from streamsim.models.records.check import check
from streamsim.models.records.hosts import Hosts, hosts_of
from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.repeating import told
from streamsim.models.records.states import SHED
from streamsim.models.records.streams import Even, Listed, Variate
from streamsim.models.table import Pace
from streamsim.placement import Placement
from streamsim.policies import make
from streamsim.scenario import Load, Scenario
from streamsim.service import UNLIMITED, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.traffic import early_end, effective_profiles, host_for, shares

SPLITS: Mapping[str, records.Split] = {
    "copy": "copy",
    "round-robin": "turns",
    "least-loaded": "least-loaded",
    "key": "drawn",
}
MERGES: Mapping[str, records.Pick] = {"interleave": "arrival", "reorder": "next", "merge": "order", "loop": "ready"}
PRIORITIES = ("priority", "preemptive")
ALONE = ("preemptive", "sharing")
"""Disciplines whose stations share their cores with nobody."""
OWN = "core of "
"""How the core of its own of a station that shares it among records is called."""
FINEST = 1000
"""Selectivities are kept as fractions with denominators up to this: 2/3 is given as 0, 1, 1, 0, 1, 1, …"""
RAREST = 10**9
"""The same of a station that gives next to nothing, such as five quantiles of a million records."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """The table of a scenario, whose stations are named as those of the expanded circuit, and what it leaves out.

    ``placement`` says who may use which core, where stations are pinned.
    """

    table: records.Table
    circuit: Circuit
    host: HostProfile
    notes: tuple[str, ...]
    placement: Placement | None = None


def compile_table(
    scenario: Scenario, profile: Profile | None, host: HostProfile | None = None, replay: Replay | None = None
) -> Compiled:
    """Compile a scenario and its profile to a table of records.

    Parameters
    ----------
    profile : what was measured; stations that it lacks must be declared in the scenario. What a shape needs beside them
        (copies, splits, merges) takes no time where it was not measured.
    host : the machine, where it is not to follow from the profile and the scenario's cores.
    replay : what a real run was told, to be done again (see repeating.py); the controllers rest then.

    Raises
    ------
    ProfileError : a station is neither measured nor declared.
    ModelError : the scenario has something that cannot be simulated record by record.

    >>> from streamsim.loading import load
    >>> scenario = load({"sources": {"make": {"command": "seq 9"}}, "stations": {"half": {"command": "cut -c1"}},
    ...                  "service": {"make": {"bytes": 800}, "half": {"per_record": "1 ms", "scv": 1.0}}})
    >>> compiled = compile_table(scenario, None)
    >>> [station.name for station in compiled.table.stations], compiled.table.stations[0].source.records
    (['make', 'half'], 10)
    """
    if replay is None:
        return _Compiler(scenario, profile, host).compiled()
    found = _Compiler(msgspec.structs.replace(scenario, controllers={}), profile, host).compiled()
    return replace(found, table=told(found.table, found.circuit, replay))


class _Compiler:
    def __init__(self, scenario: Scenario, profile: Profile | None, host: HostProfile | None) -> None:
        scenario, profile = joined(scenario, profile, by_record=True)
        self.scenario = scenario
        self.profiles = effective_profiles(scenario, profile)
        self.circuit = expand(scenario.circuit)
        self.machine = host or host_for(scenario, profile)
        self.own_cores = scenario.simulate.cores == "own"
        self.shared = Hosts((), {}) if self.own_cores else hosts_of(self.circuit, self.machine, self._working())
        self.notes: list[str] = [*self.shared.notes]
        self.sharing: list[str] = []
        self.names = [station.name for station in self.circuit.stations]
        self.written = {station.name for station in scenario.circuit.stations if station.parallelism == 1}

    def compiled(self) -> Compiled:
        stations = [self._station(station) for station in self.circuit.stations]
        pipes = [self._pipe(pipe) for pipe in self.circuit.pipes]
        for station in self.circuit.stations:
            for feed in self.circuit.feed_of(station.name):
                stations.append(self._feed(feed.name, station.name))
                pipes.append(
                    records.Pipe(upstream=len(stations) - 1, downstream=self.names.index(station.name), capacity=1,
                                 label=f"{feed.name}->{station.name}")
                )  # fmt: skip
        for name in self._shedding():
            stations.append(records.Station(name=f"{name}{SHED}", base_s=0.0, yields=Fraction(0)))
            pipes.append(records.Pipe(upstream=self.names.index(name), downstream=len(stations) - 1))
        for name in self._ends_in_loops():
            stations.append(records.Station(name=f"{name}:out", base_s=0.0))
            pipes.append(records.Pipe(upstream=self.names.index(name), downstream=len(stations) - 1))
        self._note_what_is_left_out()
        one_core = HostProfile(cores=1, available_cores=1.0, wake_near_s=0.0, wake_far_s=0.0)
        hosts = (
            *self.shared.hosts,
            *(records.Host(name=f"{OWN}{name}", profile=one_core) for name in self.sharing),
        )
        table = records.Table(stations=tuple(stations), pipes=tuple(pipes), hosts=hosts, steering=self._steering())
        return Compiled(
            table=check(table),
            circuit=self.circuit,
            host=self.machine,
            notes=tuple(self.notes),
            placement=self.shared.placement,
        )

    def _working(self) -> set[str]:
        """Return the stations that work on cores that others may use too."""
        found = set()
        for station in self.circuit.stations:
            profile = self._profile(station)
            service = profile.service
            if service.setup + service.per_record + service.per_byte > 0 and profile.discipline not in ALONE:
                found.add(station.name)
        return found

    def _steering(self) -> tuple[records.Steering, ...]:
        return tuple(
            records.Steering(name=name, policy=make(one.policy, one.parameters), period_s=one.period_s)
            for name, one in self.scenario.controllers.items()
        )

    def _ends_in_loops(self) -> list[str]:
        """Return the copies in a loop one of whose readers is a sink, so that records leave there."""
        inside = {name for loop in self.circuit.loops() for name in loop}
        copies = [one.name for one in self.circuit.stations if one.role == "copy" and one.name in inside]
        return [name for name in copies if self.circuit.sinks_of(name)]

    def _shedding(self) -> list[str]:
        """Return the stations whose controllers say what part of the records they keep.

        Raises ModelError for a controller that changes what has no counterpart in a simulation.
        """
        found = []
        for row in self._steering():
            if row.policy.changes != "probability":
                raise ModelError(
                    f"controller {row.name!r} changes the {row.policy.changes} of a station, which cannot be "
                    "simulated record by record; simulate by chunks (simulate.grain = 'chunks', no --engine)"
                )
            station = next(one for one in self.circuit.stations if one.name == row.policy.watched()[0])
            if station.operator != "sample" or len(self.circuit.outputs_of(station.name)) != 1:
                raise ModelError(f"controller {row.name!r}: {station.name!r} is no operator 'sample' with one reader")
            found.append(station.name)
        return found

    def _profile(self, station: Station) -> StationProfile:
        return self.profiles[station.server_of or station.name]

    def _station(self, station: Station) -> records.Station:
        profile, source = self._profile(station), None
        size_in, size_out = self._sizes(station, profile)
        if station.role == "source":
            source = self._source(station, profile)
            size_in = size_out
        service = profile.service
        per_byte_s = service.per_byte / max(1.0, service.threads)
        base_s = (service.setup + service.per_record) / max(1.0, service.threads)
        if source is not None:  # what it takes to give a record depends on the record that it gives
            base_s, per_byte_s = base_s + per_byte_s * size_out, 0.0
        split, weights = self._split(station, profile)
        yields = self._yields(station, profile)
        if station.name in self._shedding():
            every, probability = station.parameters.get("every"), station.parameters.get("probability")
            kept = 1.0 / every if every else float(1.0 if probability is None else probability)
            split, weights, yields = "drawn", (kept, 1.0 - kept), Fraction(1)
        works = base_s > 0 or per_byte_s > 0
        stop = early_end(self.scenario, self.profiles, station.name) if station.name in self.written else None
        return records.Station(
            name=station.name,
            servers=profile.at_once,
            takes=None if stop is None else max(1, round(stop / size_in)),
            source=source,
            pick="ready" if profile.discipline in PRIORITIES else self._pick(station),
            split=split,
            weights=weights,
            host=self._host(station, profile) if works else None,
            preempts=profile.discipline == "preemptive",
            service=_law(service) if works else None,
            base_s=base_s,
            per_byte_s=per_byte_s,
            delay_s=service.waiting_per_record + service.waiting_per_byte * size_in,
            yields=yields,
            size=round(size_out),
            barrier=profile.barrier,
            finish_s=service.finish / max(1.0, service.finish_threads),
            output_s=service.output_per_byte / max(1.0, service.output_threads) * size_out,
        )

    def _sizes(self, station: Station, profile: StationProfile) -> tuple[float, float]:
        """Return the bytes of a record that it takes and of one that it gives."""
        size_in = max(1.0, profile.record_bytes)
        if station.role == "source" or not profile.records_out or not profile.bytes_out:
            return size_in, size_in
        return size_in, max(1.0, profile.bytes_out / profile.records_out)

    def _yields(self, station: Station, profile: StationProfile) -> Fraction:
        if station.role == "source" or station.role in ("copy", "split", "loop", "merge"):
            return Fraction(1)
        if profile.yields and not self.scenario.open:
            raise ModelError(
                f"station {station.name!r} gives more for early records than for late ones, which cannot be simulated "
                "record by record; by chunks it can (no --engine, no simulate.grain)"
            )
        if not profile.records_in or profile.records_out is None:
            return Fraction(1) if profile.bytes_out else Fraction(0)
        ratio = Fraction(profile.records_out / profile.records_in)
        return ratio.limit_denominator(FINEST) or ratio.limit_denominator(RAREST)

    def _split(self, station: Station, profile: StationProfile) -> tuple[records.Split, tuple[float, ...]]:
        outputs = self.circuit.outputs_of(station.name)
        by = (
            "ports"
            if station.ports
            else str(station.parameters.get("by", "copy"))
            if station.role == "split"
            else "copy"
        )
        if by not in SPLITS and by != "ports":
            raise ModelError(f"station {station.name!r}: a split by {by!r} cannot be simulated record by record")
        kind = SPLITS.get(by, "drawn")
        if kind != "drawn" or len(outputs) < 2:
            return kind, ()
        parts = shares(self.circuit, profile, station.name)
        return kind, tuple(parts[pipe.label] for pipe in outputs)

    def _pick(self, station: Station) -> records.Pick:
        if station.batches == "collate":
            return "next"
        if station.command is None:
            return MERGES.get(str(station.operator), "arrival")
        return {"sequence": "sequence", "lockstep": "turns", "ready": "ready"}[reading_order(station)]  # type: ignore[return-value]

    def _source(self, station: Station, profile: StationProfile) -> records.Source:
        scenario, name = self.scenario, station.name
        load = scenario.load_of(name)
        if self.circuit.inputs_of(name):
            raise ModelError(
                f"source {name!r}: a command that is paced from outside can only be simulated by chunks "
                "(simulate.grain = 'chunks'); give the load to an operator or a file"
            )
        ceiling = source_ceiling(scenario, profile, name)
        limit = None if ceiling is None else round(ceiling / profile.record_bytes)
        until_s = math.inf if load.duration_s is None else load.duration_s
        if load.arrivals == "closed":
            return records.Source(
                arrivals="closed", in_flight=load.in_flight or 1, records=limit, until_s=until_s, urgency=load.urgency
            )
        if not load.open:
            return records.Source(records=limit, until_s=until_s, urgency=load.urgency)
        arrivals, stream = self._stream(load, profile, name)
        return records.Source(arrivals=arrivals, stream=stream, records=limit, until_s=until_s, urgency=load.urgency)

    def _stream(self, load: Load, profile: StationProfile, name: str) -> tuple[records.Arrivals, Variate]:
        if load.arrivals == "trace":
            return "times", Listed(tuple(arrival_times(self.scenario, name).tolist()))
        rate = record_rate(self.scenario, profile, name)
        if load.arrivals == "even":
            return "times", Even(rate)
        states = tuple((state.share * rate, state.stay_s) for state in load.states)
        pace = Pace(arrivals=load.arrivals, rate=rate, scv=load.scv, states=states)  # type: ignore[arg-type]
        return "gaps", Gaps(pace)

    def _feed(self, feed: str, reader: str) -> records.Station:
        """A file that a station opens itself: its records are there as soon as they are asked for."""
        profile = self._profile(self.circuit.station(reader))
        size = self.scenario.source_bytes.get(feed)
        if size is None and (profile.source == "declared" or len(self.circuit.station(reader).inputs) > 1):
            raise ModelError(f"sources.{feed}: how large it is is not known; use a file that is there, or measure")
        given = profile.bytes_in if size is None else min(size, profile.bytes_in) if profile.stops else size
        count = round(given / profile.record_bytes)
        return records.Station(
            name=f"feed:{feed}" if feed in self.names else feed,
            base_s=0.0,
            source=records.Source(records=count),
            size=max(1, round(profile.record_bytes)),
        )

    def _pipe(self, pipe: Pipe) -> records.Pipe:
        places = self._profile(self.circuit.station(pipe.downstream)).places
        by_bytes = places is None
        capacity = max(4096, pipe.capacity_bytes) if places is None else None if places >= UNLIMITED else places
        return records.Pipe(
            upstream=self.names.index(pipe.upstream),
            downstream=self.names.index(pipe.downstream),
            capacity=capacity,
            unit="pages" if by_bytes else "records",
            classes=self._classes(pipe.downstream),
            label=pipe.label,
        )

    def _classes(self, reader: str) -> int:
        """Return how many classes the pipes into a station tell apart."""
        profile = self._profile(self.circuit.station(reader))
        if profile.discipline not in PRIORITIES:
            return 1
        if profile.places is None:
            raise ModelError(
                f"service.{reader}.discipline: {profile.discipline!r} chooses among records that wait, and bytes "
                "wait in line; say how many records may wait (places)"
            )
        if profile.places == 0:
            raise ModelError(
                f"service.{reader}.discipline: {profile.discipline!r} chooses among records that wait, and none waits "
                "where places = 0; give it a place"
            )
        return 1 + max((load.urgency for load in self.scenario.loads.values()), default=0)

    def _host(self, station: Station, profile: StationProfile) -> int | None:
        """Return which cores a station works on: those that others share too, one of its own, or one a server."""
        if profile.discipline == "sharing":
            if profile.at_once == 1:
                raise ModelError(
                    f"service.{station.name}.discipline: 'sharing' is among several; say how many at most (at_once)"
                )
            self.sharing.append(station.name)
            return len(self.shared.hosts) + len(self.sharing) - 1
        return self.shared.place.get(station.name)

    def _gives_other_counts(self, source: str) -> bool:
        """Whether the servers before an ordered merge give other than one record for each."""
        upstream = next(one for one in self.scenario.circuit.stations if source in (one.name, *self._ports(one)))
        return bool(upstream.ports) or self._yields(upstream, self._profile(upstream)) != 1

    @staticmethod
    def _ports(station: Station) -> list[str]:
        return [f"{station.name}.{port}" for port in station.ports]

    def _note_what_is_left_out(self) -> None:
        left_out = {
            "the start of": [name for name, one in self.profiles.items() if one.service.startup > 0],
            "the course of demand along the stream of": [
                name for name, one in self.profiles.items() if one.service.curve
            ],
            "what shares the machine's cores with": [
                name for name, one in self.profiles.items() if one.discipline in ALONE and not self.own_cores
            ],
            "that early records give more at": [name for name, one in self.profiles.items() if one.yields],
            "that an answer of no record lets the next one pass at": [
                one.name
                for one in self.scenario.circuit.stations
                if one.batches == "collate" and self._gives_other_counts(one.inputs[0])
            ],
            "that the records of a chunk share its setup at": [
                name for name, one in self.profiles.items() if one.service.setup > 0 and one.source == "fitted"
            ],
            "what is kept back by": [name for name, one in self.profiles.items() if one.held_bytes or one.gather_bytes],
        }
        self.notes += [
            f"record by record, {what} {', '.join(names)} is left out" for what, names in left_out.items() if names
        ]


def _law(service: ServiceModel) -> Law | None:
    return None if service.distribution.family == "deterministic" else Law(service.distribution)
