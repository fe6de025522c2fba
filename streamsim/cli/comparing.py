"""``compare``: measure, fit, simulate and predict, and hold the predictions against runs that the fit never saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamsim.cli.options import (
    Json,
    Output,
    ProfilePath,
    Repetitions,
    ScenarioPath,
    Set,
    Shell,
    directory_of,
    scenario_and_variant,
)
from streamsim.cli.output import example

if TYPE_CHECKING:
    from streamsim.scenario import Scenario
    from streamsim.verbs import Outcome


@example(
    "streamsim compare scenarios/top-words.toml",
    "streamsim compare scenarios/top-words.toml --set host.cores=1",
    "streamsim compare scenarios/top-words.toml --profile reports/top-words/profile.json --json",
)
def compare(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    profile: ProfilePath = None,
    repetitions: Repetitions = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Would the models have foreseen it? Fit on some runs, predict others, and show the error.

    The service models are fitted on the scenario as written, then held against runs with what --set changes; so
    --set host.cores=1 asks whether one core would have been foreseen. With --profile nothing is fitted.
    """
    from streamsim import verbs
    from streamsim.cli.output import say
    from streamsim.cli.progress import ProgressLine
    from streamsim.cli.tables_compare import print_comparison
    from streamsim.files import to_json
    from streamsim.service import read_profile

    written, variant = scenario_and_variant(scenario, shell, set_)
    models = read_profile(profile) if profile is not None else None
    directory = directory_of(written, output)
    with ProgressLine() as progress:
        outcome = verbs.compare(written, variant, profile=models, repetitions=repetitions, progress=progress)
        progress(1, 1, "drawing the report")
        write_outcome(directory, written, outcome)
    if json:
        say(to_json(outcome.comparison).decode(), end="")
    else:
        print_comparison(outcome.comparison, report=directory / "report.html")


def write_outcome(directory: Path, written: Scenario, outcome: Outcome) -> None:
    """Write everything that a comparison brought forth; the traces first, from which the rest could be had again.

    ``trace.npz`` is what the profile was fitted to (`streamsim fit` reads it), ``validation.npz`` what it was held
    against.
    """
    from streamsim.analysis.plots.inputs import Inputs
    from streamsim.analysis.report import write_report
    from streamsim.cli.measuring import write_trace_of
    from streamsim.trace import write_trace

    if outcome.calibration is not None:
        write_trace_of(directory, written, outcome.calibration)
        write_trace(outcome.measured_trace, directory / "validation.npz")
    else:
        write_trace_of(directory, outcome.scenario, outcome.measured_trace)
    write_report(
        directory,
        Inputs(
            circuit=outcome.scenario.circuit,
            title=outcome.scenario.title or outcome.scenario.name,
            loads=outcome.scenario.loads,
            measured_trace=outcome.measured_trace,
            measured=outcome.measured,
            simulated_trace=outcome.simulated_trace,
            simulated=outcome.simulated,
            predicted=outcome.predicted,
            profile=outcome.profile,
            comparison=outcome.comparison,
            diagnosis=outcome.diagnosis,
            knee=outcome.knee,
            scaling=outcome.scaling,
        ),
    )
