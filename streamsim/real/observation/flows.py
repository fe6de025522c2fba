"""How many bytes went through a pipe, from what the kernel counts of its two processes. Pure.

The kernel counts all that a process wrote and read (/proc/PID/io), not what of it went through this pipe: a sorter
writes temporary files, a program reads its libraries. Each count grows at least as much as the flow does, and a
pipe holds no more than its capacity, so the flow follows whichever of the two holds it back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNKNOWN = float("inf")

_EXIT_S = 0.1
"""A process that has closed its output may take so long to give its memory back before it counts as ended."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One process of a pipe at the moments of a common grid.

    ``count`` is cumulative bytes, shape (n,): an upper bound, or what went through this pipe itself where ``exact``.
    ``ended`` is when the process ended (s); ``cut``: it ended because nobody read it any more. ``spills``: it was
    seen to keep temporary files, so its count has more than the pipe's bytes. ``hidden``: it was seen to move bytes
    by splice(2), which counts nothing.
    """

    count: Array
    exact: bool
    ended: float
    cut: bool = False
    spills: bool = False
    hidden: bool = False


@dataclass(frozen=True, eq=False)
class Flow:
    """Bytes written into the pipe and read out of it, cumulative, on the same grid."""

    written: Array
    taken: Array


def flow(writer: Side, reader: Side, capacity: int) -> Flow:
    """Return what went through a pipe of that capacity (bytes).

    The ends of both curves are exact where either process is an operator of ours, or where the writer has no other
    file to write and the reader read to the end; elsewhere they are off by the reader's start at most.

    >>> sort = Side(count=np.array([0.0, 0.0, 900.0, 1800.0]), exact=False, ended=3.0, spills=True)
    >>> wc = Side(count=np.array([8.0, 8.0, 8.0, 908.0]), exact=False, ended=4.0)
    >>> flow(sort, wc, 50).taken
    array([  0.,   0.,   0., 900.])
    """
    if writer.hidden and not writer.exact:
        count = reader.count + capacity
        writer = Side(count=count, exact=False, ended=writer.ended, cut=writer.cut, spills=True)
    if reader.hidden and not reader.exact:
        reader = Side(count=writer.count, exact=writer.exact, ended=reader.ended)
    written, taken = _follow(writer, reader, float(capacity))
    return _end(written, taken, writer, reader, capacity)


def _follow(writer: Side, reader: Side, capacity: float) -> tuple[Array, Array]:
    """Let bytes pass as both counts allow.

    The kernel counts a write after its bytes can be read (ksys_write in fs/read_write.c), so a reader may be seen ahead
    of its writer for a moment: what it read too much is held against the next step's writes, and then forgotten.
    """
    room = UNKNOWN if writer.exact else capacity
    gave, took = np.diff(writer.count, prepend=0.0), np.diff(reader.count, prepend=0.0)
    written, taken = np.empty_like(gave), np.empty_like(took)
    level = into = out = ahead = 0.0
    for place in range(len(gave)):
        drawn = min(took[place] + ahead, level + gave[place])
        ahead = max(0.0, min(took[place] + ahead - drawn, took[place]))
        pushed = min(gave[place], room - level + drawn)
        level += pushed - drawn
        into += pushed
        out += drawn
        written[place], taken[place] = into, out
    return written, taken


def _end(written: Array, taken: Array, writer: Side, reader: Side, capacity: int) -> Flow:
    """Set the totals: a writer that was not cut has written all it wanted, and a reader that lived on has taken it."""
    if not len(written):
        return Flow(written, taken)
    count, total_taken = float(writer.count[-1]), float(taken[-1])
    clean = writer.exact or (not writer.spills and count - total_taken <= 2 * capacity)
    drained = not writer.cut and reader.ended >= writer.ended - _EXIT_S
    if reader.exact:
        total_taken = float(reader.count[-1])
    elif clean and drained:
        total_taken = count
    if writer.exact or (clean and not writer.cut and not (reader.exact and drained)):
        total_written = count
    else:
        total_written = min(count, total_taken + capacity) if writer.cut else total_taken
    return Flow(_finish(written, max(total_written, total_taken)), _finish(taken, total_taken))


def _finish(curve: Array, total: float) -> Array:
    finished = np.minimum(curve, total)
    finished[-1] = total
    return finished
