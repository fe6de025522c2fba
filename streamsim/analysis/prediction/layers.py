"""Two layers: servers hold their place in the circuit while they wait for one of the host's cores.

The circuit's stations are customers of the host. A server alternates between having nothing to do, or waiting for
something else than a core, and wanting a core; those that want one share the cores equally. How much that stretches a
server's work depends on how many others want a core too, which depends on how much their work is stretched: a fixed
point of the two layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamsim.analysis.prediction.pinned import Crowd
from streamsim.placement import Limits

ROUNDS = 200
SETTLED = 1e-7
FULL = 0.999999
"""A server that wants a core all the time; beyond that the load is more than it can carry."""


@dataclass(frozen=True)
class Wants:
    """What the servers of one station want: each of the ``servers`` has ``rate`` records a second that need ``work``
    core-seconds each, on a core of its own; ``threads`` cores at once."""

    rate: float
    work: float
    servers: int = 1
    threads: float = 1.0


def stretches(
    stations: Mapping[str, Wants],
    available_cores: float,
    *,
    limits: Limits | None = None,
    start: Mapping[str, float] | None = None,
    rounds: int = ROUNDS,
) -> dict[str, float]:
    """Return how many times as long the work of each station takes because others want the cores too; at least 1.

    With k others at work a server gets min(1, m/(k+1)) of a core, m the available cores. By the arrival theorem a
    server sees the others as if it were not there, each wanting a core for the share u = rate·work·stretch of the time,
    independently; so stretch = E[max(1, (k+1)/m)] with k of a Poisson-binomial law of the u. Where stations are pinned
    it is the mean of one over the share that is fair with so many of each group at work (`pinned`). No server on a
    single core is at work for more of the time than the core itself, which bounds its stretch.

    Parameters
    ----------
    available_cores : above 0, what background load and the hypervisor leave; fractions count.
    limits : who may use which of the cores, where not all may use all.
    start, rounds : what to begin with, and how often to go round at most, for callers that come back with better rates.

    Source: Rolia and Sevcik, "The Method of Layers", IEEE Transactions on Software Engineering 21(8), 1995,
    689-700 (software servers as customers of the devices, by approximate MVA); processor sharing of the cores in place
    of its queue, single-customer classes in place of its populations.

    Two equal stations on one core, exponential: each is then an M/M/1 queue with the load of both, which is exact.

    >>> both = stretches({"a": Wants(0.4, 1.0), "b": Wants(0.4, 1.0)}, 1.0)
    >>> round(both["a"], 6)
    1.666667
    >>> stretches({"a": Wants(0.4, 1.0), "b": Wants(0.4, 1.0)}, 2.0)["a"]
    1.0
    """
    stretch = {**dict.fromkeys(stations, 1.0), **(start or {})}
    names = [name for name, one in stations.items() if one.work > 0 and one.rate > 0]
    crowd: _Alike | _Pinned
    if limits is not None:
        crowd = _Pinned(Crowd(limits, {name: stations[name].servers for name in names}))
        if not crowd.crowd.shared:
            return stretch
    elif sum(one.servers * one.threads for one in stations.values() if one.work > 0) <= available_cores:
        return stretch
    else:
        crowd = _Alike(available_cores, {name: stations[name].servers for name in names})
    single: float | None = None
    if limits is None and available_cores <= 1:
        single = sum(one.rate * one.work * one.servers for one in stations.values()) / available_cores
        single = single if single < 1 else None
    before: list[dict[str, float]] = []
    for turn in range(rounds):
        wanting = {name: min(stations[name].rate * stations[name].work * stretch[name], FULL) for name in names}
        found = crowd.stretched(wanting)
        if single is not None:
            found = {name: min(found[name], single / (stations[name].rate * stations[name].work)) for name in names}
        settled = all(abs(found[name] - stretch[name]) <= SETTLED * found[name] for name in names)
        before = [*before[-1:], stretch]
        stretch = {**stretch, **found}
        if settled:
            break
        if turn % 3 == 2:
            stretch = {**stretch, **{name: _limit(before[0][name], before[1][name], found[name]) for name in names}}
    return stretch


class _Alike:
    """Servers that all share all cores."""

    def __init__(self, available_cores: float, servers: Mapping[str, int]) -> None:
        self.servers = servers
        self.slow = [max(1.0, (others + 1) / available_cores) for others in range(sum(servers.values()) + 1)]

    def stretched(self, wanting: Mapping[str, float]) -> dict[str, float]:
        """Return the stretch of each station's work where each server wants a core for such a part of the time."""
        law = number_wanting([(wanting[name], self.servers[name]) for name in self.servers])
        return {name: _mean(without(law, wanting[name]), self.slow) for name in self.servers}


class _Pinned:
    """Servers of which not all may use all cores."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd

    def stretched(self, wanting: Mapping[str, float]) -> dict[str, float]:
        """Return the stretch of each station's work where each server wants a core for such a part of the time."""
        servers = self.crowd.servers
        laws = {
            group: number_wanting([(wanting[name], servers[name]) for name in names])
            for group, names in self.crowd.members.items()
        }
        found: dict[str, float] = {}
        for group, names in self.crowd.members.items():
            slow = self.crowd.slowed(group, laws)
            found |= {name: _mean(without(laws[group], wanting[name]), slow) for name in names}
        return found


def _mean(law: Sequence[float], values: Sequence[float]) -> float:
    return sum(chance * value for chance, value in zip(law, values, strict=False))


def _limit(first: float, second: float, third: float) -> float:
    """Return where a series that closes in geometrically ends (Aitken), not more than three times as far on."""
    step, following = second - first, third - second
    if step <= 0 or not 0 < following < step:
        return third
    return third + min(following / (1 - following / step) * (following / step), 3 * third)


def number_wanting(servers: Sequence[tuple[float, int]]) -> list[float]:
    """Return the law of how many want a core: the chance of 0, 1, 2, …; `servers` are (chance of each, how many)."""
    law = [1.0]
    for chance, count in servers:
        several = [math.comb(count, k) * chance**k * (1 - chance) ** (count - k) for k in range(count + 1)]
        longer = [0.0] * (len(law) + count)
        for place, one in enumerate(law):
            for more, other in enumerate(several):
                longer[place + more] += one * other
        law = longer
    return law


def without(law: Sequence[float], chance: float) -> list[float]:
    """Return the law of how many of the others want a core: one server of this chance taken out.

    Divides from the side on which the quotient does not amplify rounding.

    >>> [round(part, 12) for part in without(number_wanting([(0.3, 1), (0.9, 1)]), 0.9)]
    [0.7, 0.3]
    """
    size = len(law) - 1
    others = [0.0] * size
    if chance <= 0.5:
        left = 0.0
        for place in range(size):
            left = (law[place] - chance * left) / (1 - chance)
            others[place] = left
    else:
        left = 0.0
        for place in range(size - 1, -1, -1):
            left = (law[place + 1] - (1 - chance) * left) / chance
            others[place] = left
    return others
