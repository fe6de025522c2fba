"""From the tables of a scenario file to a circuit: names resolved, copies inserted, feeds told from processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from streamsim import checking, formats, operators, sections
from streamsim.checking import convert, quantity
from streamsim.circuit import Circuit, Feed, Sink, Station
from streamsim.commands import check_environment, split_command
from streamsim.conversion import with_converters
from streamsim.errors import ScenarioError, nearest
from streamsim.fusion import fused_groups
from streamsim.insertion import Shape, check_loops, insert
from streamsim.operators import check_policy
from streamsim.places import expand_files, fill_in
from streamsim.scenario import Load, LoadState, Measure
from streamsim.sharing import merge_sketches, shape_of, station_keys
from streamsim.units import Rate, parse_bytes, parse_rate, parse_seconds

_NAME = "letters, digits, '-' and '_'"
_ONLY_WITH = {"exclude": ("files",), "member": ("file", "files"), "env": ("command",)}
_RESERVED = {
    "circuit": "the circuit as a whole in results",
    "host": "the cores in results",
    "stdin": "standard input",
}


def build_circuit(
    document: dict[str, Any], directory: Path, measure: Measure
) -> tuple[Circuit, dict[str, Load], dict[str, int]]:
    """Return the circuit, the load of each source, and the sizes in bytes of the sources that could be seen."""
    tables = {kind: checking.table(document, kind) for kind in ("sources", "stations", "sinks")}
    _check_names(tables)
    draft = _Draft(directory, measure)
    for name, value in tables["sources"].items():
        draft.add_source(name, value)
    above = next(iter(draft.made)) if len(draft.made) == 1 else None
    for name, value in tables["stations"].items():
        draft.add_station(name, value, above)
        above = name
    draft.resolve()
    for name, value in tables["sinks"].items():
        draft.add_sink(name, value, above)
    if not draft.stations:
        raise ScenarioError("there is nothing to run: no station and no source that is a process", path="stations")
    circuit = draft.circuit()
    check_loops(circuit)
    fused_groups(circuit)
    _check_files(circuit, directory)
    return circuit, draft.loads, draft.sizes


def _check_names(tables: dict[str, dict[str, Any]]) -> None:
    seen: dict[str, str] = {}
    for kind, table in tables.items():
        for name in table:
            path = f"{kind}.{name}"
            if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
                raise ScenarioError(f"a name has {_NAME} only", path=path)
            if name in _RESERVED and kind != "sinks":
                raise ScenarioError(f"{name!r} means {_RESERVED[name]}; choose another name", path=path)
            if name in seen and kind != "sinks":
                raise ScenarioError(f"the name is taken by {seen[name]}", path=path)
            seen.setdefault(name, path)


class _Draft:
    """The circuit while it is being put together."""

    def __init__(self, directory: Path, measure: Measure) -> None:
        self.directory, self.measure = directory, measure
        self.stations: dict[str, Station] = {}
        self.feeds: dict[str, Feed] = {}
        self.sinks: list[Sink] = []
        self.capacities: dict[str, int] = {}
        self.loads: dict[str, Load] = {}
        self.sizes: dict[str, int] = {}
        self.made: list[str] = []
        self.shapes: dict[str, Shape] = {}
        self.formats: dict[str, str | dict[str, Any]] = {}
        """Those that somebody named, by source or station."""

    def add_source(self, name: str, value: Any) -> None:
        path = f"sources.{name}"
        section, extra = convert(value, sections.SourceSection, path, open_ended=True)
        kinds = [kind for kind in ("file", "files", "command", "operator") if getattr(section, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ScenarioError(f"give exactly one of file, files, command, operator (there is {found})", path=path)
        if kinds[0] != "operator":
            _no_extra(extra, sections.SourceSection, path)
        for key, owners in _ONLY_WITH.items():
            if key in value and kinds[0] not in owners:
                raise ScenarioError(f"goes with {' or '.join(owners)}, not with {kinds[0]}", path=f"{path}.{key}")
        rate = quantity(parse_rate, section.rate, f"{path}.rate")
        rate, states = _states(section, rate, path)
        if section.arrivals in ("poisson", "bursty") and rate is None:
            raise ScenarioError(f"arrivals = {section.arrivals!r} needs a rate", path=f"{path}.rate")
        if (section.arrivals == "trace") != (section.times is not None):
            raise ScenarioError("arrivals = 'trace' and times = 'file' go together", path=f"{path}.times")
        if section.arrivals == "trace" and rate is not None:
            raise ScenarioError("the times say when records come; leave the rate out", path=f"{path}.rate")
        if (section.arrivals == "closed") != (section.in_flight is not None):
            raise ScenarioError("arrivals = 'closed' and in_flight = N go together", path=f"{path}.in_flight")
        if section.arrivals == "closed" and rate is not None:
            raise ScenarioError("a closed load comes as fast as records leave; leave the rate out", path=f"{path}.rate")
        if section.times is not None and not (self.directory / section.times).is_file():
            raise ScenarioError(f"no such file: {section.times!r}", path=f"{path}.times")
        load = Load(
            rate=rate,
            arrivals=section.arrivals,
            scv={"bursty": section.scv, "poisson": 1.0}.get(section.arrivals, 0.0),
            states=states,
            in_flight=section.in_flight,
            times=str(self.directory / section.times) if section.times else None,
            records=self.measure.records,
            duration_s=self.measure.duration_s,
            urgency=section.urgency,
        )
        self.loads[name] = load
        if section.format is not None:
            if section.command is not None:
                raise ScenarioError("goes with file, files or operator", path=f"{path}.format")
            _within(path, formats.check, section.format)
            makes = section.operator is not None and not operators.find(section.operator).any_format
            if makes and not formats.is_text(section.format):
                message = "it makes texts: leave the format out, and a converter is put before who reads another"
                raise ScenarioError(message, path=f"{path}.format")
            self.formats[name] = section.format
        limited = load.open or load.records is not None or load.duration_s is not None
        self.made.append(name)
        if section.command is not None:
            self._command_source(name, fill_in(section.command, path), section, limited)
        elif section.operator is not None:
            _check_operator(section.operator, extra, path, source=True)
            self._process(name, operator=section.operator, parameters=extra)
        else:
            self._file_source(name, section, limited, path)

    def _command_source(self, name: str, command: str, section: sections.SourceSection, limited: bool) -> None:
        split_command(command, f"sources.{name}.command")
        check_environment(section.env, f"sources.{name}.env")
        if not limited:
            self._process(name, command=command, environment=section.env)
            return
        # A command cannot be paced from outside, so a reader of ours stands behind it and keeps the times.
        self._process(f"{name}.command", command=command, environment=section.env)
        self._process(name, operator="file", parameters={"paths": []}, inputs=(f"{name}.command",))

    def _file_source(self, name: str, section: sections.SourceSection, limited: bool, path: str) -> None:
        key = "file" if section.file is not None else "files"
        patterns = section.file if section.file is not None else section.files
        files = expand_files(patterns or [], section.exclude, self.directory, f"{path}.{key}", glob=key == "files")
        if section.member is None:
            known = [Path(file).stat().st_size for file in files if Path(file).is_file()]
            if len(known) == len(files):
                self.sizes[name] = sum(known)
        if len(files) == 1 and not limited and section.member is None:
            self.feeds[name] = Feed(name, files[0])
            return
        member = {"member": section.member} if section.member is not None else {}
        self._process(name, operator="file", parameters={"paths": files, **member})

    def _process(self, name: str, *, inputs: tuple[str, ...] = (), **what: Any) -> None:
        self.stations[name] = Station(
            name=name, inputs=inputs, labels=inputs, role="source", format=self.formats.get(name, "lines"), **what
        )

    def add_station(self, name: str, value: Any, above: str | None) -> None:
        path = f"stations.{name}"
        section, extra = convert(value, sections.StationSection, path, open_ended=True)
        if (section.command is None) == (section.operator is None):
            found = "both" if section.command is not None else "neither"
            raise ScenarioError(f"give exactly one of command and operator (there is {found})", path=path)
        if section.command is not None:
            _no_extra(extra, sections.StationSection, path)
            split_command(section.command, f"{path}.command")
            check_environment(section.env, f"{path}.env")
            if section.format is not None:
                raise ScenarioError("goes with operator: a command tells records apart itself", path=f"{path}.format")
            for key in ("on_error", "dead_letter"):
                if key in value:
                    raise ScenarioError("goes with operator: a command has no records to us", path=f"{path}.{key}")
        else:
            _within(path, operators.find, str(section.operator))
            _check_operator(str(section.operator), extra, path, source=False)
            _within(path, formats.check, section.format or "lines")
            if section.format is not None:
                self.formats[name] = section.format
            _within(path, check_policy, section.on_error or "fail", section.dead_letter)
            if section.on_error is not None and not operators.find(str(section.operator)).can_reject:
                message = f"operator {section.operator!r} has no record that it could not work on"
                raise ScenarioError(message, path=f"{path}.on_error")
        inputs = _as_tuple(section.input) if section.input is not None else ((above,) if above else ())
        if section.input is not None and not inputs:
            raise ScenarioError("names nothing; leave the key out to read what stands above", path=f"{path}.input")
        if section.input is None and above is None and self.made:
            raise ScenarioError(f"several sources stand above; say which: {', '.join(self.made)}", path=f"{path}.input")
        if not inputs:
            self.feeds.setdefault("stdin", Feed("stdin", "-"))
            inputs = ("stdin",)
        capacity = quantity(parse_bytes, section.pipe.capacity, f"{path}.pipe.capacity")
        if capacity is not None:
            self.capacities[name] = _slots(capacity, f"{path}.pipe.capacity")
        self.stations[name] = Station(
            name=name,
            command=fill_in(section.command, f"{path}.command") if section.command else None,
            operator=section.operator,
            parameters=extra if section.operator is not None else {},
            environment=section.env,
            inputs=inputs,
            labels=inputs,
            format=section.format or "lines",
            dead_letter=str(self.directory / fill_in(section.dead_letter, path)) if section.dead_letter else None,
            **station_keys(section, value, path),
        )
        self.shapes[name] = shape_of(section, self.stations[name], path)
        if "merge" not in value:
            self.stations[name], self.shapes[name] = merge_sketches(self.stations[name], self.shapes[name])

    def add_sink(self, name: str, value: Any, above: str | None) -> None:
        path = f"sinks.{name}"
        section, _ = convert(value, sections.SinkSection, path)
        upstream = section.input or above
        if upstream is None:
            raise ScenarioError("say whose output it takes: input = 'NAME'", path=f"{path}.input")
        if upstream not in (known := self.addresses()):
            raise ScenarioError(f"there is no station {upstream!r}{nearest(upstream, known)}", path=f"{path}.input")
        file = str(self.directory / fill_in(section.file, path)) if section.file is not None else None
        self.sinks.append(Sink(name, upstream, file))

    def addresses(self) -> list[str]:
        """Return what an input can name among the stations: them, and their ports."""
        ports = [f"{station.name}.{port}" for station in self.stations.values() for port in station.ports]
        return [*self.stations, *ports]

    def resolve(self) -> None:
        """Check that every input exists."""
        known = [*self.addresses(), *self.feeds]
        for station in self.stations.values():
            path = f"stations.{station.name}.input"
            for number, name in enumerate(station.inputs):
                if name not in known:
                    raise ScenarioError(f"there is no station or source {name!r}{nearest(name, known)}", path=path)
                if name in station.inputs[:number]:
                    raise ScenarioError(f"{name!r} is named twice", path=path)
            for name in known:
                if station.command and f"{{{name}}}" in station.command and name not in station.inputs:
                    have = ", ".join(map(repr, station.inputs)) or "nothing"
                    raise ScenarioError(
                        f"the command has {{{name}}}, but the station reads {have}; add {name!r} to its input "
                        f"(or rename {name!r} where the braces are the command's own)",
                        path=path,
                    )

    def circuit(self) -> Circuit:
        """Insert what the shape needs, and join everything with pipes."""
        used = {name for station in self.stations.values() for name in station.inputs}
        for name in self.feeds:
            if name not in used:
                raise ScenarioError("no station reads it", path=f"sources.{name}")
        files = {name: self.formats.get(name) for name in self.feeds}
        stations = with_converters(self.stations, self.formats, files)
        return insert(stations, tuple(self.feeds.values()), tuple(self.sinks), self.capacities, self.shapes)


def _is_special(file: str) -> bool:
    """Whether this is a terminal, /dev/null, a named pipe: none is overwritten."""
    return Path(file).exists() and not Path(file).is_file()


def _check_files(circuit: Circuit, directory: Path) -> None:
    """Refuse to write one file twice, to write what is being read, and to read standard input twice."""
    taken: dict[str, str] = {}
    for station in circuit.stations:
        names = station.parameters.get("paths", []) if station.operator == "file" else []
        taken |= {os.path.realpath(directory / name): f"sources.{station.name} reads" for name in names}
    taken |= {os.path.realpath(feed.file): f"sources.{feed.name} reads" for feed in circuit.feeds}
    for station in circuit.stations:
        copied = str(directory / station.parameters["file"]) if station.operator == "tee" else None
        for key, name in (("dead_letter", station.dead_letter), ("file", copied)):
            if name is None or _is_special(name):
                continue
            file = os.path.realpath(name)
            if file in taken:
                raise ScenarioError(f"{taken[file]} that file too", path=f"stations.{station.name}.{key}")
            taken[file] = f"stations.{station.name}.{key} is"
        if copied is not None and station.parallelism > 1:
            raise ScenarioError("its servers would write one file", path=f"stations.{station.name}.parallelism")
    for sink in circuit.sinks:
        if sink.file is None or _is_special(sink.file):
            continue
        file = os.path.realpath(sink.file)
        if file in taken:
            raise ScenarioError(f"{taken[file]} that file too", path=f"sinks.{sink.name}.file")
        taken[file] = f"sinks.{sink.name} writes"
    readers = [
        station.name for station in circuit.stations for feed in circuit.feed_of(station.name) if feed.file == "-"
    ]
    if len(readers) > 1:
        raise ScenarioError(
            f"{readers[0]} reads standard input already; give it a station of its own, such as cat",
            path=f"stations.{readers[1]}.input",
        )


def _states(section: sections.SourceSection, rate: Rate | None, path: str) -> tuple[Rate | None, tuple[LoadState, ...]]:
    """Return the mean rate and the states of an mmpp load; a rate that is given too scales those of the states."""
    if (section.arrivals == "mmpp") != bool(section.states):
        raise ScenarioError("arrivals = 'mmpp' and states go together", path=f"{path}.states")
    if not section.states:
        return rate, ()
    read = []
    for number, state in enumerate(section.states):
        place = f"{path}.states[{number}]"
        stay = quantity(parse_seconds, state.stay, f"{place}.stay")
        if stay <= 0:
            raise ScenarioError("a state is stayed in for more than 0 s", path=f"{place}.stay")
        read.append((quantity(_rate_or_0, state.rate, f"{place}.rate"), stay))
    units = {found.unit for found in (rate, *(one for one, _ in read)) if found is not None}
    total = sum(stay for _, stay in read)
    mean = sum(found.per_second * stay for found, stay in read if found is not None) / total
    if len(read) < 2 or units != {"records"} or mean <= 0:
        raise ScenarioError("give two states or more, with rates in records/s, not all 0", path=f"{path}.states")
    shares = [(found.per_second / mean if found is not None else 0.0, stay) for found, stay in read]
    states = tuple(LoadState(share=share, stay_s=stay) for share, stay in shares)
    return rate or Rate(mean, "records"), states


def _rate_or_0(value: str | float) -> Rate | None:
    return None if value == 0 else parse_rate(value)


def _as_tuple(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _no_extra(extra: Iterable[str], kind: type[sections.Section], path: str) -> None:
    for key in extra:
        checking.refuse_unknown(key, kind, path)


def _within(path: str, check: Callable[..., object], *arguments: object) -> None:
    """Run a check; where it fails, say where in the scenario."""
    try:
        check(*arguments)
    except ScenarioError as error:
        raise ScenarioError(error.message, path=f"{path}.{error.path}" if error.path else path) from None


def _check_operator(name: str, parameters: dict[str, Any], path: str, *, source: bool) -> None:
    _within(path, operators.find, name)
    if operators.find(name).traits.source != source:
        instead = "put it under [stations]" if source else "put it under [sources]"
        raise ScenarioError(
            f"operator {name!r} {'takes' if source else 'makes'} its bytes; {instead}", path=f"{path}.operator"
        )
    _within(path, operators.check, name, parameters)


def _slots(capacity: int, path: str) -> int:
    """Round a capacity up as the kernel does: a power of two of pages (fcntl(2), F_SETPIPE_SZ)."""
    if not 0 < capacity <= 1 << 31:
        raise ScenarioError(f"{capacity} bytes is not a size that a pipe can have (4 KiB to 2 GiB)", path=path)
    return 1 << max(12, (capacity - 1).bit_length())
