"""From a TOML file (or a mapping) to a Scenario: everything is checked before anything is started."""

from __future__ import annotations

import copy
import os
import tomllib
from pathlib import Path
from typing import Any

from streamsim import checking, sections
from streamsim.building import build_circuit
from streamsim.checking import convert, quantity
from streamsim.declaring import declared
from streamsim.errors import ScenarioError, nearest
from streamsim.files import read_within
from streamsim.scenario import Host, Measure, Scenario, Simulate, directory_of
from streamsim.steering import controller, refuse_rivals
from streamsim.units import parse_bytes, parse_seconds


def load(
    source: str | Path | dict[str, Any], *, overrides: dict[str, Any] | None = None, file: str | None = None
) -> Scenario:
    """Load and check a scenario.

    Parameters
    ----------
    source : path of a TOML file, or the mapping that such a file would hold.
    overrides : dotted path → value, as ``--set`` takes them: ``{"host.cores": 1}``.
    file : what messages call the scenario, and where its relative paths start, when `source` is a mapping.

    Raises
    ------
    ScenarioError : names the file, the path in it, what stood there and what would be right.

    >>> load({"name": "two", "sources": {"a": {"command": "seq 9"}},
    ...       "stations": {"b": {"command": "wc -l"}}}).circuit.order()
    ('a', 'b')
    """
    if isinstance(source, dict):
        document = copy.deepcopy(source)
    else:
        file = str(source)
        document = _read(Path(source))
    try:
        merged = _with_overrides(document, overrides or {})
        return _assemble(document, merged, dict(overrides or {}), file)
    except ScenarioError as error:
        if error.file is None and file is not None:
            raise ScenarioError(error.message, file=file, path=error.path) from None
        raise


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``path=value``; the value is read as TOML where that is possible, as a bare string elsewhere.

    >>> parse_override("host.cores=1"), parse_override("sources.a.rate=20 records/s")
    (('host.cores', 1), ('sources.a.rate', '20 records/s'))
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise ScenarioError(f"--set {text!r} is not of the form path=value, such as host.cores=1")
    try:
        read = _parse(f"value = {value}")
    except ValueError:
        read = {}
    return path.strip(), read["value"] if read.keys() == {"value"} else value.strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parse(read_within(path, _LARGEST).decode("utf-8-sig"))  # some editors put a mark first
    except FileNotFoundError:
        raise ScenarioError(f"no such file{_scenario_beside(path)}", file=str(path)) from None
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}", file=str(path)
        ) from None
    except ValueError as error:
        raise ScenarioError(f"is not TOML: {error}", file=str(path)) from None


_LARGEST = 16 << 20
"""Bytes of a scenario file, far beyond any that was written; what has more, such as /dev/zero, may have no end."""


def _scenario_beside(path: Path) -> str:
    """Return the question whether a scenario beside this missing file was meant; other TOML files are not asked for."""
    beside = [entry.stem for entry in path.parent.glob("*.toml") if _is_scenario(entry)]
    return nearest(path.name.removesuffix(".toml"), beside, ending=".toml")


def _is_scenario(path: Path) -> bool:
    try:
        return not {"sources", "stations"}.isdisjoint(_parse(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False


def _parse(text: str) -> dict[str, Any]:
    """Return what the TOML says; a ValueError (TOMLDecodeError is one) where it is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("brackets are nested too deeply") from None


def _with_overrides(document: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(document)
    for path, value in overrides.items():
        place: Any = merged
        *way, last = path.split(".")
        for step, key in enumerate(way):
            known = place.get(key)
            if known is None and step == 1 and way[0] in ("sources", "stations", "sinks", "controllers"):
                raise ScenarioError(f"there is no {key!r} to set{nearest(key, place)}", path=".".join(way[: step + 1]))
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise ScenarioError(f"{place!r} has no parts to set", path=".".join(way[: step + 1]))
        place[last] = copy.deepcopy(value)
    return merged


_TABLES = ("sources", "stations", "sinks", "service", "controllers")
"""Sections that are tables of tables, each read by itself."""


def _assemble(
    document: dict[str, Any], merged: dict[str, Any], overrides: dict[str, Any], file: str | None
) -> Scenario:
    head = {key: value for key, value in merged.items() if key not in _TABLES}
    top, extra = convert(head, sections.Document, "", open_ended=True)
    for key in extra:
        checking.refuse_unknown(key, sections.Document, "", "section")
    name = top.name if top.name is not None else Path(file).stem if file else "circuit"
    if not name or "/" in name or name.startswith(".") or not name.isprintable():
        raise ScenarioError(f"{name!r} cannot name a directory in reports/", path="name")
    measure = Measure(
        repetitions=top.measure.repetitions,
        duration_s=_duration(top.measure.duration),
        records=top.measure.records,
        warmup=top.measure.warmup,
    )
    directory = directory_of(file)
    circuit, loads, sizes = build_circuit(merged, directory, measure)
    services = {
        key: declared(value, f"service.{key}", directory) for key, value in checking.table(merged, "service").items()
    }
    for key in services:
        names = [station.name for station in circuit.stations]
        if key not in names:
            raise ScenarioError(f"there is no station of that name{nearest(key, names)}", path=f"service.{key}")
    controllers = {
        key: controller(value, f"controllers.{key}", circuit)
        for key, value in checking.table(merged, "controllers").items()
    }
    refuse_rivals(controllers)
    return Scenario(
        name=name,
        title=top.title,
        file=file,
        circuit=circuit,
        loads=loads,
        host=_host(top.host),
        measure=measure,
        simulate=Simulate(
            precision=top.simulate.precision,
            seed=top.simulate.seed,
            replications=top.simulate.replications,
            grain=top.simulate.grain,
            cores=top.simulate.cores,
        ),
        services=services,
        controllers=controllers,
        source_bytes=sizes,
        document=document,
        overrides=overrides,
    )


def _host(section: sections.HostSection) -> Host:
    growth = quantity(parse_bytes, section.pipe_growth, "host.pipe_growth")
    cores = section.cores or len(os.sched_getaffinity(0))
    return Host(cores=cores) if growth is None else Host(cores=cores, pipe_growth_bytes=growth)


def _duration(value: str | float | None) -> float | None:
    seconds: float | None = quantity(parse_seconds, value, "measure.duration")
    if seconds == 0:
        raise ScenarioError(f"{value!r} leaves no time to run", path="measure.duration")
    return seconds
