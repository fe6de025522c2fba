"""What theory leaves out of hold-error and order-filters, which it predicts too fast: one thing after the other.

Simulates each as it is, then without what theory does not know: scatter of the demand from chunk to chunk, pipes that
hold 64 KiB, and moments at which more stations want a core than there are. With `--rounds` both are measured too, with
pipes of 64 KiB and of 1 MiB in turn.

    python benchmarks/left_out.py [--seeds 5] [--rounds 0]
"""

from __future__ import annotations

import argparse
import statistics

from common import SCENARIOS, machine
from msgspec.structs import replace

from streamsim import verbs
from streamsim.loading import load
from streamsim.real.measure import Session
from streamsim.scenario import Scenario
from streamsim.service import Distribution, HostProfile, Profile

FIRST = {"hold-error": "thin", "order-filters": "search"}
"""The station behind the source, whose pipe is made larger."""


def scenario(name: str, pipe: str) -> Scenario:
    """Return the scenario with so large a pipe behind its source."""
    changes = {"simulate.replications": 1, f"stations.{FIRST[name]}.pipe": {"capacity": pipe}}
    return load(SCENARIOS / f"{name}.toml", overrides=changes)


def even(profile: Profile) -> Profile:
    """Return the profile in which every chunk needs what it needs on average."""
    stations = {
        name: replace(one, service=replace(one.service, scv=0.0, distribution=Distribution()))
        for name, one in profile.stations.items()
    }
    return replace(profile, stations=stations)


def simulated(scenario: Scenario, profile: Profile, seeds: int, host: HostProfile | None) -> float:
    """Return the median makespan (s) of so many seeds."""
    runs = [verbs.simulate(scenario, profile, seed=seed, host=host).runs[0].makespan_s for seed in range(seeds)]
    return statistics.median(runs)


def predicted(scenario: Scenario, profile: Profile, host: HostProfile | None) -> float:
    """Return the makespan (s) that theory says."""
    makespan = verbs.predict(scenario, profile, host=host).circuit.makespan
    assert makespan is not None
    assert makespan.value is not None
    return makespan.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=0)
    given = parser.parse_args()
    print(machine())
    for name in FIRST:
        narrow, wide = scenario(name, "64 KiB"), scenario(name, "1 MiB")
        profile = verbs.find_profile(narrow)
        enough = replace(profile.host, cores=8, available_cores=8.0, speed=profile.host.speed[:1] * 8)
        print(f"{name:26} simulated  predicted")
        for what, one, known, host in (
            ("as it is", narrow, profile, None),
            ("every chunk alike", narrow, even(profile), None),
            ("pipe of 1 MiB", wide, profile, None),
            ("both", wide, even(profile), None),
            ("both, and 8 cores", wide, even(profile), enough),
        ):
            times = simulated(one, known, given.seeds, host), predicted(one, known, host)
            print(f"  {what:24} {times[0]:7.3f} s  {times[1]:7.3f} s")
    if not given.rounds:
        return
    cases = {(name, pipe): scenario(name, pipe) for name in FIRST for pipe in ("64 KiB", "1 MiB")}
    found: dict[tuple[str, str], list[float]] = {key: [] for key in cases}
    with Session(cores=2) as session:
        for _ in range(given.rounds):
            for key, one in cases.items():
                found[key].append(session.run_once(one).makespan_s)
    for (name, pipe), times in found.items():
        low, middle, high = statistics.quantiles(times, n=4)
        print(f"{name}, pipe of {pipe}: measured {middle:.3f} s ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
