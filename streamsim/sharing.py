"""How servers share the work of a station: from the keys of its section to splits and merges."""

from __future__ import annotations

from typing import Any

import msgspec

from streamsim import operators, sections
from streamsim.circuit import Circuit, Split, Station
from streamsim.commands import tool_of
from streamsim.errors import ScenarioError, nearest
from streamsim.insertion import Shape
from streamsim.operators._sketch import Sketch
from streamsim.operators.base import MANY

BATCH = 512
"""How many records an ordered merge takes of one server before it turns to the next."""

_PACKERS = frozenset(
    ["bunzip2", "bzcat", "bzip2", "gunzip", "gzip", "lz4", "pigz", "unxz", "xz", "xzcat", "zcat", "zstd", "zstdcat"]
)
"""Commands whose input or output are no lines."""


_DOTTED = "letters, digits, '-' and '_'"


def station_keys(section: sections.StationSection, value: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the fields of a `Station` that say how it shares its work and what it needs of the machine."""
    ports = tuple(section.ports)
    if section.command is None:
        for key in ("ports", "one_to_one"):
            if key in value:
                raise ScenarioError("goes with command: an operator says it itself", path=f"{path}.{key}")
        kind = operators.find(str(section.operator))
        ports = tuple(kind.traits.ports)
    else:
        if section.fuse:
            raise ScenarioError("goes with operator: a command is a process of its own", path=f"{path}.fuse")
        _check_ports(section, path)
    return {
        "parallelism": section.parallelism,
        "partition": section.partition if section.partition is not None else default_partition(section, value),
        "merge": section.merge if isinstance(section.merge, str) else "sorted",
        "split": section.split,
        "ports": ports,
        "one_to_one": section.one_to_one if section.command is not None else kind.traits.one_to_one,
        "niceness": section.niceness,
        "cores": tuple(section.cores),
        "fuse": section.fuse,
        "on_error": section.on_error or "fail",
    }


def _check_ports(section: sections.StationSection, path: str) -> None:
    for number, port in enumerate(section.ports):
        where = f"{path}.ports"
        if not port.replace("-", "").replace("_", "").isalnum() or not port.isascii():
            raise ScenarioError(f"{port!r}: a port's name has {_DOTTED} only", path=where)
        if port in ("loop", "split", "merge", "copy", "route") or port.isdigit() or port in section.ports[:number]:
            raise ScenarioError(f"{port!r} is taken; choose another name", path=where)
        if f"{{{port}}}" not in str(section.command):
            raise ScenarioError(f"the command must say where {port!r} goes: write {{{port}}} in it", path=where)


def default_partition(section: sections.StationSection, parameters: dict[str, Any]) -> Split:
    """Return how servers share records where nobody said it: by key where keys are told apart, else in turn."""
    keyed = section.operator is not None and own_keys(section.operator, parameters) is not None
    return "key" if keyed else "round-robin"


def own_keys(operator: str, parameters: dict[str, Any]) -> tuple[int | None, ...] | None:
    """Return the columns by which an operator tells keys apart, of each input where they differ (None: whole records).

    None where it tells none apart, so that any of its servers may get any record.

    >>> own_keys("group", {"key": 2}), own_keys("join", {"left": 1, "right": 3}), own_keys("dedup", {})
    ((2,), (1, 3), (None,))
    >>> own_keys("filter", {"where": "True"}) is None
    True
    """
    kind = operators.find(operator)
    names = {one.name for one in kind.parameters}
    if {"left", "right"} <= names:
        return parameters.get("left"), parameters.get("right")
    if kind.traits.state != "keys":
        return None
    if "key" in names:
        return (parameters["key"],) if parameters.get("key") is not None else None
    return (parameters.get("column"),) if "column" in names and not kind.traits.barrier else None


def shape_of(section: sections.StationSection, station: Station, path: str) -> Shape:
    """Return what is to stand before, behind and after the servers of a station.

    Raises ScenarioError where the keys do not go together.
    """
    _check_records(station, path)
    merge, numbered = _merge(section, station, path), _numbered(station)
    return Shape(_partitions(section, station, path), merge, _route(section, path), numbered)


def _check_records(station: Station, path: str) -> None:
    """Refuse several servers where what they share, or what they give, are no records: it would be torn and mixed."""
    if station.parallelism == 1 or station.operator is None:
        return
    kind = operators.find(station.operator)
    if kind.reads_bytes:
        why = "reads bytes that are no records, so there is nothing to share out"
    elif operators.output_format(station.operator, station.parameters, station.format) is None:
        why = "writes bytes that are no records, so what several servers give cannot become one stream"
    else:
        return
    raise ScenarioError(f"operator {station.operator!r} {why}: parallelism = 1", path=f"{path}.parallelism")


def _numbered(station: Station) -> bool:
    """Whether the servers answer numbered batches: operators of ours can, through a command no header comes."""
    return station.parallelism > 1 and station.merge == "ordered" and station.operator is not None


def merge_sketches(station: Station, shape: Shape) -> tuple[Station, Shape]:
    """Return the station and its shape so that its servers keep sketches, which one more puts together.

    So the answer is that of one server. Nothing changes where the operator keeps none, or its parameters say already
    what it reads and writes.
    """
    if station.operator is None or station.parallelism == 1 or {"reads", "writes"} & station.parameters.keys():
        return station, shape
    if not issubclass(operators.find(station.operator), Sketch):
        return station, shape
    servers = msgspec.structs.replace(station, parameters={**station.parameters, "writes": "sketch"})
    return servers, shape._replace(merge=(station.operator, {**station.parameters, "reads": "sketches"}))


def _partitions(section: sections.StationSection, station: Station, path: str) -> dict[str, dict[str, Any] | None]:
    if station.parallelism == 1:
        return {}
    wanted = station.partition
    if isinstance(wanted, str):
        several = len(station.inputs) > 1 and wanted in ("round-robin", "least-loaded")
        if several and (station.command is not None or operators.find(str(station.operator)).traits.inputs > 1):
            example = ", ".join(
                f"{name} = {'copy' if place else wanted!r}" for place, name in enumerate(station.inputs)
            )
            raise ScenarioError(
                f"say for each input which servers get its records: partition = {{ {example} }}",
                path=f"{path}.partition",
            )
        wanted = dict.fromkeys(station.inputs, wanted)
    for name in wanted:
        if name not in station.inputs:
            raise ScenarioError(f"reads no {name!r}{nearest(name, station.inputs)}", path=f"{path}.partition.{name}")
    for name in station.inputs:
        if name not in wanted:
            raise ScenarioError(f"does not say which servers get the records of {name!r}", path=f"{path}.partition")
    if "key" not in wanted.values() and section.partition_key is not None:
        raise ScenarioError("goes with partition = 'key'", path=f"{path}.partition_key")
    batch = BATCH if station.merge == "ordered" and station.command is not None else 0
    keys = own_keys(station.operator, station.parameters) if station.operator is not None else None
    by_input = (keys or (None,)) * len(station.inputs)
    return {
        name: _partition(wanted[name], section, station, batch, key)
        for name, key in zip(station.inputs, by_input, strict=False)
    }


def _partition(
    by: Split, section: sections.StationSection, station: Station, batch: int, key: int | None
) -> dict[str, Any] | None:
    if by == "copy":
        return None
    if by != "key":
        return {"by": by, "batch": batch} if batch else {"by": by}
    if section.partition_key is None and key is not None:
        delimiter = station.parameters.get("delimiter")
        return {"by": "key", "key": key, **({"delimiter": delimiter} if delimiter else {})}
    return {"by": "key", **_key(section.partition_key)}


def _key(key: int | sections.KeySection | None) -> dict[str, Any]:
    if key is None:
        return {}
    return {"key": key} if isinstance(key, int) else {"key": key.column, "delimiter": key.delimiter}


def _merge(section: sections.StationSection, station: Station, path: str) -> tuple[str, dict[str, Any]]:
    if station.parallelism == 1 or section.merge == "unordered":
        return "interleave", {}
    if isinstance(section.merge, dict):
        return _own_merge(section.merge, f"{path}.merge")
    if section.merge == "sorted":
        return "merge", {}
    _check_ordered(station, f"{path}.merge")
    return ("interleave", {}) if _numbered(station) else ("reorder", {"batch": BATCH})


def _check_ordered(station: Station, path: str) -> None:
    """Refuse an ordered merge of servers that together give something else than one would."""
    ways = ("round-robin",) if station.command is not None else ("round-robin", "least-loaded")
    if len(station.inputs) > 1 or station.partition not in ways:
        raise ScenarioError(
            f"an ordered merge undoes a {' or '.join(ways)} split of one input; other splits leave no order to restore",
            path=path,
        )
    if station.command is None:
        kind = operators.find(str(station.operator))
        traits = kind.traits
        forgotten = (
            bool(kind.saved) and traits.state == "none" and not traits.barrier
        )  # it has a state and does not say so
        if not traits.separable or forgotten:
            why = "gives nothing before its input ends" if traits.barrier else "keeps a state from record to record"
            raise ScenarioError(
                f"an ordered merge gives what one server would, and operator {station.operator!r} {why}, of which each "
                "server sees only its part: write merge = 'unordered', or parallelism = 1",
                path=path,
            )
    elif not station.one_to_one:
        raise ScenarioError(
            "an ordered merge counts the records of a command, for nothing that tells them apart can pass through it; "
            "nobody knows whether this one gives one for each that it takes: write one_to_one = true if it does, "
            "use an operator (filter, regex, map, route, …), or write merge = 'unordered'",
            path=path,
        )


def _own_merge(table: dict[str, Any], path: str) -> tuple[str, dict[str, Any]]:
    parameters = {key: value for key, value in table.items() if key != "operator"}
    name = table.get("operator")
    if not isinstance(name, str):
        raise ScenarioError("names the operator that merges: merge = { operator = 'merge', key = 1 }", path=path)
    operators.check(name, parameters, path=path)
    if operators.find(name).traits.inputs != MANY:
        raise ScenarioError(f"operator {name!r} reads one input, and merges nothing", path=f"{path}.operator")
    return name, parameters


def _route(section: sections.StationSection, path: str) -> dict[str, Any]:
    if section.split_key is not None and section.split != "key":
        raise ScenarioError("goes with split = 'key'", path=f"{path}.split_key")
    return {"by": section.split, **_key(section.split_key)}


def partial_answers(circuit: Circuit) -> list[str]:
    """Return a warning for each operator whose servers each keep a state of their own and are not given whole keys.

    Where their sketches become one answer there is none.
    """
    found = []
    for station in circuit.stations:
        if station.command is not None and station.parallelism > 1 and tool_of(station.command) in _PACKERS:
            found.append(
                f"{station.name!r}: {tool_of(station.command)} works on bytes that are no records, and its "
                f"{station.parallelism} servers share and merge lines, which tears them; parallelism = 1"
            )
        if station.parallelism == 1 or station.operator is None or station.partition == "key":
            continue
        if circuit.station(f"{station.name}.merge").operator == station.operator:
            continue
        traits = operators.find(station.operator).traits
        if traits.state != "none" and (traits.barrier or traits.state == "keys"):
            found.append(
                f"{station.name!r}: each of the {station.parallelism} servers answers for the records that it got; "
                "partition = 'key' gives all records of a key to one of them, or a station behind adds the answers up"
            )
    return found
