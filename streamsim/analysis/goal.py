"""What a what-if is asked for, and what it answers."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from streamsim.scenario import ScenarioKey

SCHEMA = "streamsim.whatif/1"


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold; None where it does not matter. ``cores`` is how many there are at most.

    ``makespan_s`` for a whole run, ``p99_s`` and ``mean_s`` for the response times of records under an open load, which
    the circuit must carry anyway.
    """

    cores: int
    p99_s: float | None = None
    mean_s: float | None = None
    makespan_s: float | None = None

    def missed_by(self, makespan_s: float | None, mean_s: float | None, p99_s: float | None) -> float:
        """Return by what factor it is missed at worst; at most 1 where it is reached, inf where nobody knows.

        >>> Goal(cores=2, p99_s=0.1).missed_by(9.0, None, 0.2)
        2.0
        """
        found = ((makespan_s, self.makespan_s), (mean_s, self.mean_s), (p99_s, self.p99_s))
        return max(
            (value / wanted if value is not None else math.inf for value, wanted in found if wanted), default=0.0
        )


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One variant that reaches the goal, by theory: ``changes`` are for ``--set``, ``servers`` its processes in all.

    ``headroom`` is the largest load that would hold over the one asked for (of a saturated circuit None); ``verified``
    has what simulation and, where it was possible, a real run said; ``warnings`` name what theory left out.
    """

    changes: dict[str, Any]
    cores: int
    servers: int
    headroom: float | None
    makespan_s: float
    mean_s: float | None = None
    p99_s: float | None = None
    verified: dict[str, Verified] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What another world says of a variant, and whether the goal is reached there; None where it could not be asked,
    and ``note`` says why."""

    reached: bool | None
    makespan_s: float | None = None
    mean_s: float | None = None
    p99_s: float | None = None
    note: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``whatif``: the cheapest variants first; none, and ``nearest`` says how near one comes.

    ``cores_needed`` is how many cores the work alone takes at the load given.
    """

    schema: str = SCHEMA
    scenario: ScenarioKey
    goal: Goal
    variants: tuple[Variant, ...]
    nearest: Variant | None = None
    cores_needed: float | None = None
    tried: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()
