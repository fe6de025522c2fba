"""Size a pipe: larger only while both of its ends wait in turn, smaller where it only makes records wait.

A pipe that is full at one look and empty at another smooths too little: doubled. One that is always full has a reader
that can never keep up, and whatever it holds only waits: halved. So throughput is kept and waiting is not bought.
A window is `looks` looks long; nothing is done before it is over.

>>> policy = FitPipe(station="slow", looks=2)
>>> from streamsim.policies.base import Observation, Sight
>>> full = Observation(0.0, {"slow": Sight(waiting_bytes=65536, capacity_bytes=65536)})
>>> memory, none = policy.decide(policy.start(), full)
>>> policy.decide(memory, full)[1][0].parameters
{'pipe': 32768}
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from streamsim.policies.base import Command, Observation, Policy


class _Memory(msgspec.Struct, frozen=True):
    looks: int = 0
    full: int = 0
    empty: int = 0


class FitPipe(Policy, frozen=True, kw_only=True, rename={"least_bytes": "least", "most_bytes": "most"}):
    """Size the input pipes of ``station`` between ``least`` and ``most`` bytes."""

    changes: ClassVar[str] = "pipe"
    station: str
    least_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 4096
    most_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 1 << 20
    looks: Annotated[int, msgspec.Meta(ge=2)] = 20
    enough: Annotated[float, msgspec.Meta(gt=0, lt=0.5)] = 0.1

    def watched(self) -> tuple[str, ...]:
        return (self.station,)

    def start(self) -> _Memory:
        return _Memory()

    def decide(self, memory: _Memory, seen: Observation) -> tuple[_Memory, tuple[Command, ...]]:
        sight = seen.stations[self.station]
        capacity = sight.capacity_bytes
        if not capacity:
            return memory, ()
        # A pipe holds page slots: with small writes it is full long before its bytes are (pipe(7)).
        now = _Memory(
            memory.looks + 1,
            memory.full + (sight.waiting_bytes > 0.5 * capacity),
            memory.empty + (sight.waiting_bytes < 0.05 * capacity),
        )
        if now.looks < self.looks:
            return now, ()
        full, empty = now.full / now.looks, now.empty / now.looks
        wanted = capacity
        if full >= self.enough and empty >= self.enough:
            wanted = min(2 * capacity, self.most_bytes)
        elif full >= 1.0 - self.enough:
            wanted = max(capacity // 2, self.least_bytes)
        return _Memory(), () if wanted == capacity else (Command(self.station, {"pipe": wanted}),)
