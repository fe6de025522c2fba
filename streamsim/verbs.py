"""The verbs as functions: the only module, beside `cli`, that knows all the worlds.

scenario.toml ─load→ Scenario ─┬ measure  → Trace ┬→ Result ┐
     ↑                         ├ simulate → Trace ┘         ├ compare → report
     └─ Profile ← fit ← Trace  └ predict  ────────→ Result  ┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamsim.circuit import INSERTED
from streamsim.errors import ProfileError, ScenarioError
from streamsim.result import Result
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile, read_profile

if TYPE_CHECKING:
    from streamsim.adjustable import Replay
    from streamsim.analysis.bottleneck import Diagnosis
    from streamsim.analysis.compare import Comparison
    from streamsim.analysis.curves import Knee, Scaling
    from streamsim.analysis.goal import Answer as WhatIf
    from streamsim.analysis.goal import Goal
    from streamsim.analysis.prediction.case import Case
    from streamsim.trace import RunTrace, Trace

Progress = Callable[[float, float, str], None]
"""Called with (done, total, what is going on)."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything that one comparison brought forth."""

    scenario: Scenario
    profile: Profile
    measured_trace: Trace
    simulated_trace: Trace
    measured: Result
    simulated: Result
    predicted: Result
    comparison: Comparison
    diagnosis: Diagnosis | None = None
    knee: Knee | None = None
    scaling: Scaling | None = None
    calibration: Trace | None = None


def measure(
    scenario: Scenario,
    *,
    repetitions: int | None = None,
    progress: Progress | None = None,
    replay: Path | None = None,
) -> Trace:
    """Run a scenario for real, several times, and return what the runs left behind.

    With ``replay`` what ``streamsim run --record`` wrote down is done again in each, at its bytes and times, and the
    controllers rest.

    Raises RunError where a station fails, ScenarioError where a file or program is missing, ControlError where the
    recording is wrong, or of another circuit.
    """
    from streamsim.places import check_runnable
    from streamsim.real.measure import measure as measure_for_real

    check_runnable(scenario.circuit, standard_input=False, file=scenario.file)
    check_measurable(scenario)
    again = None
    if replay is not None:
        from streamsim.real.control.recording import read_recording

        again = read_recording(replay)
    return measure_for_real(scenario, repetitions=repetitions, progress=progress, replay=again)


def check_measurable(scenario: Scenario) -> None:
    """Raise ScenarioError where a load, or a pipe without a place, exists in models only, or a source never ends."""
    from streamsim.unending import unending_sources

    for name, service in scenario.services.items():
        if service.places == 0:
            raise ScenarioError(
                "no real pipe is without a place; it can be simulated and predicted, not measured",
                file=scenario.file,
                path=f"service.{name}.places",
            )
    for name, load in scenario.loads.items():
        if load.in_flight is not None:
            raise ScenarioError(
                "a closed load cannot be measured, since no source learns when a record has left; simulate it",
                file=scenario.file,
                path=f"sources.{name}.arrivals",
            )
    for name in unending_sources(scenario):
        raise ScenarioError(
            "it never ends, and so would no measurement; say how much of it is to be measured: "
            "measure.duration = '10 s', or measure.records",
            file=scenario.file,
            path=f"sources.{name.removesuffix('.command')}",
        )


def fit(trace: Trace, scenario: Scenario) -> Profile:
    """Fit the service models and selectivities of all stations from a trace of the scenario."""
    from streamsim.analysis.fitting.fit import fit as fit_trace

    return fit_trace(trace, scenario)


def simulate(
    scenario: Scenario,
    profile: Profile | None = None,
    *,
    host: HostProfile | None = None,
    seed: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    replay: Replay | None = None,
) -> Trace:
    """Simulate a scenario by chunks with the service models of a profile (default: the one that belongs to it).

    What it returns is a trace, as of a real run. `streamsim.simulate_result` answers with intervals, and takes what
    only a simulation record by record can say (closed loads, disciplines, ``places``).

    Raises ProfileError where nothing is known of a station, ModelError where it cannot be simulated by chunks.

    With ``replay`` (see `replayed`) what a real run was told is done again, and the controllers rest.
    """
    from streamsim.models import simulate as simulate_model

    profile = profile if profile is not None else find_profile(scenario)
    return simulate_model(scenario, profile, host=host, seed=seed, workers=workers, progress=progress, replay=replay)


