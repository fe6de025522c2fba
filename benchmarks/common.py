"""What the benchmarks share: the machine they ran on, medians and spreads, tables."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"


def machine() -> str:
    """One line on the machine: cores, load, kernel."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, load {load:.2f}, Linux {platform.release()}, Python {platform.python_version()}"


def asleep(pid: int) -> bool:
    """Whether the place in the kernel where a server sleeps says that it waits for its inputs, or for its time."""
    place = Path(f"/proc/{pid}/wchan").read_text()
    return any(word in place for word in ("pipe_read", "poll", "nanosleep"))


def alternate(rounds: int, contenders: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Time the contenders in turn, the order reversed every other round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            times[name].append(contenders[name]())
    return times


def median_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> tuple[float, float, float]:
    """The median of the paired ratios, and their quartiles."""
    ratios = sorted(a / b for a, b in zip(numerator, denominator, strict=True))
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
    return middle, low, high
