"""Fit: from a Trace to a Profile, the service models and selectivities of all stations.

Totals and phases are means over all repetitions, each in reference core-seconds of its own host speed; demand curves
and distributions are of all repetitions together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamsim.analysis.fitting.demand import (
    THREADS_MATTER,
    Phases,
    demand_curve,
    reference_work,
    regimes,
    setup_and_slope,
    split_phases,
    split_round,
)
from streamsim.analysis.fitting.filters import filters_of
from streamsim.analysis.fitting.gather import NOTHING, Reading, gathering
from streamsim.analysis.fitting.scatter import NO_SCATTER, Scatter, scatter_of
from streamsim.analysis.fitting.yields import ways, yield_curve
from streamsim.analysis.prediction.sharing_out import shares_of
from streamsim.circuit import Circuit, Station
from streamsim.errors import ProfileError
from streamsim.result import estimate
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile, ServiceModel, StationProfile, YieldPoint
from streamsim.trace import RunTrace, StationTrace, Trace
from streamsim.traffic import EARLY_END

Array = NDArray[np.float64]

WINDOW_WORK_S = 0.5e-3
NEARLY_A_POWER = 0.1
WORKER_READS = 65536.0
"""What a worker of ours asks for in one read, however little it was given in the calibration (real/worker/loop.py)."""


def fit(trace: Trace, scenario: Scenario) -> Profile:
    """Fit the profile of a scenario from a trace of it.

    Raises ProfileError where the trace is of another circuit or holds no run.
    """
    if not trace.runs:
        raise ProfileError(f"the trace of {trace.scenario.name!r} holds no run")
    for station in scenario.circuit.stations:
        if station.name not in trace.runs[0].stations:
            raise ProfileError(
                f"the trace of {trace.scenario.name!r} has no station {station.name!r}; measure {scenario.name!r} again"
            )
    looped = {name for loop in scenario.circuit.loops() for name in loop}
    profiles = {
        station.name: _fit_station(trace.runs, station, scenario, looped=station.name in looped)
        for station in scenario.circuit.stations
    }
    return Profile(
        scenario=scenario.name,
        digest=scenario.digest,
        host=_fit_host(trace.runs),
        stations=profiles,
        warnings=trace.warnings,
    )


def _fit_host(runs: tuple[RunTrace, ...]) -> HostProfile:
    hosts = [run.host for run in runs]
    rates = [host.probe_rate for host in hosts if host.probe_rate is not None]
    return HostProfile(
        cores=hosts[0].cores,
        available_cores=_mean([host.available_cores for host in hosts]),
        speed=tuple(_mean([host.speed[k] for host in hosts]) for k in range(len(hosts[0].speed))),
        wake_near_s=float(np.median([host.wake_near_s for host in hosts])),
        wake_far_s=float(np.median([host.wake_far_s for host in hosts])),
        probe_rate=_mean(rates) if rates else None,
    )


@dataclass(frozen=True)
class _Windows:
    """Work by window (an opaque tool) or by visit (our own operators) of the reading phase, all runs together."""

    calls: Array
    records: Array
    sizes: Array
    works: Array
    exact: bool


def _fit_station(runs: tuple[RunTrace, ...], station: Station, scenario: Scenario, *, looped: bool) -> StationProfile:
    source = station.role == "source" and not scenario.circuit.inputs_of(station.name)
    paced = scenario.load_of(station.name).open and station.role == "source"
    traces = [run.stations[station.name] for run in runs]
    traces = [_settled(trace, station.parallelism) for trace in traces] if looped else traces
    split = split_round if looped else partial(split_phases, source=station.role == "source")
    phases = [split(run, trace) for run, trace in zip(runs, traces, strict=True)]
    barrier = sum(phase.barrier for phase in phases) * 2 > len(phases)
    windows = _windows(runs, traces, phases, source=source)
    bytes_in, bytes_out = _mean([t.bytes_in[-1] for t in traces]), _mean([t.bytes_out[-1] for t in traces])
    records_in, records_out = _records(runs, scenario.circuit, station.name)
    moved = bytes_out if source else bytes_in
    readings = [
        Reading(trace, reference_work(run, trace), phase.read_from, phase.read_to)
        for run, trace, phase in zip(runs, traces, phases, strict=True)
    ]
    read_bytes = WORKER_READS if station.operator is not None else _largest_chunk(traces, "bytes_in", "reads")
    gather = gathering(readings, read_bytes) if station.operator is None and not source and not looped else NOTHING
    # What goes round comes in another order each time.
    curve = demand_curve(readings) if station.role != "source" and not looped and not gather.bytes else ()
    chunks = regimes(windows.calls, windows.sizes, windows.works)
    if looped and station.operator is None and records_in:  # it gives one record for each, and works on it alone
        windows, read_bytes = _by_record(windows, bytes_in / records_in), bytes_in / records_in
    elif looped:  # how much comes together is as it happens there: what a visit costs, its records do
        windows = replace(windows, calls=np.zeros_like(windows.calls))
    if curve or gather.bytes:  # what a call costs cannot be told from where along the stream it was made
        windows = _without_calls(windows)
    service = _service(phases, windows, moved, bytes_out, barrier=barrier, paced=paced)
    # Of a tool that gathers, samples differ by what it was at just then, not by chance.
    scatter = NO_SCATTER if gather.bytes else _scatter(windows, service, source=source)
    records_moved = records_out if source else records_in
    return StationProfile(
        service=_replace(
            service,
            curve=curve,
            regimes=chunks if looped else service.regimes,
            **_waking(phases, service, looped=looped and station.operator is None),
            distribution=scatter.distribution,
            scatters=scatter.of,
            scv=scatter.distribution.scv,
            filling_per_byte=min(gather.filling_per_byte, service.per_byte),
        ),
        bytes_in=0.0 if source else bytes_in,
        bytes_out=bytes_out,
        records_in=None if source else records_in,
        records_out=records_out,
        read_bytes=read_bytes,
        gather_bytes=gather.bytes,
        write_bytes=_mean_chunk(traces) if source else _largest_chunk(traces, "bytes_out", "writes"),
        barrier=barrier,
        held_bytes=0.0 if barrier or source or looped else _held(traces),
        record_bytes=moved / records_moved if records_moved else 1.0,
        shares=shares_of(scenario.circuit, station.name, runs),
        filters=filters_of(traces),
        yields=_yields(runs, scenario.circuit, station, records_out) if looped else (),
        stops=_stops(scenario, station.name, bytes_in),
        demand_spread=_spread([phase.reading.work + phase.finish.work + phase.output.work for phase in phases]),
    )


def _stops(scenario: Scenario, name: str, bytes_in: float) -> bool:
    """Return whether a station left clearly something of the one file that it reads, and reads nothing else."""
    feeds = scenario.circuit.feed_of(name)
    if len(feeds) != 1 or scenario.circuit.inputs_of(name):
        return False
    size = scenario.source_bytes.get(feeds[0].name)
    return size is not None and bytes_in < EARLY_END * size


def _spread(works: list[float]) -> float | None:
    """Return the half-width of the 95 % interval of the mean work, relative to it."""
    return estimate(works, "core-s").spread


def _service(
    phases: list[Phases], windows: _Windows, moved: float, given: float, *, barrier: bool, paced: bool
) -> ServiceModel:
    reading = _mean([phase.reading.work for phase in phases])
    setup, per_record, per_byte = setup_and_slope(windows.calls, windows.records, windows.sizes, windows.works)
    if windows.works.sum() > 0:
        share = reading / (float(windows.works.sum()) / len(phases))
        setup, per_record, per_byte = setup * share, per_record * share, per_byte * share
    waiting = 0.0 if paced else _mean([phase.reading.waiting for phase in phases])
    finish = _mean([phase.finish.work for phase in phases])
    output = _mean([phase.output.work for phase in phases]) if barrier else 0.0
    return ServiceModel(
        setup=setup,
        per_record=per_record,
        per_byte=per_byte,
        waiting_per_byte=waiting / moved if moved else 0.0,
        threads=_mean([phase.reading.threads for phase in phases]),
        startup=_mean([phase.startup.work for phase in phases]),
        startup_waiting=_mean([phase.startup.waiting for phase in phases]),
        finish=finish,
        finish_threads=_mean([phase.finish.threads for phase in phases]),
        finish_waiting=_mean([phase.finish.waiting for phase in phases]),
        output_per_byte=output / given if given else 0.0,
        output_threads=_mean([phase.output.threads for phase in phases]),
        output_waiting_per_byte=_mean([phase.output.waiting for phase in phases]) / given if barrier and given else 0.0,
        regimes=regimes(windows.calls, windows.sizes, windows.works),
    )


def _windows(runs: tuple[RunTrace, ...], traces: list[StationTrace], phases: list[Phases], *, source: bool) -> _Windows:
    parts = []
    exact = all(trace.visits is not None for trace in traces)
    for run, trace, phase in zip(runs, traces, phases, strict=True):
        if exact and trace.visits is not None:
            parts.append(_visit_rows(run, trace, source=source))
            continue
        work = reference_work(run, trace)
        inside = slice(phase.read_from, phase.read_to + 1)
        moved, calls = (trace.bytes_out, trace.writes) if source else (trace.bytes_in, trace.reads)
        parts.append(
            np.column_stack(
                [
                    np.diff(calls[inside]),
                    np.zeros(max(phase.read_to - phase.read_from, 0)),
                    np.diff(moved[inside]),
                    np.diff(work[inside]),
                ]
            )
        )
    rows = np.concatenate(parts) if parts else np.zeros((0, 4))
    return _Windows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], exact)


def _visit_rows(run: RunTrace, trace: StationTrace, *, source: bool) -> Array:
    assert trace.visits is not None, "asked only of stations with visits"
    visits = trace.visits
    size, count = ("given", "records_out") if source else ("taken", "records_in")
    kept = visits[visits[size] > 0]
    if run.busy_time_s.size:
        busy = np.interp((kept["got"] + kept["served"]) / 2, run.busy_time_s, run.busy_cores)
        levels = np.linspace(0, len(run.host.speed), 33)
        speed = np.interp(busy, levels, [run.host.speed_when(float(level)) for level in levels])
    else:
        speed = np.full(len(kept), run.host.speed[0])
    return np.column_stack([np.ones(len(kept)), kept[count], kept[size], kept["cpu"] * speed]).astype(float)


def _without_calls(windows: _Windows) -> _Windows:
    none = np.zeros_like(windows.calls)
    return _Windows(none, none, windows.sizes, windows.works, windows.exact)


def _yields(
    runs: tuple[RunTrace, ...], circuit: Circuit, station: Station, records_out: float | None
) -> tuple[YieldPoint, ...]:
    dropping = None if station.command is not None else records_out
    return yield_curve([ways(run, circuit, station.name) for run in runs], dropping)


def _waking(phases: list[Phases], service: ServiceModel, *, looped: bool) -> dict[str, float]:
    """Take the waiting of a command whose processes come and go for what they need to wake each other.

    They are gone before anybody has seen them run: more core-seconds than running time is how they show.
    """
    if not looped or _mean([phase.seen for phase in phases]) > 1 / THREADS_MATTER:
        return {}
    return {"waiting_per_byte": 0.0, "waking_per_byte": service.waiting_per_byte}


def _settled(trace: StationTrace, servers: int) -> StationTrace:
    """Return the trace whose first visits, one a server, do not count what it took to start among their work."""
    visits = trace.visits
    if visits is None or len(visits) <= servers:
        return trace
    usual, settled = float(np.median(visits["cpu"][servers:])), visits.copy()
    settled["cpu"][:servers] = np.minimum(visits["cpu"][:servers], usual)
    return replace(trace, visits=settled)


def _by_record(windows: _Windows, record_bytes: float) -> _Windows:
    """Return the windows of a station that works on one record after the other: what it needs, it needs for each."""
    none = np.zeros_like(windows.calls)
    return _Windows(none, windows.sizes / record_bytes, none, windows.works, windows.exact)


def _scatter(windows: _Windows, service: ServiceModel, *, source: bool) -> Scatter:
    """Look at the work of each visit over what the model expects of it; of an opaque tool, of each window of samples.

    A window must hold enough work (`WINDOW_WORK_S`) for the accounting of the kernel to resolve it. Its scatter
    is that of many chunks together: what neighbouring chunks have in common, which is what a queue feels.
    """
    expected = service.setup * windows.calls + service.per_record * windows.records + service.per_byte * windows.sizes
    kept = (expected > (0 if windows.exact else WINDOW_WORK_S)) & (windows.works > 0)
    counted = windows.exact and not source
    return scatter_of(windows.works[kept] / expected[kept], windows.records[kept] * counted)


def _records(runs: tuple[RunTrace, ...], circuit: Circuit, name: str) -> tuple[float | None, float | None]:
    """Return records in and out: counted by the station itself, or by a neighbour of ours at the pipe's other end."""

    def mean_of(values: list[int | None]) -> float | None:
        known = [float(value) for value in values if value is not None]
        return _mean(known) if len(known) == len(runs) else None

    into = mean_of([run.stations[name].records_in for run in runs])
    out = mean_of([run.stations[name].records_out for run in runs])
    if into is None:
        upstream = [
            mean_of([run.stations[pipe.upstream].records_out for run in runs]) for pipe in circuit.inputs_of(name)
        ]
        into = sum(count for count in upstream if count is not None) if upstream and None not in upstream else None
    if out is None:
        for pipe in circuit.outputs_of(name):
            taken = mean_of([run.stations[pipe.downstream].records_in for run in runs])
            others = [
                mean_of([run.stations[other.upstream].records_out for run in runs])
                for other in circuit.inputs_of(pipe.downstream)
                if other != pipe
            ]
            if taken is not None and None not in others and not circuit.feed_of(pipe.downstream):
                out = taken - sum(count for count in others if count is not None)
    return into, out if out is None or out > 0 else None