def replayed(path: Path, programs: Iterable[Scenario] = ()) -> Replay:
    """Read a recording of ``streamsim run --record`` as a simulation does it again.

    Parameters are set at the bytes where they were; pauses, sizes of pipes, niceness and cores come at their times.

    programs : scenarios whose profiles know what stations become; what the simulated one's own run is known.

    Raises ControlError naming the command that no simulation knows, and why.
    """
    from streamsim.adjustable import Known
    from streamsim.again import read_again

    known = []
    for scenario in programs:
        profiles = find_profile(scenario).stations
        for station in scenario.circuit.stations:
            if station.name in profiles:
                known.append(Known(station, profiles[station.name]))
            elif station.name in scenario.services:
                known.append(Known(station, scenario.services[station.name]))
    return read_again(path, known)


def predict(
    scenario: Scenario, profile: Profile | None = None, *, host: HostProfile | None = None, explain: bool = False
) -> Result:
    """Predict a scenario by queueing theory with the service models of a profile (default: its own).

    ``explain``: say which method answered what, why, and what others would say.
    """
    from streamsim.analysis.prediction.network import predict as predict_network

    models = profile if profile is not None else find_profile(scenario)
    return predict_network(scenario, models, host=host, explain=explain)


PICTURES = ("utilisation", "knee", "bounds")
"""The plots that show what a prediction looks like."""


def pictures(scenario: Scenario, profile: Profile, predicted: Result) -> dict[str, bytes]:
    """Return what a prediction looks like, as SVG by the names of the plots: how busy the circuit is, and its curve."""
    from streamsim.analysis import plots
    from streamsim.analysis.curves import knee_of, scaling_of
    from streamsim.analysis.prediction.case import case_of
    from streamsim.analysis.prediction.steered import steered

    case = steered(case_of(scenario, profile)).case
    inputs = plots.Inputs(
        circuit=scenario.circuit,
        loads=scenario.loads,
        predicted=predicted,
        knee=knee_of(case),
        scaling=scaling_of(case),
    )
    return plots.draw_all(inputs, only=PICTURES)


def bottleneck(scenario: Scenario, profile: Profile | None = None, *, host: HostProfile | None = None) -> Diagnosis:
    """Say what holds a circuit back, what relief of each station would bring and what would bite next, by theory."""
    from streamsim.analysis.bottleneck import diagnose
    from streamsim.analysis.prediction.case import case_of

    return diagnose(case_of(scenario, profile if profile is not None else find_profile(scenario), host=host))


def whatif(scenario: Scenario, goal: Goal, profile: Profile | None = None, *, top: int = 3) -> WhatIf:
    """Search the cheapest variants of a scenario that reach a goal, by theory (`verifying.verify` runs them)."""
    from streamsim.analysis.whatif import search
    from streamsim.places import looking_once

    with looking_once():
        return search(scenario, profile if profile is not None else find_profile(scenario), goal, top=top)


def whatif_picture(scenario: Scenario, found: WhatIf, profile: Profile | None = None) -> bytes | None:
    """Return what a what-if promises against what it costs, as SVG; None where nothing carries the load."""
    from streamsim.analysis.tradeoff import tradeoff_of
    from streamsim.analysis.whatif_plot import plot
    from streamsim.places import looking_once

    models = profile if profile is not None else find_profile(scenario)
    with looking_once():
        return plot(found, tradeoff_of(scenario, models, found.goal, found))


def summarise(trace: Trace, scenario: Scenario) -> Result:
    """Return the estimates of a trace, real or simulated."""
    from streamsim.joining import merged
    from streamsim.summary import summarise as summarise_trace

    known = merged(scenario) if trace.world == "simulated" else scenario
    return summarise_trace(trace, known.circuit, loads=known.loads)


