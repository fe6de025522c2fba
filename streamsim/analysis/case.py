"""A scenario as theory sees it: what passes each station, what it needs, what the host gives; varied in microseconds.

Analyses that ask the same question of thousands of variants (elasticities, what-ifs) make one `Case` and vary that,
instead of loading the scenario anew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from streamsim.circuit import Pipe, Split
from streamsim.errors import ModelError
from streamsim.joining import joined
from streamsim.scenario import Scenario
from streamsim.service import Distribution, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.traffic import Flow, effective_profiles, host_for, refuse_disciplines, totals

if TYPE_CHECKING:
    from streamsim.analysis.feedback import Loop

Flows = dict[str, Flow]

DEMANDS = ("setup", "per_record", "per_byte", "filling_per_byte", "waiting_per_record", "waiting_per_byte",
           "finish", "finish_waiting", "output_per_byte", "output_waiting_per_byte")  # fmt: skip
"""What a station needs for its work: all of a service model's times but those that are spent once, at the start."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scenario with the profiles that apply to it.

    ``order`` is upstream first; ``inputs`` the pipes that each station reads; ``servers`` and ``capacities`` (bytes, by
    the label of the pipe) are those of the circuit, or what a variant puts in their place. ``rate`` multiplies the
    rates of all loads, ``loops`` are what goes round, ``fused`` are the neighbours (upper, lower) that share a process.
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
        return dataclasses.replace(self, host=host)

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
    return Case(
        scenario=scenario,
        profiles=profiles,
        flows=flows,
        host=_own_cores(machine, sum(servers.values())) if scenario.simulate.cores == "own" else machine,
        order=tuple(flows),
        inputs={name: tuple(pipes) for name, pipes in inputs.items()},
        outputs={name: tuple(pipes) for name, pipes in outputs.items()},
        servers=servers,
        capacities={pipe.label: pipe.capacity_bytes for pipe in circuit.pipes},
        loops=_loops(scenario, profiles, flows),
    )


def _loops(scenario: Scenario, profiles: dict[str, StationProfile], flows: Flows) -> tuple[Loop, ...]:
    if not scenario.circuit.feedback():
        return ()
    from streamsim.analysis.feedback import loops_of  # it works on cases

    return loops_of(scenario, profiles, flows)


def _own_cores(host: HostProfile, servers: int) -> HostProfile:
    """Return a host on which every server has a core of its own."""
    cores = max(host.cores, servers)
    own: HostProfile = msgspec.structs.replace(host, cores=cores, available_cores=float(cores))
    return own


def _positive(what: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ModelError(f"{what}: {value!r} stands where a finite number above 0 belongs")
