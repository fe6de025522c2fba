"""Whether the sampled time budgets add up to 1, and agree with the visits of our own operators.

The sampler knows a server only from /proc; a visit is what the server itself stamped. The stamps cannot tell sleep
from waiting for a core once woken, or from the system call itself: asked→got holds all three. So the sampled "starved"
must lie between the stamped span and that span less what the server ran and waited for a core outside its work
(got→served); likewise "blocked" and served→sent. What lies outside is disagreement. Paced sources are left out: their
"asked" is a due time.

    python benchmarks/budgets.py [SCENARIO.toml …] [--repetitions 3]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import SCENARIOS, machine

import streamsim
from streamsim.trace import StationTrace


def sampled(station: StationTrace) -> dict[str, float]:
    """The sampler's budget as parts of the server's life."""
    life = station.ended_s - station.started_s
    names = ("starved", "running", "runnable", "waiting", "blocked")
    return {name: float(getattr(station, f"{name}_s")[-1]) / life for name in names}


def disagreement(station: StationTrace, part: str) -> float | None:
    """How far a sampled part lies outside what the stamps allow; None where the server left no visits."""
    if station.visits is None or not len(station.visits):
        return None
    visits = station.visits
    begin, end = ("asked", "got") if part == "starved" else ("served", "sent")
    life = station.ended_s - station.started_s
    budget = sampled(station)
    span = float((visits[end] - visits[begin]).sum()) / life
    at_work = float((visits["served"] - visits["got"]).sum()) / life
    outside = max(0.0, budget["running"] + budget["runnable"] - at_work)
    return max(budget[part] - span, span - outside - budget[part], 0.0)


def main() -> None:
    """Print the largest differences by scenario and station."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("scenarios", nargs="*", type=Path, default=sorted(Path(SCENARIOS).glob("*.toml")))
    arguments = parser.parse_args()
    repetitions = arguments.repetitions
    print(f"{machine()}; {repetitions} repetitions\n")
    print("| scenario | station | sum − 1 (worst) | starved: outside the stamps | blocked: outside the stamps |")
    print("| --- | --- | --- | --- | --- |")
    for path in arguments.scenarios:
        scenario = streamsim.load(path)
        trace = streamsim.measure(scenario, repetitions=repetitions)
        for name in trace.runs[0].stations:
            stations = [run.stations[name] for run in trace.runs]
            sums = max(abs(sum(sampled(station).values()) - 1) for station in stations)
            if stations[0].servers > 1:  # whose lives overlap: what is left is their sum
                print(f"| {path.stem} | {name} | several servers | | |", flush=True)
                continue
            if scenario.load_of(name).open:
                cells = ["paced", "paced"]
            else:
                cells = [
                    worst([disagreement(station, part) for station in stations]) for part in ("starved", "blocked")
                ]
            print(f"| {path.stem} | {name} | {sums:.4f} | {cells[0]} | {cells[1]} |", flush=True)


def worst(found: list[float | None]) -> str:
    """The largest of some disagreements, as a cell of the table."""
    known = [value for value in found if value is not None]
    return f"{max(known):.3f}" if known else "no visits"


if __name__ == "__main__":
    main()
