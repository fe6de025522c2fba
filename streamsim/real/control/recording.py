"""The command log of a run: read, written for people to keep, and given to a second run to do the same again.

A line is one command that changed a server of ours: ``{"time_s", "station", "method", "parameters", "byte"}``, with the
byte of the station's input before which it took effect. The second run does it at that byte, so that it gives the
same output, whatever its speed. A pause is a matter of time, not of place, so pauses are left out; so is what was done
to Unix commands, which have no place for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from streamsim.errors import ControlError
from streamsim.files import read_within, write_whole
from streamsim.real.control.runs import LOG

_MATTERS_OF_TIME = ("pause", "resume", "drain")


class Recorded(msgspec.Struct, frozen=True):
    """One command, where and when it took effect (``time_s`` of the monotonic clock)."""

    time_s: float
    station: str
    method: str
    parameters: dict[str, Any]
    byte: int


def recorded_in(directory: Path) -> tuple[Recorded, ...]:
    """Return the commands of the run whose private directory this is, in the order of time."""
    try:
        text = (directory / LOG).read_bytes()
    except FileNotFoundError:
        return ()
    commands = [msgspec.json.decode(line, type=Recorded) for line in text.splitlines()]
    return tuple(sorted(commands, key=lambda command: command.time_s))


def write_recording(path: Path, commands: tuple[Recorded, ...]) -> None:
    """Write a recording, whole or not at all."""
    write_whole(path, b"".join(msgspec.json.encode(command) + b"\n" for command in commands))


_LARGEST = 256 << 20
"""Bytes of a recording, millions of commands."""


def read_recording(path: Path) -> tuple[Recorded, ...]:
    """Read a recording; raises ControlError naming the line that is wrong."""
    try:
        lines = read_within(path, _LARGEST).splitlines()
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror}; streamsim run --record writes a recording") from None
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(msgspec.json.decode(line, type=Recorded))
        except msgspec.DecodeError as error:
            raise ControlError(f"{path}: line {number}: not a recorded command: {error}") from None
    return tuple(found)


def by_station(commands: tuple[Recorded, ...]) -> dict[str, list[dict[str, Any]]]:
    """Return what each server is told to do again: see `appointments.expect`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for command in commands:
        if command.method not in _MATTERS_OF_TIME:
            entry = {"method": command.method, "parameters": command.parameters, "byte": command.byte}
            found.setdefault(command.station, []).append(entry)
    return found
