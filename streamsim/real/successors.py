"""Another command in the place of one: what it runs and reads, and what an earlier run put there, prepared beforehand.

To do a swap of an earlier run again at the same byte, the new pipe is there before anything starts, so that the server
before the command knows from the beginning at which byte it turns to it (see replacing.py).
"""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streamsim.errors import ControlError
from streamsim.real.control.recording import Recorded, logged_in
from streamsim.real.place import find_program
from streamsim.real.plan import Plan, Process


class FreshPipe:
    """The two ends of a pipe that nobody has yet, until it is closed here."""

    def __init__(self, capacity_bytes: int) -> None:
        self.read, self.write = os.pipe()
        self._open = True
        with suppress(OSError):  # past the user's quota it stays as the kernel made it
            fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, capacity_bytes)

    def close(self) -> None:
        """Let go of both ends, once."""
        if self._open:
            self._open = False
            os.close(self.read)
            os.close(self.write)


class Successor(NamedTuple):
    """A process that is to follow another of its station, and the pipe that it will read."""

    process: Process
    pipe: FreshPipe


class Prepared(NamedTuple):
    """The successors of each station, in their order, and what the servers before them are to do, at which byte."""

    successors: dict[str, list[Successor]]
    commands: dict[str, list[dict[str, Any]]]


@contextmanager
def prepared(plan: Plan, recorded: Iterable[Recorded]) -> Iterator[Prepared]:
    """Make ready what the swaps of Unix commands in a recording need; what is not used is closed at the end.

    Raises ControlError, or RunError where a program is missing, before anything has started.
    """
    found = Prepared({}, {})
    try:
        for command in recorded:
            if command.behind is None:
                continue
            old = next(one for one in plan.processes if one.name == command.station)
            label, writer, descriptor = before(old, plan)
            if command.behind != (writer.parts or (writer.name,))[-1]:
                raise ControlError(
                    f"swap of {old.name!r} cannot be done again: before it stands {writer.name!r} here, not "
                    f"{command.behind!r}"
                )
            one = Successor(running(old, command.parameters["command"], plan), FreshPipe(plan.pipes[label]))
            found.successors.setdefault(old.name, []).append(one)
            what = turning(old.name, descriptor, one.pipe.write, command.parameters)
            entry = {"method": "turn", "parameters": what, "byte": command.byte}
            found.commands.setdefault(command.behind, []).append(entry)
        yield found
    finally:
        for later in found.successors.values():
            for one in later:
                one.pipe.close()


def turned(directory: Path, station: str, command: str) -> bool:
    """Whether the server before a station has turned to the pipe of this command, in the run of this directory."""
    return any(
        one.method == "swap" and one.station == station and one.parameters.get("command") == command
        for one in logged_in(directory)
    )


def before(old: Process, plan: Plan) -> tuple[str, Process, int]:
    """Return the pipe that a command reads, and who writes it, by which descriptor.

    Raises ControlError where that cannot turn to another pipe.
    """
    if 0 not in old.reads or old.reads[0].kind != "pipe" or len(old.reads) > 1 or len(old.writes) > 1:
        raise ControlError(f"{old.name!r} does not read one pipe and write one stream")
    label = old.reads[0].target
    writer, descriptor = plan.writer_of(label)
    if writer.spec is None:
        raise ControlError(
            f"{writer.name!r}, which writes to {old.name!r}, is a Unix command ({writer.program}) and cannot turn "
            "to another pipe; only behind an operator on records a command can be replaced"
        )
    return label, writer, descriptor


def running(old: Process, command: str, plan: Plan) -> Process:
    """Return the process with another command; raises ControlError, or RunError where there is no such program."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ControlError(f"{command!r}: {error}") from None
    if not words:
        raise ControlError("an empty command")
    find_program(words[0], {**os.environ, **old.environment}, plan.directory, old.name)
    return msgspec.structs.replace(old, program=command, arguments=tuple(words))


def turning(station: str, descriptor: int, pipe: int, swap: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of ``turn``: to which pipe of this process, and what for."""
    file = f"/proc/{os.getpid()}/fd/{pipe}"
    return {"descriptor": descriptor, "file": file, "station": station, "parameters": swap}
