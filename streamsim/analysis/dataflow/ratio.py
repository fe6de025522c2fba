"""What sets the pace of a dataflow graph: the cycle of firings with the largest time for each round (Howard)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from streamsim.analysis.dataflow.firings import Firings, firings
from streamsim.analysis.dataflow.graph import Graph
from streamsim.errors import ModelError

ROUNDS = 10_000


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What a graph can do.

    ``period`` (s) is one iteration, ``throughput`` iterations a second; a ``deadlock`` has throughput 0 and no period,
    a graph whose firings take no time no period either and no throughput (None). ``actors`` and ``channels`` (pipes
    whose capacity matters) are those of the critical cycle, or of the cycle that deadlocks.
    """

    period: float | None
    throughput: float | None
    deadlock: bool
    actors: tuple[str, ...]
    channels: tuple[str, ...]


def pace(graph: Graph, capacities: Mapping[str, int] | None = None) -> Pace:
    """Return the throughput of the self-timed execution, exactly, and what limits it.

    Every firing starts as soon as it can; then one iteration takes the maximum over all cycles of (time of the firings)
    / (rounds that the cycle reaches back).

    Parameters
    ----------
    capacities : as in `firings.firings`.

    Source: Reiter, "Scheduling parallel computations", J. ACM 15 (1968), 590-599; policy iteration: Cochet-Terrasson et
    al., "Numerical computation of spectral elements in max-plus algebra", IFAC SSC 1998; Dasdan, "Experimental
    analysis of the fastest optimum cycle ratio and mean algorithms", ACM TODAES 9(4), 2004, figure 7.

    >>> from streamsim.analysis.dataflow.graph import Actor, Channel
    >>> three = Graph((Actor("a", 1), Actor("b", 2), Actor("c", 2)), (Channel("a", 2, "b", 3), Channel("b", 1, "c", 2)))
    >>> pace(three, {"a->b": 4, "b->c": 2}).period
    7.0
    >>> pace(three, {"a->b": 3}).deadlock
    True
    """
    expanded = firings(graph, capacities)
    stuck = _deadlock(expanded)
    if stuck is not None:
        return _answer(expanded, stuck, None, deadlock=True)
    best: tuple[float, list[int]] | None = None
    for part in _components(expanded):
        found = _howard(part, expanded)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None or best[0] <= 0:
        return Pace(period=None, throughput=None, deadlock=False, actors=(), channels=())
    return _answer(expanded, best[1], best[0], deadlock=False)


def _answer(expanded: Firings, cycle: list[int], period: float | None, *, deadlock: bool) -> Pace:
    edges = zip(cycle, cycle[1:] + cycle[:1], strict=True)
    labels = [expanded.edges[edge][1] for edge in edges]
    return Pace(
        period=period,
        throughput=0.0 if deadlock else 1 / period if period else None,
        deadlock=deadlock,
        actors=tuple(dict.fromkeys(expanded.actor[node] for node in cycle)),
        channels=tuple(dict.fromkeys(label for label in labels if label is not None)),
    )


def _deadlock(expanded: Firings) -> list[int] | None:
    """Return a cycle of firings that wait for each other within one round, or None."""
    import networkx as nx

    waits = nx.DiGraph([edge for edge, (rounds, _) in expanded.edges.items() if rounds == 0])
    try:
        return [int(edge[0]) for edge in nx.find_cycle(waits)]
    except nx.NetworkXNoCycle:
        return None


def _components(expanded: Firings) -> list[list[tuple[int, int, float, int]]]:
    """Return the edges (from, to, time, rounds) of every strongly connected part."""
    import networkx as nx

    whole = nx.DiGraph(list(expanded.edges))
    parts = list(nx.strongly_connected_components(whole))
    number = {node: place for place, part in enumerate(parts) for node in part}
    edges: list[list[tuple[int, int, float, int]]] = [[] for _ in parts]
    for (source, target), (rounds, _) in expanded.edges.items():
        if number[source] == number[target]:
            edges[number[source]].append((source, target, expanded.time[source], rounds))
    return [part for part in edges if part]


def _howard(edges: list[tuple[int, int, float, int]], expanded: Firings) -> tuple[float, list[int]] | None:
    """Return the largest ratio of time to rounds over all cycles of one strongly connected part, and such a cycle."""
    policy: dict[int, tuple[int, float, int]] = {}
    for source, target, time, rounds in edges:
        if source not in policy or time - rounds > policy[source][1] - policy[source][2]:
            policy[source] = target, time, rounds
    scale = max(expanded.time) or 1.0
    value = dict.fromkeys(policy, 0.0)
    for _ in range(ROUNDS):
        ratio, cycle = _worst_cycle(policy)
        _evaluate(policy, value, ratio, cycle)
        better = False
        for source, target, time, rounds in edges:
            gain = time - ratio * rounds + value[target] - value[source]
            if gain > 1e-10 * scale:
                policy[source] = target, time, rounds
                value[source] += gain
                better = True
        if not better:
            return ratio, cycle
    raise ModelError(f"the cycle ratio did not settle in {ROUNDS} rounds")


def _worst_cycle(policy: dict[int, tuple[int, float, int]]) -> tuple[float, list[int]]:
    """Return the largest ratio among the cycles that the policy runs into, and that cycle."""
    seen: dict[int, int] = {}
    best: tuple[float, list[int]] = (-1.0, [])
    for start in policy:
        path: list[int] = []
        node = start
        while node not in seen:
            seen[node] = start
            path.append(node)
            node = policy[node][0]
        if seen[node] == start:
            cycle = path[path.index(node) :]
            ratio = sum(policy[one][1] for one in cycle) / sum(policy[one][2] for one in cycle)
            if ratio > best[0]:
                best = ratio, cycle
    return best


def _evaluate(
    policy: dict[int, tuple[int, float, int]], value: dict[int, float], ratio: float, cycle: list[int]
) -> None:
    """Set the values of all firings that the policy leads to the cycle, from the cycle backwards."""
    above: dict[int, list[int]] = {}
    for node, (target, _, _) in policy.items():
        above.setdefault(target, []).append(node)
    done = {cycle[0]}
    todo = [cycle[0]]
    while todo:
        target = todo.pop()
        for node in above.get(target, ()):
            if node not in done:
                done.add(node)
                _, time, rounds = policy[node]
                value[node] = time - ratio * rounds + value[target]
                todo.append(node)
