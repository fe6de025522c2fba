"""What running a pipeline through streamsim costs against typing it into bash, observed or not.

python benchmarks/against_bash.py [--rounds 9] [--megabytes 200]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from common import alternate, machine, median_ratio

from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.run import run
from streamsim.scenario import Scenario
from streamsim.shell import import_line

LINES = {
    "cat": "cat {text} | cat | cat",
    "words": "cat {text} | tr -cs A-Za-z '\\n' | tr A-Z a-z | uniq -c",
    "gzip": "cat {small} | gzip -6 | gzip -dc | sha256sum",
    "sort": "cat {small} | tr -cs A-Za-z '\\n' | sort | uniq -c | sort -rn",
    "grep": "cat {text} | grep -v '^#' | cut -c1-40 | wc",
}


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


def observed(scenario: Scenario) -> float:
    """The makespan of one observed run, in seconds."""
    return run_once(scenario, observe=True).makespan_s


def main() -> None:
    """Print the ratios for every line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--megabytes", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.rounds} rounds, alternated; ratio of wall times to bash: median (quartiles)\n")
    print("| pipeline | bash (s) | run / bash | measure / bash |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        text, small = Path(directory) / "text", Path(directory) / "small"
        sources = sorted(Path(os.__file__).parent.glob("*.py"))
        block = b"".join(path.read_bytes() for path in sources)
        text.write_bytes((block * (arguments.megabytes * 10**6 // len(block) + 1))[: arguments.megabytes * 10**6])
        small.write_bytes(text.read_bytes()[: arguments.megabytes * 10**5])
        for name, template in LINES.items():
            line = template.format(text=text, small=small)
            scenario = load(import_line(line, name=name))
            times = alternate(
                arguments.rounds,
                {
                    "bash": lambda line=line: in_bash(line),
                    "run": lambda scenario=scenario: unobserved(scenario),
                    "measure": lambda scenario=scenario: observed(scenario),
                },
            )
            cells = []
            for kind in ("run", "measure"):
                middle, low, high = median_ratio(times[kind], times["bash"])
                cells.append(f"{middle:.3f} ({low:.3f} to {high:.3f})")
            typical = sorted(times["bash"])[len(times["bash"]) // 2]
            print(f"| {name} | {typical:.2f} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
