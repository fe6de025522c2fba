"""Sample in front of a sketch as thinly as the error allows, whatever the rate of the stream.

The empirical distribution of n records drawn at random is within ε of the true one everywhere, with probability at
least 1 − δ, once n ≥ ln(2/δ) / (2 ε²) (the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant: Massart
1990, Annals of Probability 18(3), p. 1269, https://doi.org/10.1214/aop/1176990746). So every rank that the
sketch answers is within ε, if so many records of each window reach it: the share kept is that number over those that
the window offers.

>>> policy = HoldError(station="thin", error=0.01, window_s=1.0)
>>> round(policy.needed)
18444
>>> from streamsim.policies.base import Observation, Sight
>>> memory, none = policy.decide(policy.start(), Observation(0.0, {"thin": Sight()}))
>>> memory, (command,) = policy.decide(memory, Observation(1.0, {"thin": Sight(records_in=184_450)}))
>>> round(command.parameters["probability"], 2)
0.12
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import msgspec

from streamsim.policies.base import Command, Observation, Policy, Seconds, rates

_MARGIN = 1.2
"""More than is needed by so much: the rate of the next window is only known when it is over."""


class _Memory(msgspec.Struct, frozen=True):
    last: Observation | None = None
    kept: float = 1.0


class HoldError(Policy, frozen=True, kw_only=True, rename={"window_s": "window"}):
    """Keep at ``station`` (an operator ``sample``) what ranks within ``error`` need, for each ``window``."""

    changes: ClassVar[str] = "probability"
    tried: ClassVar[float] = 1.0
    station: str
    error: Annotated[float, msgspec.Meta(gt=0, lt=1)]
    window_s: Seconds
    risk: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05

    @property
    def needed(self) -> float:
        """How many records a window needs."""
        return math.log(2.0 / self.risk) / (2.0 * self.error**2)

    def watched(self) -> tuple[str, ...]:
        return (self.station,)

    def start(self) -> _Memory:
        return _Memory()

    def decide(self, memory: _Memory, seen: Observation) -> tuple[_Memory, tuple[Command, ...]]:
        last = memory.last
        if last is None or seen.time_s <= last.time_s:
            return _Memory(seen, memory.kept), ()
        offered = rates(last, seen)[self.station].records_in / (seen.time_s - last.time_s) * self.window_s
        kept = min(1.0, _MARGIN * self.needed / offered) if offered > 0 else 1.0
        if abs(kept - memory.kept) <= 0.02 * memory.kept:  # no message for what makes no difference
            return _Memory(seen, memory.kept), ()
        return _Memory(seen, kept), (Command(self.station, {"probability": kept}),)
