"""What running a pipeline through streamsim costs against typing it into bash, observed or not.

    python benchmarks/against_bash.py [--placement one] [--rounds 40] [--megabytes 1000] [--only NAME …] [--minutes 30]
                                      [--run-only] [--dense] [--command]

Both sides run the same processes on the same file (`cat FILE | …` would not do: an imported line opens the file itself
and has one `cat` less). The contenders of a round take turns in random order, and ratios are taken within rounds.
"bash / bash" is bash against itself, the noise that is left; brackets are the 95 % interval of the median (bootstrap
over rounds), then the quartiles of the rounds.

Two things hide what is to be seen, each by far more than 3 %:

- Where the kernel places the processes. `cat | cat | cat` on two cores is sometimes one core's work and sometimes
  two's, by chance. So `--placement` takes the dice away: `one` puts all on one core, where whatever costs anything
  costs time; `fixed` puts the stations on two cores by turns (taskset), so that all pages cross. `free` lets the
  kernel choose, as a user would, and needs hundreds of rounds.
- Who else is there. The kernel shares cores among sessions (sched(7), "The autogroup feature"), whatever their
  niceness. Where somebody else works too, come first; this takes root:

      setsid -w sh -c 'echo -20 > /proc/self/autogroup && exec python benchmarks/against_bash.py …'

A run has a fixed price, some milliseconds; the row "nothing" is a line without input, its differences in ms. When the
minutes have gone a pipeline ends with the rounds that it has had, each having had its part of them. With `--run-only`
nothing is observed. With `--dense` a contender is added that looks at every pipeline as often as at a slow one
(streamsim/real/observation/pace.py), with `--command` one that starts `python -m streamsim run` anew.
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
from contextlib import suppress
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
    "nothing": (0.0, "cat -u < {text} | cat | cat"),
    "cat": (1.0, "cat -u < {text} | cat | cat"),
    "upper": (0.6, "tr a-z A-Z < {text} | cat | wc -c"),
    "lines": (0.6, "cat -u < {text} | tr a-z A-Z | wc -l"),
    "digest": (0.2, "cat -u < {text} | cat | sha256sum"),
    "grep": (0.1, "grep -v '^#' < {text} | cut -c1-40 | wc"),
    "sum": (0.6, "cat -u < {text} | tail -c +1 | cksum"),
    "words": (0.05, "tr -cs A-Za-z '\\n' < {text} | tr A-Z a-z | uniq -c"),
    "gzip": (0.02, "gzip -6 < {text} | gzip -dc | sha256sum"),
    "sort": (0.02, "tr -cs A-Za-z '\\n' < {text} | sort | uniq -c | sort -rn"),
}
"""Each with the part of the megabytes that it gets, so that all take about as long."""

RESAMPLES = 2000


def placed(line: str, cpus: Sequence[int]) -> str:
    """Return the line with its commands on these cores by turns.

    >>> placed("cat < a | cat | wc", [0, 1])
    'taskset -c 0 cat < a | taskset -c 1 cat | taskset -c 0 wc'
    """
    return " | ".join(f"taskset -c {cpus[n % len(cpus)]} {command}" for n, command in enumerate(line.split(" | ")))


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


def rank() -> str:
    """Return how this session stands against the others of the machine."""
    with suppress(OSError):
        return Path("/proc/self/autogroup").read_text().split(maxsplit=1)[1].strip()
    return "no autogroups"


def row(times: dict[str, list[float]], columns: dict[str, tuple[str, str]], *, nothing: bool) -> str:
    """Return the cells of a line: the ratio of every pair of contenders; of no input, the difference in ms."""
    cells = [str(len(times["bash"])), f"{statistics.median(times['bash']):.3f}"]
    for first, second in columns.values():
        if nothing:
            differences = [1e3 * (a - b) for a, b in zip(times[first], times[second], strict=True)]
            low, middle, high = statistics.quantiles(differences, n=4)
            cells.append(f"{middle:+.1f} ms ({low:+.1f} to {high:+.1f})")
        else:
            cells.append(ratio(times[first], times[second]))
    return " | ".join(cells)


def main() -> None:
    """Print the ratios for every line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--placement", choices=["free", "one", "fixed"], default="free")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--only", nargs="*", choices=list(LINES), default=list(LINES))
    parser.add_argument("--minutes", type=float, default=30.0, help="about how long all of it may take")
    parser.add_argument("--run-only", action="store_true", help="leave the observed runs out")
    parser.add_argument("--dense", action="store_true", help="observe as closely as a slow pipeline too")
    parser.add_argument("--command", action="store_true", help="time the whole command too")
    arguments = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    if arguments.placement == "one":
        cpus = cpus[-1:]
        os.sched_setaffinity(0, cpus)
    print(f"{machine()}; this session: {rank()}; placement {arguments.placement}, {arguments.megabytes} MB; "
          "wall times: median (95 % interval; quartiles)\n")  # fmt: skip
    columns = {"bash / bash": ("again", "bash"), "run / bash": ("run", "bash")}
    if not arguments.run_only:
        columns["observed / bash"] = ("observed", "bash")
    if arguments.dense:
        columns["dense / bash"] = ("dense", "bash")
    if arguments.command:
        columns["whole command / bash"] = ("command", "bash")
    print(f"| pipeline | rounds | bash (s) | {' | '.join(columns)} |\n|{' --- |' * (3 + len(columns))}")
    block = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    with tempfile.TemporaryDirectory() as directory, Session(cores=len(cpus)) as session:
        for name in arguments.only:
            part, template = LINES[name]
            size = int(part * arguments.megabytes * 10**6)
            text = Path(directory) / "text"
            with text.open("wb") as file:
                for _ in range(size // len(block)):
                    file.write(block)
                file.write(block[: size % len(block)])
            line = template.format(text=text)
            if arguments.placement == "fixed":
                line = placed(line, cpus)
            scenario = load(import_line(line, name=name))
            assert len(scenario.circuit.stations) == line.count(" | ") + 1, "both sides run the same processes"
            contenders: dict[str, Callable[[], float]] = {
                "bash": lambda line=line: in_bash(line),
                "again": lambda line=line: in_bash(line),
                "run": lambda scenario=scenario: unobserved(scenario),
                "observed": lambda scenario=scenario: observed(session, scenario, Observer),
                "dense": lambda scenario=scenario: observed(session, scenario, Dense),
                "command": lambda line=line: as_command(line),
            }
            wanted = {kind for pair in columns.values() for kind in pair}
            contenders = {kind: run for kind, run in contenders.items() if kind in wanted}
            times = take_turns(arguments.rounds, 60 * arguments.minutes / len(arguments.only), contenders)
            print(f"| {name} | {row(times, columns, nothing=not size)} |", flush=True)


if __name__ == "__main__":
    main()
