"""What a circuit's shape needs beside the stations that somebody wrote: copies, splits, merges, entries of loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from streamsim import operators
from streamsim.circuit import DEFAULT_PIPE_BYTES, INSERTED, Circuit, Feed, Pipe, Sink, Station, copy_pipe_bytes
from streamsim.commands import is_barrier
from streamsim.errors import ScenarioError
from streamsim.operators.base import MANY

_ENDLESS = "gives nothing before its input ends, and a loop waits for what it gives"


class Shape(NamedTuple):
    """What stands before and behind the servers of a station, and behind its output: operators and their parameters.

    ``partitions`` has the parameters of the split of each input, by its name; None where every server opens the input
    itself (a file that all of them read whole). ``numbered``: batches of records have
    numbers, and are merged in their order.
    """

    partitions: dict[str, dict[str, Any] | None]
    merge: tuple[str, dict[str, Any]]
    split: dict[str, Any]
    numbered: bool = False


def insert(
    written: Mapping[str, Station],
    feeds: tuple[Feed, ...],
    sinks: tuple[Sink, ...],
    capacities: Mapping[str, int],
    shapes: Mapping[str, Shape],
) -> Circuit:
    """Return the circuit of these stations, whose inputs are as written, with everything inserted that it needs.

    Before a station X whose inputs lead back stands ``X.loop``; before its several servers ``X.split``, behind them
    ``X.merge``; behind an output that has several readers ``X.copy``, or ``X.route`` where they share it out.
    ``capacities`` (bytes) are those of the pipes into a station; the default where none is named.

    Raises ScenarioError where a command does not say which input goes where, or a loop cannot be closed.
    """
    return _Insertion(written, feeds, sinks, capacities, shapes).circuit()


class _Insertion:
    def __init__(
        self,
        written: Mapping[str, Station],
        feeds: tuple[Feed, ...],
        sinks: tuple[Sink, ...],
        capacities: Mapping[str, int],
        shapes: Mapping[str, Shape],
    ) -> None:
        self.written, self.feeds, self.sinks, self.capacities, self.shapes = written, feeds, sinks, capacities, shapes
        self.files = {feed.name for feed in feeds}
        self.readers: dict[str, int] = {}
        """How many read each output, by its name or ``station.port``."""
        self.stations: list[Station] = []
        for name in (*(name for one in written.values() for name in one.inputs), *(sink.input for sink in sinks)):
            self.readers[name] = self.readers.get(name, 0) + 1
        pipes = [self._pipe(name, one.name) for one in written.values() for name in one.inputs if self._is_piped(name)]
        self.back = {pipe.label for pipe in Circuit(tuple(written.values()), tuple(pipes)).feedback()}

    def _is_piped(self, name: str) -> bool:
        return name not in self.files

    def _pipe(self, source: str, reader: str, capacity: int = DEFAULT_PIPE_BYTES) -> Pipe:
        names = {one.name for one in self.stations} | self.written.keys()
        upstream, _, port = (source, "", "") if source in names else source.rpartition(".")
        return Pipe(upstream, reader, capacity, port)

    def circuit(self) -> Circuit:
        for station in self.written.values():
            self._add(station)
        pipes = tuple(
            self._pipe(name, one.name, self._capacity(one))
            for one in self.stations
            for name in one.inputs
            if self._is_piped(name)
        )
        sinks = tuple(Sink(sink.name, self._read(sink.input), sink.file) for sink in self.sinks)
        found = Circuit(tuple(self.stations), pipes, self.feeds, sinks)
        looped = {name for loop in found.loops() for name in loop}
        return msgspec.structs.replace(found, pipes=tuple(self._with_room(pipe, found, looped) for pipe in pipes))

    def _with_room(self, pipe: Pipe, circuit: Circuit, looped: Collection[str]) -> Pipe:
        """Give the pipes of a copy more room, but where its reader says how much, or in a loop that copies nothing on.

        See decision 32.
        """
        copy = next((name for name in (pipe.upstream, pipe.downstream) if circuit.station(name).role == "copy"), None)
        if copy is None or copy in looped or pipe.capacity_bytes != DEFAULT_PIPE_BYTES:
            return pipe
        if copy == pipe.upstream and owner(circuit.station(pipe.downstream)) in self.capacities:
            return pipe
        return msgspec.structs.replace(pipe, capacity_bytes=copy_pipe_bytes(len(circuit.outputs_of(copy))))

    def _capacity(self, station: Station) -> int:
        """The pipes into a station, and into what stands before it, are as large as it says."""
        owner = station.name if station.role in ("station", "source") else station.name.partition(".")[0]
        before = station.role in ("station", "source", "split", "loop") and not station.name.endswith(".route")
        return self.capacities.get(owner, DEFAULT_PIPE_BYTES) if before else DEFAULT_PIPE_BYTES

    def _read(self, source: str) -> str:
        """Return what has to be read to get the output that is called so: what was inserted behind it, or itself."""
        if not self._is_piped(source):
            return source
        pipe = self._pipe(source, "")
        behind = self._merged(self.written[pipe.upstream], pipe.port)
        if self.readers.get(source, 0) < 2:
            return behind
        shared = self.written[pipe.upstream].split != "copy" and not pipe.port
        return f"{source}.{'route' if shared else 'copy'}"

    def _merged(self, station: Station, port: str) -> str:
        address = f"{station.name}.{port}" if port else station.name
        if station.parallelism == 1:
            return address
        return f"{station.name}.merge.{port}" if port else f"{station.name}.merge"

    def _add(self, station: Station) -> None:
        inputs = dict(zip(station.inputs, (self._read(name) for name in station.inputs), strict=True))
        labels = list(station.labels)
        back = [name for name in station.inputs if self._pipe(name, station.name).label in self.back]
        if back:
            inputs, labels = self._enter(station, inputs, back)
        else:
            _check_inputs(station)
        if station.parallelism > 1:
            inputs = self._split(station, inputs, labels)
            if self.shapes[station.name].numbered:
                station = msgspec.structs.replace(station, batches="answer")
        self.stations.append(msgspec.structs.replace(station, inputs=tuple(inputs.values()), labels=tuple(labels)))
        for port in ("", *station.ports):
            self._add_behind(station, port)

    def _enter(self, station: Station, inputs: dict[str, str], back: list[str]) -> tuple[dict[str, str], list[str]]:
        """Put the entry of a loop before a station: it joins what comes back with what comes from outside."""
        path = f"stations.{station.name}.input"
        mixed = [name for name in inputs if not _is_named(station, name)]
        for name in back:
            if name not in mixed:
                raise ScenarioError(f"{name!r} leads back into the loop: it comes by standard input alone", path=path)
        if station.operator is not None and operators.find(station.operator).traits.inputs not in (1, MANY):
            raise ScenarioError(
                f"operator {station.operator!r} tells its inputs apart, so none of them can lead back", path=path
            )
        entry = f"{station.name}.loop"
        self.stations.append(
            Station(
                name=entry,
                operator="loop",
                inputs=tuple(inputs[name] for name in mixed),
                labels=tuple(mixed),
                format=station.format,
                role="loop",
            )
        )
        rest = {name: source for name, source in inputs.items() if name not in mixed}
        return {back[0]: entry, **rest}, [back[0], *rest]

    def _split(self, station: Station, inputs: dict[str, str], labels: list[str]) -> dict[str, str]:
        """Put a split before the servers of a station, for each input that they do not all open themselves."""
        shape = self.shapes[station.name]
        split: dict[str, str] = {}
        for label, source in zip(labels, inputs.values(), strict=True):
            parameters = shape.partitions[label]
            if parameters is None and self._is_piped(source):
                parameters = {"by": "copy"}
            if parameters is None:
                split[label] = source
                continue
            name = f"{station.name}.split" if len(labels) == 1 else f"{station.name}.split.{label}"
            self.stations.append(
                Station(
                    name=name,
                    operator="partition",
                    parameters=parameters,
                    inputs=(source,),
                    labels=(source,),
                    format=station.format,
                    role="split",
                    batches="number" if shape.numbered else "",
                )
            )
            split[label] = name
        return split

    def _add_behind(self, station: Station, port: str) -> None:
        """Put behind an output what joins the servers' parts of it, and what hands it to several readers."""
        address = f"{station.name}.{port}" if port else station.name
        common: dict[str, Any] = {"format": station.format}
        if station.operator is not None:
            written = operators.output_format(station.operator, station.parameters, station.format)
            common = {"format": written or "lines"}
        if station.parallelism > 1 and (not port or address in self.readers):
            shape = self.shapes[station.name]
            operator, parameters = shape.merge if not port else ("interleave", {})
            self.stations.append(
                Station(
                    name=self._merged(station, port), operator=operator, parameters=parameters, inputs=(address,),
                    role="merge", batches="collate" if shape.numbered else "", **common,
                )
            )  # fmt: skip
        if self.readers.get(address, 0) < 2:
            return
        name, behind = self._read(address), self._merged(station, port)
        if name.endswith(".copy"):
            self.stations.append(Station(name=name, operator="copy", inputs=(behind,), role="copy"))
        else:
            split = self.shapes[station.name].split
            self.stations.append(
                Station(name=name, operator="partition", parameters=split, inputs=(behind,), role="split", **common)
            )


