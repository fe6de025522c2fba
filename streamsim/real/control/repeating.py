"""Doing again, at its time, what a recording has that is a matter of time: a thread of the runner does it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from streamsim.errors import ControlError
from streamsim.real.control.reach import Server
from streamsim.real.control.recording import Recorded, check_recording
from streamsim.real.control.rescale import rescale
from streamsim.real.control.runs import RunEntry, alive, find_by_directory
from streamsim.real.launch import Crew
from streamsim.real.plan import Plan


class Repeater:
    """Does commands at their times after ``start_s`` (monotonic); what cannot be done is in ``warnings``."""

    def __init__(self, run: RunEntry, commands: tuple[Recorded, ...], start_s: float) -> None:
        self._run, self._commands, self._start_s = run, commands, start_s
        self._stop = threading.Event()
        self.warnings: list[str] = []
        self._thread = threading.Thread(target=self._repeat, name="streamsim-repeater", daemon=True)

    def __enter__(self) -> Repeater:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _repeat(self) -> None:
        for number, command in enumerate(self._commands):
            if self._stop.wait(max(0.0, self._start_s + command.time_s - time.monotonic())):
                late = self._commands[number:]
                self.warnings += [
                    f"{one.method} of {one.station!r} was not done again: the run ended before {one.time_s:.4g} s"
                    for one in late
                ]
                return
            try:
                self._do(command)
            except (ControlError, OSError) as error:
                self.warnings.append(f"{command.method} of {command.station!r} was not done again: {error}")

    def _do(self, command: Recorded) -> Any:
        if command.method == "scale":
            return rescale(self._run, command.station, int(command.parameters["servers"]))
        entry = self._run.server(command.station)
        if not alive(entry):
            raise ControlError("it has ended before")
        with Server(self._run, entry) as server:
            return server.call(command.method, command.parameters)


def check_again(commands: Iterable[Recorded], plan: Plan) -> None:
    """Raise ControlError where commands of an earlier run cannot be done again in a run of this plan."""
    programs: dict[str, str | None] = {}
    for process in plan.processes:
        programs[process.name] = None if process.spec is None else str(process.spec["operator"])
        if process.spec is not None:
            programs.update({str(one["name"]): str(one["operator"]) for one in process.spec.get("fused", ())})
    check_recording(commands, programs)


@contextmanager
def repeating(crew: Crew, commands: tuple[Recorded, ...], start_s: float) -> Iterator[Repeater | None]:
    """Do commands of an earlier run at their times while a run goes on; None where there are none."""
    if not commands:
        yield None
        return
    with Repeater(find_by_directory(crew.directory), commands, start_s) as repeater:
        yield repeater
