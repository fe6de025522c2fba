"""The hosts of a table of records: all cores, or one for each set of cores that stations are pinned to."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from streamsim.circuit import Circuit
from streamsim.errors import ModelError
from streamsim.models.records.table import Host
from streamsim.placement import Group, Placement, label_of, placement_of
from streamsim.service import HostProfile

MACHINE = "host"
"""The name of the cores that all stations share which have none of their own."""


class Hosts(NamedTuple):
    """The hosts of a table, which of them each station works on, who may use which core, and what that leaves out."""

    hosts: tuple[Host, ...]
    place: dict[str, int]
    placement: Placement | None = None
    notes: tuple[str, ...] = ()


def hosts_of(circuit: Circuit, machine: HostProfile, working: Collection[str]) -> Hosts:
    """Return the hosts that the working stations of a circuit share.

    Raises ModelError where stations share some of their cores and not all: then they progress at different rates, and a
    host of records has one clock for all its tasks.

    >>> from streamsim.circuit import Station
    >>> two = Circuit((Station(name="a", cores=(0,)), Station(name="b", cores=(1,)), Station(name="sink")))
    >>> found = hosts_of(two, HostProfile(cores=2, available_cores=2.0), {"a", "b"})
    >>> [host.name for host in found.hosts], found.place
    (['cores 0', 'cores 1'], {'a': 0, 'b': 1})
    """
    placement = placement_of(circuit, machine.cores)
    names = [station.name for station in circuit.stations if station.name in working]
    if placement is None or not names:
        return Hosts((Host(name=MACHINE, profile=machine),), dict.fromkeys(names, 0))
    groups = {name: placement.of(name) for name in names}
    blocks = list(dict.fromkeys(group.cores for group in groups.values()))
    _refuse(groups)
    used = sum(len(cores) for cores in blocks)
    profiles = [
        machine
        if len(cores) == machine.cores
        else msgspec.structs.replace(
            machine,
            cores=len(cores),
            available_cores=len(cores) * min(1.0, machine.available_cores / used),
            speed=machine.speed[: len(cores)],
        )
        for cores in blocks
    ]
    notes = []
    if len(blocks) > 1 and len(set(machine.speed)) > 1:
        notes.append("record by record, each core is as fast as if only those of its pins were busy")
    hosts = tuple(
        Host(name=MACHINE if len(cores) == machine.cores else label_of(cores), profile=one)
        for cores, one in zip(blocks, profiles, strict=True)
    )
    return Hosts(hosts, {name: blocks.index(group.cores) for name, group in groups.items()}, placement, tuple(notes))


def _refuse(groups: dict[str, Group]) -> None:
    for name, (cores, weight) in groups.items():
        for other, (others, heavy) in groups.items():
            if cores != others and cores & others:
                what = f"{name!r} and {other!r} share some of the cores that they may use, and not all"
            elif cores == others and weight != heavy:
                what = f"{name!r} and {other!r} share cores, and differ in niceness"
            else:
                continue
            raise ModelError(
                f"{what}, which cannot be simulated record by record; by chunks it can (simulate.grain = 'chunks', "
                "no --engine)"
            )
