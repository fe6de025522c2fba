"""Circuits: stations, the pipes between them, and what follows from their shape alone."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

import msgspec

DEFAULT_PIPE_BYTES = 65536
"""What Linux gives a new pipe: 16 slots of one page (pipe(7))."""


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """An operator, or a Unix command, placed in a circuit under a name; one server is one OS process.

    ``role`` is ``"source"`` for a process that makes the bytes (a reader of files, a generator, a command
    without input), ``"copy"`` for the fan-out that the circuit inserts where one output has several readers,
    ``"station"`` otherwise. Exactly one of ``command`` and ``operator`` is given. ``inputs`` are names of
    stations or of file inputs (`Feed`), in order; ``{name}`` in a command stands for ``/dev/fd/N`` of that
    input (``labels``, where given, are the names that the scenario uses for the inputs), and the one input that
    the command does not name is its standard input. ``format`` is the name of a format, or a table with its
    ``name`` and options.
    """

    name: str
    command: str | None = None
    operator: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    format: str | dict[str, Any] = "lines"
    role: Literal["source", "station", "copy"] = "station"
    parallelism: int = 1

    @property
    def program(self) -> str:
        """What runs there, for people: the command line or the operator's name."""
        return self.command if self.command is not None else str(self.operator)


class Feed(msgspec.Struct, frozen=True):
    """A file that a station opens as its input; no process and no pipe stand between."""

    name: str
    file: str


class Sink(msgspec.Struct, frozen=True):
    """Where the bytes of a station leave the circuit: a file, or nowhere (``file=None``)."""

    name: str
    input: str
    file: str | None = None


class Pipe(msgspec.Struct, frozen=True):
    """A FIFO of bytes between two stations; a full one blocks its writer after service."""

    upstream: str
    downstream: str
    capacity_bytes: int = DEFAULT_PIPE_BYTES

    @property
    def label(self) -> str:
        """How results name the pipe, ``"upstream->downstream"``."""
        return f"{self.upstream}->{self.downstream}"


class Circuit(msgspec.Struct, frozen=True):
    """Feeds, stations, sinks and pipes. It has no load and no time.

    ``stations`` holds every process of the circuit, sources and inserted copies included.

    >>> two = Circuit(stations=(Station(name="a", command="yes", role="source"),
    ...                         Station(name="b", command="head", inputs=("a",))), pipes=(Pipe("a", "b"),))
    >>> two.order(), two.ends()
    (('a', 'b'), ('b',))
    """

    stations: tuple[Station, ...] = ()
    pipes: tuple[Pipe, ...] = ()
    feeds: tuple[Feed, ...] = ()
    sinks: tuple[Sink, ...] = ()

    def station(self, name: str) -> Station:
        """Return the station of that name; KeyError where there is none."""
        for station in self.stations:
            if station.name == name:
                return station
        raise KeyError(name)

    def feed_of(self, name: str) -> tuple[Feed, ...]:
        """Return the files that this station opens itself."""
        wanted = self.station(name).inputs
        return tuple(feed for feed in self.feeds if feed.name in wanted)

    def inputs_of(self, name: str) -> tuple[Pipe, ...]:
        """Return the pipes that this station reads, in the order of its inputs."""
        found = {pipe.upstream: pipe for pipe in self.pipes if pipe.downstream == name}
        return tuple(found[source] for source in self.station(name).inputs if source in found)

    def outputs_of(self, name: str) -> tuple[Pipe, ...]:
        """Return the pipes that this station writes."""
        return tuple(pipe for pipe in self.pipes if pipe.upstream == name)

    def sinks_of(self, name: str) -> tuple[Sink, ...]:
        """Return the sinks that take this station's output."""
        return tuple(sink for sink in self.sinks if sink.input == name)

    def starts(self) -> tuple[str, ...]:
        """Return the stations that no pipe feeds, in order."""
        return tuple(name for name in self.order() if not self.inputs_of(name))

    def ends(self) -> tuple[str, ...]:
        """Return the stations that write no pipe, in order."""
        return tuple(name for name in self.order() if not self.outputs_of(name))

    def splits(self) -> tuple[str, ...]:
        """Return the stations with several outputs."""
        return tuple(s.name for s in self.stations if len(self.outputs_of(s.name)) > 1)

    def joins(self) -> tuple[str, ...]:
        """Return the stations with several inputs."""
        return tuple(s.name for s in self.stations if len(self.inputs_of(s.name)) > 1)

    def order(self) -> tuple[str, ...]:
        """Return all station names, upstream first, ties in the order of the file.

        Raises graphlib.CycleError where the pipes form a cycle (see `cycle`).
        """
        sorter: TopologicalSorter[str] = TopologicalSorter()
        rank = {station.name: place for place, station in enumerate(self.stations)}
        for station in self.stations:
            sorter.add(station.name, *(pipe.upstream for pipe in self.inputs_of(station.name)))
        sorter.prepare()
        names: list[str] = []
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        while ready:
            name = ready.pop(0)
            names.append(name)
            sorter.done(name)
            ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        return tuple(names)

    def cycle(self) -> tuple[str, ...] | None:
        """Return the names along one cycle of pipes, the first repeated at the end, or None."""
        try:
            self.order()
        except CycleError as error:
            return tuple(error.args[1])
        return None

    def cut_points(self) -> tuple[str, ...]:
        """Return the stations that every byte from any start to any end passes through, in order.

        Found by taking each station away and asking whether an end is still reachable.
        """
        return tuple(name for name in self.order() if not self._reaches_end_without(name))

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield every path from a start to an end."""
        stack: list[tuple[str, ...]] = [(name,) for name in reversed(self.starts())]
        while stack:
            path = stack.pop()
            following = [pipe.downstream for pipe in self.outputs_of(path[-1])]
            if not following:
                yield path
            stack.extend((*path, name) for name in reversed(following))

    def _reaches_end_without(self, removed: str) -> bool:
        ends = set(self.ends())
        seen = {removed}
        todo = [name for name in self.starts() if name != removed]
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            if name in ends:
                return True
            seen.add(name)
            todo.extend(pipe.downstream for pipe in self.outputs_of(name))
        return False
