"""``bottleneck``: what holds the circuit back, what relief would bring, what would bite next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamsim.cli.options import (
    Json,
    Output,
    ProfilePath,
    ScenarioPath,
    Set,
    Shell,
    directory_of,
    one_scenario,
    profile_for,
)
from streamsim.cli.output import example

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streamsim.analysis.bottleneck import Cause, Diagnosis


@example(
    "streamsim bottleneck scenarios/top-words.toml",
    "streamsim bottleneck scenarios/top-words.toml --set host.cores=1",
    "streamsim bottleneck scenarios/poisson.toml --json",
)
def bottleneck(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    profile: ProfilePath = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Which station holds the circuit back, and what would relief of each station buy? Runs none of its commands."""
    from streamsim import verbs
    from streamsim.analysis.plots import elasticities
    from streamsim.analysis.plots.style import to_svg
    from streamsim.cli.output import say
    from streamsim.files import to_json, write_whole

    loaded = one_scenario(scenario, shell, set_)
    models, directory = profile_for(loaded, profile, output), directory_of(loaded, output)
    found = verbs.bottleneck(loaded, models)
    write_whole(directory / "bottleneck.json", to_json(found))
    figure = elasticities.draw_diagnosis(found)
    file = write_whole(directory / f"{elasticities.NAME}.svg", to_svg(figure, elasticities.TITLE))
    if json:
        say(to_json(found).decode(), end="")
    else:
        print_diagnosis(found, written=file)


def print_diagnosis(found: Diagnosis, *, written: Path) -> None:
    """Write what relief of each station brings as a table, and what it means under it."""
    from streamsim.cli.output import say, show
    from streamsim.cli.tables import plain_table

    columns: list[tuple[str, Callable[[Cause], str]]] = [
        ("1 % less demand", lambda cause: _change(cause.demand / 100)),
        ("half the demand", lambda cause: _change(cause.half_demand)),
        ("one more server", lambda cause: _change(cause.one_more)),
        ("pipes doubled", lambda cause: _change(cause.double_pipe)),
    ]
    if found.p99_s is not None:
        columns += [
            ("p99: 1 % less", lambda cause: _change(-cause.p99_demand / 100 if cause.p99_demand is not None else None)),
            ("p99: half", lambda cause: _change(cause.half_demand_p99)),
            ("p99: one more", lambda cause: _change(cause.one_more_p99)),
        ]
    table = plain_table("throughput with", *(head for head, _ in columns), right=range(1, 1 + len(columns)))
    for cause in found.causes:
        table.add_row(_name(cause), *(of(cause) for _, of in columns))
    changes = "".join(f", {path}={value}" for path, value in found.scenario.overrides.items())
    show(f"{found.scenario.name}: what relief of each station would bring, by theory{changes}", "", table, "")
    say("\n".join([*sentences(found), *(f"note: {note}" for note in found.notes), f"written: {written}"]))


def sentences(found: Diagnosis) -> list[str]:
    """Return the diagnosis in words, a line each."""
    from streamsim.analysis.wording import format_value, place_name
    from streamsim.placement import CORES, are_cores
    from streamsim.units import format_seconds

    first = found.first
    what = "the largest load that holds" if found.basis == "largest load" else "throughput"
    lines = [f"{what}: {format_value(found.throughput, found.throughput_unit)}"]
    if found.p99_s is not None:
        lines[0] += f"; at the load given, 99 % of the responses come within {format_seconds(found.p99_s)}"
    sure = f", in {found.confidence:.0%} of the profiles that the calibration allows" if found.confidence else ""
    change = "less demand there brings"
    if are_cores(first.station):
        single = first.station.startswith(CORES) and "," not in first.station
        change = "more of it brings" if single else "more of them bring"
    lines.append(
        f"bottleneck: {place_name(first.station)}{sure}; each per cent {change} {first.demand:.2g} % more throughput"
    )
    if found.following is None:
        lines.append("next: nothing; whatever it needs, it stays the bottleneck")
    else:
        after = found.following
        how = f"the cores are {1 / after.demand:.3g} times as many"
        if not are_cores(first.station):
            how = f"{place_name(first.station)} needs {after.demand:.0%} of what it needs now"
        lines.append(f"next: {place_name(after.station)}, once {how} (throughput then {_change(after.throughput - 1)})")
    return [line.replace("%", " %").replace("  %", " %") for line in lines]


def _name(cause: Cause) -> str:
    from streamsim.cli.tables import blame

    return blame(cause.station)


def _change(value: float | None) -> str:
    """Return a relative change in per cent, two digits where it is small.

    >>> _change(0.0047), _change(0.464), _change(None), _change(-0.3)
    ('+0.47 %', '+46.4 %', '–', '−30.0 %')
    """
    from streamsim.analysis.wording import NOTHING, format_percent

    if value is None:
        return NOTHING
    if abs(value) < 0.00005:
        return "0"
    return format_percent(value) if abs(value) >= 0.02 else f"{value * 100:+.2f} %".replace("-", "−")
