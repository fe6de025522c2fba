"""The scenario under construction: names that stay unique, and sources, stations and sinks in file order."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

RESERVED = {"circuit", "host", "stdin"}  # these mean something else in a scenario or its results
BRACED = re.compile(r"\{([A-Za-z0-9_-]+)\}")


@dataclass(frozen=True, slots=True)
class _Reader:
    """A station or sink: what it is (``command`` or ``file``) and which tables it reads."""

    key: str
    value: str | None
    inputs: list[str]
    by_name: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def table(self, above: str | None) -> dict[str, Any]:
        """Return its table, with ``input`` only where it is not simply what stands above."""
        table: dict[str, Any] = {} if self.value is None else {self.key: self.value}
        if self.by_name:
            table["input"] = self.inputs
        elif self.inputs != [above]:
            table["input"] = self.inputs[0]
        if self.environment:
            table["env"] = self.environment
        return table


class CircuitBuilder:
    """Collects the sections of one scenario.

    Parameters
    ----------
    literal_texts : every literal text of the line. A ``{name}`` in one of them must stay as it is, so no input may
        have that name: the scenario loader replaces ``{name}`` by the input called so.

    >>> builder = CircuitBuilder(["{sort}"])
    >>> builder.add_source("sort", {"command": "sort a"}), builder.add_source("cat", {"file": "b"})
    ('sort-2', 'cat')
    """

    def __init__(self, literal_texts: Iterable[str] = ()) -> None:
        self._taken = RESERVED | {name for text in literal_texts for name in BRACED.findall(text)}
        self._sources: dict[str, dict[str, Any]] = {}
        self._stations: dict[str, _Reader] = {}
        self._sinks: dict[str, _Reader] = {}

    def add_source(self, wish: str, table: dict[str, Any]) -> str:
        """Add a source under the name wished for, or that name with a number; return the name it got."""
        name = self._name(wish)
        self._sources[name] = table
        return name

    def add_station(
        self,
        wish: str,
        command: str,
        *,
        stdin: str | None,
        named: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> str:
        """Add a station and return the name it got; ``named`` are the inputs that its command holds in braces."""
        inputs = ([stdin] if stdin else []) + list(named)
        name = self._name(wish)
        self._stations[name] = _Reader("command", command, inputs, bool(named), environment or {})
        return name

    def add_sink(self, wish: str, file: str | None, *, source: str) -> None:
        """Add a file, or nowhere, that takes what ``source`` writes."""
        self._sinks[self._name(wish)] = _Reader("file", file, [source])

    def as_process(self, name: str) -> str:
        """Return ``name``, or a ``cat`` that reads it where it is a file: only a process writes into a sink."""
        if "command" in self._sources.get(name, {"command": ""}):
            return name
        return self.add_station("cat", "cat", stdin=name)

    def is_read(self, name: str) -> bool:
        """Tell whether a station or sink reads what ``name`` writes."""
        return any(name in reader.inputs for reader in (*self._stations.values(), *self._sinks.values()))

    def sections(self) -> dict[str, Any]:
        """Return the sections that have something in them, in the order of the file."""
        # What stands above can be told only now: a source found late still goes above the first station.
        above = next(iter(self._sources)) if len(self._sources) == 1 else None
        stations = {}
        for name, station in self._stations.items():
            stations[name] = station.table(above)
            above = name
        sinks = {name: sink.table(None if index else above) for index, (name, sink) in enumerate(self._sinks.items())}
        sections = {"sources": self._sources, "stations": stations, "sinks": sinks}
        return {title: tables for title, tables in sections.items() if tables}

    def _name(self, wish: str) -> str:
        tries = itertools.chain([wish], (f"{wish}-{number}" for number in itertools.count(2)))
        name = next(name for name in tries if name not in self._taken)
        self._taken.add(name)
        return name


def name_from(*texts: str, default: str) -> str:
    """Return the first text that has letters or digits left once it is a name, or ``default``.

    >>> name_from("g++", default="command"), name_from("*", "*.log", default="file")
    ('g', 'log')
    """
    for text in texts:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
        if name.strip("-_"):
            return name
    return default


def name_from_file(path: str) -> str:
    """Return a name for a file: its base name up to the first dot.

    >>> [name_from_file(path) for path in ("data/flights.csv", "part-*.gz", "*.log", ".rc", "/")]
    ['flights', 'part', 'log', 'rc', 'file']
    """
    base = path.rstrip("/").rpartition("/")[2]
    return name_from(base.partition(".")[0], base, default="file")
