"""What the budgets of a fast pipeline lose where it is looked at less often: two ledgers of the same run.

    python benchmarks/sparse_looks.py [--only sum …] [--runs 8] [--megabytes 1100]

Runs differ more than budgets do, so both ledgers are kept in one run: one is brought up to date every 2 ms, the other
at those of the moments at which the rule (streamsim/real/observation/pace.py) would have looked. CPU time and waiting
for a core are the kernel's in both, and must agree; what a station slept for is counted by looks. Printed for every
station is its budget by the dense ledger (means over the runs) and how far the sparse one is from it in a run: the root
of the mean square, and the most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import machine

from streamsim.loading import load
from streamsim.real import measure
from streamsim.real.children import Child
from streamsim.real.launch import Crew
from streamsim.real.measure import Session
from streamsim.real.observation.budget import Ledger
from streamsim.real.observation.observe import Observer
from streamsim.real.observation.pace import Switching, period_s
from streamsim.real.observation.watch import Watch
from streamsim.real.states import ACTIVE
from streamsim.shell import import_line

LINES = {
    "lines": "cat -u < {text} | tr a-z A-Z | wc -l",
    "upper": "cat -u < {text} | tr a-z A-Z | cat | wc -c",
    "sum": "cat -u < {text} | tail -c +1 | cksum",
    "words": "tr -cs A-Za-z '\\n' < {text} | tr A-Z a-z | uniq -c",
}
_DENSE_S = 0.002
_PARTS = {"starved": 2, "blocked": 3}


class Twice(Observer):
    """Keeps a second ledger of every station, at the moments that the rule asks for."""

    found: list[Twice]

    def __init__(self, crew: Crew, *, spin: bool = True) -> None:
        super().__init__(crew, spin=spin)
        self._started = crew.children[0].started
        self.sparse = {
            watch.child.number: Ledger(watch.child.started, watch._ledger._likely) for watch in reversed(self.watches)
        }
        self._pace, self._due = Switching(self._started), 0.0
        self.dense_looks = self.sparse_looks = 0
        self.found.append(self)

    def sleep_s(self) -> float:
        """Return how long to sleep: the same always, about."""
        return _DENSE_S * self._random.uniform(0.6, 1.4)

    def look(self) -> None:
        """Look, and tell the sparse ledgers too where that is due: what was read is the same."""
        super().look()
        self._hungry = []
        self.dense_looks += 1
        now = time.monotonic()
        self._pace.note(now, sum(watch.tree.switches for watch in self.watches))
        if now >= self._due:
            self._due = now + period_s(now - self._started, self._pace.per_s) * self._random.uniform(0.6, 1.4)
            self.sparse_looks += 1
            for watch in self._alive:
                if watch._state:
                    self._settle(watch, watch._asleep_until or watch._time, watch._state)

    def _settle(self, watch: Watch, time: float, state: int) -> None:
        self.sparse[watch.child.number].settle(time, cpu=watch._cpu, delay=watch._delay, state=state)

    def ending(self, child: Child) -> None:
        """Close both ledgers."""
        super().ending(child)
        watch = self._of[child.number]
        self._settle(watch, watch._time, ACTIVE)

    def shares(self, number: int) -> tuple[Sequence[float], Sequence[float]]:
        """The budget of a station by the dense ledger and by the sparse one, as parts of its life."""
        both = self._of[number]._ledger.shares, self.sparse[number].shares
        dense, sparse = ([part / sum(shares) for part in shares] for shares in both)
        return dense, sparse


def main() -> None:
    """Print for every station what the sparse ledger says beside the dense one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=sorted(LINES), default=list(LINES))
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=1100)
    arguments = parser.parse_args()
    measure.Observer = Twice  # type: ignore[attr-defined]
    print(f"{machine()}; {arguments.runs} runs of {arguments.megabytes} MB\n")
    print("| pipeline | station | looks a run: dense, sparse | starved | blocked | starved: off by (rms, most) "
          "| blocked: off by (rms, most) |\n|" + " --- |" * 7)  # fmt: skip
    block = b"".join(path.read_bytes() for path in sorted(Path(os.__file__).parent.glob("*.py")))
    size = arguments.megabytes * 10**6
    with tempfile.TemporaryDirectory() as directory, Session(cores=len(os.sched_getaffinity(0))) as session:
        text = Path(directory) / "text"
        with text.open("wb") as file:
            for _ in range(size // len(block) + 1):
                file.write(block)
        for name in arguments.only:
            Twice.found = []
            for _ in range(arguments.runs):
                session.run_once(load(import_line(LINES[name].format(text=text), name=name)))
            looks = [statistics.median(getattr(run, f"{kind}_looks") for run in Twice.found)
                     for kind in ("dense", "sparse")]  # fmt: skip
            for number in Twice.found[0].sparse:
                station = Twice.found[0]._of[number].name
                cells = []
                for part in _PARTS.values():
                    both = [run.shares(number) for run in Twice.found]
                    off = [sparse[part] - dense[part] for dense, sparse in both]
                    rms = statistics.fmean(value**2 for value in off) ** 0.5
                    cells.append((statistics.fmean(dense[part] for dense, _ in both), rms, max(map(abs, off))))
                (starved, *off_starved), (blocked, *off_blocked) = cells
                print(f"| {name} | {station} | {looks[0]:.0f}, {looks[1]:.0f} | {starved:.2f} | {blocked:.2f} | "
                      f"{off_starved[0]:.3f}, {off_starved[1]:.3f} | {off_blocked[0]:.3f}, {off_blocked[1]:.3f} |",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
