"""Hold the worlds against each other: results of one scenario, joined on (station, metric)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streamsim.analysis.wording import METRICS, NOTHING, format_error, format_estimate, format_percent, place_name
from streamsim.errors import ProfileError
from streamsim.placement import HOST
from streamsim.result import Bottleneck, Estimate, HostResult, Result
from streamsim.scenario import ScenarioKey

SCHEMA = "streamsim.comparison/1"
CIRCUIT = "circuit"
WITHIN = "✓"
ROUNDING = 1e-9
"""Errors this small are those of the arithmetic."""
UNSURE = 0.25
"""Where the measured interval is wider than this, to either side, the verdict says that it proves nothing."""

Metrics = dict[tuple[str, str], Estimate]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the circuit or of one station in all worlds.

    Errors are signed and relative to what was measured, None where that is 0 or missing; ``measured_spread`` is the
    half-width of the measured interval relative to its value.
    """

    station: str
    metric: str
    unit: str
    measured: Estimate | None = None
    simulated: Estimate | None = None
    predicted: Estimate | None = None
    simulated_error: float | None = None
    predicted_error: float | None = None
    measured_spread: float | None = None

    def within(self, world: str) -> bool | None:
        """Whether this world is off by no more than the measured runs scatter; None where that cannot be said."""
        error = self.simulated_error if world == "simulated" else self.predicted_error
        if error is None or self.measured_spread is None:
            return None
        return abs(error) <= self.measured_spread + ROUNDING


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All rows, and which bottleneck each world names with what share of the time; worlds that are absent are None."""

    schema: str = SCHEMA
    scenario: ScenarioKey
    host: HostResult
    rows: tuple[Row, ...]
    bottleneck: dict[str, str | None]
    shares: dict[str, Estimate | None]
    saturated: dict[str, bool | None]
    repetitions: dict[str, int | None]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def row(self, station: str, metric: str) -> Row | None:
        """Return the row of that station (or ``"circuit"``) and metric; None where no world knows it."""
        return next((row for row in self.rows if (row.station, row.metric) == (station, metric)), None)

    def stations(self) -> tuple[str, ...]:
        """Return the stations that have rows, in their order."""
        return tuple(dict.fromkeys(row.station for row in self.rows if row.station != CIRCUIT))


OF_A_CHUNK = ("wait", "service_time")
"""What runs say of chunks, and theory of records: no error comes of the two."""


def compare_results(measured: Result | None, simulated: Result | None, predicted: Result | None) -> Comparison:
    """Join the results of one scenario.

    Raises ProfileError where there is none at all, or where they are not of the same scenario and overrides.
    """
    worlds = {"measured": measured, "simulated": simulated, "predicted": predicted}
    present = [result for result in worlds.values() if result is not None]
    if not present:
        raise ProfileError("there is no result to compare")
    for result in present[1:]:
        if _identity(result) != _identity(present[0]):
            raise ProfileError(
                f"the {present[0].world} result is of {_described(present[0])}, the {result.world} one of "
                f"{_described(result)}: they cannot be compared"
            )
    found = {world: _metrics(result) if result is not None else {} for world, result in worlds.items()}
    if measured is not None:
        found["predicted"] = {key: one for key, one in found["predicted"].items() if key[1] not in OF_A_CHUNK}
    stations = dict.fromkeys(name for result in present for name in result.stations)
    rows = [_row(place, metric, found) for place in (CIRCUIT, *stations) for metric in METRICS]
    blamed = {world: result.circuit.bottleneck if result is not None else None for world, result in worlds.items()}
    return Comparison(
        scenario=present[0].scenario,
        host=present[0].host,
        rows=tuple(row for row in rows if row is not None),
        bottleneck={world: one.station if one is not None else None for world, one in blamed.items()},
        shares={world: one.share if one is not None else None for world, one in blamed.items()},
        saturated={world: _saturated(result, blamed[world]) for world, result in worlds.items()},
        repetitions={world: result.repetitions if result is not None else None for world, result in worlds.items()},
        notes=tuple(f"{result.world}: {note}" for result in present for note in result.notes),
        warnings=tuple(f"{result.world}: {warning}" for result in present for warning in result.warnings),
    )


def _identity(result: Result) -> bytes:
    key = result.scenario
    return msgspec.json.encode((key.name, key.digest, key.overrides), order="sorted")


def _described(result: Result) -> str:
    key = result.scenario
    changes = ", ".join(f"{path}={value}" for path, value in key.overrides.items())
    return f"{key.name!r} ({key.digest}{'; ' + changes if changes else ''})"


def _saturated(result: Result | None, bottleneck: Bottleneck | None) -> bool | None:
    if result is None:
        return None
    return result.saturated or (bottleneck is not None and bottleneck.saturated)


def _metrics(result: Result) -> Metrics:
    """Return every estimate of a result that has a value, by (station, metric)."""
    found: dict[tuple[str, str], Estimate | None] = {
        (CIRCUIT, name): getattr(result.circuit, name) for name in ("makespan", "bytes_per_s", "records_per_s")
    }
    for quantile in ("mean", "p50", "p95", "p99"):
        response = result.circuit.response_time
        found[CIRCUIT, f"response_time.{quantile}"] = getattr(response, quantile) if response is not None else None
    for place, station in result.stations.items():
        for name in ("utilisation", "cpu", "ended", "wait", "service_time", "bytes_out", "records_out"):
            found[place, name] = getattr(station, name)
        for state in ("running", "runnable", "waiting", "blocked", "starved"):
            found[place, f"budget.{state}"] = getattr(station.budget, state) if station.budget is not None else None
    return {key: estimate for key, estimate in found.items() if estimate is not None and estimate.value is not None}


def _row(place: str, metric: str, worlds: dict[str, Metrics]) -> Row | None:
    estimates = {world: metrics.get((place, metric)) for world, metrics in worlds.items()}
    known = [estimate for estimate in estimates.values() if estimate is not None]
    if not known:
        return None
    measured = estimates["measured"]
    return Row(
        station=place,
        metric=metric,
        unit=known[0].unit,
        **estimates,
        simulated_error=_error(measured, estimates["simulated"]),
        predicted_error=_error(measured, estimates["predicted"]),
        measured_spread=measured.spread if measured is not None else None,
    )


def _error(measured: Estimate | None, other: Estimate | None) -> float | None:
    if measured is None or other is None or not measured.value or other.value is None:
        return None
    return (other.value - measured.value) / measured.value


def to_markdown(comparison: Comparison) -> str:
    """Return the comparison as tables: the circuit first, then each station."""
    key = comparison.scenario
    changes = "".join(f", `{path}={value}`" for path, value in key.overrides.items())
    lines = [f"# {key.name}", "", f"Scenario `{key.digest}`{changes}.", "", verdict(comparison), ""]
    for place in (CIRCUIT, *comparison.stations()):
        body = list(_table_rows(comparison, place))
        if body:
            lines += [f"## {'The circuit' if place == CIRCUIT else place}", ""]
            lines += ["| metric | measured | simulated | error | predicted | error |", "| --- |" + " ---: |" * 5]
            lines += [f"| {' | '.join(cells)} |" for cells in body] + [""]
    lines += [f"Bottleneck: {_bottleneck_line(comparison)}.", "", *legend(comparison), ""]
    for title, texts in (("Warnings", comparison.warnings), ("Notes", comparison.notes)):
        if texts:
            lines += [f"## {title}", "", *(f"- {text}" for text in texts), ""]
    return "\n".join(lines)


def legend(comparison: Comparison) -> list[str]:
    """Return what the signs in the tables mean, and how many rows they leave out."""
    lines = [
        f"Errors are relative to the measured value, of shares in percentage points; {WITHIN} marks those within the "
        "spread of the measured repetitions (the half-width of their 95 % interval)."
    ]
    hidden = len(comparison.rows) - len(listed(comparison))
    if hidden:
        lines += ["", f"{hidden} further numbers that only the models know are in comparison.json."]
    return lines


def listed(comparison: Comparison) -> list[Row]:
    """Return the rows that a table shows: what was measured, where anything was; and the circuit always."""
    if comparison.repetitions["measured"] is None:
        return list(comparison.rows)
    return [row for row in comparison.rows if row.station == CIRCUIT or row.measured is not None]


def error_text(row: Row, world: str) -> str:
    """Return the error of one world in one row, marked where it is within the measured spread."""
    error = row.simulated_error if world == "simulated" else row.predicted_error
    text = format_error(error, row.measured, getattr(row, world))
    return f"{text} {WITHIN}" if row.within(world) and text != NOTHING else text


def _table_rows(comparison: Comparison, place: str) -> Iterator[list[str]]:
    for row in listed(comparison):
        if row.station == place:
            cells = [METRICS[row.metric], format_estimate(row.measured)]
            for world in ("simulated", "predicted"):
                cells += [format_estimate(getattr(row, world)), error_text(row, world)]
            yield cells


def _bottleneck_line(comparison: Comparison) -> str:
    parts = []
    for world, station in comparison.bottleneck.items():
        share = comparison.shares[world]
        if share is not None:
            parts.append(f"{world} {station} ({format_estimate(share)} of the time)")
    return ", ".join(parts) or "unknown"


def verdict(comparison: Comparison) -> str:
    """Return in one sentence which bottleneck was found, and how far off simulation and theory were."""
    where = _blame(comparison)
    row = comparison.row(CIRCUIT, "response_time.mean")
    if row is None or row.measured is None:
        row = comparison.row(CIRCUIT, "makespan")
    how_far = _distance(row) if row is not None else ""
    return f"{where}; {how_far}." if how_far else f"{where}."


def _blame(comparison: Comparison) -> str:
    first = next((world for world, station in comparison.bottleneck.items() if station is not None), None)
    if first is None:
        return "No bottleneck is known"
    station, share = comparison.bottleneck[first], comparison.shares[first]
    name = place_name(station)
    part = f"{share.value:.0%}".replace("%", " %") if share is not None and share.value is not None else "all"
    plural = station == HOST or name.startswith("the pinned cores")
    if comparison.saturated[first]:
        text = f"{name} {'hold' if plural else 'holds'} the circuit back, at work {part} of the time"
    else:
        text = f"{name} {'come' if plural else 'comes'} nearest to holding the circuit back, at work {part} of the time"
    text = text[0].upper() + text[1:]
    if first != "measured":
        return f"By {_world(first)}, {text[0].lower()}{text[1:]}"
    return text + _agreement(comparison, station)


def _agreement(comparison: Comparison, station: str | None) -> str:
    others = {
        world: named
        for world, named in comparison.bottleneck.items()
        if world != "measured" and comparison.repetitions[world] is not None
    }
    agree = [_world(world) for world, named in others.items() if named == station]
    parts = [f", and {' and '.join(agree)} {'says' if len(agree) == 1 else 'say'} so too"] if agree else []
    differ: dict[str, list[str]] = {}
    for world, named in others.items():
        if named != station:
            differ.setdefault(place_name(named), []).append(_world(world))
    told = [
        f"{' and '.join(worlds)} {'names' if len(worlds) == 1 else 'name'} {name}" for name, worlds in differ.items()
    ]
    return "".join(parts) + (f", but {', '.join(told)}" if told else "")


def _distance(row: Row) -> str:
    """Say how far simulation and theory are from the one number that matters most."""
    what = "makespan" if row.metric == "makespan" else "mean response time"
    found = {"simulated": row.simulated_error, "predicted": row.predicted_error}
    parts = [
        f"the {world} {what if place == 0 else 'one'} is {_off(error)}"
        for place, (world, error) in enumerate((w, e) for w, e in found.items() if e is not None)
    ]
    if not parts:
        return ""
    if row.measured_spread is None:
        return " and ".join(parts) + ", measured once, so that its scatter is not known"
    doubt = ", too much to judge by" if row.measured_spread > UNSURE else ""
    return " and ".join(parts) + f", where the measured one scatters by ±{row.measured_spread * 100:.1f} %{doubt}"


def _off(error: float) -> str:
    size = format_percent(abs(error)).removeprefix("+")
    if float(size.removesuffix(" %")) == 0:
        return "exact to 0.1 %"
    return f"{size} too {'long' if error > 0 else 'short'}"


def _world(world: str) -> str:
    return {"measured": "measurement", "simulated": "simulation", "predicted": "theory"}[world]
