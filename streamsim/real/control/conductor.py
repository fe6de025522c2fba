"""Controllers of a real run: a thread of the runner looks at the stations and does what their policies say.

It looks at shared memory and pipes, and asks a server only where a policy wants to see its parameters or state. A
controller that fails is stopped and said in the warnings; the run goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from streamsim import policies
from streamsim.errors import ControlError, StreamsimError
from streamsim.policies.base import Command, Observation, Policy, Sight
from streamsim.real.control.page import ENDED, Reader
from streamsim.real.control.pipe_levels import pipe_of
from streamsim.real.control.reach import Server
from streamsim.real.control.runs import RunEntry, ServerEntry, directory_of, find_by_directory
from streamsim.real.control.tools import Busy
from streamsim.real.launch import Crew
from streamsim.scenario import Controller, Scenario


class _Seat:
    """One controller: its policy, its memory, when it decides next, and what it has done."""

    def __init__(self, name: str, controller: Controller, now: float) -> None:
        self.name, self.period_s, self.due = name, controller.period_s, now
        self.policy: Policy = policies.make(controller.policy, controller.parameters)
        self.memory: Any = self.policy.start()


class Conductor:
    """All controllers of a run. ``done`` are the commands, with the time (s since the start) and who gave them."""

    def __init__(self, run: RunEntry, controllers: dict[str, Controller]) -> None:
        self._run, self._start = run, time.monotonic()
        self._seats = [_Seat(name, controller, self._start) for name, controller in controllers.items()]
        self._stop = threading.Event()
        self._stack = ExitStack()
        self._servers: dict[str, Server] = {}
        self._pages: dict[str, Reader] = {}
        self.done: list[tuple[float, str, Command]] = []
        self.warnings: list[str] = []
        self._thread = threading.Thread(target=self._conduct, name="streamsim-conductor", daemon=True)

    def __enter__(self) -> Conductor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._stack.close()

    def _conduct(self) -> None:
        while self._seats:
            seat = min(self._seats, key=lambda one: one.due)
            if self._stop.wait(max(0.0, seat.due - time.monotonic())):
                return
            try:
                if not self._decide(seat):
                    self._seats.remove(seat)  # what it steers has ended
            except Exception as error:  # somebody's own policy can raise anything, and the run must not end of it
                text = str(error) if isinstance(error, StreamsimError) else f"{type(error).__name__}: {error}"
                self.warnings.append(f"controller '{seat.name}' was stopped: {' '.join(text.split())}")
                self._seats.remove(seat)
            now = time.monotonic()
            seat.due = max(seat.due + seat.period_s, now)

    def _decide(self, seat: _Seat) -> bool:
        """Let one controller decide; returns whether all that it watches still runs."""
        time_s = time.monotonic() - self._start
        try:
            sights = {name: self._look(name, asks=seat.policy.asks) for name in seat.policy.watched()}
        except FileNotFoundError:
            return True  # a server that is still starting has no page yet
        except ControlError:
            if not any(self._look(name, asks=False).ended for name in seat.policy.watched()):
                raise
            return False  # it ended while it was asked
        if any(sight.ended for sight in sights.values()):
            return False
        decision = seat.policy.decide(seat.memory, Observation(time_s, sights))
        seat.memory, commands = _checked(decision, seat.policy)
        for command in commands:
            try:
                self._server(command.station).call("set", command.parameters)
            except Busy:
                continue  # a pipe holds more than it should: the policy sees that it has not shrunk
            except ControlError:
                if not self._look(command.station, asks=False).ended:
                    raise
                return False
            self.done.append((time.monotonic() - self._start, seat.name, command))
        return True

    def _look(self, name: str, *, asks: bool) -> Sight:
        entry = self._run.server(name)
        counts: dict[str, int] = {}
        if entry.page is not None:
            page = self._page(entry)
            try:
                counts = page.read()
            except OSError:
                return Sight(ended=True)
            if counts["state"] == ENDED:
                return Sight(ended=True)
        waiting, capacity = 0, 0
        for descriptor in entry.inputs:
            try:
                level, size = pipe_of(entry.pid, descriptor)
            except OSError:
                return Sight(ended=True)
            waiting, capacity = waiting + level, capacity + size
        parameters: dict[str, Any] = {}
        state: dict[str, Any] = {}
        if asks:
            server = self._server(name)
            parameters, state = server.parameters(), server.call("state")
        return Sight(
            records_in=counts.get("records_in", 0),
            records_out=counts.get("records_out", 0),
            bytes_in=counts.get("bytes_in", 0),
            bytes_out=counts.get("bytes_out", 0),
            waiting_bytes=waiting,
            capacity_bytes=capacity,
            parameters=parameters,
            state=state,
        )

    def _page(self, entry: ServerEntry) -> Reader:
        if entry.name not in self._pages:
            self._pages[entry.name] = Reader(str(directory_of(self._run) / str(entry.page)))
        return self._pages[entry.name]

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(Server(self._run, self._run.server(name)))
        return self._servers[name]


def _checked(decision: Any, policy: Policy) -> tuple[Any, tuple[Command, ...]]:
    """Return a decision that has the form it must have; somebody's own policy may give anything."""
    if isinstance(decision, tuple) and len(decision) == 2:
        memory, commands = decision
        if isinstance(commands, tuple) and all(isinstance(command, Command) for command in commands):
            return memory, commands
    raise ControlError(f"{type(policy).__name__}.decide gave {decision!r:.60}, not (memory, (Command, ...))")


@contextmanager
def conducting(scenario: Scenario, crew: Crew, *, rest: bool = False) -> Iterator[Conductor | None]:
    """Let the controllers of a scenario steer a run that has been started; None where it has none, or they ``rest``."""
    if rest or not scenario.controllers:
        yield None
        return
    with Conductor(find_by_directory(crew.directory), scenario.controllers) as conductor:
        yield conductor
