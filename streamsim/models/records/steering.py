"""Controllers of a simulated run: the very policies of real runs, asked at their periods, told of what is simulated."""

from __future__ import annotations

import math
from typing import Any

from streamsim.errors import ModelError
from streamsim.models.records import layout as at
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.states import SHED
from streamsim.models.records.table import Command, Steering
from streamsim.policies.base import Observation, Sight


class _Seat:
    def __init__(self, row: Steering) -> None:
        self.row, self.due = row, 0.0
        self.memory: Any = row.policy.start()


class Steered:
    """A simulation of a table with controllers, by either engine.

    A controller decides at the multiples of its period, before whatever else happens then; of several at one
    moment, in their order. ``commands`` are what they did.
    """

    def __init__(self, engine: Interpreter | Kernel) -> None:
        self.engine, self.table = engine, engine.table
        self._seats = [_Seat(row) for row in self.table.steering]
        self._places = {row.name: number for number, row in enumerate(self.table.stations)}
        self.commands: list[Command] = []

    def run(self, until_s: float = math.inf, exits: int | None = None) -> bool:
        """Run all that happens before a time, or until so many records have left; whether more is to come."""
        while True:
            seat = min(self._seats, key=lambda one: one.due)
            more = self.engine.run(min(until_s, seat.due), exits)
            if not more or (exits is not None and self.engine.exited >= exits) or seat.due >= until_s:
                return more
            self._decide(seat)
            seat.due += seat.row.period_s

    def _decide(self, seat: _Seat) -> None:
        sights = {name: self._look(self._places[name]) for name in seat.row.policy.watched()}
        seat.memory, commands = seat.row.policy.decide(seat.memory, Observation(seat.due, sights))
        for command in commands:
            for name, value in command.parameters.items():
                if name != "probability":
                    raise ModelError(
                        f"controller {seat.row.name!r} sets {name!r} of {command.station!r}: only a probability can be "
                        "changed in a simulation"
                    )
                weights = (float(value), 1.0 - float(value))
                done = Command(time_s=seat.due, target=command.station, parameter="weights", value=weights)
                self.commands.append(done)
                self.engine.apply(done)

    def _look(self, station: int) -> Sight:
        inputs = self.table.inputs(station)
        taken, given = self._counts(station)
        # What was let fall is given too, but not to the next station.
        shed = self._places.get(f"{self.table.stations[station].name}{SHED}")
        lost = 0
        if shed is not None:
            lost = self._counts(shed)[0] + sum(self._level(pipe) for pipe in self.table.inputs(shed))
        return Sight(
            records_in=taken,
            records_out=given - lost,
            waiting_bytes=sum(self._level(pipe) for pipe in inputs),
            capacity_bytes=sum(self.table.pipes[pipe].capacity or 0 for pipe in inputs),
        )

    def _counts(self, station: int) -> tuple[int, int]:
        """Return how many records a station has taken and given."""
        if isinstance(self.engine, Interpreter):
            state = self.engine.stations[station]
            return state.taken, state.given
        handle = self.engine.stations[station]
        return self.engine.cell(handle, at.TAKEN), self.engine.cell(handle, at.GIVEN)

    def _level(self, pipe: int) -> int:
        """Return what a pipe holds."""
        if isinstance(self.engine, Interpreter):
            return self.engine.pipes[pipe].level
        return self.engine.cell(self.engine.pipes[pipe], at.LEVEL)
