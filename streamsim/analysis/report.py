"""Write everything known of a scenario into its directory: results, comparison, plots, and one page that shows them.

The page stands alone (no script, nothing loaded from anywhere) and computes nothing: its numbers are those of
the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from streamsim.analysis import plots
from streamsim.analysis.compare import (
    CIRCUIT,
    Comparison,
    Row,
    compare_results,
    error_text,
    legend,
    listed,
    to_markdown,
    verdict,
)
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import FAINT, GRID, INK, PAPER, WORLDS
from streamsim.analysis.wording import METRICS, NOTHING, format_interval, format_value, place_name
from streamsim.circuit import Circuit, Station
from streamsim.files import to_json, write_pictures, write_whole
from streamsim.placement import are_cores
from streamsim.result import Estimate
from streamsim.units import format_bytes

_COLOURS = {"ink": INK, "faint": FAINT, "grid": GRID, "card": PAPER} | {
    world: look.colour for world, look in WORLDS.items()
}
"""Colours of plots that the page sets by itself, by the names of its own: a dark page has others."""
_ROLES = {
    "source": "source",
    "copy": "copies its input to every reader",
    "split": "shares its input out",
    "merge": "makes one stream of several",
    "convert": "turns one format into another",
    "loop": "where a loop begins",
    "station": "",
}


@dataclass(frozen=True)
class _Cell:
    text: str
    detail: str = ""
    kind: str = ""


@dataclass(frozen=True)
class _Line:
    metric: str
    cells: tuple[_Cell, ...]


@dataclass(frozen=True)
class _Card:
    name: str
    program: str
    operator: bool
    facts: tuple[str, ...]
    share: str
    percent: str
    guilty: bool


@dataclass(frozen=True)
class _Picture:
    name: str
    title: str
    caption: str
    svg: Markup


def write_report(directory: str | Path, inputs: Inputs) -> list[Path]:
    """Write what exists of the results and profile, the comparison, every plot that applies, and ``report.html``.

    Parameters
    ----------
    directory : made where it is missing; usually ``reports/NAME``. Each file appears whole or not at all. A plot of an
        earlier report that no longer applies is taken away, other files stay.
    inputs : what is known; the comparison is joined from the results where it is not given.

    Returns the paths of the files written. Raises ProfileError where there is no result at all. The same inputs give
    the same bytes.
    """
    directory = Path(directory)
    comparison = inputs.comparison or compare_results(inputs.measured, inputs.simulated, inputs.predicted)
    pictures = plots.draw_all(inputs)
    documents: dict[str, Any] = {f"{world}.json": result for world, result in inputs.results().items()}
    documents |= {"profile.json": inputs.profile} if inputs.profile is not None else {}
    documents["comparison.json"] = comparison
    written = [write_whole(directory / name, to_json(value)) for name, value in documents.items()]
    written.append(write_whole(directory / "comparison.md", to_markdown(comparison)))
    written += write_pictures(directory, pictures, plots.ALL)
    written.append(write_whole(directory / "report.html", to_html(inputs, comparison, pictures)))
    return written


def to_html(inputs: Inputs, comparison: Comparison, pictures: dict[str, bytes]) -> str:
    """Return the page; ``pictures`` are SVG files by the names of their plots."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("streamsim.analysis"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    worlds = [world for world, count in comparison.repetitions.items() if count is not None]
    models = [world for world in worlds if world != "measured"] if "measured" in worlds else worlds
    return environment.get_template("report.html.j2").render(
        title=inputs.title or comparison.scenario.name,
        scenario=comparison.scenario,
        verdict=verdict(comparison).replace(" %", "\N{NO-BREAK SPACE}%"),
        tiles=list(_tiles(comparison)),
        facts=list(_facts(inputs, comparison)),
        cards=[_card(inputs, comparison, station) for station in _in_order(inputs.circuit)],
        sinks=[f"{sink.input} → {Path(sink.file).name if sink.file else 'nowhere'}" for sink in inputs.circuit.sinks],
        measured="measured" in worlds,
        models=models,
        circuit_lines=list(_lines(comparison, CIRCUIT, models)),
        groups=[(name, list(_lines(comparison, name, models))) for name in comparison.stations()],
        legend=[line for line in legend(comparison) if line],
        pictures=[
            _Picture(name, plots.TITLES[name], plots.CAPTIONS[name], _inline(svg, name))
            for name, svg in pictures.items()
        ],
        warnings=comparison.warnings,
        notes=comparison.notes,
    )


def _in_order(circuit: Circuit) -> list[Station]:
    return [circuit.station(name) for name in circuit.order()]


