"""A scenario as theory sees it: what passes each station, what it needs, what the host gives; varied in microseconds.

Analyses that ask the same question of thousands of variants (elasticities, what-ifs) make one `Case` and vary that,
instead of loading the scenario anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from streamsim.circuit import Pipe, Split
from streamsim.errors import ModelError
from streamsim.joining import joined
from streamsim.placement import HOST, Limits, Placement, placement_of
from streamsim.scenario import Scenario
from streamsim.service import Distribution, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.traffic import Flow, effective_profiles, host_for, refuse_disciplines, totals

if TYPE_CHECKING:
    from streamsim.analysis.prediction.feedback import Loop

Flows = dict[str, Flow]

DEMANDS = ("setup", "per_record", "per_byte", "filling_per_byte", "waiting_per_record", "waiting_per_byte",
           "finish", "finish_waiting", "output_per_byte", "output_waiting_per_byte")  # fmt: skip
"""What a station needs for its work: all of a service model's times but those that are spent once, at the start."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scenario with the profiles that apply to it.

    ``order`` is upstream first; ``inputs`` the pipes that each station reads; ``servers`` and ``capacities`` (bytes, by
    the label of the pipe) are those of the circuit, or what a variant puts in their place; so are ``pins``, the CPUs of
    stations that may not use all of them, of which ``placement`` is made. ``rate`` multiplies the rates of all loads,
    ``loops`` are what goes round, ``fused`` are the neighbours (upper, lower) that share a process. ``core_sizes``
    are what single cores give, by their numbers, where that is not 1.
    """

    scenario: Scenario
    profiles: dict[str, StationProfile]
    flows: Flows
    host: HostProfile
    order: tuple[str, ...]
    inputs: dict[str, tuple[Pipe, ...]]
    outputs: dict[str, tuple[Pipe, ...]]
    servers: dict[str, int]
    capacities: dict[str, int]
    rate: float = 1.0
    fused: tuple[tuple[str, str], ...] = ()
    loops: tuple[Loop, ...] = ()
    pins: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    placement: Placement | None = None
    core_sizes: Mapping[int, float] = field(default_factory=dict)

    def crowding(self, cores: Mapping[str, float]) -> tuple[float, str]:
        """Return how many times as many cores as there are stations ask for, where that is worst, and what is short.

        Parameters
        ----------
        cores : what each station would use on average with cores in plenty.

        That is ``"host"`` for all cores, ``"cores 0, 1"`` for those that several are pinned to, or a pinned station.
        """
        limits = self.limits
        if limits is None:
            return sum(cores.values()) / max(self.host.available_cores, 1e-9), HOST
        return limits.crowding(cores)

    @property
    def least_cores(self) -> int:
        """How many cores the pins name, 1 where there are none: with fewer nothing could run as it is pinned."""
        return len({core for some in self.pins.values() for core in some}) or 1

    def most_cores(self, name: str) -> float:
        """Return how many cores a station can have at most, on average over what else uses them."""
        limits = self.limits
        return self.host.available_cores if limits is None else limits.most(name)

    def may_wait(self, servers: Mapping[str, int]) -> bool:
        """Whether so many servers of each station, all at work, would have to wait for a core."""
        return self.crowding(servers)[0] > 1.0 + 1e-9

    @property
    def limits(self) -> Limits | None:
        """What the host gives to whom, where not all stations share all of it alike."""
        if self.placement is None:
            return None
        return Limits(self.placement, self.placement.rooms(max(self.host.available_cores, 1e-9), self.core_sizes))

    def one_queue(self, station: str) -> bool:
        """Whether the servers of a station take from one queue, so that none rests while a record waits."""
        return self.profiles[station].at_once > 1 and self.scenario.circuit.station(station).parallelism == 1

    def partition(self, station: str) -> Split:
        """How the servers of a station share what comes in (that of the first input, where they differ)."""
        found = self.scenario.circuit.station(station).partition
        return found if isinstance(found, str) else next(iter(found.values()), "round-robin")

    def with_demand(self, station: str, factor: float) -> Case:
        """Return the case in which a station needs `factor` (above 0) times as long for its work."""
        _positive("demand", factor)
        profile = self.profiles[station]
        changed = {key: getattr(profile.service, key) * factor for key in DEMANDS}
        service: ServiceModel = msgspec.structs.replace(profile.service, **changed)
        replaced: StationProfile = msgspec.structs.replace(profile, service=service)
        return dataclasses.replace(self, profiles={**self.profiles, station: replaced})

    def with_servers(self, station: str, count: int) -> Case:
        """Return the case in which a station has so many servers (at least 1)."""
        if count < 1:
            raise ModelError(f"a station has at least 1 server, not {count}")
        return dataclasses.replace(self, servers={**self.servers, station: count})

    def with_capacity(self, station: str, factor: float) -> Case:
        """Return the case in which the pipes into a station hold `factor` (above 0) times as much."""
        _positive("capacity", factor)
        changed = {pipe.label: max(1, round(self.capacities[pipe.label] * factor)) for pipe in self.inputs[station]}
        return dataclasses.replace(self, capacities={**self.capacities, **changed})

    def with_fused(self, upper: str, lower: str) -> Case:
        """Return the case in which a station does the work of the one behind it too, in one process.

        What it costs the lower one to read a chunk is saved. The upper one may itself be the lower of another pair.
        """
        head = next((one for one, other in self.fused if other == upper), upper)
        above, below = self.profiles[head], self.profiles[lower]
        work = (
            below.service.per_record * self.flows[lower].records_in
            + below.service.per_byte * self.flows[lower].bytes_in
        )
        records = max(self.flows[head].records_in, 1)
        own = above.service.per_record + above.service.per_byte * self.flows[head].bytes_in / records
        added = work / records
        scatter = above.service.scv * own**2 + below.service.scv * added**2
        joined: ServiceModel = msgspec.structs.replace(
            above.service,
            per_record=above.service.per_record + added,
            waiting_per_record=above.service.waiting_per_record + below.service.waiting_per_record,
            scv=scatter / (own + added) ** 2 if own + added else 0.0,
            distribution=above.service.distribution if not added else Distribution(family="gamma"),
            startup=above.service.startup,
        )
        profiles = {
            **self.profiles,
            head: msgspec.structs.replace(above, service=joined),
            lower: msgspec.structs.replace(below, service=ServiceModel()),
        }
        return dataclasses.replace(self, profiles=profiles, fused=(*self.fused, (upper, lower)))

    def with_cores(self, cores: float) -> Case:
        """Return the case in which the host has so many cores, of which the same share is available as now.

        Parts of a core are allowed: elasticities need them.
        """
        _positive("cores", cores)
        share = self.host.available_cores / self.host.cores
        host: HostProfile = msgspec.structs.replace(
            self.host, cores=max(1, round(cores)), available_cores=share * cores
        )
        if not self.pins and self.placement is None:
            return dataclasses.replace(self, host=host)
        return dataclasses.replace(self, host=host, placement=self._placed(host.cores, self.pins))

    def with_more_of(self, name: str, factor: float) -> Case:
        """Return the case in which all cores (``"host"``), or ``"cores 0, 1"``, give `factor` times as much."""
        _positive("cores", factor)
        if self.placement is None:
            return self.with_cores(self.host.cores * factor)
        limits = self.placement.limits
        cores = next((one.cores for one in limits[:-1] if one.label == name), limits[-1].cores)
        sizes = {**self.core_sizes, **{core: self.core_sizes.get(core, 1.0) * factor for core in cores}}
        share = self.host.available_cores / sum(self.core_sizes.get(core, 1.0) for core in self.placement.cores)
        more = share * sum(sizes[core] - self.core_sizes.get(core, 1.0) for core in cores)
        host: HostProfile = msgspec.structs.replace(self.host, available_cores=self.host.available_cores + more)
        return dataclasses.replace(self, host=host, core_sizes=sizes)

    def with_pins(self, pins: Mapping[str, tuple[int, ...]]) -> Case:
        """Return the case in which these stations, and no others, are pinned to so many CPUs each."""
        kept = {name: some for name, some in pins.items() if some}
        return dataclasses.replace(self, pins=kept, placement=self._placed(self.host.cores, kept))

    def _placed(self, cores: int, pins: Mapping[str, tuple[int, ...]]) -> Placement | None:
        return None if self.scenario.simulate.cores == "own" else placement_of(self.scenario.circuit, cores, pins)

    def with_rate(self, factor: float) -> Case:
        """Return the case in which all loads come `factor` (above 0) times as fast."""
        _positive("rate", factor)
        return dataclasses.replace(self, rate=self.rate * factor)


def case_of(scenario: Scenario, profile: Profile | None, *, host: HostProfile | None = None) -> Case:
    """Return what theory needs to know of a scenario.

    Parameters
    ----------
    host : what the machine gives; default: what the profile's calibration found, cut to the scenario's cores.

    Raises ProfileError where a station has no service model, ModelError where a loop has no bound.

    >>> from streamsim.loading import load
    >>> scenario = load({"sources": {"make": {"command": "seq 9"}}, "service": {"make": {"bytes": 10, "setup": "2 s"}}})
    >>> case_of(scenario, None).with_demand("make", 0.5).profiles["make"].service.setup
    1.0
    """
    scenario, profile = joined(scenario, profile, by_record=scenario.open)
    circuit = scenario.circuit
    profiles = effective_profiles(scenario, profile)
    refuse_disciplines(profiles, "predicted")
    flows = totals(scenario, profiles)
    inputs: dict[str, list[Pipe]] = {station.name: [] for station in circuit.stations}
    outputs: dict[str, list[Pipe]] = {station.name: [] for station in circuit.stations}
    for pipe in circuit.pipes:
        inputs[pipe.downstream].append(pipe)
        outputs[pipe.upstream].append(pipe)
    servers = {station.name: station.parallelism * profiles[station.name].at_once for station in circuit.stations}
    machine = host or host_for(scenario, profile)
    own = scenario.simulate.cores == "own"
    return Case(
        scenario=scenario,
        profiles=profiles,
        flows=flows,
        host=_own_cores(machine, sum(servers.values())) if own else machine,
        order=tuple(flows),
        inputs={name: tuple(pipes) for name, pipes in inputs.items()},
        outputs={name: tuple(pipes) for name, pipes in outputs.items()},
        servers=servers,
        capacities={pipe.label: pipe.capacity_bytes for pipe in circuit.pipes},
        loops=_loops(scenario, profiles, flows),
        pins={station.name: station.cores for station in circuit.stations if station.cores},
        placement=None if own else placement_of(circuit, machine.cores),
    )


def _loops(scenario: Scenario, profiles: dict[str, StationProfile], flows: Flows) -> tuple[Loop, ...]:
    if not scenario.circuit.feedback():
        return ()
    from streamsim.analysis.prediction.feedback import loops_of  # it works on cases

    return loops_of(scenario, profiles, flows)


def _own_cores(host: HostProfile, servers: int) -> HostProfile:
    """Return a host on which every server has a core of its own."""
    cores = max(host.cores, servers)
    own: HostProfile = msgspec.structs.replace(host, cores=cores, available_cores=float(cores))
    return own


def _positive(what: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ModelError(f"{what}: {value!r} stands where a finite number above 0 belongs")
