"""``measure`` and ``fit``: run a scenario for real, and fit a profile from what the runs left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsim.cli.options import (
    Json,
    Output,
    Repetitions,
    ScenarioPath,
    Set,
    Shell,
    directory_of,
    one_scenario,
    writable,
)
from streamsim.cli.output import example

if TYPE_CHECKING:
    from streamsim.scenario import Scenario
    from streamsim.trace import Trace


@example(
    "streamsim measure scenarios/top-words.toml",
    "streamsim measure scenarios/top-words.toml --set host.cores=1 --repetitions 5",
    "streamsim measure scenarios/shed-load.toml --replay commands.jsonl",
    "streamsim measure --shell 'zcat access.log.gz | sort | uniq -c' --json",
)
def measure(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    repetitions: Repetitions = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="Do again what run --record wrote down, at its bytes and times; writes no profile.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Run a scenario for real, several times, and see where each station's time goes.

    Writes measured.json, profile.json (the service models for simulate and predict) and trace.npz.
    """
    from streamsim import verbs
    from streamsim.cli.progress import ProgressLine
    from streamsim.cli.tables import print_result
    from streamsim.files import to_json, write_whole

    loaded = one_scenario(scenario, shell, set_)
    directory = directory_of(loaded, output)
    with ProgressLine() as progress:
        trace = verbs.measure(loaded, repetitions=repetitions, progress=progress, replay=replay)
    write_trace_of(directory, loaded, trace)
    if replay is None:  # a run that was told to change says nothing of how it is without
        write_whole(directory / "profile.json", to_json(verbs.fit(trace, loaded)))
    result = verbs.summarise(trace, loaded)
    file = write_whole(directory / "measured.json", to_json(result))
    print_result(result, json=json, written=file)


@example("streamsim fit reports/top-words", "streamsim fit reports/top-words/trace.npz --output /tmp/again")
def fit(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace.npz, or the directory that it is in.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where it goes.", show_default="beside the trace"),
    ] = None,
    json: Json = False,
) -> None:
    """Fit the profile anew from the trace of an earlier measurement."""
    from streamsim import verbs
    from streamsim.cli.output import say
    from streamsim.cli.tables import print_profile
    from streamsim.files import to_json, write_whole
    from streamsim.trace import read_trace

    file = trace / "trace.npz" if trace.is_dir() else trace
    found = read_trace(file)
    profile = verbs.fit(found, _scenario_of(file))
    target = write_whole(writable(output or file.parent) / "profile.json", to_json(profile))
    if json:
        say(to_json(profile).decode(), end="")
    else:
        print_profile(profile, written=target)


def write_trace_of(directory: Path, scenario: Scenario, trace: Trace) -> None:
    """Write a trace, and beside it the scenario that `fit` will want to see again."""
    from streamsim.files import to_json, write_whole
    from streamsim.trace import write_trace

    file = scenario.directory / (Path(scenario.file).name if scenario.file else scenario.name)  # from anywhere the same
    source = {"file": str(file), "document": scenario.document, "overrides": scenario.overrides}
    write_whole(directory / "scenario.json", to_json({"schema": "streamsim.scenario/1", **source}))
    write_trace(trace, directory / "trace.npz")


def _scenario_of(trace: Path) -> Scenario:
    import msgspec

    from streamsim.errors import ProfileError
    from streamsim.files import from_json
    from streamsim.loading import load

    beside = trace.with_name("scenario.json")
    try:
        stored = from_json(beside.read_bytes())
        return load(stored["document"], overrides=stored["overrides"], file=stored["file"])
    except OSError as error:
        raise ProfileError(f"{beside}: {error.strerror}; streamsim measure writes it beside the trace") from None
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ProfileError(f"{beside}: not what streamsim measure wrote: {error}") from None
