"""From the rows of all watches to the bytes that went in and out of each station, and through each pipe. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamsim.real.observation.flows import Flow, Side, flow
from streamsim.real.observation.watch import RCHAR, SWEEP, TIME, WCHAR
from streamsim.real.plan import Plan, Process, Wire

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Seen:
    """What was seen of one station; all times are of the monotonic clock (s).

    ``rows`` as in watch.py. ``cut``: it ended because nobody read it any more. ``visits`` are those of an operator of
    ours, ``last_visits`` those of the last of several that share the process. ``feed_bytes``: the size of the file on
    its standard input, None where there is none; ``feed_start``: what it had read of other files before, ``feed_end``:
    where in its file it stopped, None where that is not known (bytes).
    ``sink_bytes``: what its output file holds at the end. ``window_s``: over how long the cores that it used at once
    are counted. ``rejects``: how many records it left out, why the first. ``routes``: the bytes that
    went into each pipe, by its label, where they differ and the process has said so; ``inputs``: the same of those that
    it read, where they are several. ``bites`` are those of the trace.
    """

    process: Process
    rows: Array
    ended: float
    cut: bool = False
    visits: NDArray[np.void] | None = None
    last_visits: NDArray[np.void] | None = None
    spills: bool = False
    hidden: bool = False
    feed_bytes: float | None = None
    feed_start: float = 0.0
    feed_end: float | None = None
    sink_bytes: float | None = None
    window_s: float = 0.1
    rejects: tuple[int, str] = (0, "")
    bites: Array = field(default_factory=lambda: np.zeros((0, 2)))
    routes: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Bytes:
    """Cumulative bytes on a common grid: in and out of each station, and through each pipe."""

    sweeps: Array
    time: Array
    taken: dict[str, Array] = field(default_factory=dict)
    given: dict[str, Array] = field(default_factory=dict)
    pipes: dict[str, Flow] = field(default_factory=dict)

    def at(self, curve: Array, sweeps: Array) -> Array:
        """Return a curve's values at the sweeps in which a station was seen; at the last of them it has all."""
        result: Array = curve[np.searchsorted(self.sweeps, sweeps)].copy()
        result[-1] = curve[-1]
        return result


def bytes_through(plan: Plan, seen: dict[str, Seen], capacities: dict[str, int], levels: dict[str, Array]) -> Bytes:
    """Work out all bytes.

    `levels` holds (time, bytes) of each pipe, shape (n, 2): what a station with several inputs took of each is known
    only as what went in less what is in there still.
    """
    sweeps, time = _grid(seen)
    result = Bytes(sweeps=sweeps, time=time)
    for label, capacity in capacities.items():
        writer, reader = seen[plan.writer_of(label)[0].name], seen[plan.reader_of(label)[0].name]
        result.pipes[label] = _flow(label, writer, reader, result, capacity, levels.get(label, np.zeros((0, 2))))
    for process in plan.processes:
        _correct_spills(process, plan, seen, capacities, result)
    for process in plan.processes:
        one = seen[process.name]
        result.taken[process.name] = _taken(one, result)
        result.given[process.name] = _given(one, result)
    return result


def _grid(seen: dict[str, Seen]) -> tuple[Array, Array]:
    """Return all sweeps in which anything was seen, and the time of each."""
    rows = np.concatenate([one.rows for one in seen.values()])
    sweeps, place = np.unique(rows[:, SWEEP], return_inverse=True)
    time = np.zeros(len(sweeps))
    np.maximum.at(time, place, rows[:, TIME])
    return sweeps, np.maximum.accumulate(time)


def _count(one: Seen, column: int, sweeps: Array) -> Array:
    """Return a counter at each sweep; where there is no row nothing had changed."""
    place = np.searchsorted(one.rows[:, SWEEP], sweeps, side="right") - 1
    counts: Array = np.maximum.accumulate(one.rows[:, column])[np.maximum(place, 0)]
    return counts


def _exact(one: Seen, size: str, moment: str, time: Array) -> Array | None:
    """Return the bytes that its visits tell of, None where it has none; all of them at its end."""
    visits = one.last_visits if size == "given" and one.last_visits is not None else one.visits
    if visits is None:
        return None
    return moved_by(visits, size, moment, np.where(time >= one.ended, np.inf, time))


def moved_by(visits: NDArray[np.void], size: str, moment: str, time: Array) -> Array:
    """Return how many bytes (``size``: taken, given) the visits had moved at these times (``moment``: got, sent)."""
    total = np.concatenate([[0.0], np.cumsum(visits[size].astype(np.float64))])
    moved: Array = total[np.searchsorted(visits[moment], time, side="right")]
    return moved


def _routed(writer: Seen, reader: Seen, label: str, grid: Bytes) -> Array | None:
    """Return what a writer of different outputs gave to one of them: its own total, at the reader's pace."""
    total = writer.routes.get(label)
    if total is None:
        return None
    took = _exact(reader, "taken", "got", grid.time)
    paced = np.minimum(_count(reader, RCHAR, grid.sweeps) if took is None else took, float(total))
    paced[-1] = total
    return paced


