"""What a real run was told, done again in a simulation: other parameters and programs at bytes, the rest at times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from simpy.events import Event

from streamsim.adjustable import Change, Known, Passing, Replay, Timed
from streamsim.circuit import Circuit
from streamsim.errors import ModelError
from streamsim.models.clock import Clock
from streamsim.models.rescaling import Rescaling
from streamsim.models.server import Server
from streamsim.models.station import Reader, Station
from streamsim.models.table import Model, StationRow
from streamsim.placement import Place, placement_of
from streamsim.programs import Appointment, appointments
from streamsim.service import StationProfile

_READS = ("pause", "resume", "pipe")
"""What is done to a station that reads."""


class Told(NamedTuple):
    """One command and whom it is for, by the place in the table; ``group``: whose cores it shares from then on."""

    command: Timed
    row: int
    group: int = 0


def changing(
    rows: Sequence[StationRow], circuit: Circuit, profiles: Mapping[str, StationProfile], replay: Replay
) -> tuple[StationRow, ...]:
    """Return the rows with what changes of each at bytes of its input.

    Raises ModelError naming the station that is not there, or of whose new program nothing is known.
    """
    own = [Known(circuit.station(row.name), profiles[row.name]) for row in rows if row.name in profiles]
    found = list(rows)
    for name, changes in replay.placed.items():
        index = next((row.index for row in rows if row.name == name), None)
        if index is None:
            joint = next((row.name for row in rows if name in row.name.split("+")), None)
            why = f"it shares the process {joint!r}" if joint else f"there is no such station ({_names(rows)})"
            raise ModelError(f"what was recorded of {name!r} cannot be simulated: {why}")
        row = rows[index]
        if row.pace is not None or not row.inputs or row.back or row.loop is not None:
            what = "stands in a loop" if row.loop is not None else "is a source"
            raise ModelError(f"what was recorded of {name!r} cannot be simulated: it {what}")
        if row.split in ("turns", "least"):
            found[index] = replace(row, among=_among(name, changes))
            continue
        due = appointments(circuit.station(name), profiles[name], changes, [*own, *replay.known])
        can = row.adjustable or Passing(gives=row.flow.bytes_out / row.flow.bytes_in if row.flow.bytes_in else 1.0)
        found[index] = replace(row, adjustable=can, appointments=due)
    return tuple(found)


def _among(name: str, changes: Sequence[Change]) -> tuple[Appointment, ...]:
    """Return when a split gives to how many of its outputs; raises ModelError where it is told something else."""
    for one in changes:
        if one.operator is not None or set(one.parameters) != {"active"}:
            raise ModelError(f"what was recorded of {name!r} cannot be simulated: of a split only 'active' can")
    return tuple(Appointment(one.byte, one.parameters, one.work_s) for one in sorted(changes, key=lambda one: one.byte))


def _names(rows: Sequence[StationRow]) -> str:
    return f"there are {', '.join(row.name for row in rows)}"


def told(model: Model, circuit: Circuit, timed: Sequence[Timed]) -> Model:
    """Return the model in which a real run's commands are done again, each at its time.

    Raises ModelError naming the station that is not there, or to which that cannot be done in a simulation.
    """
    found = [Told(one, _row_of(one, model, circuit).index) for one in timed]
    places: list[Place] = []
    now = {one.name: Place(one.name, one.cores, one.niceness) for one in circuit.stations}
    for command, row, _ in found:
        name = model.stations[row].name
        if command.what == "niceness":
            now[name] = now[name]._replace(niceness=command.size)
        elif command.what == "cores":
            now[name] = now[name]._replace(cores=command.cores)
        places.append(now[name])
    placement = placement_of(circuit, model.host.cores, later=places)
    if placement is None:
        return replace(model, told=tuple(found))
    rows = tuple(replace(row, group=placement.group[row.name]) for row in model.stations)
    moved = tuple(one._replace(group=placement.at(place)) for one, place in zip(found, places, strict=True))
    return replace(model, stations=rows, placement=placement, told=moved)


def _row_of(one: Timed, model: Model, circuit: Circuit) -> StationRow:
    """Return whom it is for: of stations that share a process, that process."""
    name = one.station
    if one.what == "scale":
        servers = model.servers.get(name, ())
        if len(servers) < 2 or circuit.station(f"{name}.split").parameters.get("by") != "key":
            raise ModelError(f"scale of {name!r} cannot be simulated: it has not several servers and a split by key")
        if not 1 <= one.size <= len(servers):
            raise ModelError(f"scale of {name!r}: it has {len(servers)} servers here, not {one.size}")
        name = f"{name}.split"
    row = next((row for row in model.stations if name in (row.name, *row.name.split("+"))), None)
    if row is None:
        raise ModelError(
            f"the recording has a {one.what} of {one.station!r}, which no server of this simulation is called "
            f"({_names(model.stations)})"
        )
    if one.what in _READS and (not row.inputs or row.back or row.loop is not None):
        what = "reads nothing" if not row.inputs else "stands in a loop"
        raise ModelError(f"{one.what} of {one.station!r} cannot be simulated: it {what}")
    return row


def repeat(model: Model, clock: Clock, servers: Sequence[Server]) -> None:
    """Have all that the run was told be done at its time, before whatever else happens at that instant."""
    by_name = {server.row.name: server for server in servers}
    order = {entry.pipe: server.row.order for server in servers for entry in server.row.inputs}
    for server in servers:
        for appointment in server.row.among:
            assert isinstance(server, Station), "a split reads"
            server.turns.append((appointment.byte, partial(_share_among, server, appointment)))
    for one in model.told:
        if one.command.what == "scale":
            members = [by_name[name] for name in model.servers[one.command.station]]
            behind = [
                channel
                for server in members
                for channel, pipe in zip(server.outputs, server.row.outputs, strict=True)
                if order[pipe] == "ready"
            ]
            Rescaling(one.command, servers[one.row], members, behind)
        else:
            if one.command.work_s:
                clock.at(max(0.0, one.command.time_s - one.command.work_s), 0, partial(_ask, one, servers[one.row]))
            clock.at(one.command.time_s, 0, partial(_do, one, servers[one.row]))


def _share_among(server: Station, appointment: Appointment) -> None:
    active = appointment.change["active"] if isinstance(appointment.change, dict) else 0
    server.among = active or len(server.outputs)
    server.owe(appointment.work_s)


def _ask(one: Told, server: Server, event: Event) -> None:
    """Let a server begin with what the command takes: it is done when that is."""
    if isinstance(server, Station) and server.ended_s is None:
        server.owe(one.command.work_s)
        server.clock.hand_over()


def _do(one: Told, server: Server, event: Event) -> None:
    what = one.command.what
    if what == "pipe":
        for channel in server.inputs:
            channel.resize(one.command.size)  # as in a real run: what is full cannot shrink
    elif what in ("niceness", "cores"):
        server.clock.cores.move(server, one.group)
    elif isinstance(server, Reader) and server.ended_s is None:
        server.hold(paused=what == "pause")
    server.clock.hand_over()
