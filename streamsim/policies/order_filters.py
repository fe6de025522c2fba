"""Order filters by what they throw away for what they cost: an eddy that adapts between two chunks.

Independent filters are best run in the order of (1 − pass rate) / cost, the highest first (Hellerstein and
Stonebraker 1993, SIGMOD, p. 267, https://doi.org/10.1145/170035.170078, section 3); an eddy finds the order while the
stream flows (Avnur and Hellerstein 2000, SIGMOD, p. 261, https://doi.org/10.1145/342009.335420). What is observed is
what was let through and the time that it took, in the order of the moment, so a filter is judged by the records that
the ones before it left.

A filter that stands behind others sees little, and what it sees is not what came in; so each is put first for one
period when it has hardly been tried, and one of them, the least tried, now and then.

>>> policy = OrderFilters(station="eddy")
>>> from streamsim.policies.base import Observation, Sight
>>> def look(time_s, seen, passed, cost_s):
...     state = {"order": [0, 1], "seen": seen, "passed": passed, "cost_s": cost_s}
...     return Observation(time_s, {"eddy": Sight(state=state)})
>>> memory, none = policy.decide(policy.start(), look(0.0, [0, 0], [0, 0], [0.0, 0.0]))
>>> policy.decide(memory, look(1.0, [1000, 900], [900, 90], [1.0, 0.9]))[1][0].parameters
{'order': '2,1'}
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from streamsim.policies.base import Command, Observation, Policy


class _Filter(msgspec.Struct, frozen=True):
    seen: float = 0.0
    passed: float = 0.0
    cost_s: float = 0.0

    @property
    def rate(self) -> float:
        """What part it lets through; a half as long as it has hardly been tried (Laplace's rule)."""
        return (self.passed + 1.0) / (self.seen + 2.0)

    @property
    def each_s(self) -> float:
        """What one record costs (s)."""
        return max(self.cost_s / max(self.seen, 1.0), 1e-12)

    def rank(self) -> float:
        """What it throws away for a second of work."""
        return (1.0 - self.rate) / self.each_s


class _Memory(msgspec.Struct, frozen=True):
    last: tuple[_Filter, ...] = ()
    recent: tuple[_Filter, ...] = ()
    decisions: int = 0


class OrderFilters(Policy, frozen=True, kw_only=True):
    """Order the filters of ``station`` (an operator ``cascade``) when another order is cheaper by the factor ``gain``.

    What a filter saw counts ``forget`` times as much when it has seen all records of another period. One that has seen
    fewer than ``trial`` records is tried first for a period, and the least tried at each ``explore``-th decision.
    """

    changes: ClassVar[str] = "order"
    asks: ClassVar[bool] = True
    station: str
    forget: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.5
    gain: Annotated[float, msgspec.Meta(ge=1)] = 1.05
    trial: Annotated[int, msgspec.Meta(ge=1)] = 500
    explore: Annotated[int, msgspec.Meta(ge=2)] = 25

    def watched(self) -> tuple[str, ...]:
        return (self.station,)

    def start(self) -> _Memory:
        return _Memory()

    def decide(self, memory: _Memory, seen: Observation) -> tuple[_Memory, tuple[Command, ...]]:
        state = seen.stations[self.station].state
        if not state:
            return memory, ()
        now = tuple(_Filter(*parts) for parts in zip(state["seen"], state["passed"], state["cost_s"], strict=True))
        if not memory.last:
            return _Memory(now, tuple(_Filter() for _ in now)), ()
        order = tuple(state["order"])
        came = now[order[0]].seen - memory.last[order[0]].seen
        if came <= 0:
            return memory, ()
        recent = tuple(self._remembered(*three, came) for three in zip(memory.recent, now, memory.last, strict=True))
        kept = _Memory(now, recent, memory.decisions + 1)
        wanted = tuple(sorted(order, key=lambda one: -recent[one].rank()))
        rarest = min(order, key=lambda one: recent[one].seen)
        if recent[rarest].seen < self.trial or kept.decisions % self.explore == 0:
            wanted = (rarest, *(one for one in wanted if one != rarest))
        elif _cost_s(order, recent) <= self.gain * _cost_s(wanted, recent):
            wanted = order
        commands = (Command(self.station, {"order": ",".join(str(one + 1) for one in wanted)}),)
        return kept, () if wanted == order else commands

    def _remembered(self, old: _Filter, new: _Filter, last: _Filter, came: float) -> _Filter:
        keep = self.forget ** ((new.seen - last.seen) / came)
        return _Filter(*(keep * getattr(old, key) + getattr(new, key) - getattr(last, key) for key in _FIELDS))


def _cost_s(order: tuple[int, ...], filters: tuple[_Filter, ...]) -> float:
    """Return what a record costs in this order (s), if the filters are independent."""
    cost_s, left = 0.0, 1.0
    for place in order:
        cost_s += left * filters[place].each_s
        left *= filters[place].rate
    return cost_s


_FIELDS = ("seen", "passed", "cost_s")
