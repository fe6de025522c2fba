"""Commands that take the place of others while a simulation runs, as `real/replacing.py` does it.

The station before turns to a new pipe at a byte of its input. The old command works on what is in the old pipe, ends as
at the end of its input, and writes what it still has; then the new one starts and reads the new pipe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from streamsim.adjustable import Known, Replay
from streamsim.circuit import Circuit
from streamsim.errors import ModelError
from streamsim.models.clock import Clock
from streamsim.models.pipe import Channel
from streamsim.models.random import chunk_factors
from streamsim.models.server import Server, Steps
from streamsim.models.station import Port, Station
from streamsim.models.table import Model, StationRow
from streamsim.programs import profile_of_command
from streamsim.service import StationProfile
from streamsim.traffic import Flow

_MANY = 1e12
"""Bytes of the stream that ratios are taken from: whole numbers, so large that none of them is lost."""


class Replaced(Station):
    """A station that other commands follow: its row says which."""

    def __init__(
        self,
        row: StationRow,
        clock: Clock,
        inputs: list[Channel],
        outputs: list[Channel],
        rng: np.random.Generator,
    ) -> None:
        super().__init__(row, clock, inputs, outputs, rng)
        self.later = deque(row.successors)
        self.fresh: deque[Channel] = deque()
        """The pipes that have been turned to, and not yet been read."""
        self._draw = rng.spawn(1)[0]
        self._taken = self._given = 0

    def steps(self) -> Steps:
        """Live; then live again as what follows, as often as the station before has turned."""
        yield from super().steps()
        while self.fresh:
            channel = self.fresh.popleft()
            self.row = row = self.later.popleft()
            self.service, self.curve = row.service, None
            self.factor, self.threads = chunk_factors(row.service, self._draw), max(1.0, row.service.threads)
            self._taken, self._given = self.bytes_in, self.bytes_out
            self.inputs[:] = [channel]
            self.ports = [Port(channel, self.ports[0].total)]
            yield from super().steps()

    def _produced(self, taken: int) -> int:
        return self._given + super()._produced(taken - self._taken)


def replaced(
    model: Model, circuit: Circuit, profiles: Mapping[str, StationProfile], replay: Replay
) -> tuple[StationRow, ...]:
    """Return the rows in which commands follow others as in a recording.

    Raises ModelError naming a station that cannot be replaced, or a command of which nothing is known.
    """
    own = [Known(circuit.station(row.name), profiles[row.name]) for row in model.stations if row.name in profiles]
    rows = list(model.stations)
    places = {row.name: row.index for row in rows}
    for turn in replay.turns:
        said = f"swap of {turn.station!r} cannot be simulated"
        for name in (turn.station, turn.behind):
            if name not in places:
                raise ModelError(f"{said}: no process here is {name!r} alone (there are {', '.join(places)})")
        old, before = rows[places[turn.station]], rows[places[turn.behind]]
        if old.operator or old.pace is not None or old.loop is not None or len(old.inputs) != 1:
            raise ModelError(f"{said}: it is no Unix command that reads one pipe and stands in no loop")
        pipe = old.inputs[0].pipe
        if pipe not in before.outputs or before.pace is not None or not before.operator or before.gather_bytes:
            raise ModelError(f"{said}: {turn.behind!r} is no operator that reads something and writes to it")
        profile = profile_of_command(turn.command, [*own, *replay.known])
        if profile is None:
            raise ModelError(
                f"{turn.station!r} becomes {turn.command!r} in the recording, and no profile says what that needs and "
                "gives: measure a circuit with such a station, and name its scenario with --programs"
            )
        rows[old.index] = replace(old, successors=(*old.successors, _row(old, profile)))
        rows[before.index] = replace(
            before, turns=(*before.turns, (turn.byte, before.outputs.index(pipe), turn.work_s))
        )
    return tuple(rows)


def _row(old: StationRow, profile: StationProfile) -> StationRow:
    """Return the row of a station that runs another command."""
    records = _MANY * old.flow.records_in / old.flow.bytes_in if old.flow.bytes_in else 0.0
    gives = profile.records_out / profile.records_in if profile.records_in and profile.records_out is not None else 1.0
    amounts = _MANY, _MANY * profile.selectivity, records, records * gives
    return replace(
        old,
        service=profile.service,
        flow=Flow(*map(round, amounts)),
        read_bytes=max(1, round(profile.read_bytes)),
        gather_bytes=round(profile.gather_bytes),
        write_bytes=max(1, round(profile.write_bytes)),
        held_bytes=round(profile.held_bytes),
        barrier=profile.barrier,
        yields=profile if profile.yields else None,
        stop_bytes=None,
        successors=(),
    )


def arrange(servers: Sequence[Server], channels: list[Channel]) -> None:
    """Have the stations turn to new pipes where their rows say so."""
    readers = {server.row.inputs[0].pipe: server for server in servers if isinstance(server, Replaced)}
    for server in servers:
        if isinstance(server, Station):
            for byte, place, work_s in server.row.turns:
                number = server.row.outputs[place]
                server.turns.append((byte, partial(_turn, server, work_s, place, readers[number], channels, number)))


def _turn(writer: Station, work_s: float, place: int, reader: Replaced, channels: list[Channel], number: int) -> None:
    writer.owe(work_s)
    old = channels[number]
    channels[number] = fresh = Channel(old.label, old.capacity_bytes)
    writer.outputs[place] = fresh
    reader.fresh.append(fresh)
    old.end()
