"""The command log of a run: read, written for people to keep, and given to a second run to do the same again.

The first line names the schema; each other line is one command that changed something: ``{"time_s", "station",
"method", "parameters", "byte"}``, with its time since the run began and the byte of the station's input before which it
took effect. A second run does it at that byte, so that it gives the same output, whatever its speed. What has no place
in the data (pauses, another number of servers, niceness, cores, the size of pipes) is a matter of time: it does not
change the output, and is done again at its time where that is asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from streamsim import operators
from streamsim.errors import ControlError, nearest
from streamsim.files import from_json, read_within, write_whole
from streamsim.real.control.runs import LOG, RunEntry, directory_of

SCHEMA = "streamsim.recording/1"
_RESTS = ("pause", "resume", "drain")
_SYSTEM = ("pause", "resume", "set", "scale", "swap")
"""What can be done from outside a server, without a byte of its input."""


_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command, when (s since the run began) and, for servers of ours, where it took effect.

    ``work_s``: what it took (core-seconds) of the server that was told; a server's first command loads libraries.
    ``ready_s`` and ``moving_s``: of a ``scale``, how long (s) it took until the split was told to rest, and how long
    keys changed hands when all had come to rest; its ``work_s`` is that of getting ready, of all its servers together.
    ``behind``: of the swap of a Unix command, the operator before it, of whose input the byte is.
    """

    time_s: Annotated[float, msgspec.Meta(ge=0)]
    station: str
    method: str
    parameters: dict[str, Any]
    byte: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    work_s: _Seconds | None = None
    ready_s: _Seconds | None = None
    moving_s: _Seconds | None = None
    behind: str | None = None

    @property
    def timed(self) -> bool:
        """Whether it is a matter of time: it has no place in the data, and does not change the output."""
        return self.byte is None or self.method in _RESTS


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of ``scale``: so many servers take part from then on."""

    servers: Annotated[int, msgspec.Meta(ge=1)]


class Logged(msgspec.Struct, frozen=True):
    """A line of the log inside a run's directory; times of the monotonic clock."""

    time_s: float
    station: str
    method: str
    parameters: dict[str, Any]
    byte: int | None = None
    until_s: float | None = None
    work_s: float | None = None
    ready_s: float | None = None
    moving_s: float | None = None
    behind: str | None = None


class _Header(msgspec.Struct, frozen=True):
    schema: str


def note(
    run: RunEntry,
    station: str,
    method: str,
    parameters: Mapping[str, Any],
    *,
    since_s: float | None = None,
    work_s: float | None = None,
    ready_s: float | None = None,
    moving_s: float | None = None,
) -> None:
    """Write down what was done to a run from outside its servers.

    ``since_s``: when it began (monotonic, s); how long what took, as `Recorded` has it.
    """
    now = time.monotonic()
    begun = now if since_s is None else since_s
    entry = Logged(begun, station, method, dict(parameters), None, now, work_s, ready_s, moving_s)
    try:
        descriptor = os.open(directory_of(run) / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return  # the run has ended meanwhile, and its recording is written
    try:
        os.write(descriptor, msgspec.json.encode(entry) + b"\n")  # in one piece: servers share the file
    finally:
        os.close(descriptor)


def logged_in(directory: Path) -> list[Logged]:
    """Return what has been done so far to the run whose private directory this is, as it was written down."""
    try:
        text = (directory / LOG).read_bytes()
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=Logged) for line in text.splitlines()]


def recorded_in(directory: Path, start_s: float) -> tuple[Recorded, ...]:
    """Return the commands of the run whose private directory this is, in the order of time.

    ``start_s``: when the run began (s of the monotonic clock).
    """
    logged = logged_in(directory)
    scales = [one for one in logged if one.method == "scale" and one.byte is None]
    return tuple(
        Recorded(
            max(0.0, one.time_s - start_s),
            *(one.station, one.method, one.parameters, one.byte),
            *(one.work_s, one.ready_s, one.moving_s, one.behind),
        )
        for one in sorted(logged, key=lambda one: one.time_s)
        if not any(_belongs(one, scale) for scale in scales)
    )


def _belongs(one: Logged, scale: Logged) -> bool:
    """Whether it was done by `rescale` on its way, which does it again by itself."""
    whole, _, part = one.station.rpartition(".")
    return (
        whole == scale.station
        and (part == "split" or part.isdigit())
        and one.method in _RESTS
        and scale.time_s <= one.time_s <= (scale.until_s or scale.time_s)
    )


