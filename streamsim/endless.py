"""Loops out of which no record finds its way: it comes back as it was, and goes the same way again."""

from __future__ import annotations

from streamsim.circuit import Circuit, Station
from streamsim.commands import tool_of
from streamsim.insertion import way_round

_UNCHANGING = frozenset(
    [
        "cascade",
        "convert",
        "copy",
        "filter",
        "interleave",
        "loop",
        "merge",
        "partition",
        "reorder",
        "route",
        "tee",
        "work",
    ]
)
"""Operators that give records as they took them, and whose choice among them depends on the record alone."""


def endless_loops(circuit: Circuit) -> list[str]:
    """Return a warning for each loop in which a record that has come back once comes back for ever.

    So it is where nothing in the loop changes records or remembers them, and no way out is taken in turn: the key, the
    expression, send the record the same way each time. What is not known (a map, another's operator) is no reason to
    warn.

    >>> from streamsim.loading import load
    >>> stations = {"a": {"operator": "copy", "input": ["s", "b"], "split": "key"},
    ...             "b": {"operator": "copy", "input": "a"}, "out": {"command": "cat", "input": "a"}}
    >>> looped = load({"sources": {"s": {"command": "seq 9"}}, "stations": stations}).circuit
    >>> [text.partition(":")[0] for text in endless_loops(looped)]
    ['the loop a -> b -> a has no end for a record that comes back']
    """
    return [
        f"the loop {way_round(circuit, loop)} has no end for a record that comes back: nothing in it changes a record "
        "or remembers it, so the same record goes the same way each time; let a map change it, or a dedup drop it"
        for loop in circuit.loops()
        if all(_repeats(circuit, circuit.station(name), loop) for name in loop)
    ]


def _repeats(circuit: Circuit, station: Station, loop: frozenset[str]) -> bool:
    """Whether a station does with a record the second time what it did the first time."""
    if station.command is not None:
        return station.parallelism == 1 and tool_of(station.command) in ("cat", "tee")
    if station.operator == "regex":
        return str(station.parameters.get("mode", "match")) == "match"
    if station.role == "split" and station.parameters.get("by", "round-robin") in ("round-robin", "least-loaded"):
        return not _leads_out(circuit, station.name, loop)
    return station.operator in _UNCHANGING


def _leads_out(circuit: Circuit, name: str, loop: frozenset[str]) -> bool:
    return any(pipe.downstream not in loop for pipe in circuit.outputs_of(name)) or bool(circuit.sinks_of(name))
