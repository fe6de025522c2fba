"""Controllers of a simulation by chunks: the very policies of real runs, asked at their periods.

They see what a real controller sees: counters as they were after the last chunk, and what stands in pipes now. They
decide before whatever else happens at that instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simpy.events import Event

from streamsim.adjustable import Replay, adjustable
from streamsim.errors import ModelError
from streamsim.models.adjusting import Adjusted
from streamsim.models.clock import Clock
from streamsim.models.repeating import changing, told
from streamsim.models.replaced import replaced
from streamsim.models.server import Server
from streamsim.models.station import Station
from streamsim.models.table import Model
from streamsim.policies import make
from streamsim.policies.base import Observation, Policy, Sight
from streamsim.scenario import Scenario
from streamsim.service import StationProfile
from streamsim.trace import Done

PIPE = "pipe"
"""The parameter that every station has: how much its input pipes hold."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A controller: a policy that is asked at each multiple of its period (s)."""

    name: str
    policy: Policy
    period_s: float


def steered(
    model: Model,
    scenario: Scenario,
    profiles: Mapping[str, StationProfile],
    replay: Replay | None,
) -> Model:
    """Return the model with its controllers, or with what is done again instead of them.

    Raises ModelError naming the controller, or the station, where what changes has no counterpart in a simulation.
    """
    controllers = scenario.controllers if replay is None else {}
    seats = tuple(
        Seat(name=name, policy=make(one.policy, one.parameters), period_s=one.period_s)
        for name, one in controllers.items()
    )
    can = {
        row.name: adjustable(scenario.circuit.station(row.name), profiles[row.name])
        for row in model.stations
        if row.pace is None and row.name in profiles
    }
    for seat in seats:
        place = seat.policy.watched()[0]
        if seat.policy.changes != PIPE and can.get(place) is None:
            raise ModelError(
                f"controller {seat.name!r} changes the {seat.policy.changes} of {place!r}: a simulation can change "
                "pipes, what a 'sample' keeps, and the order of a 'cascade' whose filters were measured"
            )
    rows = tuple(replace(row, adjustable=can.get(row.name)) for row in model.stations)
    if replay is not None:
        rows = changing(rows, scenario.circuit, profiles, replay)
        rows = replaced(replace(model, stations=rows), scenario.circuit, profiles, replay)
    model = replace(model, stations=rows, steering=seats)
    return model if replay is None else told(model, scenario.circuit, replay.timed)


class Steering:
    """The controllers of one simulation; ``done`` is what they did."""

    def __init__(self, model: Model, clock: Clock, servers: Sequence[Server]) -> None:
        self.clock, self.done = clock, list[Done]()
        self._servers = {server.row.name: server for server in servers}
        for seat in model.steering:
            _Seated(self, seat)

    def look(self, name: str, *, asks: bool) -> Sight:
        """Return what is seen of a station."""
        server = self._servers[name]
        ended, row = server.ended_s is not None, server.row
        whole = ended or not isinstance(server, Station)
        taken, given = (server.bytes_in, server.bytes_out) if whole else (server.done_in, server.done_out)
        return Sight(
            records_in=row.records_in(taken),
            records_out=row.records_out(given),
            bytes_in=taken,
            bytes_out=given,
            waiting_bytes=sum(channel.level for channel in server.inputs),
            capacity_bytes=sum(channel.capacity_bytes for channel in server.inputs),
            state=server.shown if asks and isinstance(server, Adjusted) else {},
            ended=ended,
        )

    def do(self, who: str, name: str, parameters: Mapping[str, Any]) -> None:
        """Do what a policy says; raises ModelError where it is not known what that changes."""
        server, given = self._servers[name], dict(parameters)
        if PIPE in given:
            size = int(given.pop(PIPE))
            shrunk = [channel.resize(size) for channel in server.inputs]
            if not all(shrunk):
                return  # as in a real run: what is full cannot shrink
        if given:
            if not isinstance(server, Adjusted):
                raise ModelError(f"controller {who!r} sets {', '.join(given)} of {name!r}: that cannot be simulated")
            server.adjust(given)
        self.done.append(Done(self.clock.now, who, name, dict(parameters)))


class _Seated:
    """One controller at work, until something that it watches has ended or nothing will happen any more."""

    def __init__(self, steering: Steering, seat: Seat) -> None:
        self.steering, self.seat, self.number = steering, seat, 0
        self.memory: Any = seat.policy.start()
        self._again(0.0)

    def _again(self, time_s: float) -> None:
        self.steering.clock.lookers += 1
        self.steering.clock.at(time_s, 0, self._decide)

    def _decide(self, event: Event) -> None:
        clock, policy = self.steering.clock, self.seat.policy
        clock.lookers -= 1
        sights = {name: self.steering.look(name, asks=policy.asks) for name in policy.watched()}
        if any(sight.ended for sight in sights.values()):
            return
        self.memory, commands = policy.decide(self.memory, Observation(clock.now, sights))
        for command in commands:
            self.steering.do(self.seat.name, command.station, command.parameters)
        clock.hand_over()
        if not clock.idle:
            self.number += 1
            self._again(self.number * self.seat.period_s)
