"""Circuits: stations, the pipes between them, and what follows from their shape alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

import msgspec

DEFAULT_PIPE_BYTES = 65536
"""What Linux gives a new pipe: 16 slots of one page (pipe(7))."""

COPY_PIPE_BYTES = 4 * DEFAULT_PIPE_BYTES
"""What the pipes into and out of a copy have, where nobody says otherwise (`copy_pipe_bytes`)."""

COPY_PIPES_BYTES = 4 << 20
"""The most that all pipes of one copy have together, beyond the default: an ordinary user has 64 MiB (pipe(7))."""

Split = Literal["copy", "round-robin", "key", "least-loaded"]
"""Who gets a record where several could: all of them; each in turn; the one of its key; the one with least to do."""

Batches = Literal["", "number", "answer", "collate"]
Merge = Literal["unordered", "ordered", "sorted"]
"""How the outputs of several servers become one: as they come; as one server would have written; by value."""

OnError = Literal["fail", "skip", "dead-letter"]
"""What becomes of a record that an operator cannot work on."""

INSERTED = ("copy", "split", "merge", "loop", "convert")
"""The roles of stations that nobody wrote into a scenario, but that its shape needs."""


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """An operator, or a Unix command, placed in a circuit under a name; one server is one OS process.

    ``role`` is ``"source"`` for a process that makes the bytes (a reader of files, a generator, a command
    without input), one of `INSERTED` for what the circuit's shape needs (insertion.py), ``"station"`` otherwise.
    Exactly one of ``command`` and ``operator`` is given. ``inputs`` are names of stations, of their further outputs
    (``"station.port"``) or of file inputs (`Feed`), in order; ``{name}`` in a command stands for ``/dev/fd/N`` of
    that input (``labels``, where given, are the names that the scenario uses for the inputs), and the one input that
    the command does not name is its standard input. ``format`` is the name of a format, or a table with its
    ``name`` and options. ``on_error`` says what becomes of records that the operator cannot work on; those of
    ``"dead-letter"`` go to the file ``dead_letter``.

    ``parallelism`` servers share what comes in by ``partition`` (one for all inputs, or one each, by the input's
    name), and what they write becomes one stream by ``merge``. ``split`` says which of several readers of the output
    gets a record. ``ports`` are the names of further outputs, which carry other records than the main one.
    ``one_to_one``: each record gives exactly one. ``niceness`` is added to the runner's own (0 to 19), ``cores`` are
    the CPUs that the servers are pinned to (none: those of the run), ``fuse``: may share a process with its neighbours.
    ``server_of`` is the station that a server belongs to in an expanded circuit (expansion.py). ``batches`` is its part
    where several servers give in order what one would: to number batches of records (a split), to answer them (a
    server), to collate the answers (a merge).
    """

    name: str
    command: str | None = None
    operator: str | None = None
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    format: str | dict[str, Any] = "lines"
    role: Literal["source", "station", "copy", "split", "merge", "loop", "convert"] = "station"
    parallelism: int = 1
    partition: Split | dict[str, Split] = "round-robin"
    merge: Merge = "unordered"
    split: Split = "copy"
    ports: tuple[str, ...] = ()
    one_to_one: bool = False
    niceness: int = 0
    cores: tuple[int, ...] = ()
    fuse: bool = False
    on_error: OnError = "fail"
    dead_letter: str | None = None
    server_of: str = ""
    batches: Batches = ""

    @property
    def program(self) -> str:
        """What runs there, for people: the command line or the operator's name."""
        return self.command if self.command is not None else str(self.operator)


class Feed(msgspec.Struct, frozen=True):
    """A file that a station opens as its input; no process and no pipe stand between."""

    name: str
    file: str


class Sink(msgspec.Struct, frozen=True):
    """Where the bytes of a station, or of one of its ports, leave the circuit: a file, or nowhere (``file=None``)."""

    name: str
    input: str
    file: str | None = None


class Pipe(msgspec.Struct, frozen=True):
    """A FIFO of bytes between two stations; a full one blocks its writer after service.

    ``port`` is the further output of the upstream station that it carries, empty for the main one.

    >>> Pipe("router", "late", port="rest").label
    'router.rest->late'
    """

    upstream: str
    downstream: str
    capacity_bytes: int = DEFAULT_PIPE_BYTES
    port: str = ""

    @property
    def source(self) -> str:
        """What the inputs of its reader call it: the upstream station, with its port where that is not the main one."""
        return f"{self.upstream}.{self.port}" if self.port else self.upstream

    @property
    def label(self) -> str:
        """How results name the pipe, ``"upstream->downstream"``."""
        return f"{self.source}->{self.downstream}"


