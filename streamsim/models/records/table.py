"""The model table of records: all that a simulation record by record knows.

Two engines run it and give the same departures, bit for bit: `interpret`, SimPy, which is the specification, and
`kernel`, which is compiled. Everything here is frozen and plain; `check.check` says what no engine can run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

from streamsim.models.records.streams import Variate
from streamsim.policies.base import Policy
from streamsim.service import HostProfile

Pick = Literal["ready", "arrival", "turns", "next", "order", "sequence", "join"]
Split = Literal["copy", "turns", "key", "drawn", "least-loaded"]
Unit = Literal["records", "bytes", "pages"]
WhenFull = Literal["after", "before", "drop"]
Arrivals = Literal["saturated", "gaps", "times", "closed"]


@dataclass(frozen=True, kw_only=True)
class Pipe:
    """A FIFO between two stations (indices into the table).

    ``unit`` is what its ``capacity`` counts: ``"records"``, ``"bytes"``, or ``"pages"`` (the slots of a Linux
    pipe, see `models.pipe.SlotPipe`); None is no limit. A record of more bytes than there is room for is ``split``
    across partial writes, or goes in whole as soon as the pipe is empty; pages always split, as the kernel does.
    ``classes`` above 1 make it a priority queue: the lowest class inside is the head, FIFO within a class. A capacity
    of 0 records is a hand-over: the writer holds its record until the reader takes it.
    """

    upstream: int
    downstream: int
    capacity: int | None = None
    unit: Unit = "records"
    split: bool = False
    classes: int = 1
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Host:
    """Cores that the stations placed on it share equally (processor sharing), each task on at most one of them.

    ``profile`` says what the cores are, how many of them are available beside the background load, how fast they are
    when so many are busy, and what it costs to wake a sleeping server on the same and on another core (s). A station
    with processor sharing of its own is one that is alone on a host of its own.

    >>> Host(name="two", profile=HostProfile(cores=2, available_cores=1.5)).rates(3)
    ((0.0, 1.0, 0.75, 0.5), (0.0, 1.0, 0.75, 0.5))
    """

    name: str
    profile: HostProfile

    @property
    def whole(self) -> int:
        """How many cores a sleeper may find idle."""
        return max(1, round(self.profile.available_cores))

    def rates(self, most: int, background: float | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the progress of each of 0…`most` tasks (reference core-seconds per s), and its share of a core."""
        cores, available = self.profile.cores, self.profile.available_cores
        if background is None:
            background = max(0.0, cores - available)
        else:
            available = cores - background
        shares = [0.0] + [min(1.0, available / tasks) for tasks in range(1, most + 1)]
        speeds = [
            self.profile.speed_when(min(float(cores), min(float(cores), tasks) + background))
            for tasks in range(most + 1)
        ]
        return tuple(share * speed for share, speed in zip(shares, speeds, strict=True)), tuple(shares)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where records come from, for a station that no pipe feeds.

    ``"saturated"``: the next is there as soon as the last was taken. ``"gaps"``: the first is due at 0, each next one
    gap later. ``"times"``: the stream holds the due times themselves (ascending). ``"closed"``: ``in_flight`` records
    circulate; when the last descendant of one has left, the next is due after a think time drawn from the stream (none:
    at once). ``records`` and ``until_s`` end it: no record is due at or after ``until_s``. Each record gets the
    ``urgency`` of its source (0 is most urgent), and a key drawn from ``keys`` (whole numbers ≥ 0).
    """

    arrivals: Arrivals = "saturated"
    stream: Variate | None = None
    records: int | None = None
    until_s: float = math.inf
    in_flight: int = 1
    keys: Variate | None = None
    urgency: int = 0


@dataclass(frozen=True, kw_only=True)
class Station:
    """A station with its servers; its place in the table is its rank when two things happen at one instant.

    The work of a record is ``(base_s + per_byte_s · size) · drawn`` with ``drawn`` from the ``service`` stream (1
    without one): core-seconds on its ``host``, seconds of its own where it is on none. ``delay_s`` more pass without a
    core. Then it gives ``yields`` records: a fraction is given evenly (3/2: 1, 2, 1, 2, …), a stream draws whole
    numbers. Their size (bytes) is that of the record taken where ``size`` is None.

    ``pick`` is how several inputs are read:

    - ``"ready"``: the first one, in their order, that has a record; ``"arrival"``: the record that came first;
    - ``"turns"``: in turn, waiting for the one whose turn it is; ``"sequence"``: one after the other, each to its end;
    - ``"next"``: the record whose number follows that of the last one (an ordered merge); ``"order"``: the lowest
      number, once every input has one or has ended (a merge of sorted inputs; "next" does that too when it must);
    - ``"join"``: one of each at once; what has no partner when an input ends is thrown away.

    ``split`` is which outputs a record goes to: all of them (``"copy"``), in turn, by its key modulo their number,
    drawn with ``weights``, or to the one that holds the least. ``when_full`` says who holds the record for which a pipe
    has no room: the server, ``"after"`` its service (blocking after service); the server ``"before"`` it, so that
    it claims the place first and serves then; nobody: it is ``"drop"``ped.

    A ``barrier`` takes all before it gives: at the end of its input it works ``finish_s``, then ``output_s`` for each
    record that it gives.

    One that ``preempts`` interrupts the least urgent record that it serves for a more urgent one that comes (by the
    classes of its pipes); its service goes on later where it was, before others of its class.

    One with ``takes`` ends when it has taken so many records, and closes its inputs: what is in them is lost, and so is
    what is written to them later. A server whose outputs all have lost their readers ends when it writes, as by
    SIGPIPE; with the last one its station closes its inputs in turn.
    """

    name: str
    servers: int = 1
    source: Source | None = None
    pick: Pick = "ready"
    split: Split = "copy"
    weights: tuple[float, ...] = ()
    when_full: WhenFull = "after"
    host: int | None = None
    service: Variate | None = None
    base_s: float = 1.0
    per_byte_s: float = 0.0
    delay_s: float = 0.0
    yields: Fraction | Variate = Fraction(1)
    size: int | Variate | None = None
    barrier: bool = False
    finish_s: float = 0.0
    output_s: float = 0.0
    preempts: bool = False
    takes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """A control message: at `time_s`, before whatever else happens then, a parameter of a station or host changes.

    Only the first hand-overs of all, those at 0 s, come before a command of 0 s.

    ``"service"``: a factor on the work of records taken from then on; ``"servers"``: how many of its servers take
    records (those above finish theirs and rest; with 0 it is paused, which a source cannot be); ``"weights"``: of a
    drawn split; ``"gaps"``: a factor on the gaps of a source; ``"background"`` (target: a host): cores that others use.
    """

    time_s: float
    target: str
    parameter: Literal["service", "servers", "weights", "gaps", "background"]
    value: float | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Steering:
    """A controller: a policy that is asked at each multiple of its period (s), and whose commands are done at once."""

    name: str
    policy: Policy
    period_s: float


@dataclass(frozen=True, kw_only=True)
class Table:
    """Stations, pipes, hosts, timed commands and controllers.

    >>> table = Table(stations=(Station(name="make", source=Source(records=3)), Station(name="take")),
    ...               pipes=(Pipe(upstream=0, downstream=1, capacity=4),))
    >>> table.inputs(1), table.outputs(0), table.loops()
    ((0,), (0,), (-1, -1))
    """

    stations: tuple[Station, ...]
    pipes: tuple[Pipe, ...] = ()
    hosts: tuple[Host, ...] = ()
    commands: tuple[Command, ...] = field(default=())
    steering: tuple[Steering, ...] = field(default=())

    def inputs(self, station: int) -> tuple[int, ...]:
        """Return the pipes that a station reads, in their order."""
        return self._ends[0][station]

    def outputs(self, station: int) -> tuple[int, ...]:
        """Return the pipes that a station writes, in their order."""
        return self._ends[1][station]

    def servers(self, station: int) -> int:
        """Return how many servers a station has; a closed source has one for each record in flight."""
        row = self.stations[station]
        closed = row.source is not None and row.source.arrivals == "closed"
        return row.source.in_flight if row.source is not None and closed else row.servers

    def loops(self) -> tuple[int, ...]:
        """Return for each station the number of the feedback loop that it is part of, −1 where of none."""
        return self._loops

    @cached_property
    def _ends(self) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
        reads: list[list[int]] = [[] for _ in self.stations]
        writes: list[list[int]] = [[] for _ in self.stations]
        for number, pipe in enumerate(self.pipes):
            reads[pipe.downstream].append(number)
            writes[pipe.upstream].append(number)
        return tuple(map(tuple, reads)), tuple(map(tuple, writes))

    @cached_property
    def _loops(self) -> tuple[int, ...]:
        """The strongly connected components with a pipe inside (Kosaraju: forwards, then backwards in that order)."""
        forwards = [[self.pipes[pipe].downstream for pipe in self.outputs(k)] for k in range(len(self.stations))]
        backwards = [[self.pipes[pipe].upstream for pipe in self.inputs(k)] for k in range(len(self.stations))]
        seen: set[int] = set()
        finished = [k for start in range(len(self.stations)) for k in _depth_first(start, forwards, seen)]
        found, count = [-1] * len(self.stations), 0
        seen = set()
        for start in reversed(finished):
            members = _depth_first(start, backwards, seen)
            if len(members) > 1 or start in forwards[start]:
                for member in members:
                    found[member] = count
                count += 1
        return tuple(found)


def _depth_first(start: int, following: list[list[int]], seen: set[int]) -> list[int]:
    """Return what is reachable and was not seen before, in the order in which the search is done with it."""
    if start in seen:
        return []
    seen.add(start)
    done: list[int] = []
    stack = [(start, iter(following[start]))]
    while stack:
        node, rest = stack[-1]
        for other in rest:
            if other not in seen:
                seen.add(other)
                stack.append((other, iter(following[other])))
                break
        else:
            stack.pop()
            done.append(node)
    return done
