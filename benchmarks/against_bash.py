"""What running a pipeline through streamsim costs against typing it into bash, observed or not.

    python benchmarks/against_bash.py [--rounds 21] [--megabytes 200] [--only NAME …] [--minutes 30]
                                      [--run-only] [--dense]

Both sides run the same processes on the same file (`cat FILE | …` would not do: an imported line opens the file itself
and has one `cat` less). The contenders of a round take turns in random order, and ratios are taken within rounds: the
machine drifts more than what is to be seen. "bash / bash" is bash against itself, the noise that is left; brackets are
the 95 % interval of the median (bootstrap over rounds), then the quartiles of the rounds. When the minutes have gone
a pipeline ends with the rounds that it has had, each having had its part of them; how many is in the table. With
`--run-only` nothing is observed: half of the time, for lines of a gigabyte. With `--dense` a contender is added that
looks at every pipeline as often as at a slow one (streamsim/real/observation/pace.py).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from common import machine

from streamsim.loading import load
from streamsim.real import measure
from streamsim.real.measure import Session
from streamsim.real.observation.observe import Observer
from streamsim.real.run import run
from streamsim.scenario import Scenario
from streamsim.shell import import_line

LINES = {
    "cat": (1.0, "cat -u < {text} | cat | cat"),
    "upper": (1.0, "tr a-z A-Z < {text} | cat | wc -c"),
    "lines": (1.0, "cat -u < {text} | tr a-z A-Z | wc -l"),
    "digest": (1.0, "cat -u < {text} | cat | sha256sum"),
    "grep": (1.0, "grep -v '^#' < {text} | cut -c1-40 | wc"),
    "sum": (1.0, "cat -u < {text} | tail -c +1 | cksum"),
    "words": (0.2, "tr -cs A-Za-z '\\n' < {text} | tr A-Z a-z | uniq -c"),
    "gzip": (0.1, "gzip -6 < {text} | gzip -dc | sha256sum"),
    "sort": (0.1, "tr -cs A-Za-z '\\n' < {text} | sort | uniq -c | sort -rn"),
}
"""Each with the part of the megabytes that it gets."""

RESAMPLES = 2000


def in_bash(line: str) -> float:
    """Seconds that bash takes for the line."""
    began = time.perf_counter()
    subprocess.run(["bash", "-c", line], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def unobserved(scenario: Scenario) -> float:
    """Seconds that ``streamsim run`` takes once it has been started."""
    with open(os.devnull, "wb") as nowhere:
        began = time.perf_counter()
        run(scenario, stdout=nowhere.fileno())
        return time.perf_counter() - began


class Dense(Observer):
    """Looks as often as at a slow pipeline."""

    def _note_switches(self, now: float) -> None:
        """Notice nothing."""


def observed(session: Session, scenario: Scenario, observer: type[Observer]) -> float:
    """Seconds that the pipeline takes while it is measured."""
    before, measure.Observer = measure.Observer, observer  # type: ignore[attr-defined, misc]
    try:
        return session.run_once(scenario).makespan_s
    finally:
        measure.Observer = before  # type: ignore[attr-defined, misc]


def as_command(line: str) -> float:
    """Seconds that the whole command takes, start of Python included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "streamsim", "run", "--shell", line], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


LEAST_ROUNDS = 3
"""Quartiles of fewer say nothing, however long they take."""


def take_turns(rounds: int, seconds: float, contenders: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Time the contenders in every round, in random order; no new round when so many seconds have gone."""
    names, dice = list(contenders), random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    until = time.monotonic() + seconds
    for number in range(rounds):
        if number >= LEAST_ROUNDS and time.monotonic() > until:
            break
        dice.shuffle(names)
        for name in names:
            times[name].append(contenders[name]())
    return times


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> str:
    """The median of the ratios within rounds, its 95 % interval by the bootstrap, and the quartiles of the ratios."""
    ratios = [a / b for a, b in zip(numerator, denominator, strict=True)]
    dice = random.Random(0)
    medians = sorted(statistics.median(dice.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    low, high = medians[RESAMPLES // 40], medians[-RESAMPLES // 40]
    first, middle, third = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f}; {first:.3f}, {third:.3f})"


def main() -> None:
    """Print the ratios for every line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=sorted(LINES), default=list(LINES))
    parser.add_argument("--minutes", type=float, default=30.0, help="about how long all of it may take")
    parser.add_argument("--run-only", action="store_true", help="leave the observed runs out")
    parser.add_argument("--dense", action="store_true", help="observe as closely as a slow pipeline too")
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.rounds} rounds, {arguments.megabytes} MB; wall times against bash: median "
          "(95 % interval; quartiles)\n")  # fmt: skip
    columns = ["pipeline", "rounds", "bash (s)", "bash / bash", "run / bash"]
    if not arguments.run_only:
        columns += ["measure / bash", "measure / unobserved", "whole command − run (s)"]
    if arguments.dense:
        columns.append("dense / bash")
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    block = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    with tempfile.TemporaryDirectory() as directory, Session(cores=len(os.sched_getaffinity(0))) as session:
        for name in arguments.only:
            part, template = LINES[name]
            size = int(part * arguments.megabytes * 10**6)
            text = Path(directory) / "text"
            with text.open("wb") as file:
                for _ in range(size // len(block)):
                    file.write(block)
                file.write(block[: size % len(block)])
            line = template.format(text=text)
            scenario = load(import_line(line, name=name))
            assert len(scenario.circuit.stations) == line.count(" | ") + 1, "both sides run the same processes"
            contenders: dict[str, Callable[[], float]] = {
                "bash": lambda line=line: in_bash(line),
                "again": lambda line=line: in_bash(line),
                "run": lambda scenario=scenario: unobserved(scenario),
            }
            if not arguments.run_only:
                contenders |= {
                    "measure": lambda scenario=scenario: observed(session, scenario, Observer),
                    "unseen": lambda scenario=scenario: session.run_once(scenario, observe=False).makespan_s,
                    "command": lambda line=line: as_command(line),
                }
            if arguments.dense:
                contenders["dense"] = lambda scenario=scenario: observed(session, scenario, Dense)
            times = take_turns(arguments.rounds, 60 * arguments.minutes / len(arguments.only), contenders)
            cells = [ratio(times[kind], times["bash"]) for kind in ("again", "run", "measure") if kind in times]
            if not arguments.run_only:
                cells.append(ratio(times["measure"], times["unseen"]))
                cells.append(f"{statistics.median(times['command']) - statistics.median(times['run']):.2f}")
            if arguments.dense:
                cells.append(ratio(times["dense"], times["bash"]))
            print(
                f"| {name} | {len(times['bash'])} | {statistics.median(times['bash']):.2f} | {' | '.join(cells)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
