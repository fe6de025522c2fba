"""Which circuits can stand still: forks whose branches meet again at a reader that wants one of them first.

A station that reads its inputs as they come (most operators of ours) never keeps a branch waiting. One that reads them
one after the other (``cat a b``), or side by side (``paste``, ``comm``, ``sort -m``), does: while it waits for one
branch, the others have to hold what the fork gives them meanwhile. A run makes the pipes larger then (see
real/standstill.py), but not without end.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from streamsim import operators
from streamsim.circuit import Circuit, Pipe, Station
from streamsim.commands import SEQUENTIAL, is_barrier, merges_sorted, tool_of
from streamsim.expansion import expand
from streamsim.scenario import Scenario
from streamsim.slots import PAGE, held, least_held

_IN_HAND_BYTES = 131072
"""What a station may hold beside its pipes: the buffer of `cat` (128 KiB) is as large as any that streams."""

Order = Literal["ready", "sequence", "lockstep"]


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """A fork and a join between which a branch may have to hold more than it can.

    ``held_bytes`` is what the branch ``full`` holds at least and at most (None: a station there may drop any number),
    ``records`` the same in records where their size is known.
    """

    fork: str
    join: str
    first: str
    full: str
    reason: str
    held_bytes: tuple[int, int | None]
    records: tuple[int, int | None] | None = None

    def __str__(self) -> str:
        low, high = self.held_bytes
        at = f"{low} bytes" if low == high else f"at least {low} bytes" if high is None else f"{low} to {high} bytes"
        if self.records is not None:
            least, most = self.records
            latest = "" if most is None or most == least else f", at the latest at record {most + 1}"
            at += f", so it can stand still at record {least + 1}{latest}"
        return (
            f"{self.join!r} {self.reason} {self.first!r} before it goes on with {self.full!r}, and both come from "
            f"{self.fork!r}: the way by {self.full!r} holds {at}"
        )


class _Branch(NamedTuple):
    """One way from a fork to an input of a join."""

    pipes: tuple[Pipe, ...]
    stations: tuple[Station, ...]


def reading_order(station: Station) -> Order:
    """Return in which order a station reads several inputs.

    >>> reading_order(Station(name="a", command="cat {b} {c}")), reading_order(Station(name="a", command="paste - {b}"))
    ('sequence', 'lockstep')
    """
    if station.command is None:
        in_order = station.batches == "collate" or operators.find(str(station.operator)).shape == "selective"
        return "lockstep" if in_order else "ready"
    one_by_one = tool_of(station.command) in SEQUENTIAL and not merges_sorted(station.command)
    return "sequence" if one_by_one else "lockstep"


def risks(scenario: Scenario) -> list[Risk]:
    """Return where a scenario's circuit can stand still, in the order of the stream; none where it cannot.

    A branch whose need is known to fit (records of one size, a count) is no risk.

    >>> from streamsim.loading import load
    >>> fork = load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "sort", "input": "a"},
    ...              "c": {"command": "paste {b} {a}", "input": ["b", "a"]}}})
    >>> [(risk.fork, risk.full, risk.held_bytes) for risk in risks(fork)]
    [('a', 'a', (131072, 262144))]
    """
    circuit = expand(scenario.circuit)
    found: list[Risk] = []
    for name in circuit.order():
        station = circuit.station(name)
        order, inputs = reading_order(station), circuit.inputs_of(name)
        if order == "ready" or len(inputs) < 2:
            continue
        ranked = _ranked(station, inputs)
        for place, first in enumerate(ranked):
            for later in ranked[place + 1 :]:
                pairs = [(first, later)] if order == "sequence" else [(first, later), (later, first)]
                found += [risk for one, other in pairs if (risk := _risk(scenario, circuit, order, one, other))]
    return found


def _ranked(station: Station, inputs: tuple[Pipe, ...]) -> list[Pipe]:
    """Return the inputs as a command names them; standard input stands where a lone ``-`` does, else first."""
    if station.command is None:
        return list(inputs)
    labels = dict(zip(station.inputs, station.labels or station.inputs, strict=True))
    words = station.command.split()

    def place(pipe: Pipe) -> int:
        named = f"{{{labels[pipe.source]}}}"
        return next((at for at, word in enumerate(words) if named in word), words.index("-") if "-" in words else 0)

    return sorted(inputs, key=place)


def _risk(scenario: Scenario, circuit: Circuit, order: Order, first: Pipe, later: Pipe) -> Risk | None:
    """Return what can happen while the reader of both waits for ``first``; None where ``later`` can hold it."""
    fork = _fork(circuit, first, later)
    if fork is None:
        return None
    name, before, waiting = fork
    if any(_is_barrier(station) for station in waiting.stations):
        return None  # it takes all that comes before it gives anything
    if order == "sequence":
        reason = "reads all of"
    elif any(_is_barrier(station) for station in before.stations) or any(
        _keeps_pace(station) is False for station in (*before.stations, *waiting.stations)
    ):
        reason = "needs a record of"
    else:
        return None
    if circuit.station(name).role == "split" and circuit.station(name).parameters.get("by") != "key":
        return None  # what one branch gets, the others get too: nobody waits for long
    size = _record_bytes(scenario, circuit, name)
    low, high = _holds(waiting, size, alone=_travels_alone(scenario, circuit, name))
    needed = _needed(scenario, circuit, name)
    if needed is not None and needed <= low:
        return None
    return Risk(
        fork=_shown(circuit, name),
        join=_shown(circuit, first.downstream),
        first=_shown(circuit, first.upstream),
        full=_shown(circuit, later.upstream),
        reason=reason,
        held_bytes=(low, high),
        records=(low // size, None if high is None else high // size) if size else None,
    )


def _shown(circuit: Circuit, name: str) -> str:
    station = circuit.station(name)
    return name.removesuffix(".copy") if station.role == "copy" else name


def _fork(circuit: Circuit, one: Pipe, other: Pipe) -> tuple[str, _Branch, _Branch] | None:
    """Return the nearest station from which both pipes come by different outputs, and the two ways from there."""
    ways = _ways_up(circuit, one), _ways_up(circuit, other)
    back = {pipe.label for pipe in circuit.feedback()}
    for name in reversed(circuit.order()):
        outputs = [pipe for pipe in circuit.outputs_of(name) if pipe.label not in back]
        left = [pipe for pipe in outputs if pipe.label in ways[0]]
        right = [pipe for pipe in outputs if pipe.label in ways[1]]
        for mine in left:
            for theirs in right:
                if mine.label != theirs.label:
                    return name, _branch(circuit, mine, one), _branch(circuit, theirs, other)
    return None


def _ways_up(circuit: Circuit, pipe: Pipe) -> set[str]:
    """Return the labels of a pipe and of all pipes above it."""
    back = {other.label for other in circuit.feedback()}
    seen = {pipe.label}
    todo = [pipe]
    while todo:
        for above in circuit.inputs_of(todo.pop().upstream):
            if above.label not in seen and above.label not in back:
                seen.add(above.label)
                todo.append(above)
    return seen


def _branch(circuit: Circuit, start: Pipe, end: Pipe) -> _Branch:
    """Return the shortest way from one pipe to another: pipes and the stations between them."""
    ways: list[tuple[Pipe, ...]] = [(start,)]
    seen = {start.label}
    for way in ways:  # grows while it is walked
        if way[-1].label == end.label:
            return _Branch(way, tuple(circuit.station(pipe.upstream) for pipe in way[1:]))
        for pipe in circuit.outputs_of(way[-1].downstream):
            if pipe.label not in seen:
                seen.add(pipe.label)
                ways.append((*way, pipe))
    raise KeyError(end.label)


def _is_barrier(station: Station) -> bool:
    if station.command is not None:
        return is_barrier(station.command)
    return operators.find(str(station.operator)).traits.barrier


def _keeps_pace(station: Station) -> bool | None:
    """Whether a station gives one record for each; None where nobody knows."""
    if station.command is not None:
        tool = tool_of(station.command)
        return True if station.one_to_one or tool in ("cat", "tee") else False if tool in _THINNING else None
    return operators.find(str(station.operator)).traits.one_to_one


_THINNING = {"egrep", "fgrep", "grep", "head", "split", "tail", "uniq"}
"""Tools that give fewer records than they take."""


def _holds(branch: _Branch, record_bytes: int | None, *, alone: bool) -> tuple[int, int | None]:
    """Return how many bytes a branch takes in, at least and at most, while nothing is read at its end.

    Only its first pipe is sure to fill, and of unequal records it holds as much as of those of a byte at least.
    """
    whole = branch.pipes[0].capacity_bytes
    slots = whole // PAGE
    if record_bytes is None:
        low, high = least_held(1, slots), whole
    elif alone:
        low = high = held(record_bytes, slots)
    else:
        low, high = least_held(record_bytes, slots), whole
    if not all(_keeps_pace(station) for station in branch.stations):
        return low, None
    return low, high + sum(pipe.capacity_bytes for pipe in branch.pipes[1:]) + _IN_HAND_BYTES * len(branch.stations)


def _source(circuit: Circuit, name: str) -> Station | None:
    """Return the source whose records a station passes on unchanged; None where others work on them."""
    station = circuit.station(name)
    while station.role != "source":
        inputs = circuit.inputs_of(station.name)
        if len(inputs) != 1 or not (station.role in ("copy", "merge") or _keeps_pace(station) is True):
            return None
        if station.role == "station" and station.operator != "copy" and tool_of(str(station.command)) != "cat":
            return None
        station = circuit.station(inputs[0].upstream)
    return station


def _record_bytes(scenario: Scenario, circuit: Circuit, name: str) -> int | None:
    """Return the size of all records at a fork, where they are known to be of one size."""
    source = _source(circuit, name)
    if source is None or source.operator != "generate":
        return None
    values = operators.normal("generate", source.parameters)
    if values["kind"] == "words":
        return None
    return int(values["size"]) if values["size"] else {"fixed": 100}.get(values["kind"])


def _travels_alone(scenario: Scenario, circuit: Circuit, name: str) -> bool:
    source = _source(circuit, name)
    return source is not None and scenario.load_of(source.name).open


def _needed(scenario: Scenario, circuit: Circuit, name: str) -> int | None:
    """Return how many bytes come to a fork in a whole run, where that is known."""
    source = _source(circuit, name)
    if source is None:
        return None
    load = scenario.load_of(source.name)
    size = _record_bytes(scenario, circuit, name)
    counts = [load.records]
    if source.operator == "generate":
        counts.append(operators.normal("generate", source.parameters)["count"])
    known = [count for count in counts if count is not None]
    if size and known:
        return min(known) * size
    return scenario.source_bytes.get(source.name)