def _tiles(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    """Yield the few numbers that matter most, each with a label and a remark."""
    row = comparison.row(CIRCUIT, "response_time.mean") or comparison.row(CIRCUIT, "makespan")
    for world in ("measured", "simulated", "predicted"):
        found: Estimate | None = getattr(row, world) if row is not None else None
        if row is not None and found is not None:
            error = error_text(row, world) if world != "measured" else NOTHING
            remark = format_interval(found) if error == NOTHING else f"off by {error}"
            yield f"{METRICS[row.metric]}, {world}", format_value(found.value, found.unit), remark
    blamed = next((one for one, station in comparison.bottleneck.items() if station is not None), None)
    if blamed is not None:
        share = comparison.shares[blamed]
        name = comparison.bottleneck[blamed]
        busy = f"at work {format_value(share.value, '')} of the time" if share is not None else ""
        yield f"Bottleneck, {blamed}", place_name(name) if name is not None and are_cores(name) else str(name), busy


def _facts(inputs: Inputs, comparison: Comparison) -> Iterator[tuple[str, str]]:
    host = comparison.host
    yield "Cores", str(host.cores)
    yield "Available cores", f"{host.available_cores:.2f} (others used {host.background_cores:.2f})"
    speeds = ", ".join(f"{speed * 100:.0f} % with {busy} busy" for busy, speed in enumerate(host.speed, start=1))
    yield "Speed of a core", speeds
    for world, result in inputs.results().items():
        times = f"{result.repetitions} repetition{'s' if result.repetitions != 1 else ''}"
        yield world.capitalize(), result.engine if world == "predicted" else f"{times}, engine {result.engine}"
    for path, value in comparison.scenario.overrides.items():
        yield f"Set {path}", str(value)
    yield "Scenario", f"{comparison.scenario.name}, digest {comparison.scenario.digest}"


def _card(inputs: Inputs, comparison: Comparison, station: Station) -> _Card:
    facts = [_ROLES[station.role]] if _ROLES[station.role] else []
    pipes = inputs.circuit.inputs_of(station.name)
    facts += [f"reads file {Path(feed.file).name}" for feed in inputs.circuit.feed_of(station.name)]
    facts += [f"reads {pipe.upstream} through {format_bytes(pipe.capacity_bytes)}" for pipe in pipes]
    if station.parallelism > 1:
        facts.append(f"{station.parallelism} servers")
    if station.operator is not None:
        facts += [f"{key} = {value}" for key, value in station.parameters.items() if key != "paths"]
        paths = station.parameters.get("paths", ())
        facts += [f"{len(paths)} files"] if len(paths) > 1 else [Path(path).name for path in paths]
    row = comparison.row(station.name, "utilisation")
    known = (row.measured or row.simulated or row.predicted) if row is not None else None
    world = next((one for one, named in comparison.bottleneck.items() if named is not None), None)
    return _Card(
        name=station.name,
        program=station.program.replace("\n", "\\n").replace("\t", "\\t"),
        operator=station.operator is not None,
        facts=tuple(facts),
        share=f"{format_value(known.value, '')} at work" if known is not None else "",
        percent=f"{min((known.value or 0.0) * 100, 100):.1f}" if known is not None else "0",
        guilty=world is not None and comparison.bottleneck[world] == station.name,
    )


def _lines(comparison: Comparison, place: str, models: list[str]) -> Iterator[_Line]:
    measured = comparison.repetitions["measured"] is not None
    for row in listed(comparison):
        if row.station == place:
            cells = [_value(row.measured)] if measured else []
            for world in models:
                cells.append(_value(getattr(row, world)))
                cells += [_error(row, world)] if measured else []
            yield _Line(METRICS[row.metric], tuple(cells))


def _value(estimate: Estimate | None) -> _Cell:
    if estimate is None or estimate.value is None:
        return _Cell(NOTHING, kind="missing")
    return _Cell(format_value(estimate.value, estimate.unit), format_interval(estimate))


def _error(row: Row, world: str) -> _Cell:
    text = error_text(row, world)
    return _Cell(text, kind="missing" if text == NOTHING else "within" if row.within(world) else "error")


def _inline(svg: bytes, name: str) -> Markup:
    """Return an SVG file as it stands inside a page: its ids its own, its inks those of the page, no namespaces."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<(title|metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    head, rest = text.split(">", 1)
    text = re.sub(r'\s(xmlns(:\w+)?|width|height|version)="[^"]*"', "", head) + ">" + rest
    text = text.replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    for variable, colour in _COLOURS.items():
        text = text.replace(colour.lower(), f"var(--{variable})")
    label = Markup('<svg role="img" aria-label="{}"').format(plots.TITLES[name])
    return Markup(text.replace("<svg", label, 1))  # safe: our own plot, whose only free text became paths
