"""A recording of a real run, as a simulation by chunks does it again; what has no counterpart there is refused."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from streamsim import operators
from streamsim.adjustable import Change, Known, Replay, Timed, Turn
from streamsim.errors import ControlError, ScenarioError
from streamsim.real.control.recording import Recorded, read_recording
from streamsim.units import parse_bytes, parse_cores

_WHY = {
    "restore": "what a state from elsewhere changes is not known",
}


_SETS = ("niceness", "cores", "pipe")
T = TypeVar("T")
_Core = Annotated[int, msgspec.Meta(ge=0)]


class _Set(msgspec.Struct, frozen=True):
    """What the system sets of a server, as it was recorded."""

    niceness: Annotated[int, msgspec.Meta(ge=-20, le=19)] | None = None
    cores: list[_Core] | _Core | str | None = None
    pipe: int | str | None = None


class _Swap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another operator in the place of one, as it was recorded."""

    operator: str
    parameters: dict[str, Any] | None = None
    state: Literal["keep", "new"] = "keep"


def read_again(path: Path, known: Iterable[Known] = ()) -> Replay:
    """Read a recording; ``known``: programs that are measured elsewhere.

    Raises ControlError naming the line's station and method where that cannot be simulated.
    """
    placed: dict[str, list[Change]] = {}
    timed: list[Timed] = []
    turns: list[Turn] = []
    for command in read_recording(path):
        if command.behind is not None and command.byte is not None:
            turns.append(_turn(path, command, command.behind, command.byte))
        elif command.timed:
            timed += _timed(path, command)
        elif command.method == "set" and command.byte is not None:
            placed.setdefault(command.station, []).append(
                Change(command.byte, command.parameters, work_s=command.work_s or 0.0)
            )
        elif command.method == "swap" and command.byte is not None:
            placed.setdefault(command.station, []).append(_swap(path, command, command.byte))
        else:
            raise _refusal(path, command, command.method)
    return Replay(placed, tuple(timed), tuple(known), tuple(sorted(turns, key=lambda one: one.byte)))


def _turn(path: Path, command: Recorded, behind: str, byte: int) -> Turn:
    program = command.parameters.get("command")
    try:
        words = shlex.split(program) if isinstance(program, str) else []
    except ValueError:
        words = []
    if command.method != "swap" or not words:
        raise ControlError(f"{path}: {command.method} of {command.station!r}: no command is named that is put there")
    return Turn(behind, byte, command.station, str(program), command.work_s or 0.0)


def _swap(path: Path, command: Recorded, byte: int) -> Change:
    try:
        given = msgspec.convert(command.parameters, _Swap)
        operators.check(given.operator, given.parameters or {})
    except (msgspec.ValidationError, ScenarioError) as error:
        raise ControlError(f"{path}: swap of {command.station!r}: {error}") from None
    return Change(byte, given.parameters or {}, given.operator, command.work_s or 0.0)


def _timed(path: Path, command: Recorded) -> list[Timed]:
    """Return what is done at the time of a command, each thing that it sets by itself."""
    name, method, when, work_s = command.station, command.method, command.time_s, command.work_s or 0.0
    if method in ("pause", "drain"):
        return [Timed(when, name, "pause", work_s=work_s)]
    if method == "resume":
        return [Timed(when, name, "resume", work_s=work_s)]
    if method == "scale":
        times = command.ready_s or 0.0, command.moving_s or 0.0
        return [Timed(when, name, "scale", int(command.parameters["servers"]), (), work_s, *times)]
    if method != "set":
        raise _refusal(path, command, method)
    for what in command.parameters:
        if what not in _SETS:
            raise _refusal(path, command, what)
    try:
        given = msgspec.convert(command.parameters, _Set)
        size = _parsed("pipe", parse_bytes, given.pipe)
        cores = _parsed("cores", parse_cores, given.cores)
    except (ValueError, ScenarioError) as error:
        raise ControlError(f"{path}: set of {name!r}: {_where(error)}") from None
    found = []
    if size is not None:
        found.append(Timed(when, name, "pipe", size))
    if cores is not None:
        found.append(Timed(when, name, "cores", cores=cores))
    if given.niceness is not None:
        found.append(Timed(when, name, "niceness", given.niceness))
    return found


def _parsed(what: str, parse: Callable[[Any], T], given: Any) -> T | None:
    """Return what was set, where it was; ValueError says of what it is wrong."""
    try:
        return None if given is None else parse(given)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def _where(error: Exception) -> str:
    """Return what is wrong with a parameter, its name first."""
    text, _, place = str(error).partition(" - at `$.")
    return f"{place.rstrip('`')}: {text}" if place else text


def _refusal(path: Path, command: Recorded, what: str) -> ControlError:
    why = _WHY.get(what, "only set, pauses and the sizes of pipes can")
    return ControlError(f"{path}: {what} of {command.station!r} cannot be simulated: {why}")
