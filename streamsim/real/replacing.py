"""Another program in the place of a Unix command while the circuit runs: no byte is lost, none comes twice.

The server before the command turns to a new pipe between two records, which ends the old one: the old process works on
what is still in it and ends by itself, as at the end of any input. Then the new process is started, which reads the
new pipe and writes where the old one wrote. Whoever wants that leaves a request in the run's directory
(control/replace.py); the runner looks about once a second.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from streamsim.errors import ControlError, ScenarioError, StreamsimError
from streamsim.real.children import Child
from streamsim.real.control.client import Client
from streamsim.real.control.runs import control_paths
from streamsim.real.launch import Crew
from streamsim.real.plan import Process
from streamsim.real.successors import FreshPipe, before, running, turned, turning

REQUEST, ANSWER = ".replace", ".replaced"

_EVERY_S = 0.5
"""To list a directory takes 60 µs, too much for every wake-up of a run that is observed."""


class Request(msgspec.Struct, frozen=True):
    """Which station is to run which command; ``state``: whether what the old one knows may be given up."""

    station: str
    command: str
    state: str


class _Coming(NamedTuple):
    """What waits for an old process to end: the new one, its pipe, its output, and where to say that it runs.

    ``answer`` is None where an earlier run's swap is done again: it may be that its byte never comes.
    """

    process: Process
    pipe: FreshPipe
    output: int
    answer: Path | None

    def close(self) -> None:
        """Let go of what the new process has, or nobody needs."""
        self.pipe.close()
        os.close(self.output)


class Replacing:
    """The replacements of one run. ``measured``: it is watched, and a measurement knows one process a station."""

    def __init__(self, crew: Crew, *, measured: bool) -> None:
        self._crew, self._measured = crew, measured
        self._coming: dict[int, _Coming] = {}
        self._due = time.monotonic() + _EVERY_S
        self._again = {name: list(later) for name, later in crew.setting.successors.items()}
        for child in crew.children:
            self._await(child)

    def _await(self, child: Child) -> None:
        """Have what comes next in a recording follow a process, if anything does."""
        if later := self._again.get(child.process.name):
            one = later.pop(0)
            with suppress(OSError):  # it has ended already
                output = os.open(f"/proc/{child.pid}/fd/1", os.O_WRONLY | os.O_APPEND)
                self._coming[child.pid] = _Coming(one.process, one.pipe, output, None)

    def look(self) -> None:
        """See what is wanted, if it is time to."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY_S
        for path in sorted(self._crew.directory.glob(f"*{REQUEST}")):
            answer = path.with_suffix(ANSWER)
            try:
                request = msgspec.json.decode(path.read_bytes(), type=Request)
                path.unlink()
                self._begin(request, answer)
            except (StreamsimError, OSError, msgspec.DecodeError, ValueError) as error:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                _say(answer, {"error": " ".join(str(error).split())})

    def ended(self, child: Child) -> None:
        """Start what is to follow a process that has ended, if anything is."""
        coming = self._coming.pop(child.pid, None)
        if coming is None:
            return
        name = child.process.name
        try:
            if coming.answer is None and not turned(self._crew.directory, name, coming.process.program):
                return  # the input ended before the byte
            fresh = self._crew.succeed(coming.process, child.number, {0: coming.pipe.read, 1: coming.output})
        finally:
            coming.close()
        if coming.answer is None:
            self._await(fresh)
        else:
            _say(coming.answer, {"station": name, "program": coming.process.program, "pid": fresh.pid})

    def close(self) -> None:
        """Let go of what nobody waits for any more."""
        for coming in self._coming.values():
            coming.close()
        self._coming = {}

    def _begin(self, request: Request, answer: Path) -> None:
        child = self._living(request.station)
        old = child.process
        if self._measured:
            raise ControlError("this run is measured, and a measurement knows one program a station; use run")
        if old.spec is not None:
            raise ControlError(f"{old.name!r} is an operator: swap takes operator and parameters")
        if child.pid in self._coming:
            raise ControlError(f"{old.name!r} is being replaced already")
        label, writer, descriptor = before(old, self._crew.plan)
        fresh = running(old, request.command, self._crew.plan)
        output = os.open(f"/proc/{child.pid}/fd/1", os.O_WRONLY | os.O_APPEND)
        coming = _Coming(fresh, FreshPipe(self._crew.joints[label].capacity_bytes), output, answer)
        try:
            socket = str(control_paths(self._crew.directory, self._living(writer.name).number)["socket"])
            with Client(socket) as client:
                prefix = f"{writer.parts[-1]}/" if len(writer.parts) > 1 else ""
                swap = {"command": request.command, "state": request.state}
                client.call(f"{prefix}turn", turning(old.name, descriptor, coming.pipe.write, swap))
        except BaseException:
            coming.close()
            raise
        self._coming[child.pid] = coming

    def _living(self, name: str) -> Child:
        for child in reversed(self._crew.children):
            if child.process.name == name or name in child.process.parts:
                if child.status is None:
                    return child
                raise ControlError(f"station {name!r} has ended")
        raise ScenarioError(f"there is no station {name!r}", path="station")


def _say(path: Path, answer: dict[str, object]) -> None:
    aside = path.with_suffix(".said")
    with suppress(OSError):
        aside.write_bytes(msgspec.json.encode(answer))
        aside.rename(path)
