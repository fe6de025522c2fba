"""What a real run was told, done again record by record: pauses, and other numbers of servers for a keyed station.

Both are a matter of time, so no record has to know at which byte it stands. What has a place in the data, and what is
about bytes in pipes or shares of cores, is done again by chunks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from streamsim.adjustable import Replay, Timed
from streamsim.circuit import Circuit
from streamsim.errors import ModelError
from streamsim.models.records.check import check
from streamsim.models.records.table import Command, Table

_BY_CHUNKS = "simulate by chunks (simulate.grain = 'chunks', no --engine)"


def told(table: Table, circuit: Circuit, replay: Replay) -> Table:
    """Return the table with the control messages by which it does again what was recorded.

    ``circuit`` is the expanded one. While keys of a ``scale`` move its split gives nothing; what its servers still have
    to work on meanwhile is not waited for.

    Raises ModelError naming the station, where that cannot be done to records.
    """
    for name in (*replay.placed, *(turn.station for turn in replay.turns)):
        raise ModelError(
            f"what was recorded of {name!r} is done at a byte of its input, and records have none; {_BY_CHUNKS}"
        )
    found: list[Command] = []
    paused: dict[str, float] = {}
    for one in sorted(replay.timed, key=lambda one: one.time_s):
        if one.what == "scale":
            found += _scale(one, table, circuit)
            continue
        if one.what not in ("pause", "resume"):
            raise ModelError(
                f"{one.what} of {one.station!r} cannot be simulated record by record: of a recording pauses can, and "
                f"other numbers of servers for a keyed station; {_BY_CHUNKS}"
            )
        number = _row_of(one, table)
        row = table.stations[number]
        if not table.inputs(number):
            raise ModelError(f"{one.what} of {one.station!r} cannot be simulated: it reads nothing")
        if one.what == "pause":
            paused.setdefault(row.name, one.time_s)
        else:
            paused.pop(row.name, None)
        found.append(_servers(one.time_s, row.name, 0 if one.what == "pause" else table.servers(number)))
    for name, time_s in paused.items():
        raise ModelError(f"{name!r} is paused at {time_s:g} s and never resumed in the recording: it would never end")
    return check(replace(table, commands=tuple(sorted(found, key=lambda command: command.time_s))))


def _row_of(one: Timed, table: Table) -> int:
    for number, row in enumerate(table.stations):
        if one.station in (row.name, *row.name.split("+")):
            return number
    raise ModelError(
        f"the recording has a {one.what} of {one.station!r}, which no server of this simulation is called "
        f"(there are {', '.join(row.name for row in table.stations)})"
    )


def _scale(one: Timed, table: Table, circuit: Circuit) -> Sequence[Command]:
    name = f"{one.station}.split"
    number = next((number for number, row in enumerate(table.stations) if row.name == name), None)
    keyed = any(station.name == name and station.parameters.get("by") == "key" for station in circuit.stations)
    if number is None or not keyed or table.stations[number].split != "drawn":
        raise ModelError(f"scale of {one.station!r} cannot be simulated: it has not several servers and a split by key")
    weights = table.stations[number].weights
    if not 1 <= one.size <= len(weights):
        raise ModelError(f"scale of {one.station!r}: it has {len(weights)} servers here, not {one.size}")
    even = tuple(1.0 / one.size if place < one.size else 0.0 for place in range(len(weights)))
    value = weights if one.size == len(weights) else even
    begin_s = one.time_s + one.ready_s
    end_s = begin_s + one.moving_s
    other = Command(time_s=end_s, target=name, parameter="weights", value=value)
    return [other] if end_s == begin_s else [_servers(begin_s, name, 0), other, _servers(end_s, name, 1)]


def _servers(time_s: float, name: str, count: int) -> Command:
    return Command(time_s=time_s, target=name, parameter="servers", value=float(count))
