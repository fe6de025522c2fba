"""From what an observer saw of a crew to the trace of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamsim.real.children import Child
from streamsim.real.endings import was_cut
from streamsim.real.launch import Crew
from streamsim.real.observation.budget import complete, threads_used
from streamsim.real.observation.bytes_through import Bytes, Seen, bytes_through
from streamsim.real.observation.observe import Observer
from streamsim.real.observation.parts import split
from streamsim.real.observation.uncounted import with_records
from streamsim.real.observation.watch import CPU, READS, SETTLED, SHARES, SWEEP, TIME, WRITES, Watch
from streamsim.real.plan import Process
from streamsim.trace import VISIT, PipeTrace, StationTrace

Array = NDArray[np.float64]

_MOST_SAMPLES = 4000
_BUSY_WINDOW_S = 0.02
"""CPU times of running tasks are brought up to date every 4 ms; the busy cores of a shorter window would be noise."""


_THREADS_WINDOW_S, _FAMILY_WINDOW_S = 0.1, 0.3
"""Over how long the cores are counted that a station used at once. CPU times are known late, by a tick of 4 ms for
each running thread and by one of 10 ms for each child that has ended: over less it would be noise."""


def read_visits(path: str | None) -> NDArray[np.void] | None:
    """Read the visits that an operator left; None for a command. A last row that was cut off is left out.

    >>> read_visits(None) is None
    True
    """
    if path is None:
        return None
    data = Path(path).read_bytes() if Path(path).exists() else b""
    return np.frombuffer(data[: len(data) // VISIT.itemsize * VISIT.itemsize], dtype=VISIT).copy()


def read_rejects(visits: str | None) -> tuple[int, str]:
    """Read how many records an operator left out, and why the first; none where it left nothing out.

    >>> read_rejects(None)
    (0, '')
    """
    path = Path(f"{visits}.rejects")
    if visits is None or not path.exists():
        return 0, ""
    count, _, first = path.read_text(errors="replace").partition("\n")
    return int(count), first.rstrip("\n")


def read_course(visits: str | None) -> tuple[tuple[float, ...], ...]:
    """Read what an operator noted along the stream; nothing where it notes nothing, or was ended from outside.

    >>> read_course(None)
    ()
    """
    path = Path(f"{visits}.course")
    if visits is None or not path.exists():
        return ()
    return tuple(tuple(float(word) for word in line.split()) for line in path.read_text().splitlines())


def read_routes(visits: str | None, process: Process) -> dict[str, int]:
    """Read how many bytes went into each pipe of a process whose outputs differ; nothing where it has not said so.

    >>> read_routes(None, Process(name="a", program="a", arguments=()))
    {}
    """
    path = Path(f"{visits}.routes")
    groups = process.spec.get("routes", []) if process.spec is not None else []
    if visits is None or not path.exists():
        return {}
    totals = [int(line) for line in path.read_text().split()]
    return {
        process.writes[descriptor].target: total
        for group, total in zip(groups, totals, strict=True)
        for descriptor in group
        if process.writes[descriptor].kind == "pipe"
    }


def read_inputs(visits: str | None, process: Process) -> dict[str, int]:
    """Read how many bytes came by each pipe of a process with several inputs; nothing where it has not said so.

    >>> read_inputs(None, Process(name="a", program="a", arguments=()))
    {}
    """
    path = Path(f"{visits}.taken")
    if visits is None or not path.exists():
        return {}
    wires = list(process.reads.values())
    rows = [tuple(map(int, line.split())) for line in path.read_text().splitlines()]
    totals = {port: total for port, total in rows if port < len(wires)}
    return {wire.target: totals.get(port, 0) for port, wire in enumerate(wires) if wire.kind == "pipe"}


def station_traces(crew: Crew, observer: Observer) -> tuple[dict[str, StationTrace], dict[str, PipeTrace]]:
    """Return the traces of all stations and pipes, times since the first process was started."""
    began = crew.children[0].started
    seen = {watch.name: _seen(watch, crew) for watch in observer.watches}
    capacities = {label: joint.capacity_bytes for label, joint in crew.joints.items()}
    levels = {label: np.array(flat).reshape(-1, 2) for label, flat in observer.levels.items()}
    moved = bytes_through(crew.plan, seen, capacities, levels)
    stations: dict[str, StationTrace] = {}
    for child in crew.children:
        name = child.process.name
        stations |= _parts(child, _station(child, seen[name], moved, began), began)
    stations = with_records(stations, crew.plan)
    return stations, {label: _pipe(label, capacities[label], levels[label], moved, began) for label in capacities}


def _seen(watch: Watch, crew: Crew) -> Seen:
    child, process = watch.child, watch.child.process
    sink = process.writes.get(1)
    rows = watch.rows()
    rows[-1, CPU] = max(rows[-1, CPU], child.cpu_s)  # with the children that it waited for, to the microsecond
    return Seen(
        process=process,
        rows=rows,
        ended=float(rows[-1, TIME]),
        cut=was_cut(process, child.status or 0),
        visits=read_visits(child.visits),
        last_visits=read_visits(part_path(child.visits, len(process.parts) - 1)) if process.parts else None,
        rejects=read_rejects(child.visits),
        routes=read_routes(child.visits, process),
        inputs=read_inputs(child.visits, process),
        spills=watch.spills,
        bites=np.array(watch.bites).reshape(-1, 2),
        hidden=watch.tree.hidden,
        window_s=_FAMILY_WINDOW_S if watch.tree.family else _THREADS_WINDOW_S,
        feed_bytes=watch.feed.size,
        feed_start=watch.feed.before,
        feed_end=watch.feed.end,
        sink_bytes=crew.sinks.size(sink.target) if sink is not None and sink.kind == "sink" else None,
    )


def _station(child: Child, seen: Seen, moved: Bytes, began: float) -> StationTrace:
    rows = seen.rows
    time = rows[:, TIME] - began
    started = child.started - began
    cpu = np.maximum.accumulate(rows[:, CPU])
    shares = complete(time - started, cpu, rows[:, SHARES:SETTLED].T, rows[:, SETTLED] > 0)
    keep = _thinned(len(rows))
    visits = seen.visits
    if visits is not None:
        for moment in ("asked", "got", "served", "sent"):
            visits[moment] -= began
    return StationTrace(
        name=child.process.name,
        started_s=started,
        ended_s=float(time[-1]),
        time_s=time[keep],
        bytes_in=moved.at(moved.taken[child.process.name], rows[keep, SWEEP]),
        bytes_out=moved.at(moved.given[child.process.name], rows[keep, SWEEP]),
        cpu_s=cpu[keep],
        running_s=shares[0, keep],
        runnable_s=shares[1, keep],
        starved_s=shares[2, keep],
        blocked_s=shares[3, keep],
        waiting_s=shares[4, keep],
        reads=np.maximum.accumulate(rows[keep, READS]),
        writes=np.maximum.accumulate(rows[keep, WRITES]),
        bites=seen.bites,
        threads=threads_used(time, cpu, seen.window_s),
        records_in=int(visits["records_in"].sum()) if visits is not None else None,
        records_out=int(visits["records_out"].sum()) if visits is not None else None,
        visits=visits,
        rejected=seen.rejects[0] if visits is not None else None,
        rejection=seen.rejects[1],
        operator=visits is not None,
        course=read_course(child.visits),
    )


def _parts(child: Child, trace: StationTrace, began: float) -> dict[str, StationTrace]:
    """Return the trace of a process, or those of the operators that share it, by station."""
    names = child.process.parts
    if not names or trace.visits is None:
        return {trace.name: trace}
    visits, rejects = [trace.visits], [(trace.rejected or 0, trace.rejection)]
    for number in range(1, len(names)):
        path = part_path(child.visits, number)
        own = read_visits(path)
        assert own is not None, "an observed process keeps visits"
        for moment in ("asked", "got", "served", "sent"):
            own[moment] -= began
        visits.append(own)
        rejects.append(read_rejects(path))
    parts = enumerate(split(trace, names, visits, rejects))
    return {part.name: replace(part, course=read_course(part_path(child.visits, number))) for number, part in parts}


def part_path(path: str | None, number: int) -> str | None:
    """Return where one of several operators in a process leaves its visits (worker/fused.py)."""
    return f"{path}.{number}" if path is not None and number else path


def _thinned(count: int) -> NDArray[np.intp]:
    """Return which samples to keep: all, or 4000 spread evenly, the first and the last among them."""
    if count <= _MOST_SAMPLES:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, _MOST_SAMPLES).astype(np.intp))


def _pipe(label: str, capacity: int, levels: Array, moved: Bytes, began: float) -> PipeTrace:
    if len(levels) >= 2:
        keep = _thinned(len(levels))
        time, level = levels[keep, 0], levels[keep, 1]
    else:  # it could not be asked, or the run was too short: what went in less what came out
        keep = _thinned(len(moved.time))
        flow = moved.pipes[label]
        time, level = moved.time[keep], (flow.written - flow.taken)[keep]
    return PipeTrace(label=label, capacity_bytes=capacity, time_s=time - began, level_bytes=np.maximum(level, 0.0))


def plain_traces(crew: Crew) -> dict[str, StationTrace]:
    """Return what is known of stations that nobody watched: when they lived, and the CPU time that they used."""
    began = crew.children[0].started
    traces = {}
    for child in crew.children:
        life = np.array([child.started - began, (child.ended or child.started) - began])
        cpu = np.array([0.0, child.cpu_s])
        nothing = np.zeros(2)
        running = np.minimum(cpu, life - life[0])
        traces[child.process.name] = StationTrace(
            name=child.process.name,
            started_s=float(life[0]),
            ended_s=float(life[1]),
            time_s=life,
            bytes_in=nothing,
            bytes_out=nothing,
            cpu_s=cpu,
            running_s=running,
            runnable_s=nothing,
            starved_s=nothing,
            blocked_s=nothing,
            waiting_s=life - life[0] - running,
            reads=nothing,
            writes=nothing,
        )
        for name in child.process.parts[1:]:  # who of them used the CPU time is not known: the first has it
            idle = {"cpu_s": nothing, "running_s": nothing, "starved_s": life - life[0], "waiting_s": nothing}
            traces[name] = replace(traces[child.process.name], name=name, **idle)
    return traces


def with_stolen(station: StationTrace, rate: float) -> StationTrace:
    """Count what the hypervisor stole from a station as waiting for a core; `rate` is stolen over used core-seconds.

    A server whose core is taken away sits on no run queue and uses no time, so the kernel's counters leave a gap that
    looks like sleep. Its size is known for all stations together only: each gets its part by the time that it ran.
    """
    slept = float(station.starved_s[-1] + station.blocked_s[-1] + station.waiting_s[-1])
    if rate <= 0 or slept <= 0:
        return station
    part = min(1.0, rate * float(station.running_s[-1]) / slept)
    gap = part * (station.starved_s + station.blocked_s + station.waiting_s)
    return replace(
        station,
        runnable_s=station.runnable_s + gap,
        starved_s=(1 - part) * station.starved_s,
        blocked_s=(1 - part) * station.blocked_s,
        waiting_s=(1 - part) * station.waiting_s,
    )


def busy_cores(stations: Sequence[StationTrace], makespan: float, background: float, cores: int) -> tuple[Array, Array]:
    """Return how many cores were busy, a mean over the window before each time; windows of 20 ms at least."""
    count = int(max(1, min(2000, makespan // _BUSY_WINDOW_S)))
    edges = np.linspace(0.0, makespan, count + 1)
    total = sum((np.interp(edges, one.time_s, one.cpu_s) for one in stations), np.zeros(count + 1))
    busy = np.diff(total) / np.diff(edges) + background
    return edges[1:], np.minimum(busy, float(cores))
