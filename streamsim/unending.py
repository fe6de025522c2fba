"""Sources that are known never to end: a measurement of them would not end either."""

from __future__ import annotations

import shlex

from streamsim.circuit import Circuit, Station
from streamsim.commands import SEQUENTIAL, is_barrier, tool_of
from streamsim.scenario import Scenario

_DEVICES = frozenset(["/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"])
_TO_THE_END = (SEQUENTIAL | {"tee", "expand", "comm", "join", "paste"}) - {"head", "sed", "awk", "gawk", "mawk", "grep"}
"""Tools that read all that comes, unless nobody reads them any more; sed, awk and grep may be told to stop."""


def unending_sources(scenario: Scenario) -> list[str]:
    """Return the sources that never end and that nothing ends: no load, and no station that may stop reading.

    What is not known (another command, a named pipe) is none of them.

    >>> from streamsim.loading import load
    >>> unending_sources(load({"sources": {"a": {"command": "yes"}}, "stations": {"n": {"command": "wc -l"}}}))
    ['a']
    >>> unending_sources(load({"sources": {"a": {"command": "yes"}}, "stations": {"h": {"command": "head"}}}))
    []
    """
    circuit = scenario.circuit
    feeds = {feed.name: [user.name for user in circuit.stations if feed in circuit.feed_of(user.name)]
             for feed in circuit.feeds if feed.file in _DEVICES}  # fmt: skip
    makers = {station.name: _below(circuit, station.name) for station in circuit.stations if _goes_on(station)}
    bounded = {
        name
        for name, load in scenario.loads.items()
        if load.records is not None or load.duration_s is not None or load.arrivals == "trace"
    }
    found = feeds | makers
    return [
        name
        for name, readers in found.items()
        if name.removesuffix(".command") not in bounded and _all_read(circuit, readers)
    ]


def _goes_on(station: Station) -> bool:
    if station.role != "source":
        return False
    values = station.parameters
    if station.command is None:
        forever = {
            "generate": values.get("count") is None,
            "exec": bool(values.get("every")) and not values.get("runs"),
        }
        paths = values.get("paths", ()) if station.operator == "file" else ()
        return forever.get(str(station.operator), False) or any(path in _DEVICES for path in paths)
    words = shlex.split(station.command)
    tool = tool_of(station.command)
    if tool == "tail":
        return any(word in ("-f", "-F") or word.startswith("--follow") for word in words[1:])
    return tool == "yes" or (tool == "cat" and any(word in _DEVICES for word in words[1:]))


def _below(circuit: Circuit, name: str) -> list[str]:
    return [pipe.downstream for pipe in circuit.outputs_of(name)]


def _all_read(circuit: Circuit, names: list[str]) -> bool:
    """Whether these, and all below them, read until their input ends."""
    seen: set[str] = set()
    below = list(names)
    while below:
        name = below.pop()
        if name in seen:
            continue
        seen.add(name)
        command = circuit.station(name).command
        if command is not None and tool_of(command) not in _TO_THE_END and not is_barrier(command):
            return False
        below += _below(circuit, name)
    return True
