"""Synchronous dataflow graphs: actors that fire, channels between them, and how often each fires in one iteration."""

from __future__ import annotations

import math
from fractions import Fraction

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError


class Actor(msgspec.Struct, frozen=True):
    """What fires: ``time`` (s, at least 0) for each firing, at most ``servers`` firings at once."""

    name: str
    time: float
    servers: int = 1

    def __post_init__(self) -> None:
        checks.non_negative(f"{self.name}.time", self.time)
        checks.whole(f"{self.name}.servers", self.servers, least=1)


class Channel(msgspec.Struct, frozen=True):
    """From one actor to another: tokens given and taken by each firing (at least 1), and ``tokens`` there at first."""

    upstream: str
    given: int
    downstream: str
    taken: int
    tokens: int = 0

    def __post_init__(self) -> None:
        checks.whole(f"{self.label}.given", self.given, least=1)
        checks.whole(f"{self.label}.taken", self.taken, least=1)
        checks.whole(f"{self.label}.tokens", self.tokens, least=0)

    @property
    def label(self) -> str:
        """How answers name the channel."""
        return f"{self.upstream}->{self.downstream}"

    @property
    def step(self) -> int:
        """Capacities matter in such steps only: the greatest common divisor of what is given and taken."""
        return math.gcd(self.given, self.taken)

    @property
    def smallest(self) -> int:
        """The smallest capacity with which the channel alone does not deadlock: g + t − gcd + (tokens mod gcd).

        Source: Adé, Lauwereins and Peperstraete, "Data memory minimisation for synchronous data flow graphs
        emulated on DSP-FPGA targets", DAC 1997, section 3.

        >>> Channel("a", 2, "b", 3).smallest
        4
        """
        return max(self.given + self.taken - self.step + self.tokens % self.step, self.tokens)


class Graph(msgspec.Struct, frozen=True):
    """Actors and channels, checked when made. Raises ModelError for unknown or doubled names and for no actor."""

    actors: tuple[Actor, ...]
    channels: tuple[Channel, ...] = ()

    def __post_init__(self) -> None:
        names = [actor.name for actor in self.actors]
        if not names:
            raise ModelError("a dataflow graph has at least one actor")
        if len(set(names)) < len(names):
            raise ModelError(f"two actors have one name: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")
        for channel in self.channels:
            for name in (channel.upstream, channel.downstream):
                if name not in names:
                    raise ModelError(f"channel {channel.label}: there is no actor {name!r}")
        labels = [channel.label for channel in self.channels]
        if len(set(labels)) < len(labels):
            raise ModelError("two channels join the same two actors; put an actor that takes no time into one of them")


def repetitions(graph: Graph) -> dict[str, int]:
    """Return how often each actor fires in one iteration, the smallest positive numbers that balance every channel.

    Raises ModelError where no such numbers exist: tokens would pile up, or run out, for ever.

    Source: Lee and Messerschmitt, "Static scheduling of synchronous data flow programs for digital signal
    processing", IEEE Transactions on Computers C-36(1), 1987, 24-35, theorem 1.

    >>> repetitions(Graph((Actor("a", 1), Actor("b", 2), Actor("c", 2)),
    ...                   (Channel("a", 2, "b", 3), Channel("b", 1, "c", 2))))
    {'a': 3, 'b': 2, 'c': 1}
    """
    rates: dict[str, Fraction] = {}
    neighbours: dict[str, list[tuple[str, Fraction]]] = {actor.name: [] for actor in graph.actors}
    for channel in graph.channels:
        factor = Fraction(channel.given, channel.taken)
        neighbours[channel.upstream].append((channel.downstream, factor))
        neighbours[channel.downstream].append((channel.upstream, 1 / factor))
    found: dict[str, int] = {}
    for actor in graph.actors:
        if actor.name in rates:
            continue
        part = _spread(actor.name, rates, neighbours)
        scale = math.lcm(*(rates[name].denominator for name in part))
        divisor = math.gcd(*(int(rates[name] * scale) for name in part))
        found |= {name: int(rates[name] * scale) // divisor for name in part}
    for channel in graph.channels:
        if found[channel.upstream] * channel.given != found[channel.downstream] * channel.taken:
            raise ModelError(
                f"channel {channel.label} never balances: for every {found[channel.upstream] * channel.given} tokens "
                f"given, {found[channel.downstream] * channel.taken} are taken"
            )
    return {actor.name: found[actor.name] for actor in graph.actors}


def _spread(first: str, rates: dict[str, Fraction], neighbours: dict[str, list[tuple[str, Fraction]]]) -> list[str]:
    """Give every actor connected to the first its rate relative to it; return their names."""
    rates[first] = Fraction(1)
    part, todo = [first], [first]
    while todo:
        name = todo.pop()
        for other, factor in neighbours[name]:
            if other not in rates:
                rates[other] = rates[name] * factor
                part.append(other)
                todo.append(other)
    return part
