"""The speed probe's process: pinned to one core, it spins when told to, and sleeps otherwise. Standard library only.

Run as ``python -S -E -P spin.py CPU``. It reads lines. ``spin SECONDS`` answers ``UNITS CPU_SECONDS``. ``wake COUNT``
answers one byte, reads that many pings of 8 bytes (a time of the monotonic clock in ns, native order), answers each
with one byte, and the whole with the median time from the write of a ping until here (ns). It ends with its input.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, monotonic_ns, thread_time
from zlib import crc32

_BLOCK = bytes(range(256)) * 32


def unit() -> None:
    """Do a fixed piece of work of some 10 µs, half of it in C over a block of 8 KiB, half of it in the interpreter."""
    crc32(_BLOCK)
    for _ in range(200):
        pass


def spin(duration: float) -> tuple[int, float]:
    """Work for so many seconds of wall time; return how many units were done in how many core-seconds."""
    units = 0
    until = monotonic() + duration
    before = thread_time()
    while monotonic() < until:
        for _ in range(10):
            unit()
        units += 10
    return units, thread_time() - before


def rate_now(units: int = 40) -> float:
    """Return units of work in a core-second, from so many (0.2 ms), after some that warm the caches."""
    for _ in range(10):
        unit()
    before = thread_time()
    for _ in range(units):
        unit()
    return units / (thread_time() - before)


def _wake(count: int) -> int:
    delays = []
    os.write(1, b".")
    for _ in range(count):
        stamp = os.read(0, 8)
        delays.append(monotonic_ns() - int.from_bytes(stamp, sys.byteorder))
        os.write(1, b".")
    return sorted(delays)[len(delays) // 2]


def main() -> None:
    """Serve until the input ends."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(sys.argv[1])})
    spin(0.002)
    os.write(1, b"ready\n")
    while line := os.read(0, 64):
        word, value = line.split()
        answer = "{} {}".format(*spin(float(value))) if word == b"spin" else str(_wake(int(value)))
        os.write(1, f"{answer}\n".encode())


if __name__ == "__main__":
    main()
