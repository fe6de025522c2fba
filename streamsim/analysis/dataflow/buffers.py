"""Throughput against the capacities of the pipes: every best trade-off of a small dataflow graph."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import msgspec

from streamsim.analysis.dataflow.graph import Graph
from streamsim.analysis.dataflow.ratio import pace
from streamsim.errors import ModelError

MOST = 5_000
"""Distributions of room that are tried before it is said to be too much."""


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One point of the front: nothing smaller in all is as fast. ``size`` is the sum of the capacities (tokens)."""

    size: int
    throughput: float
    capacities: dict[str, int]


def front(graph: Graph, *, most: int = MOST) -> tuple[Trade, ...]:
    """Return the exact Pareto front of total capacity and throughput, from the first that runs to the fastest.

    From a distribution of room only the pipes of its critical cycle are worth enlarging: every other enlargement
    leaves that cycle, and so the throughput, as it is. Distributions are tried by their total size, so that the first
    to reach a throughput is the smallest.

    Parameters
    ----------
    most : distributions to try at most.

    Raises ModelError where that is not enough, for an inconsistent graph, and for one that deadlocks whatever its
    pipes hold.

    Source: Stuijk, Geilen and Basten, "Exploring trade-offs in buffer requirements and throughput constraints for
    synchronous dataflow graphs", DAC 2006, section 5 (storage dependencies).

    >>> from streamsim.analysis.dataflow.graph import Actor, Channel
    >>> three = Graph((Actor("a", 1), Actor("b", 2), Actor("c", 2)), (Channel("a", 2, "b", 3), Channel("b", 1, "c", 2)))
    >>> [(trade.size, round(1 / trade.throughput, 9)) for trade in front(three)]
    [(6, 7.0), (8, 6.0), (9, 5.0), (10, 4.0)]
    """
    fastest = pace(graph)
    if fastest.deadlock:
        raise ModelError(f"deadlocks whatever the pipes hold: {' -> '.join(fastest.actors)} wait for each other")
    if fastest.throughput is None:
        raise ModelError("no firing takes any time: there is no throughput to trade")
    steps = {channel.label: channel.step for channel in graph.channels}
    labels = list(steps)
    first = tuple(channel.smallest for channel in graph.channels)
    todo, seen = [(sum(first), first)], {first}
    found: list[Trade] = []
    best = 0.0
    tried = 0
    while todo:
        size, rooms = heapq.heappop(todo)
        tried += 1
        if tried > most:
            raise ModelError(f"more than {most} distributions of room would have to be tried; the graph is too large")
        here = pace(graph, dict(zip(labels, rooms, strict=True)))
        throughput = here.throughput or 0.0
        if throughput > best * (1 + 1e-9):
            if found and found[-1].size == size:
                found.pop()
            best = throughput
            found.append(Trade(size=size, throughput=best, capacities=dict(zip(labels, rooms, strict=True))))
        if best >= fastest.throughput * (1 - 1e-9):
            return tuple(found)
        for label in here.channels:
            place = labels.index(label)
            more = (*rooms[:place], rooms[place] + steps[label], *rooms[place + 1 :])
            if more not in seen:
                seen.add(more)
                heapq.heappush(todo, (sum(more), more))
    return tuple(found)


def enough(graph: Graph) -> Mapping[str, int]:
    """Return the smallest capacities in all with which the graph is as fast as with unlimited ones.

    Raises ModelError as `front` does.
    """
    return front(graph)[-1].capacities
