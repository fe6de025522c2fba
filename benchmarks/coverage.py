"""Whether 95 % intervals hold what they promise: in how many of many seeds they contain the truth.

Each seed is a whole `answer`, as `simulate --engine` gives it: pilots, warm-up, replications, stopping rule. The truths
are closed forms; the mean of the tandem is that of a QBD of 168 phases; its p99 has no closed form, so a run of a
billion records with another seed stands for it (its own error is a fiftieth of the intervals here).

    python benchmarks/coverage.py [--seeds 1000] [--precision 0.05] [--models mm1 tandem mm4]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from common import machine
from scipy import optimize

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
from ours import table  # the same three models

from streamsim.models.records.maxplus import MaxPlus
from streamsim.models.records.steady import answer
from streamsim.models.statistics.streaming import LogHistogram
from streamsim.result import Estimate

RATES = {"mm1": 0.8, "tandem": 0.8, "mm4": 3.2}
MEANS = {"mm1": 5.0, "tandem": 15.92287, "mm4": 1.74554059}
REFERENCE = 1_000_000_000
METRICS = ("mean response", "throughput", "p99")


def estimates(model: str, precision: float, seed: int) -> list[Estimate]:
    """The intervals of one seed."""
    found = answer(table(model), precision=precision, seed=seed)
    rate, mean, _, _, tail = found.steering()
    return [mean, rate, tail]


def tail_of_mm4() -> float:
    """The p99 of the response time of M/M/4 at 0.8: a wait that is exponential where there is one, plus a service."""
    wait, rate = 0.59643247, 4 - 3.2  # Erlang C; while all are busy the queue drains at that rate

    def beyond(time_s: float) -> float:
        # P(T > t) = (1 − C) e^−t + C (e^−at − a e^−t)/(1 − a) with a = 4 − 3.2: both parts exponential, convolved.
        both = (math.exp(-rate * time_s) - rate * math.exp(-time_s)) / (1 - rate)
        return (1 - wait) * math.exp(-time_s) + wait * both

    return float(optimize.brentq(lambda time_s: beyond(time_s) - 0.01, 0.1, 100.0))


def tail_by_simulation(model: str) -> float:
    """The p99 of a very long run."""
    engine, histogram = MaxPlus(table(model), np.random.SeedSequence(987654321)), LogHistogram()
    done = 0
    for born, left in engine.blocks():
        done += len(born)
        if done > 100_000:
            histogram.add(left - born)
        if done >= REFERENCE:
            return histogram.quantile(0.99)
    raise AssertionError("it does not end")


def main() -> None:
    """Print the coverage of each metric of each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--precision", type=float, default=0.05)
    parser.add_argument("--models", nargs="+", default=list(MEANS))
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    # Of n intervals that hold with 0.95, so many do: the 99.9 % range of the binomial.
    slack = 3.29 * math.sqrt(0.95 * 0.05 / chosen.seeds)
    print(f"{machine()}; {chosen.seeds} seeds, precision {chosen.precision}; 95 % ± {100 * slack:.1f} is chance\n")
    print("| model | " + " | ".join(METRICS) + " | half-width of p99 | seconds a seed |")
    print("| --- |" + " ---: |" * (len(METRICS) + 2))
    for model in chosen.models:
        tail = {"mm1": math.log(100) / 0.2, "mm4": tail_of_mm4()}.get(model) or tail_by_simulation(model)
        truths = (MEANS[model], RATES[model], tail)
        began = time.monotonic()
        with ProcessPoolExecutor(chosen.workers) as pool:
            found = list(
                pool.map(partial(estimates, model, chosen.precision), range(1, chosen.seeds + 1), chunksize=10)
            )
        took = (time.monotonic() - began) * chosen.workers / chosen.seeds
        cells = []
        for place, truth in enumerate(truths):
            held = sum((one[place].low or 0.0) <= truth <= (one[place].high or 0.0) for one in found)
            cells.append(f"{100 * held / chosen.seeds:.1f} %")
        widths = float(np.mean([one[2].spread for one in found]))
        print(f"| {model} | {' | '.join(cells)} | {100 * widths:.1f} % | {took:.2f} |", flush=True)


if __name__ == "__main__":
    main()
