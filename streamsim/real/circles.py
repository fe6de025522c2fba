"""What each server of a loop is told: which of its pipes are counted, and as what. Pure (see worker/circle.py)."""

from __future__ import annotations

from typing import Any

from streamsim.circuit import Circuit, Pipe
from streamsim.insertion import way_round


def circles(circuit: Circuit) -> dict[str, dict[str, Any]]:
    """Return for each operator that stands in a loop of an expanded circuit what it has to know.

    ``gives`` and ``takes`` have the label of a pipe, the number of its edge, and whether records are counted there (a
    command in between keeps no account, so the pipes before and behind it are one edge).

    >>> from streamsim.circuit import Station
    >>> entry = Station(name="a.loop", operator="loop", inputs=("b",), role="loop")
    >>> loop = Circuit((entry, Station(name="b", operator="copy", inputs=("a.loop",))),
    ...                (Pipe("a.loop", "b"), Pipe("b", "a.loop")))
    >>> circles(loop)["b"]["gives"], circles(loop)["b"]["takes"]
    ([('b->a.loop', 1, False)], [('a.loop->b', 0, False)])
    """
    found: dict[str, dict[str, Any]] = {}
    for number, loop in enumerate(circuit.loops()):
        found |= _circle(circuit, loop, number)
    return found


def _circle(circuit: Circuit, loop: frozenset[str], number: int) -> dict[str, dict[str, Any]]:
    inside = [station for station in circuit.stations if station.name in loop]
    ours = [station.name for station in inside if station.operator is not None]
    pipes = [pipe for pipe in circuit.pipes if pipe.upstream in loop and pipe.downstream in loop]
    gives: dict[str, list[tuple[str, int, bool]]] = {name: [] for name in ours}
    takes: dict[str, list[tuple[str, int, bool]]] = {name: [] for name in ours}
    edges = 0
    for pipe in pipes:
        if pipe.upstream in gives:
            last = _to_ours(pipe, pipes, ours)
            gives[pipe.upstream].append((pipe.label, edges, last is not pipe))
            takes[last.downstream].append((last.label, edges, last is not pipe))
            edges += 1
    flagged = [name for name in ours if len(circuit.station(name).inputs) > len(takes[name])]
    leading = [pipe for pipe in circuit.pipes if pipe.upstream in loop and pipe.downstream not in loop]
    sinks = [sink for name in loop for sink in (*circuit.sinks_of(name), *circuit.port_sinks_of(name))]
    common = {
        "file": f"loop-{number}",
        "edges": edges,
        "flags": len(flagged),
        "exits": len(leading) + len(sinks),
        "way": way_round(circuit, loop),
    }
    return {
        name: {
            **common,
            "gives": gives[name],
            "takes": takes[name],
            "flag": flagged.index(name) if name in flagged else None,
            "names": list(circuit.station(name).inputs),
        }
        for name in ours
    }


def _to_ours(pipe: Pipe, pipes: list[Pipe], ours: list[str]) -> Pipe:
    """Follow a pipe through commands to the one that an operator reads."""
    while pipe.downstream not in ours:
        pipe = next(other for other in pipes if other.upstream == pipe.downstream)
    return pipe
