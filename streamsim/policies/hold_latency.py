"""Shed load so that records wait no longer than a target in front of a station.

What the sampler has given and the station has not yet taken waits; divided by the rate at which the station takes
(Little's law) that is how long the last of them will wait. The share that the sampler keeps is set so that the queue
reaches its target length within `horizon_s`; where nothing waits it grows again.

>>> policy = HoldLatency(station="shed", behind="slow", target_s=0.1)
>>> from streamsim.policies.base import Observation, Sight
>>> memory = policy.start()
>>> for time_s in (0.0, 1.0):
...     shed = Sight(records_in=2000 * int(time_s), records_out=2000 * int(time_s))
...     slow = Sight(records_in=1000 * int(time_s))
...     memory, commands = policy.decide(memory, Observation(time_s, {"shed": shed, "slow": slow}))
>>> commands[0].parameters["probability"] < 0.5
True
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from streamsim.policies.base import Command, Observation, Policy, Seconds, rates

_NEW = 0.1
"""What the rate of the last period counts in the estimate."""
_BUSY = 0.25
"""Where less than this part of the target waits, the station may have had nothing to do in between."""
_MORE = 0.5
"""Then it is taken to be able to do more: by this part in a horizon."""


class _Memory(msgspec.Struct, frozen=True):
    last: Observation | None = None
    kept: float = 1.0
    per_s: float = 0.0
    busy_s: float = 0.0


class HoldLatency(Policy, frozen=True, kw_only=True, rename={"target_s": "target", "horizon_s": "horizon"}):
    """Shed load at ``station``, an operator ``sample``, so that records wait ``target`` at most before ``behind``."""

    changes: ClassVar[str] = "probability"
    tried: ClassVar[float] = 1.0
    station: str
    behind: str
    target_s: Seconds
    horizon_s: Seconds = 0.5
    least: float = 0.001

    def watched(self) -> tuple[str, ...]:
        return (self.station, self.behind)

    def lane(self) -> tuple[str, str]:
        return (self.station, self.behind)

    def start(self) -> _Memory:
        return _Memory()

    def decide(self, memory: _Memory, seen: Observation) -> tuple[_Memory, tuple[Command, ...]]:
        last = memory.last
        if last is None or seen.time_s <= last.time_s:
            return _Memory(seen, memory.kept, memory.per_s, memory.busy_s), ()
        moved, elapsed = rates(last, seen), seen.time_s - last.time_s
        waiting = seen.stations[self.station].records_out - seen.stations[self.behind].records_in
        taken = moved[self.behind].records_in / elapsed
        # The rate of a station that is not kept busy says only that it can do so much.
        per_s = memory.per_s
        busy_s = memory.busy_s
        if waiting > _BUSY * self.target_s * per_s or taken > per_s:  # also if it took none: it takes whole chunks
            busy_s += elapsed
            new = max(_NEW, elapsed / busy_s)  # at first all periods count the same
            per_s = (1.0 - new) * per_s + new * taken
        else:
            per_s *= 1.0 + _MORE * elapsed / self.horizon_s
        offered = moved[self.station].records_in / elapsed
        kept = memory.kept
        if per_s > 0 and offered > 0:
            wanted = per_s + (self.target_s * per_s - waiting) / self.horizon_s
            kept = min(1.0, max(self.least, wanted / offered))
        commands = () if abs(kept - memory.kept) < 1e-3 else (Command(self.station, {"probability": kept}),)
        return _Memory(seen, kept if commands else memory.kept, per_s, busy_s), commands
