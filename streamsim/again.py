"""A recording of a real run, as a simulation by chunks does it again; what has no counterpart there is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamsim.adjustable import Replay, Timed
from streamsim.errors import ControlError, ScenarioError
from streamsim.real.control.recording import Recorded, read_recording
from streamsim.units import parse_bytes

_WHY = {
    "swap": "what another program would need is in no profile of this circuit",
    "scale": "a simulation has the servers that the scenario says, from start to end; set parallelism there",
    "restore": "what a state from elsewhere changes is not known",
    "niceness": "a simulation has the niceness of the scenario, from start to end",
    "cores": "a simulation has the pins of the scenario, from start to end",
}


def read_again(path: Path) -> Replay:
    """Read a recording; raises ControlError naming the line's station and method where that cannot be simulated."""
    placed: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    timed: list[Timed] = []
    for command in read_recording(path):
        if command.timed:
            timed.append(_timed(path, command))
        elif command.method == "set" and command.byte is not None:
            placed.setdefault(command.station, []).append((command.byte, command.parameters))
        else:
            raise _refusal(path, command, command.method)
    return Replay(placed, tuple(timed))


def _timed(path: Path, command: Recorded) -> Timed:
    name, method = command.station, command.method
    if method in ("pause", "drain"):
        return Timed(command.time_s, name, "pause")
    if method == "resume":
        return Timed(command.time_s, name, "resume")
    if method != "set":
        raise _refusal(path, command, method)
    for what in command.parameters:
        if what != "pipe":
            raise _refusal(path, command, what)
    try:
        return Timed(command.time_s, name, "pipe", int(parse_bytes(command.parameters["pipe"])))
    except (KeyError, ValueError, ScenarioError) as error:
        raise ControlError(f"{path}: set of {name!r}: pipe: {error}") from None


def _refusal(path: Path, command: Recorded, what: str) -> ControlError:
    why = _WHY.get(what, "only set, pauses and the sizes of pipes can")
    return ControlError(f"{path}: {what} of {command.station!r} cannot be simulated: {why}")