def _largest_chunk(traces: list[StationTrace], moved: str, calls: str) -> float:
    """Return how much one call moves when nothing limits it: the 95 % quantile over windows of bytes per call.

    Bytes and calls of a window are not read at one instant, so what is nearly a power of two, as buffers are, is one:
    4136 bytes a write would leave odd pieces in a pipe's pages that the tool's 4096 do not.
    """
    ratios = []
    for trace in traces:
        count, size = np.diff(getattr(trace, calls)), np.diff(getattr(trace, moved))
        kept = (count > 0) & (size > 0)
        ratios.append(size[kept] / count[kept])
    every = np.concatenate(ratios) if ratios else np.zeros(0)
    if not every.size:
        return 65536.0
    found = max(1.0, float(np.quantile(every, 0.95)))
    power = 2.0 ** round(np.log2(found))
    return power if abs(found / power - 1.0) < NEARLY_A_POWER else found


def _mean_chunk(traces: list[StationTrace]) -> float:
    """Return how much a source hands over at once: one file's last piece may be small, and there may be many.

    Of a source of ours that is a visit; a full pipe makes several writes of it.
    """
    given = [trace.visits["given"] for trace in traces if trace.visits is not None]
    if len(given) == len(traces):
        every = np.concatenate(given)
        return float(max(1.0, every[every > 0].mean())) if (every > 0).any() else 65536.0
    writes = sum(float(trace.writes[-1]) for trace in traces)
    return max(1.0, sum(float(trace.bytes_out[-1]) for trace in traces) / writes) if writes else 65536.0


def _held(traces: list[StationTrace]) -> float:
    """Return how many bytes a streaming station takes before its output begins to flow; 0 below one pipe's worth."""
    held = []
    for trace in traces:
        first = int(np.argmax(trace.bytes_out > 0))
        held.append(float(trace.bytes_in[max(first - 1, 0)]) if trace.bytes_out[-1] > 0 else 0.0)
    smallest = min(held)
    return smallest if smallest > 65536 else 0.0


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _replace(service: ServiceModel, **changes: object) -> ServiceModel:
    import msgspec

    return msgspec.structs.replace(service, **changes)
