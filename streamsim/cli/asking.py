"""``whatif``: what it would take to carry a load within a response time, as lines for ``--set``."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.failures import UsageError
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
    from pathlib import Path

    from streamsim.analysis.goal import Answer, Variant
    from streamsim.scenario import Scenario


@example(
    "streamsim whatif scenarios/poisson.toml --rate '900 records/s' --p99 '50 ms' --cores 4",
    "streamsim whatif scenarios/poisson.toml --p99 '20 ms' --verify",
    "streamsim whatif scenarios/top-words.toml --makespan '1 s' --cores 8",
)
def whatif(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    rate: Annotated[
        list[str] | None,
        typer.Option("--rate", metavar="[SOURCE=]RATE", help="The load to carry.", show_default="the scenario's own"),
    ] = None,
    p99: Annotated[
        str | None, typer.Option("--p99", metavar="TIME", help="99 % of the responses come within.", show_default=False)
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", metavar="TIME", help="Responses take so long at most.", show_default=False)
    ] = None,
    makespan: Annotated[
        str | None, typer.Option("--makespan", metavar="TIME", help="The whole run takes at most.", show_default=False)
    ] = None,
    cores: Annotated[
        int | None, typer.Option("--cores", min=1, max=4096, help="At most.", show_default="the scenario's own")
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="How many answers.")] = 3,
    verify: Annotated[
        bool, typer.Option("--verify", help="Simulate the answers, and run them for real where the cores are there.")
    ] = False,
    set_: Set = None,
    profile: ProfilePath = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """What would it take? Search servers, shared processes, cores and pins for the cheapest variants that reach a goal.

    The answers are lines for --set, cheapest first: fewest cores, then fewest processes. Without --verify none of the
    scenario's commands is run.
    """
    from streamsim import verbs, verifying
    from streamsim.analysis.goal import Goal
    from streamsim.cli.output import say
    from streamsim.cli.progress import ProgressLine
    from streamsim.files import to_json, write_pictures, write_whole

    written = one_scenario(scenario, shell, set_)
    loads = [f"{path}={value}" for path, value in _loads(written, rate or []).items()]
    loaded = one_scenario(scenario, shell, [*(set_ or []), *loads]) if loads else written
    goal = Goal(
        cores=cores or loaded.host.cores,
        p99_s=_seconds(p99, "--p99"),
        mean_s=_seconds(mean, "--mean"),
        makespan_s=_seconds(makespan, "--makespan"),
    )
    if goal.p99_s is None and goal.mean_s is None and goal.makespan_s is None and not loaded.open:
        raise UsageError("say what to reach: --makespan TIME, or a --rate, with --p99 or --mean TIME")
    models, directory = profile_for(written, profile, output), directory_of(written, output)
    with ProgressLine() as progress:
        found = verbs.whatif(loaded, goal, models, top=top)
        if verify:
            found = verifying.verify(found, loaded, models, progress=progress)
    file = write_whole(directory / "whatif.json", to_json(found))
    drawn = verbs.whatif_picture(loaded, found, models)
    write_pictures(directory, {} if drawn is None else {"whatif": drawn}, ("whatif",))
    if json:
        say(to_json(found).decode(), end="")
    else:
        print_answer(found, loaded, written=file)


def print_answer(found: Answer, scenario: Scenario, *, written: Path) -> None:
    """Write the variants as a table, with the words that make each of them."""
    from streamsim.cli.output import say, show
    from streamsim.cli.tables import plain_table
    from streamsim.units import format_seconds

    goal = found.goal
    wanted = [
        f"{what} within {format_seconds(limit)}"
        for what, limit in (("99 %", goal.p99_s), ("the mean", goal.mean_s), ("the run", goal.makespan_s))
        if limit is not None
    ]
    cores = f"on {goal.cores} core{'s' if goal.cores != 1 else ''}"
    asked = " and ".join(wanted) or "the load carried"
    lines = [f"{scenario.name}: {asked} {cores}, by theory ({found.tried} variants tried)"]
    if found.variants:
        table = plain_table("", "cores", "processes", "load that holds", "mean", "p99", "makespan", right=range(1, 7))
        for number, variant in enumerate(found.variants, start=1):
            table.add_row(*_row(f"{number}", variant))
            for world, verified in variant.verified.items():
                told = [verified.mean_s, verified.p99_s, verified.makespan_s]
                said = {True: "reached", False: "missed", None: "not known"}[verified.reached]
                table.add_row("", "", world, said, *(_time(time) for time in told))
        show(*lines, "", table, "")
        say("\n".join(f"{number}  {_words(variant)}" for number, variant in enumerate(found.variants, start=1)))
        for number, variant in enumerate(found.variants, start=1):
            for world, verified in variant.verified.items():
                if verified.note:
                    say(f"note: {number}, {world}: {verified.note}")
    else:
        say("\n".join([*lines, *_why_not(found, scenario)]))
    for note in found.notes:
        say(f"note: {note}")
    if not found.complete:
        say("note: the search gave up before it had seen everything; there may be a cheaper one")
    say(f"written: {written}")


def _row(head: str, variant: Variant) -> tuple[str, ...]:
    room = f"{variant.headroom:.2f} × asked" if variant.headroom is not None else "–"
    times = (variant.mean_s, variant.p99_s, variant.makespan_s)
    return (head, str(variant.cores), str(variant.servers), room, *(_time(time) for time in times))


def _time(seconds: float | None) -> str:
    from streamsim.units import format_seconds

    return format_seconds(seconds) if seconds is not None else "–"


def _words(variant: Variant) -> str:
    changes = [shlex.quote(f"{path}={_toml(value)}") for path, value in variant.changes.items()]
    return " ".join(f"--set {change}" for change in changes) or "as it is"


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rounded(value: float) -> str:
    """Return a number to two digits, and whole thousands apart.

    >>> _rounded(1.514), _rounded(26237236.1), _rounded(0.33333), _rounded(100.0)
    ('1.5', '26,000,000', '0.33', '100')
    """
    digits = 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def _why_not(found: Answer, scenario: Scenario) -> list[str]:
    from streamsim.analysis.whatif import MOST_SERVERS

    goal = found.goal
    lines = ["nothing does"]
    if found.cores_needed is not None and found.cores_needed >= goal.cores:
        enough = int(found.cores_needed) + 1
        most = MOST_SERVERS * sum(one.role != "source" for one in scenario.circuit.stations)
        hint = f"try --cores {enough}" if enough <= most else f"more than {MOST_SERVERS} servers a station can use"
        lines.append(f"the work alone takes {_rounded(found.cores_needed)} cores at that load; {hint}")
    if found.nearest is not None:
        near = found.nearest
        lines.append(f"the nearest: {_words(near)}")
        if near.headroom is not None and near.headroom <= 1:
            part = f"{_rounded(100 * near.headroom)} %" if near.headroom >= 0.001 else "less than 0.1 %"
            lines.append(f"it would carry {part} of the load")
        else:
            times = (("mean", near.mean_s), ("99 % within", near.p99_s), ("makespan", near.makespan_s))
            lines.append(", ".join(f"{what} {_time(time)}" for what, time in times if time is not None))
    return lines


def _loads(scenario: Scenario, rates: list[str]) -> dict[str, str]:
    """Return what to set so that the sources give so much: Poisson arrivals where none were said."""
    changes: dict[str, str] = {}
    for text in rates:
        name, equals, rate = text.rpartition("=")
        names = list(scenario.loads)
        if not equals:
            if len(names) != 1:
                raise UsageError(f"--rate {text!r}: say of which source, such as --rate '{names[0]}={text}'")
            name = names[0]
        if name not in names:
            raise UsageError(f"--rate {text!r}: there is no source {name!r} (there are: {', '.join(names)})")
        changes[f"sources.{name}.rate"] = rate.strip()
        if not scenario.loads[name].open:
            changes[f"sources.{name}.arrivals"] = "poisson"
    return changes


def _seconds(text: str | None, option: str) -> float | None:
    from streamsim.units import parse_seconds

    if text is None:
        return None
    try:
        seconds = parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    if seconds <= 0:
        raise UsageError(f"{option}: {text!r} leaves no time")
    return seconds
