"""What the machine gives to a run: how much of its cores is left over, read from /proc/stat."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from streamsim.errors import RunError

_NEEDED = ("/proc/self/schedstat", "/proc/self/io", "/proc/self/wchan", "/proc/stat")
_LEAST = 0.05
"""Of each core something is always left: the scheduler is fair, and no model can divide by nothing."""

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """Seconds of one CPU: busy with anybody's work, stolen by the hypervisor. Only differences mean anything."""

    time: float
    busy_s: float
    stolen_s: float


class Left(NamedTuple):
    """What others took of the cores over a run, and what was left of them."""

    background_cores: float
    available_cores: float


def usage(cpu: int) -> Usage:
    """Read what a CPU has done so far.

    Busy is what was not idle: the kernel knows idle time to the microsecond, the other times by sampling at ticks.
    """
    name = f"cpu{cpu} "
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(name):
            ticks = [int(word) for word in line.split()[1:]]
            now = time.monotonic()
            return Usage(
                now, now - (ticks[3] + ticks[4]) * _TICK_S, ticks[7] * _TICK_S
            )  # idle, iowait, steal (proc(5))
    raise RunError(f"/proc/stat does not know CPU {cpu}")


def left_over(readings: Sequence[tuple[Usage, Usage]], own_cpu_s: float) -> Left:
    """Return what others used of the cores between two readings of each, and what was left of them.

    ``own_cpu_s``: the core-seconds of the run itself, its watching and its probes.

    >>> left_over([(Usage(0.0, 5.0, 1.0), Usage(2.0, 6.0, 1.0)), (Usage(0.0, 5.0, 1.0), Usage(2.0, 7.0, 1.5))], 2.0)
    Left(background_cores=0.25, available_cores=1.5)
    """
    cores = len(readings)
    span = max(sum(after.time - before.time for before, after in readings) / cores, _TICK_S)
    stolen = max(0.0, sum(after.stolen_s - before.stolen_s for before, after in readings)) / span
    busy = sum(after.busy_s - before.busy_s for before, after in readings)
    others = max(0.0, (busy - own_cpu_s) / span - stolen)
    return Left(others, max(_LEAST * cores, cores - others - stolen))


def stolen_rate(readings: Sequence[tuple[Usage, Usage]]) -> float:
    """Return what the hypervisor stole of some cores between two readings, over what was used of them.

    >>> stolen_rate([(Usage(0.0, 10.0, 1.0), Usage(2.0, 11.5, 1.5))])
    0.5
    """
    stolen = used = 0.0
    for before, after in readings:
        stolen += max(0.0, after.stolen_s - before.stolen_s)
        used += max(0.0, after.busy_s - before.busy_s)
    return stolen / max(used - stolen, _TICK_S)


def check_environment() -> None:
    """Check that this system can be observed.

    Raises RunError elsewhere than on Linux with a /proc: running needs neither.
    """
    missing = [name for name in _NEEDED if not Path(name).exists()]
    if missing or not hasattr(os, "pidfd_open"):
        lacking = f"{', '.join(missing)}" if missing else "pidfd_open (Linux 5.3)"
        raise RunError(
            f"observing a run needs Linux and its /proc, and {lacking} is missing here; "
            "'streamsim run' works without, and so do simulate and predict with a profile from elsewhere"
        )