def compare(
    scenario: Scenario,
    validation: Scenario | None = None,
    *,
    profile: Profile | None = None,
    repetitions: int | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Calibrate on a scenario, then hold simulation and prediction against runs that the fit never saw.

    Parameters
    ----------
    scenario : calibrated as written, unless a `profile` is given.
    validation : the scenario that is measured, simulated and predicted; default: `scenario` itself.
    repetitions : of the validation and of the calibration each; default: the scenario's own.

    Calibration and validation runs alternate, so that a machine whose speed drifts does not favour either. The
    simulation and the prediction are told what the host gave during the validation (available cores, speed), which
    says nothing about the circuit.
    """
    from streamsim.analysis.compare import compare_results
    from streamsim.analysis.curves import knee_of, scaling_of
    from streamsim.analysis.prediction.case import case_of
    from streamsim.analysis.prediction.steered import steered
    from streamsim.joining import joined
    from streamsim.places import check_runnable

    validation = validation if validation is not None else scenario
    for one in (scenario, validation):
        check_runnable(one.circuit, standard_input=False, file=one.file)
        check_measurable(one)
    calibration, measured_trace = _alternate(
        scenario if profile is None else None,
        validation,
        repetitions,
        profile.host.probe_rate if profile is not None else None,
        progress,
    )
    if profile is None:
        assert calibration is not None, "without a profile there was a calibration"
        profile = fit(calibration, scenario)
    host = conditions(measured_trace.runs)
    if progress is not None:
        progress(0, 1, "simulating")
    modelled, models = joined(validation, profile)
    simulated_trace = simulate(modelled, models, host=host, progress=progress)
    measured, simulated = summarise(measured_trace, validation), summarise(simulated_trace, modelled)
    predicted = predict(modelled, models, host=host, explain=True)
    case = case_of(modelled, models, host=host)
    settled = steered(case).case
    return Outcome(
        scenario=validation,
        profile=profile,
        measured_trace=measured_trace,
        simulated_trace=simulated_trace,
        measured=measured,
        simulated=simulated,
        predicted=predicted,
        comparison=compare_results(measured, simulated, predicted),
        diagnosis=_diagnosis(case),
        knee=knee_of(settled),
        scaling=scaling_of(settled),
        calibration=calibration,
    )


def _diagnosis(case: Case) -> Diagnosis | None:
    """Return what holds a circuit back; None where nothing takes any time."""
    from streamsim.analysis.bottleneck import diagnose
    from streamsim.errors import ModelError

    try:
        return diagnose(case)
    except ModelError:
        return None


def conditions(runs: tuple[RunTrace, ...]) -> HostProfile:
    """Return what the host gave on average over some runs."""
    hosts = [run.host for run in runs]
    count = len(hosts)
    rates = [host.probe_rate for host in hosts if host.probe_rate is not None]
    return HostProfile(
        cores=hosts[0].cores,
        available_cores=sum(host.available_cores for host in hosts) / count,
        speed=tuple(sum(speeds) / count for speeds in zip(*(host.speed for host in hosts), strict=True)),
        wake_near_s=sum(host.wake_near_s for host in hosts) / count,
        wake_far_s=sum(host.wake_far_s for host in hosts) / count,
        probe_rate=sum(rates) / len(rates) if rates else None,
    )


def _alternate(
    calibrated: Scenario | None,
    validated: Scenario,
    repetitions: int | None,
    reference_rate: float | None,
    progress: Progress | None,
) -> tuple[Trace | None, Trace]:
    """Run calibration and validation in turn (A B, B A, A B, …) after the warm-up runs of both."""
    from streamsim.real.measure import Session, trace_of

    count = repetitions if repetitions is not None else validated.measure.repetitions
    both = [scenario for scenario in (calibrated, validated) if scenario is not None]
    warmups = 1 if validated.measure.warmup else 0
    total = (count + warmups) * len(both)
    runs: dict[int, list[RunTrace]] = {place: [] for place in range(len(both))}
    done = 0
    with Session(cores=max(scenario.host.cores for scenario in both), reference_rate=reference_rate) as session:
        for repetition in range(count + warmups):
            order = list(range(len(both)))
            for place in order if repetition % 2 == 0 else reversed(order):
                kind = "calibrating" if len(both) == 2 and place == 0 else "measuring"
                if progress is not None:
                    progress(done, total, "warming up" if repetition < warmups else kind)
                run = session.run_once(both[place])
                done += 1
                if repetition >= warmups:
                    runs[place].append(run)
    traces = [trace_of(scenario, runs[place]) for place, scenario in enumerate(both)]
    return (traces[0], traces[1]) if len(both) == 2 else (None, traces[0])


def find_profile(scenario: Scenario) -> Profile:
    """Return the profile that belongs to a scenario: ``NAME.profile.json`` beside it, else the one in reports/.

    A scenario whose stations are all declared by hand needs none.
    """
    for path in profile_places(scenario):
        if path.is_file():
            return read_profile(path)
    names = [station.name for station in scenario.circuit.stations if station.role not in INSERTED]
    missing = [name for name in names if name not in scenario.services]
    if not missing:
        return Profile(scenario=scenario.name, digest=scenario.digest, host=HostProfile(cores=scenario.host.cores,
                       available_cores=float(scenario.host.cores), speed=(1.0,) * scenario.host.cores))  # fmt: skip
    looked = " and ".join(str(path) for path in profile_places(scenario))
    by_hand = f", or declare [service.{missing[0]}] too" if len(missing) < len(names) else ""
    raise ProfileError(
        f"there is no profile of {scenario.name!r} (looked for {looked}); streamsim measure writes one{by_hand}"
    )


def profile_places(scenario: Scenario) -> tuple[Path, ...]:
    """Return where the profile of a scenario is looked for: a fresh measurement before the committed one."""
    places = [Path("reports") / scenario.name / "profile.json"]
    if scenario.file is not None:
        places.append(Path(scenario.file).with_suffix(".profile.json"))
    return tuple(places)
