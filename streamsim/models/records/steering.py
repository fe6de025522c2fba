"""Controllers of a simulated run: the very policies of real runs, asked at their periods, told of what is simulated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamsim.errors import ModelError
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.pipes import Record
from streamsim.models.records.servers import Server
from streamsim.models.records.states import SHED
from streamsim.models.records.table import Command, Steering, Table
from streamsim.policies.base import Observation, Sight


class _Seat:
    def __init__(self, row: Steering) -> None:
        self.row, self.due = row, 0.0
        self.memory: Any = row.policy.start()


class Steered(Interpreter):
    """A simulation of a table with controllers, in SimPy.

    A controller decides at the multiples of its period, before whatever else happens then; of several at one
    moment, in their order.
    """

    def __init__(self, table: Table, seed: np.random.SeedSequence, *, log: bool = True) -> None:
        super().__init__(table, seed, log=log)
        self._seats = [_Seat(row) for row in table.steering]
        self._places = {station.row.name: station for station in self.stations}
        self.commands: list[Command] = []

    def run(self, until_s: float = math.inf, exits: int | None = None) -> bool:
        while True:
            seat = min(self._seats, key=lambda one: one.due)
            more = super().run(min(until_s, seat.due), exits)
            if not more or (exits is not None and self.exited >= exits) or seat.due >= until_s:
                return more
            self._decide(seat)
            seat.due += seat.row.period_s

    def left(self, server: Server, record: Record) -> None:
        if server.station.row.name.endswith(SHED):
            server.station.given += 1
            record.vanish()
            return
        super().left(server, record)

    def _decide(self, seat: _Seat) -> None:
        sights = {name: self._look(name) for name in seat.row.policy.watched()}
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
                self.apply(done)

    def _look(self, name: str) -> Sight:
        station = self._places[name]
        pipes = [self.pipes[number] for number in self.table.inputs(station.number)]
        # What was let fall is given too, but not to the next station.
        shed = self._places.get(f"{name}{SHED}")
        lost = 0 if shed is None else shed.taken + sum(self.pipes[n].level for n in self.table.inputs(shed.number))
        return Sight(
            records_in=station.taken,
            records_out=station.given - lost,
            waiting_bytes=sum(pipe.level for pipe in pipes),
            capacity_bytes=sum(pipe.row.capacity or 0 for pipe in pipes),
        )
