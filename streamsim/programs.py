"""What a program that is put where another was needs and gives, from a profile that has it. Pure."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from streamsim import operators
from streamsim.adjustable import Change, Known, Passing, Program, adjustable
from streamsim.circuit import Station
from streamsim.errors import ModelError
from streamsim.operators._expressive import Expressive
from streamsim.service import ServiceModel, StationProfile


class Appointment(NamedTuple):
    """What changes at a byte of a station's input, and what the change itself takes (core-seconds)."""

    byte: int
    change: dict[str, Any] | Behaviour
    work_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a program needs and gives, and what of that its parameters change; ``size_out``: bytes of a record given."""

    service: ServiceModel
    adjustable: Program
    size_out: float


def behaviour(known: Known, record_bytes: float) -> Behaviour:
    """Return how a measured program behaves; records of no known size are as large as those that it takes."""
    profile = known.profile
    counted = bool(profile.records_out and profile.bytes_out)
    return Behaviour(
        service=profile.service,
        adjustable=adjustable(known.station, profile) or Passing(gives=profile.selectivity),
        size_out=profile.bytes_out / (profile.records_out or 1.0) if counted else record_bytes,
    )


def appointments(
    station: Station, profile: StationProfile, changes: Iterable[Change], known: Sequence[Known]
) -> tuple[Appointment, ...]:
    """Return what changes at which bytes of a station's input: parameters, or all that it needs and gives.

    Raises ModelError where the station is no operator, or no profile has the program that is put there.
    """
    found: list[Appointment] = []
    now = Known(station, profile)
    for change in sorted(changes, key=lambda one: one.byte):
        if now.station.operator is None:
            raise ModelError(f"what was recorded of {station.name!r} cannot be simulated: it is a Unix command here")
        _refuse_gathering(now, station.name)
        then = _changed(now.station, change)
        within = change.operator in (None, now.station.operator) and adjustable(now.station, now.profile) is not None
        if within:
            set_ = change.parameters if change.operator is None else _given(change.parameters)
            found.append(Appointment(change.byte, dict(set_), change.work_s))
            now = Known(then, now.profile)
            continue
        now = Known(then, _profile_of(then, known).profile)
        _refuse_gathering(now, station.name)
        found.append(Appointment(change.byte, behaviour(now, profile.record_bytes), change.work_s))
    return tuple(found)


def profile_of_command(command: str, known: Iterable[Known]) -> StationProfile | None:
    """Return what was measured of a station that runs the same command; None where none does."""
    words = shlex.split(command)
    for one in known:
        if one.station.command is not None and shlex.split(one.station.command) == words:
            return one.profile
    return None


def _changed(station: Station, change: Change) -> Station:
    if change.operator is None:
        return msgspec.structs.replace(station, parameters={**station.parameters, **change.parameters})
    return msgspec.structs.replace(station, operator=change.operator, parameters=change.parameters)


def _given(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _profile_of(station: Station, known: Iterable[Known]) -> Known:
    """Return a measured station with the same program, on records of the same format."""
    wanted = _program(station)
    for one in known:
        if one.station.operator is not None and _program(one.station) == wanted:
            return one
    shown = ", ".join(f"{key} = {value!r}" for key, value in _given(station.parameters).items())
    raise ModelError(
        f"{station.name!r} becomes '{station.operator}'{f' ({shown})' if shown else ''} in the recording, and no "
        "profile says what that needs and gives: measure a circuit with such a station, and name its "
        "scenario with --programs"
    )


def _program(station: Station) -> tuple[Any, ...]:
    """Return what two stations that do the same have in common, however their expressions are spaced and quoted."""
    assert station.operator is not None, "asked of operators"
    values = dict(operators.normal(station.operator, station.parameters))
    kind = operators.find(station.operator)
    if issubclass(kind, Expressive):
        values[kind.expression] = ast.dump(ast.parse(values[kind.expression], mode="eval"))
    return station.operator, values, station.format


def _refuse_gathering(known: Known, name: str) -> None:
    if known.profile.barrier or known.profile.gather_bytes:
        raise ModelError(
            f"{name!r} changes from or to '{known.station.program}', which gathers before it works: what it has "
            "gathered of which program cannot be simulated"
        )
