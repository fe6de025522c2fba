"""``simulate`` as a function that answers a Result: by chunks or by records, whichever the scenario asks for."""

from __future__ import annotations

from collections.abc import Sequence

from streamsim.adjustable import Replay
from streamsim.joining import joined
from streamsim.result import Estimate, Result, estimate
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile
from streamsim.verbs import Progress, find_profile, simulate, summarise
from streamsim.visits import response_times


def grain_of(scenario: Scenario, profile: Profile) -> tuple[str, str]:
    """Return what moves in the simulation of a scenario, ``"chunks"`` or ``"records"``, and why.

    >>> from streamsim.loading import load
    >>> closed = load({"sources": {"a": {"command": "seq 9", "arrivals": "closed", "in_flight": 3}}})
    >>> grain_of(closed, Profile())
    ('records', 'a closed load counts records')
    """
    if scenario.simulate.grain is not None:
        return scenario.simulate.grain, "asked for"
    if any(load.in_flight is not None for load in scenario.loads.values()):
        return "records", "a closed load counts records"
    stations = [profile.stations.get(one.name) or scenario.services.get(one.name) for one in scenario.circuit.stations]
    known = [station for station in stations if station is not None]
    if any(station.discipline != "arrival" for station in known):
        return "records", "disciplines choose among records"
    if any(station.at_once > 1 or station.places is not None for station in known):
        return "records", "at_once and places count records"
    if scenario.open and scenario.circuit.feedback():
        return "records", "how often a record goes round is seen by the record"
    return "chunks", "pipes move chunks"


def simulate_result(
    scenario: Scenario,
    profile: Profile | None = None,
    *,
    host: HostProfile | None = None,
    seed: int | None = None,
    engine: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    replay: Replay | None = None,
) -> Result:
    """Simulate a scenario until its intervals are as narrow as ``[simulate]`` asks for.

    Parameters
    ----------
    profile : the service models; by default the scenario's own.
    engine : of a simulation by records (``auto``, ``maxplus``, ``compiled``, ``simpy``): asking for one asks for
        records.
    workers : processes that share the replications; how many changes nothing but the time.
    replay : what a real run was told (`verbs.replayed`); the scenario's controllers rest. Record by record pauses are
        done again, and other numbers of servers for a keyed station; anything by chunks.

    Raises ProfileError where nothing is known of a station, ModelError where the scenario cannot be simulated.

    Four records go round one exponential server of 1 ms: each waits for the three others.

    >>> from streamsim.loading import load
    >>> users = {"operator": "generate", "count": 20000, "arrivals": "closed", "in_flight": 4}
    >>> circle = load({"sources": {"users": users},
    ...                "stations": {"desk": {"command": "cat"}},
    ...                "service": {"users": {"bytes": "160 kB", "record_bytes": 8},
    ...                            "desk": {"per_record": "1 ms", "scv": 1.0, "record_bytes": 8}}})
    >>> mean = simulate_result(circle).circuit.response_time.mean
    >>> mean.low < 0.004 < mean.high, mean.unit, round(1000 * mean.value, 1)
    (True, 's', 4.0)
    """
    found, _ = simulate_with_values(
        scenario, profile, host=host, seed=seed, engine=engine, workers=workers, progress=progress, replay=replay
    )
    return found


def simulate_with_values(
    scenario: Scenario,
    profile: Profile | None = None,
    *,
    host: HostProfile | None = None,
    seed: int | None = None,
    engine: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    replay: Replay | None = None,
) -> tuple[Result, dict[str, list[float]]]:
    """Simulate a scenario as `simulate_result` does; returns the numbers of each replication too, by metric.

    Two variants with the same seed meet the same random numbers, replication by replication: the differences of these
    numbers scatter less than the numbers do (`paired`).
    """
    known = profile if profile is not None else find_profile(scenario)
    apart, (scenario, models) = scenario, joined(scenario, known)
    grain, why = grain_of(scenario, models)
    if engine is None and grain == "chunks":
        trace = simulate(scenario, models, host=host, seed=seed, workers=workers, progress=progress, replay=replay)
        times = [response_times(run, scenario.circuit, scenario.loads) for run in trace.runs]
        values = {"makespan": [run.makespan_s for run in trace.runs]}
        if all(len(found) for found in times):
            values["response_mean"] = [float(found.mean()) for found in times]
        return summarise(trace, scenario), values
    if grain == "chunks":
        why = (
            f"the engine {engine!r} was asked for, and engines move records; without it they leave with the chunk that "
            "they were read in, and later"
        )
    return _by_records(apart, known, host, seed, engine or "auto", workers, progress, why, replay)


def paired(values: Sequence[float], others: Sequence[float], unit: str) -> Estimate:
    """Return how much larger the values of one variant are than those of another that met the same random numbers.

    Law & Kelton (2000), "Simulation Modeling and Analysis", section 10.2.1: the interval of the paired differences.

    >>> paired([1.0, 2.0, 3.0], [0.5, 1.5, 2.5], "s").value
    0.5
    """
    return estimate([one - other for one, other in zip(values, others, strict=False)], unit)


def _by_records(
    scenario: Scenario,
    profile: Profile,
    host: HostProfile | None,
    seed: int | None,
    engine: str,
    workers: int,
    progress: Progress | None,
    why: str,
    replay: Replay | None,
) -> tuple[Result, dict[str, list[float]]]:
    import msgspec

    from streamsim.models.records.answers import result_of
    from streamsim.models.records.compiling import compile_table
    from streamsim.models.records.steady import answer

    compiled = compile_table(scenario, profile, host, replay)
    found = answer(
        compiled.table,
        precision=scenario.simulate.precision,
        seed=scenario.simulate.seed if seed is None else seed,
        at_most=scenario.simulate.replications,
        engine=engine,
        workers=workers,
        progress=None if progress is None else lambda done, total: progress(done, total, "simulating"),
    )
    result = result_of(found, compiled, joined(scenario, profile)[0])
    values = {
        "records_per_s": [sample.throughput for sample in found.samples],
        "response_mean": [sample.response_mean_s for sample in found.samples],
    }
    return msgspec.structs.replace(result, notes=(f"record by record: {why}", *result.notes)), values
