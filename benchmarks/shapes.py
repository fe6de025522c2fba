"""What several servers cost and bring, by partition and merge, and how soon a circuit that stands still is noticed.

    python benchmarks/shapes.py [--rounds 5] [--megabytes 200]

Each contender sends the same text through `tr`, or through an operator of ours, by one server or by two; they take
turns, the order reversed every other round. A circuit that stands still is one that may not grow: the time is from its
start to the error that names it, which the filling of its pipes is part of.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import SCENARIOS, alternate, machine

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.run import run

WAYS: dict[str, dict[str, Any]] = {
    "one server": {},
    "two, in turn": {"parallelism": 2},
    "two, least loaded": {"parallelism": 2, "partition": "least-loaded"},
    "two, by key": {"parallelism": 2, "partition": "key"},
    "two, in order": {"parallelism": 2, "merge": "ordered", "one_to_one": True},
}
COPY, REGEX = {"operator": "copy"}, {"operator": "regex", "pattern": "^[a-m]"}
OPERATORS: dict[str, dict[str, Any]] = {
    "copy, two unordered": COPY | {"parallelism": 2},
    "copy, two ordered": COPY | {"parallelism": 2, "merge": "ordered"},
    "regex, one server": REGEX,
    "regex, two unordered": REGEX | {"parallelism": 2},
    "regex, two ordered": REGEX | {"parallelism": 2, "merge": "ordered"},
}
"""Operators of ours: one that gives what it takes, one that drops two thirds of the records."""
STUCK = {
    "sources": {"a": {"command": "seq 300000"}},
    "stations": {
        "b": {"command": "sort", "input": "a"},
        "j": {"command": "paste {b} {a}", "input": ["b", "a"]},
    },
    "host": {"pipe_growth": 0},
}


def seconds(scenario: dict[str, Any]) -> float:
    """Run it and return how long it took, also where it fails since it stands still."""
    loaded = load(scenario)
    with open(os.devnull, "wb") as nowhere:
        began = time.perf_counter()
        try:
            run(loaded, stdout=nowhere.fileno())
        except RunError as error:
            if "stands still" not in str(error):
                raise
        return time.perf_counter() - began


def through(text: Path, keys: dict[str, Any]) -> Callable[[], float]:
    """Return what sends the text through in that way."""
    stations = {"up": keys if "operator" in keys else {"command": "tr a-z A-Z", **keys}}
    return lambda: seconds({"sources": {"text": {"file": str(text)}}, "stations": stations})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=200)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as directory:
        text = Path(directory) / "text"
        line = b"".join(path.read_bytes() for path in sorted(SCENARIOS.glob("*.toml")))
        text.write_bytes(line * (options.megabytes * 1_000_000 // len(line)))
        megabytes = text.stat().st_size / 1e6
        times = alternate(options.rounds, {name: through(text, keys) for name, keys in {**WAYS, **OPERATORS}.items()})
    for name, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:20} {megabytes / middle:6.0f} MB/s  ({megabytes / high:.0f} to {megabytes / low:.0f})")
    found = [seconds(STUCK) for _ in range(options.rounds)]
    print(f"a circuit that stands still is named after {statistics.median(found):.2f} s (at most {max(found):.2f} s)")


if __name__ == "__main__":
    main()
