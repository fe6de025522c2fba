"""What every policy has: frozen parameters, a memory that it hands from one decision to the next, and `decide`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from streamsim.errors import ScenarioError
from streamsim.units import parse_bytes, parse_seconds

Seconds = Annotated[float, msgspec.Meta(gt=0)]
"""A parameter whose name in files has no unit, whose value is a duration (``"50 ms"``)."""


SYSTEM = ("niceness", "cores", "pipe")
"""What can be set of every process, whatever runs there."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is seen of one station at one moment: cumulative counts, what waits in its input pipes (bytes), how much
    these hold, and the parameters and state that the policy asked for."""

    records_in: int = 0
    records_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    waiting_bytes: int = 0
    capacity_bytes: int = 0
    parameters: dict[str, Any] = {}
    state: dict[str, Any] = {}
    ended: bool = False


class Observation(msgspec.Struct, frozen=True):
    """What is seen at one moment: seconds since the start of the run, and the stations that the policy watches."""

    time_s: float
    stations: dict[str, Sight]


class Command(msgspec.Struct, frozen=True):
    """Something to be done: parameters to be set at a station."""

    station: str
    parameters: dict[str, Any]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parent of all policies: their fields are their parameters.

    ``asks``: whether it must see parameters and state, for which a server has to be asked between two chunks.
    ``changes`` is the parameter that it sets, of the first station that it watches; ``tried`` a value of it that must
    fit there.
    """

    changes: ClassVar[str] = ""
    tried: ClassVar[Any] = None
    asks: ClassVar[bool] = False

    @classmethod
    def read(cls, name: str, value: Any) -> Any:
        """Return a parameter as its field takes it, from how a file writes it."""
        field = next((field for field in msgspec.structs.fields(cls) if field.encode_name == name), None)
        parse = {"_s": parse_seconds, "_bytes": parse_bytes}
        for suffix, reader in parse.items():
            if field is not None and field.name.endswith(suffix):
                try:
                    return reader(value)
                except ValueError as error:
                    raise ScenarioError(str(error), path=name) from None
        return value

    def watched(self) -> tuple[str, ...]:
        """Return the stations that it must see and steer."""
        raise NotImplementedError

    def lane(self) -> tuple[str, str] | None:
        """Return two stations of which the second has to take just the records that the first gives, if any."""
        return None

    def start(self) -> Any:
        """Return the memory before the first decision."""
        return None

    def decide(self, memory: Any, seen: Observation) -> tuple[Any, tuple[Command, ...]]:
        """Return the memory for the next decision, and what is to be done now. Pure: it only looks at its arguments."""
        raise NotImplementedError


def rates(before: Observation, now: Observation) -> Mapping[str, Sight]:
    """Return what each station moved between two observations (counts are differences, the rest is of now)."""
    found = {}
    for name, sight in now.stations.items():
        old = before.stations.get(name, Sight())
        found[name] = msgspec.structs.replace(
            sight,
            records_in=sight.records_in - old.records_in,
            records_out=sight.records_out - old.records_out,
            bytes_in=sight.bytes_in - old.bytes_in,
            bytes_out=sight.bytes_out - old.bytes_out,
        )
    return found