def _flow(label: str, writer: Seen, reader: Seen, grid: Bytes, capacity: int, levels: Array) -> Flow:
    differ = bool(writer.process.spec and writer.process.spec.get("routes"))
    gave = _routed(writer, reader, label, grid) if differ else _exact(writer, "given", "sent", grid.time)
    count = gave if gave is not None else _count(writer, WCHAR, grid.sweeps)
    giving = Side(
        count=count,
        exact=gave is not None,
        ended=writer.ended,
        cut=writer.cut,
        spills=writer.spills,
        hidden=writer.hidden or differ,  # what it wrote went to several: its readers know how much
    )
    several = len(_inputs(reader)) > 1
    took = None if several else _exact(reader, "taken", "got", grid.time)
    if took is not None:
        return flow(giving, Side(count=took, exact=True, ended=reader.ended), capacity)
    took = _count(reader, RCHAR, grid.sweeps)
    if several:
        held = np.interp(grid.time, levels[:, 0], levels[:, 1]) if len(levels) else 0.0
        took = np.maximum.accumulate(np.maximum(count - held, 0.0))
        if (total := reader.inputs.get(label)) is not None:
            took = np.minimum(took, float(total))
            took[-1] = total
            return flow(giving, Side(count=took, exact=True, ended=reader.ended), capacity)
    return flow(giving, Side(count=took, exact=False, ended=reader.ended, hidden=reader.hidden), capacity)


def _correct_spills(
    process: Process, plan: Plan, seen: dict[str, Seen], capacities: dict[str, int], grid: Bytes
) -> None:
    """Correct the inputs of a process whose writers keep temporary files, so that their own counts cannot be trusted.

    A writer is known for it when it is seen to have such a file, or to read clearly more than its inputs gave. What its
    reader took is then all that is known; a command with several inputs counts them together, so of those one can be
    told from the others, which gave what they say.
    """
    reader = seen[process.name]
    labels = [wire.target for wire in _inputs(reader) if wire.kind == "pipe"]
    spilled = [label for label in labels if _spilled(seen[plan.writer_of(label)[0].name], grid, capacities[label])]
    if len(spilled) != 1 or (
        len(_inputs(reader)) > 1 and (process.spec is not None or len(labels) < len(_inputs(reader)))
    ):
        return
    (label,) = spilled
    exact = _exact(reader, "taken", "got", grid.time) if len(labels) == 1 else None
    took = exact
    if took is None:
        rest = sum((grid.pipes[other].taken for other in labels if other != label), start=np.zeros(len(grid.time)))
        took = np.maximum.accumulate(np.maximum(_count(reader, RCHAR, grid.sweeps) - rest, 0.0))
    writer = seen[plan.writer_of(label)[0].name]
    giving = Side(
        count=_count(writer, WCHAR, grid.sweeps), exact=False, ended=writer.ended, cut=writer.cut, spills=True
    )
    found = flow(giving, Side(count=took, exact=exact is not None, ended=reader.ended), capacities[label])
    written = found.taken.copy()  # what went to temporary files must not look like a full pipe
    written[-1] = found.written[-1]
    grid.pipes[label] = Flow(written, found.taken)


def _spilled(writer: Seen, grid: Bytes, capacity: int) -> bool:
    """Whether it was seen to keep temporary files, or read clearly more than its inputs gave."""
    if writer.visits is not None:
        return False
    extra = float(_count(writer, RCHAR, grid.sweeps)[-1] - _taken(writer, grid)[-1])
    return writer.spills or extra > 2 * capacity


def _inputs(one: Seen) -> list[Wire]:
    return [wire for wire in one.process.reads.values() if wire.kind != "null"]


def _taken(one: Seen, grid: Bytes) -> Array:
    """Return what a station took of all its inputs; nothing for a source, whatever files it reads."""
    exact = _exact(one, "taken", "got", grid.time)
    if exact is not None and _inputs(one):
        return exact
    whole = np.zeros(len(grid.time))
    for wire in _inputs(one):
        if wire.kind == "pipe":
            whole = whole + grid.pipes[wire.target].taken
    if one.feed_bytes is not None:
        count = _count(one, RCHAR, grid.sweeps) - one.feed_start - whole
        fed = np.clip(count, 0.0, one.feed_bytes if one.feed_end is None else one.feed_end)
        if one.feed_end is not None:
            fed[-1] = one.feed_end
        whole = whole + fed
    taken: Array = np.maximum.accumulate(whole)
    return taken


def _given(one: Seen, grid: Bytes) -> Array:
    """Return what a station wrote to each of its outputs (an operator with several writes the same to all)."""
    exact = _exact(one, "given", "sent", grid.time)
    if exact is not None:
        return exact
    pipes = [grid.pipes[wire.target].written for wire in one.process.writes.values() if wire.kind == "pipe"]
    if pipes:
        most: Array = np.maximum.reduce(pipes)
        return most
    count = _count(one, WCHAR, grid.sweeps)
    if one.sink_bytes is not None:
        count = np.minimum(count, one.sink_bytes)
        count[-1] = one.sink_bytes
    elif one.spills:
        # What it wrote to temporary files it has read back; nothing else was written to them.
        extra = float(_count(one, RCHAR, grid.sweeps)[-1] - grid.taken[one.process.name][-1])
        count = np.maximum(count - max(0.0, extra), 0.0)
    return count
