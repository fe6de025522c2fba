"""Hold the variants that theory found against simulation, and against real runs where this machine has the cores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from streamsim import verbs
from streamsim.assumed import complete
from streamsim.errors import StreamsimError

if TYPE_CHECKING:
    from streamsim.analysis.goal import Answer, Goal, Variant, Verified
    from streamsim.result import Result
    from streamsim.scenario import Scenario
    from streamsim.service import Profile


def verify(found: Answer, scenario: Scenario, profile: Profile, *, progress: verbs.Progress | None = None) -> Answer:
    """Return the answer with what simulation and a real run say of each of its variants.

    Parameters
    ----------
    scenario, profile : those that the answer was found for.

    A variant that cannot be simulated or run, or that takes more cores than there are, is said to be unknown, and why.
    """
    checked = []
    for number, variant in enumerate(found.variants):
        if progress is not None:
            progress(number, len(found.variants), "verifying")
        worlds = {
            "simulated": _simulated(scenario, profile, variant, found.goal),
            "measured": _measured(scenario, variant, found.goal),
        }
        checked.append(msgspec.structs.replace(variant, verified=worlds))
    return msgspec.structs.replace(found, variants=tuple(checked))


def _simulated(scenario: Scenario, profile: Profile, variant: Variant, goal: Goal) -> Verified:
    from streamsim.analysis.goal import Verified
    from streamsim.analysis.variants import variant_of

    try:
        made = variant_of(scenario, variant.changes)
        return held(verbs.summarise(verbs.simulate(made, complete(profile, made)[0]), made), goal)
    except StreamsimError as error:
        return Verified(reached=None, note=str(error))


def _measured(scenario: Scenario, variant: Variant, goal: Goal) -> Verified:
    from streamsim.analysis.goal import Verified
    from streamsim.analysis.variants import variant_of

    here = len(os.sched_getaffinity(0))
    if variant.cores > here:
        return Verified(reached=None, note=f"this machine has {here} cores, it takes {variant.cores}")
    made = variant_of(scenario, variant.changes)
    try:
        return held(verbs.summarise(verbs.measure(made), made), goal)
    except StreamsimError as error:
        return Verified(reached=None, note=str(error))


def held(result: Result, goal: Goal) -> Verified:
    """Hold a simulation or a run against the goal; where it lacks what the goal is about, nobody knows."""
    from streamsim.analysis.goal import Verified

    times = result.circuit.response_time
    makespan = result.circuit.makespan.value
    mean, p99 = (times.mean.value, times.p99.value) if times is not None else (None, None)
    wanted = [(makespan, goal.makespan_s), (mean, goal.mean_s), (p99, goal.p99_s)]
    missing = any(value is None for value, limit in wanted if limit is not None)
    reached = all(value <= limit for value, limit in wanted if value is not None and limit is not None)
    return Verified(
        reached=None if missing else reached,
        makespan_s=makespan,
        mean_s=mean,
        p99_s=p99,
        note="; ".join(result.warnings) if missing else "",
    )
