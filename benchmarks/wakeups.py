"""What the observer's wake-ups and its looks cost a pipeline, told apart within one run.

    python benchmarks/wakeups.py [--only sum …] [--gigabytes 24] [--periods 2 5 20] [--phase 50] [--policies batch]

From run to run the scheduler places three processes on two cores one way or another, with quartiles a fifth apart, and
hides what is to be seen. So nothing is compared between runs: within one long run the observer sleeps for a phase
(off), then wakes as often as the period says without looking (wakes), or looks too (looks), in random order, and the
bytes that the second station takes tell the speed of each phase. Printed are the medians of off's speed over each
one's, within rounds of phases; brackets are the 95 % interval of the median (bootstrap). The end of every phase costs
one wake-up, off's too. The first round is left out, in which everything starts. `--policies other batch` compares what
the kernel's scheduler makes of it (sched(7)).
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from against_bash import ratio
from common import machine

from streamsim.loading import load
from streamsim.real import measure
from streamsim.real.launch import Crew
from streamsim.real.measure import Session
from streamsim.real.observation.observe import Observer
from streamsim.shell import import_line

LINES = {
    "lines": "cat -u {files} | tr a-z A-Z | wc -l",
    "upper": "cat -u {files} | tr a-z A-Z | cat | wc -c",
    "grep": "cat -u {files} | grep -v '^#' | cut -c1-40 | wc",
    "sum": "cat -u {files} | tail -c +1 | cksum",
}
_MEGABYTES = 200
_MARGIN_S = 0.0005
_POLICIES = {"other": os.SCHED_OTHER, "batch": os.SCHED_BATCH}


class Kind(NamedTuple):
    """What is done in a phase, how often (s), under which policy of the scheduler."""

    what: str
    period: float = 0.0
    policy: str = "other"


_OFF = Kind("off")


class Toggled(Observer):
    """Sleeps, wakes or looks by turns; ``speeds`` has the bytes/s of every phase, by what was done in it."""

    kinds: tuple[Kind, ...] = ()
    phase_s = 0.05
    speeds: dict[Kind, list[float]]

    def __init__(self, crew: Crew, *, spin: bool = True) -> None:
        super().__init__(crew, spin=False)
        self._dice = random.Random(0)
        self._left: list[Kind] = []
        self._kind, self._until, self._last = _OFF, 0.0, (0.0, 0)

    def sleep_s(self) -> float:
        """Return how long to sleep: for the rest of the phase at most."""
        rest = max(_MARGIN_S, self._until - time.monotonic())
        return rest if self._kind is _OFF else min(rest, self._kind.period * self._dice.uniform(0.6, 1.4))

    def look(self) -> None:
        """Do what the phase says, and begin the next one when it is over."""
        if time.monotonic() >= self._until:
            self._turn()
        if self._kind.what == "looks":
            super().look()

    def _turn(self) -> None:
        process = self.watches[-2].tree.root
        process.look_at_io()
        now, taken = time.monotonic(), process.rchar
        if taken > self._last[1] > 0:
            self.speeds.setdefault(self._kind, []).append((taken - self._last[1]) / (now - self._last[0]))
        if not self._left:
            self._left = list(self.kinds)
            self._dice.shuffle(self._left)
        self._kind, self._until, self._last = self._left.pop(), now + self.phase_s, (now, taken)
        os.sched_setscheduler(0, _POLICIES[self._kind.policy] | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def main() -> None:
    """Print for every line what its phases cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=sorted(LINES), default=list(LINES))
    parser.add_argument("--gigabytes", type=float, default=24.0, help="how much each line reads")
    parser.add_argument("--periods", type=float, nargs="*", default=[2.0, 5.0, 20.0], help="ms between wake-ups")
    parser.add_argument("--phase", type=float, default=50.0, help="ms")
    parser.add_argument("--policies", nargs="*", choices=sorted(_POLICIES), default=["other"])
    arguments = parser.parse_args()
    Toggled.phase_s = arguments.phase / 1000
    periods = [period / 1000 for period in arguments.periods]
    Toggled.kinds = (
        _OFF,
        *(
            Kind(what, period, policy)
            for policy in arguments.policies
            for period in periods
            for what in ("wakes", "looks")
        ),
    )
    measure.Observer = Toggled  # type: ignore[attr-defined]
    print(f"{machine()}; {arguments.gigabytes:g} GB, phases of {arguments.phase:g} ms: speed unwatched / watched\n")
    print(
        "| pipeline | what | policy | every (ms) | rounds | MB/s | ratio (95 % interval; quartiles) |\n|" + " --- |" * 7
    )
    block = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    with tempfile.TemporaryDirectory() as directory, Session(cores=len(os.sched_getaffinity(0))) as session:
        text = Path(directory) / "text"
        text.write_bytes((block * (_MEGABYTES * 10**6 // len(block) + 1))[: _MEGABYTES * 10**6])
        files = " ".join([str(text)] * round(arguments.gigabytes * 1000 / _MEGABYTES))
        for name in arguments.only:
            Toggled.speeds = {}
            session.run_once(load(import_line(LINES[name].format(files=files), name=name)))
            rounds = min(len(Toggled.speeds.get(kind, ())) for kind in Toggled.kinds)
            if rounds < 4:
                parser.error(f"{name}: {rounds} rounds of phases fitted in; give it more --gigabytes")
            unwatched = Toggled.speeds[_OFF][1:rounds]
            for kind in Toggled.kinds:
                speeds = Toggled.speeds[kind][1:rounds]
                print(f"| {name} | {kind.what} | {kind.policy} | {kind.period * 1000:g} | {rounds - 1} | "
                      f"{statistics.median(speeds) / 1e6:.0f} | {ratio(unwatched, speeds)} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