def write_recording(path: Path, commands: Iterable[Recorded]) -> None:
    """Write a recording, whole or not at all."""
    lines = [msgspec.json.encode(line) for line in (_Header(SCHEMA), *commands)]
    write_whole(path, b"".join(line + b"\n" for line in lines))


_LARGEST = 256 << 20
"""Bytes of a recording, millions of commands."""


def read_recording(path: Path) -> tuple[Recorded, ...]:
    """Read a recording; raises ControlError naming the line that is wrong."""
    try:
        lines = read_within(path, _LARGEST).splitlines()
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}; streamsim run --record writes a recording") from None
    try:
        schema = from_json(lines[0] if lines else b"", _Header).schema
    except msgspec.DecodeError:
        schema = None
    if schema != SCHEMA:
        raise ControlError(
            f"{path}: line 1: {'no recording' if schema is None else f'a recording of schema {schema!r}'}: it begins "
            f'with {{"schema":"{SCHEMA}"}}; streamsim run --record writes one'
        )
    found = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            command: Recorded = from_json(line, Recorded)
        except msgspec.DecodeError as error:
            raise ControlError(f"{path}: line {number}: not a recorded command: {error}") from None
        if command.byte is None and command.method not in _SYSTEM:
            raise ControlError(
                f"{path}: line {number}: {command.method!r} of {command.station!r} has no byte; without one can be "
                f"done again: {', '.join(_SYSTEM)}{nearest(command.method, _SYSTEM)}"
            )
        if command.method == "scale":
            try:
                msgspec.convert(command.parameters, Scale)
            except msgspec.ValidationError as error:
                raise ControlError(f"{path}: line {number}: scale of {command.station!r}: {error}") from None
        found.append(command)
    return tuple(found)


def check_recording(commands: Iterable[Recorded], programs: Mapping[str, str | None]) -> None:
    """Refuse what cannot be done again in a run with these servers; ``programs``: the operator of each, None a command.

    Raises ControlError naming the station and the method.
    """
    known = {name: [] if operator is None else [operator] for name, operator in programs.items()}
    for command in commands:
        name, method = command.station, command.method
        if name not in programs and not (method == "scale" and f"{name}.split" in programs):
            raise ControlError(
                f"the recording is of another circuit: it has station {name!r}{nearest(name, tuple(programs))} "
                f"(here are {', '.join(programs)})"
            )
        if command.behind is not None:
            _check_behind(command, programs)
            continue
        if command.byte is None:
            if method == "swap":
                raise ControlError(
                    f"swap of {name!r} cannot be done again: at which byte one Unix command took the place of another "
                    "is not known; take its line out of the recording"
                )
            continue
        if not known[name]:
            raise ControlError(f"{method} of {name!r} cannot be done again: it is a Unix command here, not an operator")
        if method == "swap":
            known[name].append(str(command.parameters.get("operator")))
        can = [*_RESTS, "set", "swap", "restore", *(own for kind in known[name] for own in _controls(kind))]
        if method not in can:
            raise ControlError(f"operator '{known[name][-1]}' of {name!r} has no {method!r}{nearest(method, can)}")


def _check_behind(command: Recorded, programs: Mapping[str, str | None]) -> None:
    name, behind = command.station, str(command.behind)
    if command.method != "swap" or command.byte is None or not isinstance(command.parameters.get("command"), str):
        raise ControlError(
            f"{command.method} of {name!r} behind {behind!r}: only swap to a command, with a byte, can be"
        )
    if programs[name] is not None:
        raise ControlError(f"swap of {name!r} cannot be done again: it is an operator here, not a Unix command")
    if programs.get(behind) is None:
        raise ControlError(f"swap of {name!r} cannot be done again: {behind!r} is no operator here")


def _controls(operator: str) -> list[str]:
    """Return the methods of its own that change an operator."""
    kind = operators.find(operator)
    return [name for name in dir(kind) if hasattr(getattr(kind, name), "__control__")]


def by_server(
    commands: Iterable[Recorded], more: Mapping[str, list[dict[str, Any]]] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Return what each server is told to do again, and ``more``: see `appointments.expect`."""
    found = {name: list(entries) for name, entries in (more or {}).items()}
    for command in commands:
        if not command.timed and command.behind is None:
            entry = {"method": command.method, "parameters": command.parameters, "byte": command.byte}
            found.setdefault(command.station, []).append(entry)
    return found
