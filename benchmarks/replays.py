"""How well a simulation does again what a real run was told: niceness, cores, pauses, other programs, other servers.

Two lines share the cores. Each case is measured with its commands (``measure --replay``) and run with them and recorded
(``run --record``); what was recorded is simulated (``simulate --replay``) from the profile of runs without any. The
cases are measured in turn; times are medians.

    python benchmarks/replays.py [--rounds 5] [--megabytes 24] [--cases niceness "none, one core"]
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from common import machine

from streamsim import verbs
from streamsim.loading import load
from streamsim.real.control.recording import Recorded
from streamsim.real.measure import Session, trace_of
from streamsim.real.run import run
from streamsim.scenario import Scenario
from streamsim.trace import RunTrace


class Case(NamedTuple):
    """A scenario and what it is told while it runs, once the profile of the scenario is known."""

    scenario: Scenario
    commands: tuple[Recorded, ...]


GZIP = {"command": "gzip -6"}
KEEP = {"operator": "filter", "where": "len(record) > 5"}
DOUBLE = {"operator": "map", "to": "upper(record) + ',' + str(len(record))"}
GROUP = {"operator": "group", "key": 1, "function": "count", "parallelism": 2, "partition": "key"}


def lines(directory: Path, a: dict[str, Any], b: dict[str, Any], **more: Any) -> Scenario:
    """Two stations, each of a file of words of its own."""
    document = {
        "name": "replays",
        "sources": {"words-a": {"file": "a.txt"}, "words-b": {"file": "b.txt"}},
        "stations": {"a": {**a, "input": "words-a", **more}, "b": {**b, "input": "words-b", **more}},
        "sinks": {"at-a": {"input": "a"}, "at-b": {"input": "b"}},
        "host": {"cores": 2},
    }
    return load(document, file=str(directory / "replays.toml"))


def cases(directory: Path) -> dict[str, Case]:
    """All cases, by their names."""
    one, two = lines(directory, GZIP, GZIP, cores=[0]), lines(directory, GZIP, GZIP)
    ours, keyed = lines(directory, KEEP, DOUBLE), lines(directory, GROUP, {"command": "cat"})
    half = (directory / "a.txt").stat().st_size // 2
    swap = {"operator": DOUBLE["operator"], "parameters": {"to": DOUBLE["to"]}, "state": "new"}
    return {
        "none, one core": Case(one, ()),
        "niceness": Case(one, (Recorded(0.5, "a", "set", {"niceness": 19}),)),
        "none, two cores": Case(two, ()),
        "cores": Case(two, tuple(Recorded(0.3, name, "set", {"cores": [0]}) for name in "ab")),
        "pause": Case(two, (Recorded(0.3, "a", "pause", {}), Recorded(1.3, "a", "resume", {}))),
        "none, operators": Case(ours, ()),
        "swap": Case(ours, (Recorded(0.3, "a", "swap", swap, half),)),
        "none, two servers": Case(keyed, ()),
        "scale": Case(keyed, (Recorded(0.3, "a", "scale", {"servers": 1}),)),
    }


def ends(run: RunTrace) -> dict[str, float]:
    """Return when each station ended (s)."""
    return {name: float(run.stations[name].time_s[-1]) for name in run.stations}


def recorded(case: Case, log: Path) -> Path:
    """Run a case and write down what it was told, and how long that took."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        run(case.scenario, stdout=nowhere, record=log, replay=case.commands, timed=True)
    finally:
        os.close(nowhere)
    return log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=24.0)
    parser.add_argument("--cases", nargs="+")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for seed, file in enumerate("ab"):
            rng = random.Random(seed)
            vocabulary = ["".join(rng.choices("abcdefghij", k=rng.randint(3, 9))) for _ in range(2000)]
            words = rng.choices(vocabulary, k=int(given.megabytes * 1.4e5))
            (directory / f"{file}.txt").write_text("\n".join(words) + "\n")
        known = {key: case for key, case in cases(directory).items() if not given.cases or key in given.cases}
        measured: dict[str, list[RunTrace]] = {key: [] for key in known}
        logs: dict[str, list[Path]] = {key: [] for key in known}
        with Session(cores=2) as session:
            for number in range(given.rounds):
                for place, (key, case) in enumerate(known.items()):
                    measured[key].append(session.run_once(case.scenario, replay=case.commands))
                    if case.commands or not logs[key]:
                        logs[key].append(recorded(case, directory / f"commands-{place}-{number}.jsonl"))
        profiles = {
            id(case.scenario): verbs.fit(trace_of(case.scenario, measured[key]), case.scenario)
            for key, case in known.items()
            if not case.commands
        }
        print(f"{'case':18} {'station':8} {'measured, s':>24} {'simulated, s':>13} {'error':>8}")
        for key, case in known.items():
            profile = profiles[id(case.scenario)]
            simulated = [
                ends(verbs.simulate(case.scenario, profile, replay=verbs.replayed(log)).runs[0]) for log in logs[key]
            ]
            for station in simulated[0]:
                end = statistics.median(one[station] for one in simulated)
                times = sorted(ends(one)[station] for one in measured[key])
                middle = statistics.median(times)
                spread = f"{middle:.3f} ({times[0]:.3f} to {times[-1]:.3f})"
                print(f"{key:18} {station:8} {spread:>24} {end:13.3f} {end / middle - 1:+8.1%}")


if __name__ == "__main__":
    main()