def _is_named(station: Station, label: str) -> bool:
    return station.command is not None and f"{{{label}}}" in station.command


def _check_inputs(station: Station) -> None:
    """Refuse an operator that reads another number of inputs, and a command that does not say which is which."""
    if station.command is None:
        wanted, given = operators.find(str(station.operator)).traits.inputs, len(station.inputs)
        if station.role == "station" and wanted not in (MANY, given):
            raise ScenarioError(
                f"operator {station.operator!r} has {'one input' if wanted == 1 else f'{wanted} inputs'}, "
                f"{given} are given",
                path=f"stations.{station.name}.input",
            )
        return
    unnamed = [name for name in station.inputs if not _is_named(station, name)]
    if len(unnamed) > 1:
        raise ScenarioError(
            f"the command must say where {' and '.join(unnamed)} go: write {{{unnamed[1]}}} in it "
            "(only one input can be its standard input)",
            path=f"stations.{station.name}.input",
        )


def check_loops(circuit: Circuit) -> None:
    """Refuse a loop that has no way out, or in which it cannot be counted what is on its way.

    A loop ends when nothing comes from outside any more and nothing is in flight. An operator of ours says what it has
    taken and given; of a command that is known only where it gives exactly one record for each.
    """
    for loop in circuit.loops():
        inside = [station for station in circuit.stations if station.name in loop]
        first = next(station for station in inside if station.role == "loop")
        path = f"stations.{owner(first)}.input"
        way = way_round(circuit, loop)
        leaves = any(pipe.upstream in loop and pipe.downstream not in loop for pipe in circuit.pipes)
        if not leaves and not any(circuit.sinks_of(name) or circuit.port_sinks_of(name) for name in loop):
            raise ScenarioError(f"a cycle with no way out: {way}", path=path)
        for station in inside:
            reason = _uncountable(station)
            if reason is not None:
                raise ScenarioError(f"{reason} (the loop: {way})", path=f"stations.{owner(station)}")


