"""Seconds that the queueing models take for one answer, warm: medians and quartiles.

python benchmarks/theory_speed.py --rounds 15
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import machine

from streamsim.analysis.queueing.gg1 import kraemer_langenbach_belz
from streamsim.analysis.queueing.lines import finite_network, open_line, saturated_line, solve_network
from streamsim.analysis.queueing.mapmap1 import ph_ph_1
from streamsim.analysis.queueing.mmc import mmc
from streamsim.analysis.queueing.mva import mva
from streamsim.analysis.queueing.qna import qna

TEN = [1.0, 0.9, 1.1, 0.8, 1.2, 1.0, 0.7, 1.1, 0.9, 1.0]
ROUTES = [[float(j == i + 1) for j in range(10)] for i in range(10)]
SPLIT = [[0, 0.5, 0.5, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0] * 5]

ASKED: dict[str, Callable[[], object]] = {
    "M/M/c, 8 servers": lambda: mmc(6.0, 1.0, 8),
    "G/G/1 by Krämer and Langenbach-Belz": lambda: kraemer_langenbach_belz(0.8, 1.0, 2.0, 0.5),
    "PH/PH/1": lambda: ph_ph_1(0.8, 1.0, 2.0, 0.5),
    "QNA, 10 stations": lambda: qna([0.7] + [0.0] * 9, ROUTES, TEN, service_scvs=[0.5] * 10),
    "MVA, 10 stations, 50 records": lambda: mva([50], [TEN]),
    "line of 5, chain of 780 states": lambda: saturated_line(TEN[:5], [2, 3, 2, 3]),
    "line of 6, chain of 96,030 states": lambda: saturated_line(TEN[:6], [7] * 5),
    "line of 10, windows, 3 places": lambda: saturated_line(TEN, [3] * 9),
    "line of 10, windows, 20 places": lambda: saturated_line(TEN, [20] * 9),
    "open line of 3, 10 places": lambda: open_line(0.6, TEN[:3], [10, 10]),
    "split and merge, windows": lambda: solve_network(
        finite_network([1.0, 1.8, 1.9, 1.0, 0.9], [1, 4, 4, 4, 4], SPLIT, saturated=[0]), method="windows"
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    print(machine())
    for name, ask in ASKED.items():
        ask()
        times = []
        for _ in range(options.rounds):
            began = time.perf_counter()
            ask()
            times.append(time.perf_counter() - began)
        low, middle, high = statistics.quantiles(times, n=4) if len(times) > 1 else (times[0],) * 3
        print(f"{name:36} {1e3 * middle:10.3f} ms   ({1e3 * low:.3f} to {1e3 * high:.3f})", flush=True)


if __name__ == "__main__":
    main()
