"""Which cores each station may use, and with what weight: fair shares of cores of which not all may use each. Pure.

A station's ``cores`` pin its servers, its ``niceness`` lowers their weight. What stations can get of the cores is a
polymatroid: whatever they ask for, those that may use the cores K alone get no more than K gives. Every set of cores
that several pins make together is such a limit; they decide what is feasible (Hall's condition; Federgruen and
Groenevelt, "Optimal flows in networks with multiple sources and sinks", Operations Research 34(2), 1986), and filling
up against them is the max-min fair share (Bertsekas and Gallager, "Data Networks", 2nd edition, section 6.5.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from streamsim.circuit import Circuit
from streamsim.errors import ModelError

HOST = "host"
"""What results call all cores together."""
CORES = "cores "
"""How the name of cores begins that stations are pinned to, such as ``"cores 0, 1"``."""
MOST_LIMITS = 4096
FULL = 1e-12

WEIGHTS = (
    *(88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916),
    *(9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277),
    *(1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15),
)
"""What a niceness of -20 … 19 weighs (Linux, kernel/sched/core.c, ``sched_prio_to_weight``)."""


def label_of(cores: Iterable[int]) -> str:
    """Return what results call some cores.

    >>> label_of({2, 0})
    'cores 0, 2'
    """
    return f"{CORES}{', '.join(map(str, sorted(cores)))}"


class Group(NamedTuple):
    """Stations that may use the same ``cores`` with the same ``weight`` (1 at niceness 0)."""

    cores: frozenset[int]
    weight: float


class Place(NamedTuple):
    """Where a station is put while it runs: the CPUs that it may use (none: all), and its niceness (-20 to 19)."""

    station: str
    cores: tuple[int, ...]
    niceness: int

    def group(self, everywhere: frozenset[int]) -> Group:
        """Return what it shares cores by; niceness 0 weighs 1."""
        return Group(frozenset(self.cores) or everywhere, WEIGHTS[self.niceness + 20] / WEIGHTS[20])


class Limit(NamedTuple):
    """A set of cores, and the groups (by their place) that may use no other core."""

    cores: tuple[int, ...]
    groups: frozenset[int]

    @property
    def label(self) -> str:
        """What results call it: ``"cores 0, 2"``."""
        return label_of(self.cores)


@dataclass(frozen=True)
class Placement:
    """Which stations may use which of a host's cores.

    ``cores`` are the numbers of its CPUs, ``groups`` what differs between stations, ``group`` the place of each
    station's group, ``limits`` what bounds them, the last one all cores; ``servers`` how many each station has.
    """

    cores: tuple[int, ...]
    groups: tuple[Group, ...]
    group: Mapping[str, int]
    limits: tuple[Limit, ...]
    servers: Mapping[str, int]

    def rooms(self, available_cores: float, sizes: Mapping[int, float] | None = None) -> tuple[float, ...]:
        """Return how many cores each limit gives; what others use is taken from the whole.

        Parameters
        ----------
        sizes : of cores, by their numbers; 1 but where an analysis asks what a little more of some would bring.
        """
        given = sizes or {}
        return tuple(min(sum(given.get(core, 1.0) for core in limit.cores), available_cores) for limit in self.limits)

    def of(self, station: str) -> Group:
        """Return the group of a station."""
        return self.groups[self.group[station]]

    def at(self, place: Place) -> int:
        """Return the group of a station at a place that was among those that this was made for."""
        return self.groups.index(place.group(frozenset(self.cores)))

    def inside(self, limit: Limit) -> tuple[str, ...]:
        """Return the stations that may use no core but those of a limit."""
        return tuple(name for name, place in self.group.items() if place in limit.groups)

    def loads(self, amounts: Mapping[str, float]) -> list[float]:
        """Return what the stations inside each limit ask for together, of the amount that each station asks for."""
        by_group = [0.0] * len(self.groups)
        for name, amount in amounts.items():
            by_group[self.group[name]] += amount
        return [sum(by_group[place] for place in limit.groups) for limit in self.limits]


@dataclass(frozen=True)
class Limits:
    """A placement on cores that give so much: ``rooms`` (cores) of each of its limits."""

    placement: Placement
    rooms: tuple[float, ...]

    def crowding(self, cores: Mapping[str, float]) -> tuple[float, str]:
        """Return how many times as many cores as there are stations ask for, where that is worst, and what is short."""
        asked = self.placement.loads(cores)
        worst = max(range(len(asked)), key=lambda place: (asked[place] / self.rooms[place], place))
        return asked[worst] / self.rooms[worst], self.label(worst)

    def alike(self) -> Limits:
        """Return the same limits for stations that all weigh the same."""
        groups = tuple(group._replace(weight=1.0) for group in self.placement.groups)
        return replace(self, placement=replace(self.placement, groups=groups))

    def most(self, station: str) -> float:
        """Return how many cores a station can have at most."""
        group = self.placement.group[station]
        bounds = zip(self.rooms, self.placement.limits, strict=True)
        return min(room for room, limit in bounds if group in limit.groups)

    def label(self, place: int) -> str:
        """Return what a limit is called as a bottleneck: ``"host"``, ``"cores 0"``, or the one station behind it."""
        return labels(self.placement)[place] or self.placement.inside(self.placement.limits[place])[0]


def placement_of(
    circuit: Circuit,
    cores: int,
    pins: Mapping[str, Sequence[int]] | None = None,
    *,
    later: Sequence[Place] = (),
) -> Placement | None:
    """Return who may use which of so many cores; None where all stations share all of them alike.

    Parameters
    ----------
    pins : the CPUs of stations, in the place of what the circuit says of them; none: all.
    later : where stations are put while they run.

    The numbers of CPUs tell cores apart and mean nothing else: cores that no pin names get the lowest numbers left.

    Raises ModelError where more CPUs are named than there are, or pins overlap in too many ways.

    >>> from streamsim.circuit import Station
    >>> line = Circuit((Station(name="a", cores=(0,)), Station(name="b", cores=(0,)), Station(name="c")))
    >>> found = placement_of(line, 2)
    >>> [(limit.label, found.inside(limit)) for limit in found.limits]
    [('cores 0', ('a', 'b')), ('cores 0, 1', ('a', 'b', 'c'))]
    >>> placement_of(line, 1) is None
    True
    """
    first = [
        Place(one.name, tuple(one.cores if pins is None else pins.get(one.name, ())), one.niceness)
        for one in circuit.stations
    ]
    numbers = _numbers([*first, *later], cores)
    everywhere = frozenset(numbers)
    asked = {one.station: one.group(everywhere) for one in first}
    groups = tuple(dict.fromkeys([*asked.values(), *(one.group(everywhere) for one in later)]))
    if len({group.weight for group in groups}) <= 1 and all(group.cores == everywhere for group in groups):
        return None
    limits = _limits(groups, everywhere)
    place = {name: groups.index(group) for name, group in asked.items()}
    return Placement(numbers, groups, place, limits, {one.name: one.parallelism for one in circuit.stations})


def _numbers(wanted: Sequence[Place], cores: int) -> tuple[int, ...]:
    """Return the numbers of the CPUs: those that pins name, and the lowest others."""
    named = {number for one in wanted for number in one.cores}
    if len(named) > cores:
        names = ", ".join(dict.fromkeys(one.station for one in wanted if one.cores))
        count = f"{cores} core{'s' if cores != 1 else ''}"
        raise ModelError(
            f"the host has {count}, and {names} are pinned to CPUs {', '.join(map(str, sorted(named)))}: "
            f"set host.cores to {len(named)} or more, or pin to fewer"
        )
    others = (number for number in range(cores + len(named)) if number not in named)
    return tuple(sorted([*named, *(next(others) for _ in range(cores - len(named)))]))


def _limits(groups: Sequence[Group], everywhere: frozenset[int]) -> tuple[Limit, ...]:
    """Return the sets of cores that bound somebody: unions of pins that hang together, and all cores.

    A union of sets that share no core bounds nothing that its parts do not.
    """
    pins = {group.cores for group in groups if group.cores != everywhere}
    found, fresh = set(pins), set(pins)
    while fresh:
        fresh = {one | other for one in fresh for other in pins if one & other} - found
        found |= fresh
        if len(found) > MOST_LIMITS:
            raise ModelError(f"the {len(pins)} sets of cores that stations are pinned to overlap in too many ways")
    ordered = sorted(found - {everywhere}, key=lambda some: (len(some), sorted(some)))
    return tuple(
        Limit(tuple(sorted(some)), frozenset(k for k, group in enumerate(groups) if group.cores <= some))
        for some in [*ordered, everywhere]
    )


class Asking(NamedTuple):
    """What progresses at one rate: what it takes of each limit at rate 1, and the most that its rate can be."""

    loads: Sequence[float]
    most: float


class Filled(NamedTuple):
    """The rate of each, and the place of the limit that holds it down; None where it has its most."""

    rates: list[float]
    held_by: list[int | None]


def fill(rooms: Sequence[float], asking: Sequence[Asking]) -> Filled:
    """Raise all rates alike until something is full; go on with those that it does not hold down (max-min fairness).

    Two tasks on a core of their own, and one that may use both cores:

    >>> fill([1.0, 2.0], [Asking([2.0, 2.0], 1.0), Asking([0.0, 1.0], 1.0)]).rates
    [0.5, 1.0]
    """
    rates = [0.0] * len(asking)
    held: list[int | None] = [None] * len(asking)
    left = list(rooms)
    active = list(range(len(asking)))
    while active:
        loads = [sum(asking[k].loads[place] for k in active) for place in range(len(rooms))]
        level = min(asking[k].most for k in active)
        for place, load in enumerate(loads):
            if load > 0:
                level = min(level, max(0.0, left[place]) / load)
        full = {place for place, load in enumerate(loads) if load > 0 and left[place] <= level * load * (1 + FULL)}
        stopped: list[tuple[int, int | None]] = []
        for k in active:
            if asking[k].most <= level:
                stopped.append((k, None))
            else:
                by = next((place for place in sorted(full) if asking[k].loads[place] > 0), None)
                if by is not None:
                    stopped.append((k, by))
        for k, by in stopped:
            rates[k], held[k] = level, by
            left = [room - level * load for room, load in zip(left, asking[k].loads, strict=True)]
        active = [k for k in active if k not in {k for k, _ in stopped}]
    return Filled(rates, held)


def tasks(placement: Placement, counts: Iterable[tuple[int, float, float]]) -> list[Asking]:
    """Return what so many tasks ask for: (group, how many, cores that each can use at once); a rate is by weight."""
    found = []
    for group, count, threads in counts:
        weight = placement.groups[group].weight
        loads = [count * weight if group in limit.groups else 0.0 for limit in placement.limits]
        found.append(Asking(loads, threads / weight))
    return found


def core_shares(
    placement: Placement | None, cpu_s: Mapping[str, float], available_cores: float, span_s: float
) -> dict[str, float]:
    """Return which part is used of all cores (``"host"``), and of each set of cores that several servers are pinned to.

    Parameters
    ----------
    cpu_s : core-seconds of each station within the span (s).

    >>> core_shares(None, {"a": 1.0, "b": 0.5}, 2.0, 1.0)
    {'host': 0.75}
    """
    if span_s <= 0 or available_cores <= 0:
        return {}
    if placement is None:
        return {HOST: sum(cpu_s.values()) / available_cores / span_s}
    loads, rooms = placement.loads(cpu_s), placement.rooms(available_cores)
    return {
        label: load / room / span_s
        for label, load, room in zip(labels(placement), loads, rooms, strict=True)
        if label is not None
    }


def are_cores(name: str) -> bool:
    """Whether a bottleneck of this name is cores, and no station."""
    return name == HOST or name.startswith(CORES)


def beyond(circuit: Circuit, cores: int) -> list[str]:
    """Return a warning for each station that is pinned to a CPU that a host of so many cores may not have.

    >>> from streamsim.circuit import Station
    >>> beyond(Circuit((Station(name="a", cores=(0, 7)),)), 2)
    ["'a' is pinned to CPU 7, but host.cores is 2: models take it for one of these cores, a real run needs a CPU 7"]
    """
    return [
        f"{station.name!r} is pinned to CPU {max(station.cores)}, but host.cores is {cores}: models take it for one of "
        f"these cores, a real run needs a CPU {max(station.cores)}"
        for station in circuit.stations
        if station.cores and max(station.cores) >= cores
    ]


def stations_inside(placement: Placement | None, cores: str, names: Iterable[str]) -> list[str]:
    """Return which of some stations may use no other cores than those that a bottleneck of this name is."""
    if placement is None or cores == HOST:
        return list(names)
    limit = next(one for one in placement.limits if one.label == cores)
    inside = placement.inside(limit)
    return [name for name in names if name in inside]


def labels(placement: Placement) -> list[str | None]:
    """Return what each limit is called as a bottleneck; None where a server alone stands behind it, and is to blame."""
    found: list[str | None] = []
    for limit in placement.limits[:-1]:
        servers = sum(placement.servers[name] for name in placement.inside(limit))
        found.append(limit.label if servers > 1 else None)
    return [*found, HOST]
