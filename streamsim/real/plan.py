"""From a scenario to the processes that run it: what to execute, and what each descriptor is joined to. Pure."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import msgspec

from streamsim import formats, operators
from streamsim.circuit import Circuit, Station, copy_pipe_bytes
from streamsim.errors import RunError, ScenarioError
from streamsim.expansion import expand
from streamsim.fusion import fused_groups
from streamsim.real.circles import circles
from streamsim.real.fusing import fuse_processes
from streamsim.scenario import DEFAULT_GROWTH_BYTES, Load, Scenario

WORKER = str(Path(__file__).with_name("worker") / "main.py")
READ_BYTES = 65536
FIRST_EXTRA = 3
"""The first descriptor after standard input, output and error."""

_ANSWERING = frozenset(
    [
        "grep",
        "egrep",
        "fgrep",
        "rg",
        "zgrep",
        "zegrep",
        "zfgrep",
        "bzgrep",
        "xzgrep",
        "zstdgrep",
        "diff",
        "zdiff",
        "cmp",
        "zcmp",
    ]
)
"""Programs whose exit status 1 says "no match" or "they differ", not that they failed (POSIX grep, diff, cmp)."""


class Wire(msgspec.Struct, frozen=True):
    """What a descriptor is joined to.

    ``target`` is the label of a ``pipe``, the path of a ``file`` to read, the name of a ``sink``; empty for ``null``
    (/dev/null) and for ``standard`` (the runner's own standard input or output).
    """

    kind: Literal["pipe", "file", "sink", "null", "standard"]
    target: str = ""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One server, as it will be started: ``reads`` and ``writes`` say what its descriptors are joined to.

    ``spec`` is what an operator's worker is told, None for a command; the worker's last argument is added when the
    spec has been written to a file. ``answers`` are exit statuses that are an answer and no failure. ``niceness`` is
    added to the runner's own; ``cores`` are the CPUs it is pinned to, none: those of the run. ``parts`` are the
    stations that share the process, where there are several; ``name`` is the first of them.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = {}
    reads: dict[int, Wire] = {}
    writes: dict[int, Wire] = {}
    spec: dict[str, Any] | None = None
    answers: tuple[int, ...] = ()
    niceness: int = 0
    cores: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All processes, upstream first, and what stands between them; ``pipes`` holds capacities in bytes.

    Those of ``wishes`` may be smaller where the kernel gives no more. ``growth_bytes`` is how much they may grow
    together where the circuit would stand still.
    """

    processes: tuple[Process, ...]
    pipes: dict[str, int]
    wishes: frozenset[str] = frozenset()
    sinks: dict[str, str]
    directory: str
    growth_bytes: int = DEFAULT_GROWTH_BYTES
    name: str = ""

    @property
    def floor(self) -> int:
        """The lowest descriptor that no process of the plan wants for itself."""
        return 1 + max((max((*p.reads, *p.writes, 2)) for p in self.processes), default=2)

    @property
    def files(self) -> int:
        """The most that the runner has open for it: both ends of each pipe, and what each process is watched by."""
        return 2 * len(self.pipes) + 12 * len(self.processes)

    def writer_of(self, label: str) -> tuple[Process, int]:
        """Return the process that writes this pipe, and its descriptor."""
        return next((p, fd) for p in self.processes for fd, w in p.writes.items() if w == Wire("pipe", label))

    def reader_of(self, label: str) -> tuple[Process, int]:
        """Return the process that reads this pipe, and its descriptor."""
        return next((p, fd) for p in self.processes for fd, w in p.reads.items() if w == Wire("pipe", label))


def make_plan(scenario: Scenario) -> Plan:
    """Return what to start for this scenario, without touching the machine.

    Raises
    ------
    ScenarioError : a command has several outputs (only a copy can), or a command that no shell would accept.

    >>> from streamsim.loading import load
    >>> plan = make_plan(load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "wc -l"}}}))
    >>> [(p.name, p.arguments, p.reads[0].kind, p.writes[1].kind) for p in plan.processes]
    [('a', ('seq', '9'), 'null', 'pipe'), ('b', ('wc', '-l'), 'pipe', 'standard')]
    """
    circuit = expand(scenario.circuit)
    places = circles(circuit)
    processes = fuse_processes(
        [_process(circuit.station(name), circuit, scenario, places.get(name)) for name in circuit.order()],
        fused_groups(circuit),
    )
    written = {wire.target for process in processes for wire in process.writes.values() if wire.kind == "pipe"}
    return Plan(
        processes=processes,
        pipes={pipe.label: pipe.capacity_bytes for pipe in circuit.pipes if pipe.label in written},
        wishes=frozenset(
            pipe.label
            for pipe in circuit.pipes
            for name in (pipe.upstream, pipe.downstream)
            if circuit.station(name).role == "copy"
            and pipe.capacity_bytes == copy_pipe_bytes(len(circuit.outputs_of(name)))
        ),
        sinks={sink.name: sink.file for sink in circuit.sinks if sink.file is not None}
        | {_dead_letter(s): s.dead_letter for s in circuit.stations if s.dead_letter is not None}
        | {
            _copied(s): os.path.join(scenario.directory, s.parameters["file"])  # noqa: PTH118  # a name, kept as it is
            for s in circuit.stations
            if s.operator == "tee"
        },
        directory=str(scenario.directory),
        growth_bytes=scenario.host.pipe_growth_bytes,
        name=scenario.name,
    )


def _process(station: Station, circuit: Circuit, scenario: Scenario, circle: dict[str, Any] | None) -> Process:
    inputs = [_input(name, station, circuit) for name in station.inputs]
    outputs = _outputs(station.name, circuit)
    ports = [_port(station.name, port, circuit) for port in station.ports]
    if station.command is not None:
        return _command(station, inputs, outputs, ports)
    extra = FIRST_EXTRA
    reads: dict[int, Wire] = {}
    for place, wire in enumerate(inputs):
        reads[0 if place == 0 else extra] = wire
        extra += place > 0
    into = list(reads)
    writes: dict[int, Wire] = {}
    for place, wire in enumerate((*outputs, *(wire for wires in ports for wire in wires))):
        writes[1 if place == 0 else extra] = wire
        extra += place > 0
    spec = _spec(station, scenario.loads.get(station.name), into, list(writes), scenario.simulate.seed)
    if station.role == "split":
        spec["routes"] = [[descriptor] for descriptor in writes]
    elif station.ports:
        groups = [outputs, *ports]
        given = iter(list(writes))
        spec["routes"] = [[next(given) for _ in group] for group in groups]
    if circle is not None:
        spec["circle"] = _placed(circle, reads, writes)
    if station.dead_letter is not None:
        writes[extra] = Wire("sink", _dead_letter(station))
        spec["dead_letter"] = extra
        extra += 1
    if station.operator == "tee":  # so that it appears with the sinks, when the run has succeeded, or not at all
        writes[extra] = Wire("sink", _copied(station))
        spec["parameters"] = {**spec["parameters"], "file": f"/dev/fd/{extra}"}
    flags = ("-P",) if spec["site"] else ("-S", "-E", "-P")
    return Process(
        niceness=station.niceness,
        cores=station.cores,
        name=station.name,
        program=station.program,
        arguments=(sys.executable, *flags, WORKER),
        environment=station.environment,
        reads=reads or {0: Wire("null")},
        writes=writes,
        spec=spec,
    )


def _input(name: str, station: Station, circuit: Circuit) -> Wire:
    for feed in circuit.feeds:
        if feed.name == name:
            return Wire("standard") if feed.file == "-" else Wire("file", feed.file)
    pipe = next(pipe for pipe in circuit.inputs_of(station.name) if pipe.source == name)
    return Wire("pipe", pipe.label)


def _placed(circle: dict[str, Any], reads: dict[int, Wire], writes: dict[int, Wire]) -> dict[str, Any]:
    """Say by descriptor, and by place among the inputs, what the circle says by the label of a pipe."""
    ports = {wire.target: port for port, wire in enumerate(reads.values())}
    descriptors = {wire.target: descriptor for descriptor, wire in writes.items()}
    return {
        **circle,
        "gives": [(descriptors[label], *edge) for label, *edge in circle["gives"]],
        "takes": [(ports[label], *edge) for label, *edge in circle["takes"]],
    }


def _port(name: str, port: str, circuit: Circuit) -> list[Wire]:
    """Return what a further output of a station is joined to; nothing where nobody reads it."""
    wires = [Wire("pipe", pipe.label) for pipe in circuit.outputs_of(name) if pipe.port == port]
    sinks = [sink for sink in circuit.port_sinks_of(name) if sink.input == f"{name}.{port}"]
    return wires + [Wire("null") if sink.file is None else Wire("sink", sink.name) for sink in sinks]


def _outputs(name: str, circuit: Circuit) -> list[Wire]:
    wires = [Wire("pipe", pipe.label) for pipe in circuit.outputs_of(name) if not pipe.port]
    wires += [Wire("null") if sink.file is None else Wire("sink", sink.name) for sink in circuit.sinks_of(name)]
    return wires or [Wire("standard")]


def _command(station: Station, inputs: list[Wire], outputs: list[Wire], ports: list[list[Wire]]) -> Process:
    if len(outputs) > 1:
        raise ScenarioError(
            "a command has one output; put a station with operator = 'copy' behind it",
            path=f"stations.{station.name}",
        )
    labels = station.labels or station.inputs
    reads: dict[int, Wire] = {}
    extra = FIRST_EXTRA
    words = shlex.split(str(station.command))
    for label, wire in zip(labels, inputs, strict=True):
        named = f"{{{label}}}"
        if not any(named in word for word in words):
            reads[0] = wire
            continue
        if wire.kind == "file":
            path = wire.target  # a file has a name of its own: the tool may seek in it
        elif wire.kind == "standard":
            reads[0] = wire
            path = "/dev/fd/0"
        else:
            reads[extra] = wire
            path = f"/dev/fd/{extra}"
            extra += 1
        words = [word.replace(named, path) for word in words]
    writes = {1: outputs[0]}
    for port, wires in zip(station.ports, ports, strict=True):
        writes[extra] = wires[0] if wires else Wire("null")
        words = [word.replace(f"{{{port}}}", f"/dev/fd/{extra}") for word in words]
        extra += 1
    return Process(
        niceness=station.niceness,
        cores=station.cores,
        name=station.name,
        program=station.program,
        arguments=tuple(words),
        environment=station.environment,
        reads={0: Wire("null"), **reads},
        writes=writes,
        answers=(1,) if os.path.basename(words[0]) in _ANSWERING else (),  # noqa: PTH119  # a word, not a path
    )


def _copied(station: Station) -> str:
    return f"{station.name}.file"


def _dead_letter(station: Station) -> str:
    return f"{station.server_of or station.name}.dead_letter"  # its servers share one open file, and its offset


def _library_path(libraries: Iterable[str]) -> list[str]:
    """Return the directories of libraries.

    A server looks in the standard library only; running the start-up files of site-packages (`site.main`) would cost it
    more than its own start, so it is told where to find what it needs.
    """
    return list(dict.fromkeys(_directory_of(module) for module in libraries))


def _directory_of(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:  # the scenario was checked, perhaps by another interpreter
        raise RunError(f"the library {module!r} is not installed")
    origin = Path(spec.origin)
    return str(origin.parent.parent if spec.submodule_search_locations else origin.parent)


def _spec(station: Station, load: Load | None, inputs: list[int], outputs: list[int], seed: int) -> dict[str, Any]:
    operator = str(station.operator)
    own = ":" in operator
    libraries = operators.libraries(operator, station.parameters) + formats.libraries(station.format)
    return {
        "name": station.name,
        "operator": operator,
        "parameters": operators.normal(operator, station.parameters),
        "format": station.format,
        "inputs": inputs,
        "outputs": outputs,
        # A batch that was read at once goes into an empty pipe of the default size with its header.
        "read_bytes": READ_BYTES - 4096 if station.batches == "number" else READ_BYTES,
        "batches": station.batches,
        "visits": None,
        "pace": _pace(load, seed) if load is not None and load.open else None,
        "until_s": load.duration_s if load is not None else None,
        "records": load.records if load is not None else None,
        "on_error": station.on_error,
        "site": own,
        # Somebody's own module is found where the runner found it.
        "path": list(sys.path) if own else _library_path(libraries),
        "libraries": list(libraries),
    }


def _pace(load: Load, seed: int) -> dict[str, Any]:
    return {
        "rate": load.rate.per_second if load.rate is not None else 0.0,
        "unit": load.rate.unit if load.rate is not None else "records",
        "arrivals": load.arrivals,
        "scv": load.scv,
        "states": [(state.share, state.stay_s) for state in load.states],
        "times": load.times,
        "seed": seed,
    }
