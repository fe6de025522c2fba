"""Whether the sampled time budgets add up to 1, and agree with the visits of our own operators.

The sampler knows a server only from /proc; a visit is what the server itself stamped. Starved is asked→got, blocked is
served→sent, at work is got→served (running and runnable together).

    python benchmarks/budgets.py [--repetitions 3]
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


def stamped(station: StationTrace) -> dict[str, float] | None:
    """The server's own account over the same life; None where it left no visits."""
    if station.visits is None or not len(station.visits):
        return None
    life = station.ended_s - station.started_s
    visits = station.visits
    return {
        "starved": float((visits["got"] - visits["asked"]).sum()) / life,
        "blocked": float((visits["sent"] - visits["served"]).sum()) / life,
        "at work": float((visits["served"] - visits["got"]).sum()) / life,
    }


def main() -> None:
    """Print the largest differences by scenario and station."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    repetitions = parser.parse_args().repetitions
    print(f"{machine()}; {repetitions} repetitions\n")
    print("| scenario | station | sum − 1 (worst) | starved: sampled − stamped | blocked: sampled − stamped |")
    print("| --- | --- | --- | --- | --- |")
    for path in sorted(Path(SCENARIOS).glob("*.toml")):
        trace = streamsim.measure(streamsim.load(path), repetitions=repetitions)
        for name in trace.runs[0].stations:
            stations = [run.stations[name] for run in trace.runs]
            sums = max(abs(sum(sampled(station).values()) - 1) for station in stations)
            cells = []
            for part in ("starved", "blocked"):
                pairs = [(sampled(station)[part], own[part]) for station in stations if (own := stamped(station))]
                cells.append(f"{max((a - b for a, b in pairs), key=abs):+.3f}" if pairs else "no visits")
            print(f"| {path.stem} | {name} | {sums:.4f} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
