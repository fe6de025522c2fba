"""Another program in the place of a Unix command while the circuit runs: no byte is lost, none comes twice.

The server before the command turns to a new pipe between two records, which ends the old one: the old process works on
what is still in it and ends by itself, as at the end of any input. Then the new process is started, which reads the
new pipe and writes where the old one wrote. Whoever wants that leaves a request in the run's directory
(control/replace.py); the runner looks about once a second.
"""

from __future__ import annotations

import fcntl
import os
import shlex
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

REQUEST, ANSWER = ".replace", ".replaced"

_EVERY_S = 0.5
"""To list a directory takes 60 µs, too much for every wake-up of a run that is observed."""


class Request(msgspec.Struct, frozen=True):
    """Which station is to run which command."""

    station: str
    command: str


class _Coming(NamedTuple):
    """What waits for an old process to end: the new one, its pipe, its output, and where to say that it runs."""

    process: Process
    read: int
    write: int
    output: int
    answer: Path


class Replacing:
    """The replacements of one run. ``measured``: it is watched, and a measurement knows one process a station."""

    def __init__(self, crew: Crew, *, measured: bool) -> None:
        self._crew, self._measured = crew, measured
        self._coming: dict[int, _Coming] = {}
        self._due = time.monotonic() + _EVERY_S

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
        try:
            fresh = self._crew.succeed(coming.process, child.number, {0: coming.read, 1: coming.output})
        finally:
            for descriptor in (coming.read, coming.write, coming.output):
                os.close(descriptor)
        _say(coming.answer, {"station": child.process.name, "program": coming.process.program, "pid": fresh.pid})

    def close(self) -> None:
        """Let go of what nobody waits for any more."""
        for coming in self._coming.values():
            for descriptor in (coming.read, coming.write, coming.output):
                os.close(descriptor)
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
        label = old.reads[0].target
        if old.reads[0].kind != "pipe" or len(old.reads) > 1 or len(old.writes) > 1:
            raise ControlError(f"{old.name!r} does not read one pipe and write one stream")
        writer, descriptor = self._crew.plan.writer_of(label)
        if writer.spec is None:
            raise ControlError(
                f"{writer.name!r}, which writes to {old.name!r}, is a Unix command ({writer.program}) and cannot turn "
                "to another pipe; only behind an operator on records a command can be replaced"
            )
        try:
            words = shlex.split(request.command)
        except ValueError as error:
            raise ControlError(f"{request.command!r}: {error}") from None
        if not words:
            raise ControlError("an empty command")
        self._crew.find(words[0], old)
        fresh = msgspec.structs.replace(old, program=request.command, arguments=tuple(words))
        held = [os.open(f"/proc/{child.pid}/fd/1", os.O_WRONLY | os.O_APPEND)]
        try:
            held += os.pipe()
            with suppress(OSError):  # past the user's quota it stays as the kernel made it
                fcntl.fcntl(held[1], fcntl.F_SETPIPE_SZ, self._crew.joints[label].capacity_bytes)
            socket = str(control_paths(self._crew.directory, self._living(writer.name).number)["socket"])
            with Client(socket) as client:
                prefix = f"{writer.parts[-1]}/" if len(writer.parts) > 1 else ""
                client.call(f"{prefix}turn", {"descriptor": descriptor, "file": f"/proc/{os.getpid()}/fd/{held[2]}"})
        except BaseException:
            for one in held:
                os.close(one)
            raise
        self._coming[child.pid] = _Coming(fresh, held[1], held[2], held[0], answer)

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
