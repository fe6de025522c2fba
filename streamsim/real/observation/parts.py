"""From the trace of a process to those of the operators that share it: each part is told from the others by its visits.

While one part works, those below it have nothing to do and those above it cannot go on: they are starved and blocked,
as if pipes without room stood between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamsim.real.observation.bytes_through import moved_by
from streamsim.trace import StationTrace

Array = NDArray[np.float64]


def split(
    trace: StationTrace, names: Sequence[str], visits: Sequence[NDArray[np.void]], rejects: Sequence[tuple[int, str]]
) -> list[StationTrace]:
    """Return the traces of the parts, in the order of the stream.

    Parameters
    ----------
    trace : that of the whole process.
    names, visits, rejects : what the parts are called, their visits on the clock of the trace, and how many records
        each left out and why the first.

    What the process did outside all visits (its start and end) counts for the first part.
    """
    time = trace.time_s
    cpu = _shares_of(trace.cpu_s, [_used(one, time) for one in visits])
    running = _in_proportion(trace.running_s, trace.cpu_s, cpu)
    runnable = _in_proportion(trace.runnable_s, trace.cpu_s, cpu)
    waiting = _in_proportion(trace.waiting_s, trace.cpu_s, cpu)
    busy = [one + other + another for one, other, another in zip(running, runnable, waiting, strict=True)]
    found = []
    for place, name in enumerate(names):
        own, last = visits[place], place == len(names) - 1
        found.append(
            replace(
                trace,
                name=name,
                bytes_in=trace.bytes_in if place == 0 else _moved(own, "taken", "got", time),
                bytes_out=trace.bytes_out if last else _moved(own, "given", "sent", time),
                cpu_s=cpu[place],
                running_s=running[place],
                runnable_s=runnable[place],
                waiting_s=waiting[place],
                starved_s=trace.starved_s + sum(busy[:place], np.zeros(len(time))),
                blocked_s=trace.blocked_s + sum(busy[place + 1 :], np.zeros(len(time))),
                reads=trace.reads if place == 0 else _calls(own, "taken", "got", time),
                writes=trace.writes if last else _calls(own, "given", "sent", time),
                threads=trace.threads if place == 0 else 1.0,
                records_in=int(own["records_in"].sum()),
                records_out=int(own["records_out"].sum()),
                visits=own,
                rejected=rejects[place][0],
                rejection=rejects[place][1],
            )
        )
    return found


def _used(visits: NDArray[np.void], time: Array) -> Array:
    total = np.concatenate([[0.0], np.cumsum(visits["cpu"])])
    used: Array = total[np.searchsorted(visits["sent"], time, side="right")]
    return used


def _shares_of(whole: Array, used: Sequence[Array]) -> list[Array]:
    """Return what each part has of the process's CPU time.

    A visit is accounted for when it is over, so it may be ahead of the process's clock or behind it: what does not fit
    into a step goes to the next. What no visit used is the first part's.
    """
    steps = np.diff(whole, prepend=0.0)
    wanted = np.diff(np.array(used[1:]), prepend=0.0, axis=1)
    given = np.zeros_like(wanted)
    late = np.zeros(len(wanted))
    for place, step in enumerate(steps):
        late = late + wanted[:, place]
        total = float(late.sum())
        given[:, place] = late if total <= step else late * (step / total)
        late = late - given[:, place]
    others = given.cumsum(axis=1)
    return [whole - others.sum(axis=0), *others]


def _in_proportion(whole: Array, cpu: Array, parts: Sequence[Array]) -> list[Array]:
    """Split a cumulative time as the CPU time was split meanwhile; where nobody ran, the first has it."""
    steps, used = np.diff(whole, prepend=0.0), np.diff(cpu, prepend=0.0)
    safe = np.where(used > 0, used, 1.0)
    found = [np.where(used > 0, steps * np.diff(part, prepend=0.0) / safe, 0.0).cumsum() for part in parts[1:]]
    return [whole - sum(found, np.zeros(len(whole))), *found]


def _moved(visits: NDArray[np.void], size: str, moment: str, time: Array) -> Array:
    return moved_by(visits, size, moment, _to_the_end(time))


def _calls(visits: NDArray[np.void], size: str, moment: str, time: Array) -> Array:
    total = np.concatenate([[0.0], np.cumsum(visits[size] > 0)])
    calls: Array = total[np.searchsorted(visits[moment], _to_the_end(time), side="right")]
    return calls


def _to_the_end(time: Array) -> Array:
    until = time.copy()
    until[-1] = np.inf
    return until
