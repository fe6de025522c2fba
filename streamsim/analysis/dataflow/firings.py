"""The graph of single firings (homogeneous dataflow): who waits for which firing of whom, and how many rounds ago."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamsim.analysis.dataflow.graph import Channel, Graph, repetitions
from streamsim.errors import ModelError

MOST = 20_000
"""Firings in one iteration beyond which nothing is computed: memory and time grow with them."""


@dataclass
class Firings:
    """Nodes are firings of one iteration; ``edges[u, v]`` = (rounds, channel): v waits for the u of so many rounds ago.

    ``time`` is that of each node, ``actor`` whose firing it is. Of parallel edges only the tightest is kept. The
    channel is the label of the pipe where the edge is its capacity (the room that must be there), else None.
    """

    time: list[float] = field(default_factory=list)
    actor: list[str] = field(default_factory=list)
    edges: dict[tuple[int, int], tuple[int, str | None]] = field(default_factory=dict)


def firings(graph: Graph, capacities: Mapping[str, int] | None = None) -> Firings:
    """Expand a graph into its firings.

    Parameters
    ----------
    capacities : tokens that a channel holds, by its label; those not named are unlimited. A firing claims the room for
        what it gives when it starts, and frees that of what it takes when it ends.

    Raises ModelError for an inconsistent graph, a capacity below the tokens that are there, and one iteration of
    more than 20,000 firings.

    Source: Sriram and Bhattacharyya, Embedded Multiprocessors (2000), section 3.8; capacities as channels that lead
    back: Stuijk, Geilen and Basten, "Exploring trade-offs in buffer requirements and throughput constraints for
    synchronous dataflow graphs", DAC 2006.

    >>> from streamsim.analysis.dataflow.graph import Actor
    >>> len(firings(Graph((Actor("a", 1), Actor("b", 2)), (Channel("a", 2, "b", 3),))).time)
    5
    """
    counts = repetitions(graph)
    if sum(counts.values()) > MOST:
        raise ModelError(
            f"one iteration is {sum(counts.values())} firings, more than the {MOST} that are computed with"
        )
    result = Firings()
    first: dict[str, int] = {}
    for actor in graph.actors:
        first[actor.name] = len(result.time)
        result.time += [actor.time] * counts[actor.name]
        result.actor += [actor.name] * counts[actor.name]
        own = Channel(actor.name, 1, actor.name, 1, actor.servers)
        _add(result, own, first, counts, None)
    for channel in graph.channels:
        _add(result, channel, first, counts, None)
        room = (capacities or {}).get(channel.label)
        if room is not None:
            if room < channel.tokens:
                raise ModelError(f"channel {channel.label}: holds {channel.tokens} tokens, its capacity is {room}")
            back = Channel(channel.downstream, channel.taken, channel.upstream, channel.given, room - channel.tokens)
            _add(result, back, first, counts, channel.label)
    return result


def _add(
    result: Firings, channel: Channel, first: Mapping[str, int], counts: Mapping[str, int], label: str | None
) -> None:
    """Add for every firing that takes the edges from the firings that give the tokens that it takes."""
    sources = counts[channel.upstream]
    for firing in range(counts[channel.downstream]):
        for token in range(firing * channel.taken, (firing + 1) * channel.taken):
            place, rounds = (token - channel.tokens) // channel.given, 0
            if place < 0:
                rounds = -(place // sources)
                place += rounds * sources
            edge = first[channel.upstream] + place, first[channel.downstream] + firing
            known = result.edges.get(edge)
            if known is None or rounds < known[0]:
                result.edges[edge] = rounds, label
