"""The three models that every peer runs, and the JSON line that each prints.

mm1: Poisson 0.8/s, one exponential server of mean 1 s. tandem: the same load through three of them, with 10 places
before the second and the third, blocking after service. mm4: Poisson 3.2/s, four servers, one queue.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

RATE = {"mm1": 0.8, "tandem": 0.8, "mm4": 3.2}
STATIONS = {"mm1": 1, "tandem": 3, "mm4": 1}
SERVERS = {"mm1": 1, "tandem": 1, "mm4": 4}
PLACES = 10


def main(run: Callable[[str, int, int], float]) -> None:
    """Run ``MODEL RECORDS SEED`` from the command line; print the mean response time and the CPU time that it took."""
    model, records, seed = sys.argv[1], int(float(sys.argv[2])), int(sys.argv[3])
    run(model, 100, seed)  # imports, compilation and first allocations are not what is compared
    began = time.process_time()
    mean = run(model, records, seed)
    print(json.dumps({"model": model, "records": records, "cpu_s": time.process_time() - began, "mean_s": mean}))
