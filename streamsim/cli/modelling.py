"""``simulate`` and ``predict``: the same circuit in SimPy and in queueing theory, with fitted service models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from streamsim.cli.options import (
    Json,
    Output,
    ProfilePath,
    ScenarioPath,
    Set,
    Shell,
    Workers,
    directory_of,
    one_scenario,
    profile_for,
    reported,
    worker_count,
)
from streamsim.cli.output import example


@example(
    "streamsim simulate scenarios/top-words.toml",
    "streamsim simulate scenarios/top-words.toml --set host.cores=8 --seed 7",
    "streamsim simulate scenarios/poisson.toml --engine auto --set simulate.precision=0.01",
    "streamsim simulate scenarios/poisson.toml --engine auto --over '20 s' --step 'requests=1.5@10 s'",
    "streamsim simulate scenarios/hold-error.toml --replay commands.jsonl",
    "streamsim simulate --shell 'zcat access.log.gz | sort | uniq -c' --profile models.json",
)
def simulate(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    profile: ProfilePath = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Same seed, same trace.", show_default="the scenario's own"),
    ] = None,
    engine: Annotated[
        Literal["auto", "maxplus", "compiled", "simpy"] | None,
        typer.Option(
            "--engine",
            help="Simulate record by record, with this engine; auto takes the fastest that can.",
            show_default="by chunks",
        ),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="Do again what run --record wrote down (record by record: pauses, scale); controllers rest.",
            show_default=False,
        ),
    ] = None,
    programs: Annotated[
        list[Path] | None,
        typer.Option(
            "--programs",
            metavar="SCENARIO",
            help="With --replay: its profile knows what stations become; may be repeated.",
            show_default=False,
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(
            "--over",
            metavar="TIME",
            help="Record by record, also draw means against time from an empty start, so long.",
            show_default=False,
        ),
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            metavar="SOURCE=FACTOR@TIME",
            help="With --over: change a source's load on the way; may be repeated.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Simulate a scenario with the service models of its profile; runs none of its commands.

    It ends when every interval is as narrow as simulate.precision asks for, and says what that took.
    """
    from streamsim.cli.failures import UsageError
    from streamsim.cli.progress import ProgressLine
    from streamsim.cli.tables import print_result
    from streamsim.files import to_json, write_pictures, write_whole
    from streamsim.loading import load
    from streamsim.simulating import simulate_result
    from streamsim.verbs import replayed

    over_s = _seconds(over, step, replay)
    loaded = one_scenario(scenario, shell, set_)
    if programs and replay is None:
        raise UsageError("--programs is for --replay FILE: it says what stations become there")
    again = replayed(replay, [load(path) for path in programs or ()]) if replay is not None else None
    models, directory = profile_for(loaded, profile, output), directory_of(loaded, output)
    curves = None
    with ProgressLine() as progress:
        if over_s is not None:
            from streamsim.transients import transient_of

            curves = transient_of(
                loaded,
                over_s,
                models,
                steps=step or (),
                seed=seed,
                engine=engine,
                workers=worker_count(workers),
                progress=progress,
            )
        result = simulate_result(
            loaded,
            models,
            seed=seed,
            engine=engine,
            workers=worker_count(workers),
            progress=progress,
            replay=again,
        )
    drawn: dict[str, bytes] = {}
    if curves is not None:
        from msgspec.structs import replace

        from streamsim.transients import picture

        said = f"against time, from empty: {curves.replications} replications ({curves.engine}), drawn in transient.svg"
        result = replace(result, transient=curves, notes=(*result.notes, said))
        drawn = {"transient": picture(loaded, result)}
    write_pictures(directory, drawn, () if reported(directory) else ["transient"])
    file = write_whole(directory / "simulated.json", to_json(result))
    print_result(result, json=json, written=file)


def _seconds(over: str | None, steps: list[str] | None, replay: Path | None) -> float | None:
    """Return how long curves against time are asked for (s)."""
    from streamsim.cli.failures import UsageError
    from streamsim.units import parse_seconds

    if over is None:
        if steps:
            raise UsageError("--step changes the load on the way of --over TIME; say how long")
        return None
    if replay is not None:
        raise UsageError("--over moves records, and --replay bytes; ask for one of them")
    try:
        return parse_seconds(over)
    except ValueError as error:
        raise UsageError(f"--over {over!r}: {error}") from None


@example(
    "streamsim predict scenarios/top-words.toml",
    "streamsim predict scenarios/poisson.toml --set 'sources.requests.rate=900 records/s'",
    "streamsim predict scenarios/poisson.toml --explain",
    "streamsim predict scenarios/top-words.toml --set host.cores=1 --json",
)
def predict(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    profile: ProfilePath = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show which method answered what, why, and what others would say; draw the curves too."
        ),
    ] = False,
    output: Output = None,
    json: Json = False,
) -> None:
    """Predict a scenario by queueing theory with the service models of its profile; runs none of its commands."""
    from streamsim import verbs
    from streamsim.cli.explaining import print_methods
    from streamsim.cli.tables import print_result
    from streamsim.files import to_json, write_pictures, write_whole

    loaded = one_scenario(scenario, shell, set_)
    models, directory = profile_for(loaded, profile, output), directory_of(loaded, output)
    result = verbs.predict(loaded, models, explain=True)
    file = write_whole(directory / "predicted.json", to_json(result))
    drawn = verbs.pictures(loaded, models, result) if explain else {}
    write_pictures(directory, drawn, () if reported(directory) else verbs.PICTURES)
    print_result(result, json=json, written=file)
    if explain and not json:
        print_methods(result)
