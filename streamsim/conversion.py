"""Where the two ends of a pipe tell records apart differently, a converter is put between them; nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from streamsim import formats, operators
from streamsim.circuit import Station
from streamsim.operators.base import PortedOperator

Format = str | dict[str, Any]

_TEXT = ("lines", "csv")
"""To these the bytes of the other are its own: lines without quotes are CSV, and a line of CSV is a line."""


def with_converters(
    stations: Mapping[str, Station], named: Iterable[str], files: Mapping[str, Format | None]
) -> dict[str, Station]:
    """Return the stations, whose inputs are as written, with a converter before each that needs one.

    Parameters
    ----------
    named : the stations whose format somebody named. What only passes bytes on (``copy``, ``tee``) and was given none
        has that of its input.
    files : the formats of what comes from no station, by the name of the source; None: that of who reads it.

    What a command writes is what its reader takes it for, and so is what a file holds that nobody named the format of.

    >>> a = Station(name="a", operator="generate", role="source")
    >>> b = Station(name="b", operator="count", inputs=("a",), labels=("a",), format={"name": "rows", "width": 9})
    >>> found = with_converters({"a": a, "b": b}, ["b"], {})
    >>> list(found), found["b"].inputs, found["b.convert"].parameters["to"]["name"]
    (['a', 'b.convert', 'b'], ('b.convert',), 'rows')
    """
    writes = _Writers(stations, frozenset(named), files)
    found: dict[str, Station] = {}
    for name, station in stations.items():
        if station.operator is None or station.role == "source":
            found[name] = station
            continue
        reads = writes.read_by(station)
        inputs = []
        for label, source in zip(station.labels, station.inputs, strict=True):
            given = writes.written_by(source)
            if given is None or reads is None or same(given, reads):
                inputs.append(source)
                continue
            between = f"{name}.convert" if len(station.inputs) == 1 else f"{name}.convert.{label}"
            above = stations.get(source)
            fuse = station.fuse and above is not None and above.operator is not None
            found[between] = _converter(between, source, given, reads, station, fuse=fuse)
            inputs.append(between)
        found[name] = msgspec.structs.replace(
            station, inputs=tuple(inputs), format=station.format if reads is None else reads
        )
    return {name: _as_read(station, found) if name in writes.unknown else station for name, station in found.items()}


def _as_read(source: Station, stations: Mapping[str, Station]) -> Station:
    """Return a source with the format of who reads it, so that it cuts records, and counts them, as that does."""
    readers = [station for station in stations.values() if source.name in station.inputs and station.operator]
    return msgspec.structs.replace(source, format=readers[0].format) if readers else source


def same(one: Format, other: Format) -> bool:
    """Return whether records of one format need no converter to be read as the other.

    >>> same("lines", "csv"), same("lines", "frames"), same("csv", {"name": "csv", "header": True})
    (True, False, True)
    """
    a, b = formats.normal_format(one), formats.normal_format(other)
    if a["name"] in _TEXT and b["name"] in _TEXT:
        return True
    if a["name"] != b["name"]:
        return False
    return a["name"] == "arrow" or a == b  # Arrow's streams bring their columns with them


def _converter(name: str, source: str, given: Format, reads: Format, reader: Station, *, fuse: bool) -> Station:
    """Return the station that stands before a reader; what it cannot convert goes where the reader's bad records go."""
    dead_letter = None if reader.dead_letter is None else f"{reader.dead_letter}.convert"
    return Station(
        name=name,
        operator="convert",
        parameters={"to": formats.normal_format(reads), "delimiter": reader.parameters.get("delimiter", ",")},
        inputs=(source,),
        labels=(source,),
        format=given,
        role="convert",
        on_error=reader.on_error,
        dead_letter=dead_letter,
        fuse=fuse,
    )


class _Writers:
    """Which format the output of each station has, and its input; None where nothing is known of it."""

    def __init__(
        self, stations: Mapping[str, Station], named: frozenset[str], files: Mapping[str, Format | None]
    ) -> None:
        self._stations, self._named, self._files = stations, named, files
        self._asked: list[str] = []
        self.unknown = {
            name
            for name, station in stations.items()
            if station.role == "source" and station.operator is not None and name not in named
            if operators.find(station.operator).any_format
        }
        """The sources of which nobody said what they hold."""

    def written_by(self, source: str) -> Format | None:
        """Return the format of an input, called by the name of its station, its port or its file."""
        if source in self._files:
            return self._files[source]
        station = self._stations.get(source) or self._stations.get(source.rpartition(".")[0])
        if station is None or station.operator is None or station.name in self._asked:
            return None  # a command; or a loop of stations that only pass bytes on
        kind = operators.find(station.operator)
        if kind.traits.source:
            return None if station.name in self.unknown else station.format
        reads = self.read_by(station)
        return None if reads is None else operators.output_format(station.operator, station.parameters, reads)

    def read_by(self, station: Station) -> Format | None:
        """Return the format that an operator reads."""
        kind = operators.find(str(station.operator))
        if issubclass(kind, PortedOperator) or station.name in self._named:
            return None if kind.reads_bytes else station.format
        self._asked.append(station.name)
        given = [self.written_by(source) for source in station.inputs]
        self._asked.pop()
        return given[0] if given else None
