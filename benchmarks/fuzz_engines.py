"""Hold the compiled kernel and the recursions against SimPy on random circuits until so many departures are compared.

python benchmarks/fuzz_engines.py [--departures 1e6] [--seed 1] [--seconds 3600] [--records 200]

Every circuit is drawn from the seed and its number, so that a difference is found again by --only NUMBER.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from common import machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from streamsim.models.records.built import kernel_module
from tests.property.random_tables import difference, random_table

PROGRESS = 10_000_000
"""Departures after which it says how far it is."""


def compare(seed: int, number: int, records: int) -> tuple[int, str]:
    """Return how many departures of one random circuit were compared, and how the engines differ."""
    rng = np.random.default_rng([seed, number])
    table = random_table(rng, records)
    return difference(table, number, rng, until_s=2.0 * records)


def main() -> None:
    """Print the count now and then and at the end; status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--departures", type=float, default=1e6)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    if options.only is not None:
        print(compare(options.seed, options.only, options.records))
        return
    print(f"{machine()}; kernel {'compiled' if kernel_module().COMPILED else 'interpreted'}", flush=True)
    began, compared, number, different = time.monotonic(), 0, options.first, 0
    while compared < options.departures and time.monotonic() - began < options.seconds:
        count, how = compare(options.seed, number, options.records)
        compared += count
        if how:
            different += 1
            print(f"circuit {number} of seed {options.seed} differs: {how}", flush=True)
        number += 1
        if compared // PROGRESS > (compared - count) // PROGRESS:
            print(f"{compared} departures of {number - options.first} circuits, {different} differ", flush=True)
    print(
        f"seed {options.seed}, circuits {options.first} to {number - 1}: {compared} departures compared, "
        f"{different} circuits differ, {time.monotonic() - began:.0f} s",
        flush=True,
    )
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
