"""The model table: what a scenario and a profile compile to, and all that a simulation knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import msgspec

from streamsim.adjustable import Replay
from streamsim.circuit import Circuit, Station
from streamsim.deadlocks import Order, reading_order
from streamsim.errors import ModelError
from streamsim.expansion import expand, servers_of, share_of
from streamsim.giving import arrival_times, record_rate, source_ceiling
from streamsim.joining import joined
from streamsim.models.pipe import PAGE
from streamsim.placement import Placement, placement_of
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile, ServiceModel, StationProfile
from streamsim.traffic import (
    Flow,
    early_end,
    effective_profiles,
    host_for,
    input_bytes,
    refuse_disciplines,
    refuse_records,
    shares,
    totals,
)

if TYPE_CHECKING:
    from streamsim.adjustable import Program
    from streamsim.models.repeating import Told
    from streamsim.models.steering import Seat
    from streamsim.programs import Appointment

RANDOM_ARRIVALS = ("poisson", "bursty", "mmpp")
Split = Literal["turns", "least", "shares"]


@dataclass(frozen=True, kw_only=True)
class PipeRow:
    """A pipe: the indices of the stations at its ends and its size."""

    label: str
    upstream: int
    downstream: int
    capacity_bytes: int


@dataclass(frozen=True, kw_only=True)
class InputRow:
    """One input of a station: a pipe, or (``pipe`` None) a file that is always ready; what is expected from it."""

    name: str
    pipe: int | None
    total_bytes: int


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The times at which a source may give its records; ``arrivals`` None: as fast as they are taken.

    ``ceiling_bytes`` ends a source without inputs, ``duration_s`` any; ``rate`` is in records per second. ``states`` of
    ``mmpp`` arrivals are pairs of a rate (records/s) and the mean stay (s) in it.
    """

    arrivals: Literal["even", "poisson", "bursty", "mmpp", "trace"] | None = None
    rate: float = 0.0
    scv: float = 1.0
    times: tuple[float, ...] = ()
    states: tuple[tuple[float, float], ...] = ()
    ceiling_bytes: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class StationRow:
    """A station as the simulation sees it.

    ``order`` is how it reads several inputs: ``"sequence"`` one after the other, ``"lockstep"`` always the one
    of whose total the smallest part was read, waiting for it even if another has data (a merge), ``"ready"``
    whichever has data. ``flush``: what a chunk gave is written at once rather than when a buffer is full.
    ``stop_bytes``: it ends after reading so many although more would come. ``split``: its outputs share what it gives,
    whole chunks in ``"turns"`` or to the one that holds the ``"least"``, or each its part (``"shares"``) of the stream.
    ``adjustable``: what may change while it runs; ``appointments``: at which bytes of the input it does, and to what.
    ``loop`` is the number of the loop that it stands in, ``back`` the places of the inputs of a loop's entry by which
    something comes back. ``yields`` knows what it has given by what it has taken, where that is not in proportion.
    ``group`` is its place in the model's placement, where stations are pinned. ``successors`` are the commands that
    take its place, one after the other; ``turns``: at which bytes of its input that is done behind which output, and
    what that takes (core-seconds); ``among``: when a split that goes by no key gives to how many (``active``).
    """

    index: int
    name: str
    operator: bool
    service: ServiceModel
    flow: Flow
    group: int = 0
    inputs: tuple[InputRow, ...] = ()
    outputs: tuple[int, ...] = ()
    order: Order = "lockstep"
    record_bytes: float = 1.0
    read_bytes: int = 65536
    gather_bytes: int = 0
    write_bytes: int = 4096
    held_bytes: int = 0
    barrier: bool = False
    flush: bool = False
    stop_bytes: int | None = None
    pace: Pace | None = None
    visits: bool = False
    counted: bool = False
    loop: int | None = None
    back: tuple[int, ...] = ()
    yields: StationProfile | None = None
    sinks: int = 0
    split: Split | None = None
    shares: tuple[float, ...] = ()
    adjustable: Program | None = None
    appointments: tuple[Appointment, ...] = ()
    successors: tuple[StationRow, ...] = ()
    turns: tuple[tuple[int, int, float], ...] = ()
    among: tuple[Appointment, ...] = ()

    def records_in(self, taken: int) -> int:
        """Return how many whole records the first so many bytes read are."""
        return taken * self.flow.records_in // self.flow.bytes_in if self.flow.bytes_in else 0

    def records_out(self, given: int) -> int:
        """Return how many whole records the first so many bytes written are."""
        return given * self.flow.records_out // self.flow.bytes_out if self.flow.bytes_out else 0

    def first_bytes(self, records: int) -> int:
        """Return how many bytes the first so many records written are."""
        return -(-records * self.flow.bytes_out // self.flow.records_out) if self.flow.records_out else 0


@dataclass(frozen=True, kw_only=True)
class Model:
    """The whole table: stations (sources are those with a pace), pipes and the host.

    A station with several servers has a row for each; ``servers`` names those of every station that somebody wrote.
    """

    stations: tuple[StationRow, ...]
    pipes: tuple[PipeRow, ...]
    host: HostProfile
    placement: Placement | None = None
    servers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    steering: tuple[Seat, ...] = ()
    told: tuple[Told, ...] = ()

    @property
    def sources(self) -> tuple[StationRow, ...]:
        """The stations that records come from."""
        return tuple(row for row in self.stations if row.pace is not None)

    @property
    def random(self) -> bool:
        """Whether two replications can differ."""
        return any(_is_random(row) for row in self.stations)

    def expected_s(self) -> float:
        """Return about how long a run takes at least (s): the busiest station alone, all on the cores, or the load."""
        work = [_demand(row) for row in self.stations]
        waiting = [row.service.waiting_per_byte * row.flow.bytes_in for row in self.stations]
        loads = [_load_s(row) for row in self.stations]
        cores = min(self.host.available_cores, float(len(work)))
        alone = max(one + other for one, other in zip(work, waiting, strict=True))
        duration = min((row.pace.duration_s for row in self.sources if row.pace and row.pace.duration_s), default=None)
        expected = max(sum(work) / cores, alone, *loads)
        return expected if duration is None else min(expected, duration)


def compile_model(
    scenario: Scenario,
    profile: Profile | None,
    host: HostProfile | None = None,
    *,
    replay: Replay | None = None,
) -> Model:
    """Compile a scenario and its profile to the table that the simulation runs.

    Parameters
    ----------
    profile : what was measured; stations that it lacks must be declared in the scenario.
    host : the machine, where it is not to follow from the profile and the scenario's cores.
    replay : what a real run was told, to be done again; the scenario's controllers rest then.

    Raises
    ------
    ProfileError : a station is neither measured nor declared, or it is not known how much a source gives.
    ModelError : the scenario has something that no simulation can run yet.

    >>> from streamsim.loading import load
    >>> scenario = load({"sources": {"make": {"command": "seq 9"}}, "stations": {"half": {"command": "cut -c1"}},
    ...                  "service": {"make": {"bytes": 100}, "half": {"selectivity": 0.5}}})
    >>> [(row.name, row.flow.bytes_in, row.flow.bytes_out) for row in compile_model(scenario, None).stations]
    [('make', 0, 100), ('half', 100, 50)]
    """
    scenario, profile = joined(scenario, profile)
    profiles = effective_profiles(scenario, profile)
    refuse_records(profiles, "simulated by chunks")
    refuse_disciplines(profiles, "simulated by chunks")
    servers = servers_of(expand(scenario.circuit))
    if any(len(names) > 1 for names in servers.values()):
        scenario = msgspec.structs.replace(scenario, circuit=expand(scenario.circuit))
        profiles = {one: share_of(profiles[name], len(names)) for name, names in servers.items() for one in names}
    flows = totals(scenario, profiles)
    stations = scenario.circuit.stations
    places = {station.name: index for index, station in enumerate(stations)}
    pipes = tuple(
        PipeRow(
            label=pipe.label,
            upstream=places[pipe.upstream],
            downstream=places[pipe.downstream],
            capacity_bytes=max(PAGE, pipe.capacity_bytes),
        )
        for pipe in scenario.circuit.pipes
    )
    loops = {name: number for number, loop in enumerate(scenario.circuit.loops()) for name in loop}
    machine = _host(host or host_for(scenario, profile))
    placement = placement_of(scenario.circuit, machine.cores)
    group = placement.group if placement is not None else dict.fromkeys(places, 0)
    rows = tuple(
        _station_row(scenario, profiles, flows, station, index, pipes, loops, group[station.name])
        for index, station in enumerate(stations)
    )
    model = Model(stations=rows, pipes=pipes, host=machine, placement=placement, servers=servers)
    from streamsim.models.steering import steered

    return steered(model, scenario, profiles, replay)


def _station_row(
    scenario: Scenario,
    profiles: Mapping[str, StationProfile],
    flows: Mapping[str, Flow],
    station: Station,
    index: int,
    pipes: tuple[PipeRow, ...],
    loops: Mapping[str, int],
    group: int,
) -> StationRow:
    profile, name = profiles[station.name], station.name
    loop = loops.get(name)
    stations = scenario.circuit.stations
    outputs = tuple(number for number, pipe in enumerate(pipes) if pipe.upstream == index)
    _check(station, profile, outputs)
    by_name = {scenario.circuit.pipes[k].source: k for k, pipe in enumerate(pipes) if pipe.downstream == index}
    offered = input_bytes(scenario, profiles, flows, name)
    inputs = [InputRow(name=key, pipe=by_name.get(key), total_bytes=size) for key, size in offered.items()]
    order = reading_order(station)
    if order == "sequence" and station.command is not None:
        inputs.sort(key=lambda row: _position(station, row.name))
    return StationRow(
        index=index,
        name=name,
        operator=station.operator is not None,
        service=profile.service,
        flow=flows[name],
        group=group,
        inputs=tuple(inputs),
        outputs=outputs,
        order=order,
        record_bytes=profile.record_bytes,
        read_bytes=max(1, round(profile.read_bytes)),
        gather_bytes=round(profile.gather_bytes),
        write_bytes=max(1, round(profile.write_bytes)),
        held_bytes=round(profile.held_bytes),
        barrier=profile.barrier,
        flush=station.operator is not None or loop is not None,
        stop_bytes=early_end(scenario, profiles, name),
        pace=_pace(scenario, profile, station),
        visits=station.operator is not None or scenario.open,
        sinks=len(scenario.circuit.sinks_of(name)),
        split=_split(station, outputs),
        shares=_shares(scenario.circuit, profile, station, outputs),
        counted=profile.records_in is not None or profile.records_out is not None,
        loop=loop,
        back=tuple(
            place
            for place, row in enumerate(inputs)
            if station.role == "loop"
            and row.pipe is not None
            and loops.get(stations[pipes[row.pipe].upstream].name) == loop
        ),
        yields=profile if profile.yields else None,
    )


def _check(station: Station, profile: StationProfile, outputs: tuple[int, ...]) -> None:
    if len(outputs) > 1 and station.role not in ("copy", "split") and not station.ports:
        raise ModelError(f"station {station.name!r}: only a copy has several outputs, this has {len(outputs)}")
    service = profile.service
    numbers = [getattr(service, key) for key in ("setup", "per_record", "per_byte", "startup", "finish")]
    if min(numbers) < 0 or profile.record_bytes <= 0:
        raise ModelError(f"station {station.name!r}: a demand below 0, or records of no bytes: {service}")


_SPLITS: Mapping[str, Split] = {"round-robin": "turns", "least-loaded": "least", "key": "shares"}


def _split(station: Station, outputs: tuple[int, ...]) -> Split | None:
    if len(outputs) < 2 or station.role == "copy":
        return None
    if station.ports:
        return "shares"
    # `partition` without a word of its own goes round.
    by = str(station.parameters.get("by", "round-robin"))
    return None if by == "copy" else _SPLITS.get(by, "shares")


def _shares(circuit: Circuit, profile: StationProfile, station: Station, outputs: tuple[int, ...]) -> tuple[float, ...]:
    if _split(station, outputs) is None:
        return ()
    parts = shares(circuit, profile, station.name)
    return tuple(parts[circuit.pipes[number].label] for number in outputs)


def _position(station: Station, name: str) -> int:
    """Return where a command names an input; its standard input stands where a lone ``-`` does, else first."""
    labels = dict(zip(station.inputs, station.labels or station.inputs, strict=True))
    command = str(station.command)
    place = command.find(f"{{{labels[name]}}}")
    if place < 0 and (dash := re.search(r"(?<=\s)-(?=\s|$)", command)):
        place = dash.start()
    return place


def _pace(scenario: Scenario, profile: StationProfile, station: Station) -> Pace | None:
    if station.role != "source":
        return None
    load, name = scenario.load_of(station.name), station.name
    if load.arrivals == "closed":
        raise ModelError(
            f"source {name!r}: a closed load counts records in flight, and chunks are no records; "
            "the record-level engines simulate it"
        )
    ceiling = source_ceiling(scenario, profile, name)
    if not load.open:
        return Pace(ceiling_bytes=ceiling, duration_s=load.duration_s)
    trace = load.arrivals == "trace"
    rate = 0.0 if trace else record_rate(scenario, profile, name)
    return Pace(
        arrivals=load.arrivals,
        rate=rate,
        scv=load.scv,
        states=tuple((state.share * rate, state.stay_s) for state in load.states),
        times=tuple(arrival_times(scenario, name).tolist()) if trace else (),
        ceiling_bytes=ceiling,
        duration_s=load.duration_s,
    )


def _host(host: HostProfile) -> HostProfile:
    if host.available_cores <= 0 or host.cores < 1 or not host.speed or min(host.speed) <= 0:
        raise ModelError(
            f"nothing can run on {host.available_cores:g} available of {host.cores} cores of the speeds {host.speed}"
        )
    return host


def _is_random(row: StationRow) -> bool:
    if row.pace is not None and row.pace.arrivals in RANDOM_ARRIVALS:
        return True
    service = row.service
    drawn = not service.curve and service.setup + service.per_record + service.per_byte > 0
    return drawn and service.distribution.family != "deterministic"


def _demand(row: StationRow) -> float:
    """The work of a station in a whole run, if every chunk is as large as can be."""
    flow, service = row.flow, row.service
    reads = bool(row.inputs)
    records, size = (flow.records_in, flow.bytes_in) if reads else (flow.records_out, flow.bytes_out)
    chunks = -(-size // (row.read_bytes if reads else row.write_bytes))
    moving = service.setup * chunks + service.per_record * records + service.per_byte * size
    return service.startup + moving + service.finish + service.output_per_byte * flow.bytes_out


def _load_s(row: StationRow) -> float:
    pace = row.pace
    if pace is None or pace.arrivals is None:
        return 0.0
    return pace.times[-1] if pace.times else row.flow.records_out / pace.rate if pace.rate else 0.0