class Circuit(msgspec.Struct, frozen=True, dict=True):
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
        found = {pipe.source: pipe for pipe in self.pipes if pipe.downstream == name}
        return tuple(found[source] for source in self.station(name).inputs if source in found)

    def outputs_of(self, name: str) -> tuple[Pipe, ...]:
        """Return the pipes that this station writes."""
        return tuple(pipe for pipe in self.pipes if pipe.upstream == name)

    def sinks_of(self, name: str) -> tuple[Sink, ...]:
        """Return the sinks that take this station's main output."""
        return tuple(sink for sink in self.sinks if sink.input == name)

    def port_sinks_of(self, name: str) -> tuple[Sink, ...]:
        """Return the sinks that take the further outputs of this station."""
        addresses = {f"{name}.{port}" for port in self.station(name).ports}
        return tuple(sink for sink in self.sinks if sink.input in addresses)

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
        """Return all station names, upstream first, ties in the order of the file; what `feedback` returns counts not.

        >>> both = Station(name="a", command="cat", inputs=("b",)), Station(name="b", command="cat", inputs=("a",))
        >>> loop = Circuit(stations=both, pipes=(Pipe("a", "b"), Pipe("b", "a")))
        >>> loop.order(), loop.feedback()[0].label, loop.cycle()
        (('a', 'b'), 'b->a', ('a', 'b', 'a'))
        """
        return self._order

    @cached_property
    def _order(self) -> tuple[str, ...]:
        try:
            return self._sorted(frozenset())
        except CycleError:
            return self._sorted(frozenset(pipe.label for pipe in self.feedback()))

    def _sorted(self, ignored: frozenset[str]) -> tuple[str, ...]:
        sorter: TopologicalSorter[str] = TopologicalSorter()
        rank = {station.name: place for place, station in enumerate(self.stations)}
        above: dict[str, list[str]] = {station.name: [] for station in self.stations}
        for pipe in self.pipes:
            if pipe.label not in ignored:
                above[pipe.downstream].append(pipe.upstream)
        for name, upstream in above.items():
            sorter.add(name, *upstream)
        sorter.prepare()
        names: list[str] = []
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        while ready:
            name = ready.pop(0)
            names.append(name)
            sorter.done(name)
            ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        return tuple(names)

    def feedback(self) -> tuple[Pipe, ...]:
        """Return the pipes that lead back: within a loop, from a station to itself or to one above it in the file."""
        rank = {station.name: place for place, station in enumerate(self.stations)}
        return tuple(
            pipe
            for loop in self.loops()
            for pipe in self.pipes
            if pipe.upstream in loop and pipe.downstream in loop and rank[pipe.upstream] >= rank[pipe.downstream]
        )

    def loops(self) -> tuple[frozenset[str], ...]:
        """Return the sets of stations that can all reach each other, by their first station."""
        if self.cycle() is None:
            return ()
        below = {station.name: self._below(station.name) for station in self.stations}
        found = {
            frozenset(other for other in reached if name in below[other])
            for name, reached in below.items()
            if name in reached
        }
        rank = {station.name: place for place, station in enumerate(self.stations)}
        return tuple(sorted(found, key=lambda loop: min(rank[name] for name in loop)))

    def _below(self, name: str) -> set[str]:
        """Return the stations that a byte can reach from here; the station itself only where it is in a loop."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            for pipe in self.outputs_of(todo.pop()):
                if pipe.downstream not in seen:
                    seen.add(pipe.downstream)
                    todo.append(pipe.downstream)
        return seen

    def cycle(self) -> tuple[str, ...] | None:
        """Return the names along one cycle of pipes, the first repeated at the end, or None."""
        return self._cycle

    @cached_property
    def _cycle(self) -> tuple[str, ...] | None:
        try:
            self._sorted(frozenset())
        except CycleError as error:
            return tuple(error.args[1])
        return None

    def cut_points(self) -> tuple[str, ...]:
        """Return the stations that every byte from any start to any end passes through, in order.

        Found by taking each station away and asking whether an end is still reachable.
        """
        return tuple(name for name in self.order() if not self._reaches_end_without(name))

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield every path from a start to an end; none follows a pipe that leads back."""
        back = {pipe.label for pipe in self.feedback()}
        stack: list[tuple[str, ...]] = [(name,) for name in reversed(self.starts())]
        while stack:
            path = stack.pop()
            following = [pipe.downstream for pipe in self.outputs_of(path[-1]) if pipe.label not in back]
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


def copy_pipe_bytes(readers: int) -> int:
    """Return the capacity of each pipe of a copy with so many readers (bytes, a power of two).

    A copy hands on without copying, so what it costs is waking: with four times the room everybody is woken a quarter
    as often. Of many readers each gets less, down to what every pipe has.

    >>> [copy_pipe_bytes(readers) // 1024 for readers in (2, 15, 16, 31, 32, 300)]
    [256, 256, 128, 128, 64, 64]
    """
    share = COPY_PIPES_BYTES // (readers + 1)
    return max(DEFAULT_PIPE_BYTES, min(COPY_PIPE_BYTES, 1 << (share.bit_length() - 1)))