def _uncountable(station: Station) -> str | None:
    """Return why it cannot be known whether a loop through this station has ended; None where it can."""
    if station.role == "merge" and (station.operator != "interleave" or station.batches):
        return "a merge that waits for one server while another has something to give can stop a loop for ever"
    if station.role in INSERTED:
        return None
    if station.command is None:
        traits = operators.find(str(station.operator)).traits
        if traits.barrier:
            return (
                f"operator {station.operator!r} gives nothing before its input ends, and a loop waits for what it gives"
            )
        return None
    if is_barrier(station.command):
        return f"{station.command!r} {_ENDLESS}"
    if station.ports or len(station.inputs) > 1:
        return (
            f"nobody sees which of its inputs or outputs {station.command!r} works on, so the loop would never know "
            "when to end: in a loop a command has one of each"
        )
    if not station.one_to_one:
        return (
            f"nobody sees how much of what {station.command!r} has read is still inside it, so the loop would never "
            "know when to end: use an operator, or write one_to_one = true if it gives one line for each at once"
        )
    return None


def way_round(circuit: Circuit, loop: Iterable[str]) -> str:
    """Return one way round a loop in words; what was inserted is left out."""
    inside = tuple(station for station in circuit.stations if station.name in loop)
    pipes = tuple(pipe for pipe in circuit.pipes if pipe.upstream in loop and pipe.downstream in loop)
    names = Circuit(inside, pipes).cycle() or ()
    kept = [name for name in names[:-1] if circuit.station(name).role not in INSERTED]
    return " -> ".join([*kept, *kept[:1]])


def owner(station: Station) -> str:
    """Return the name under which a scenario has a station: its own, or that of the one it was inserted for.

    >>> owner(Station(name="b.split.a", operator="partition", role="split"))
    'b'
    """
    return station.name if "." not in station.name else station.name.partition(".")[0]
