"""How much servers stretch each other's work where stations are pinned: expectations over who is at work.

The state is how many servers of each group (`placement.Group`) want a core; in every state the shares are max-min fair,
and a server's work is stretched by one over its share. Groups that no limit joins do not disturb each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamsim.placement import Asking, Limits, fill, tasks

MOST_STATES = 10_000
"""Of a set of groups that disturb each other; of more, other groups than a server's own count by their means."""

Law = Sequence[float]


class Crowd:
    """The servers of some stations that want cores now and then, ``servers`` of each station."""

    def __init__(self, limits: Limits, servers: Mapping[str, int]) -> None:
        self.limits, self.servers = limits, servers
        self.members: dict[int, list[str]] = {}
        for name in servers:
            self.members.setdefault(limits.placement.group[name], []).append(name)
        self.counts = {group: sum(servers[name] for name in names) for group, names in self.members.items()}
        self.together = _components(limits, self.counts)

    @property
    def shared(self) -> bool:
        """Whether anybody may ever have to wait for a core."""
        everybody = [(group, float(count), 1.0) for group, count in self.counts.items()]
        filled = fill(self.limits.rooms, tasks(self.limits.placement, everybody))
        return any(place is not None for place in filled.held_by)

    @property
    def exact(self) -> bool:
        """Whether every state is gone through; where not, other groups than a server's own count by their means."""
        return not any(self._many(around) for around in self.together)

    def slowed(self, group: int, laws: Mapping[int, Law]) -> list[float]:
        """Return by what factor work of a group is stretched with 1, 2, … of the group at work, itself included.

        Parameters
        ----------
        laws : of every group, the chance that 0, 1, 2, … of its servers are at work.
        """
        around = next(some for some in self.together if group in some)
        if self._many(around):
            return self._by_means(group, around, laws)
        found = self._tables(around)[around.index(group)]
        for place in reversed(range(len(around))):
            if around[place] != group:
                found = np.tensordot(found, np.asarray(laws[around[place]]), axes=([place], [0]))
        return [float(value) for value in found[1:]]

    def slowest(self, laws: Mapping[int, Law]) -> float:
        """Return the mean stretch of those at work that have least, where groups disturb each other most.

        Parameters
        ----------
        laws : of every group, the chance that 0, 1, 2, … of its servers are at work.
        """
        most = 1.0
        for around in self.together:
            if self._many(around):
                most = max(most, *(max(self._by_means(group, around, laws)) for group in around))
                continue
            found = np.maximum.reduce(self._tables(around))
            for place in reversed(range(len(around))):
                found = np.tensordot(found, np.asarray(laws[around[place]]), axes=([place], [0]))
            most = max(most, float(found))
        return most

    def _many(self, around: Sequence[int]) -> bool:
        return math.prod(self.counts[group] + 1 for group in around) > MOST_STATES

    def _tables(self, around: Sequence[int]) -> list[NDArray[np.float64]]:
        placement = self.limits.placement
        return _table(
            self.limits.rooms,
            tuple(tuple(place in limit.groups for place in around) for limit in placement.limits),
            tuple(placement.groups[place].weight for place in around),
            tuple(self.counts[one] for one in around),
        )

    def _by_means(self, group: int, around: Sequence[int], laws: Mapping[int, Law]) -> list[float]:
        placement = self.limits.placement
        others = [(one, sum(k * chance for k, chance in enumerate(laws[one])), 1.0) for one in around if one != group]
        found = []
        for at_work in range(1, self.counts[group] + 1):
            rates = fill(self.limits.rooms, tasks(placement, [(group, float(at_work), 1.0), *others])).rates
            found.append(1 / (rates[0] * placement.groups[group].weight))
        return found


def _components(limits: Limits, counts: Mapping[int, int]) -> list[tuple[int, ...]]:
    """Return the groups that limits join: all inside one that can be full though the limits inside it hold."""
    parts = [{group} for group in counts]
    for place, limit in enumerate(limits.placement.limits):
        inside = limit.groups & counts.keys()
        if _most(limits, place, counts) <= limits.rooms[place] + 1e-9:
            continue
        joined = set().union(*(part for part in parts if part & inside), inside)
        parts = [*(part for part in parts if not part & inside), joined]
    return [tuple(sorted(part)) for part in parts]


def _most(limits: Limits, place: int, counts: Mapping[int, int]) -> float:
    """Return what the groups inside a limit can use at most as far as the limits inside it say."""
    whole = limits.placement.limits[place]
    left = set(whole.groups & counts.keys())
    most, taken = 0.0, set[int]()
    smaller = [k for k, one in enumerate(limits.placement.limits) if k != place and set(one.cores) < set(whole.cores)]
    for k in sorted(smaller, key=lambda k: -len(limits.placement.limits[k].cores)):
        one = limits.placement.limits[k]
        if not taken & set(one.cores):
            inside = one.groups & left
            most += min(limits.rooms[k], float(sum(counts[group] for group in inside)))
            taken |= set(one.cores)
            left -= inside
    return most + sum(counts[group] for group in left)


@lru_cache(maxsize=256)
def _table(
    rooms: tuple[float, ...], inside: tuple[tuple[bool, ...], ...], weights: tuple[float, ...], counts: tuple[int, ...]
) -> list[NDArray[np.float64]]:
    """Return for each group by what its work is stretched when so many of each group are at work."""
    found = [np.ones([count + 1 for count in counts]) for _ in counts]
    for state in itertools.product(*(range(count + 1) for count in counts)):
        groups = [k for k, count in enumerate(state) if count]
        asking = [
            Asking([state[k] * weights[k] if some[k] else 0.0 for some in inside], 1 / weights[k]) for k in groups
        ]
        for k, rate in zip(groups, fill(rooms, asking).rates, strict=True):
            found[k][state] = 1 / (rate * weights[k])
    return found
