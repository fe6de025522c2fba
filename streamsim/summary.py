"""From a trace to a result: the estimates of a world, each over its repetitions.

Every repetition gives one number for each metric; the estimate is their mean with Student's t interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamsim.blame import bottleneck_of
from streamsim.circuit import Circuit
from streamsim.errors import ProfileError
from streamsim.intake import bytes_put_in, records_put_in
from streamsim.result import (
    Budget,
    CircuitResult,
    Estimate,
    HostResult,
    Level,
    PipeResult,
    ResponseTime,
    Result,
    StationResult,
    estimate,
)
from streamsim.scenario import Load
from streamsim.trace import Array, PipeTrace, RunTrace, StationTrace, Trace
from streamsim.visits import WARM_UP, WITH_THE_CHUNK, arrivals, chunk_visits, lateness, response_times, service_times

LATE = 0.05
"""An open load is not carried when its last record is put in later than this part of the time that it was given."""
PAGE_BYTES = 4096
STATES = ("starved", "running", "runnable", "waiting", "blocked")

Runs = tuple[RunTrace, ...]


def summarise(trace: Trace, circuit: Circuit, *, loads: Mapping[str, Load] | None = None) -> Result:
    """Return the estimates of a trace, real or simulated.

    Parameters
    ----------
    circuit : the one that ran; all its stations are in the trace.
    loads : of its sources, by name; without them waits at sources and response times are unknown.

    What the numbers mean:

    - ``bytes_per_s`` and ``records_per_s``: what the starts put in (a file that a start opens itself: what it read; a
      source: what it gave) over the makespan.
    - ``utilisation``: the part of the makespan in which the server (on average, where there are several) was running
      on a core. ``cpu``: core-seconds.
    - ``service_time``, ``service_scv``: of a chunk, from having it to having served it; ``wait``: of a chunk, from its
      arrival in the pipe (a paced source: from when it was due) to having it; ``response_time``: wait, service and
      blocking. None where no visits are kept; a paced source has no service time, for what it has it has made before.
    - ``budget``: parts of the server's life. ``full`` of a pipe: the part of the time in which less than one page was
      free of its capacity; a pipe of many short writes is full earlier, which this does not see.
    - the bottleneck: what held back most of the run (`blame`); its share is the part of the makespan in which it was at
      work (waiting for a core counts against the host), the host's the core-seconds of all stations over those that
      were available; cores that several servers are pinned to have a share of their own (``"cores 0"``). It is
      saturated where no source has a load of its own; else from a share of 95 % on, or when a load is not carried:
      its last record is put in more than 5 % of its span late.

    Raises ProfileError where the trace has no runs or belongs to another circuit.
    """
    loads = loads or {}
    _check(trace, circuit)
    runs = trace.runs
    paced = frozenset(name for name, load in loads.items() if load.open)
    late = estimate([lateness(run, loads) for run in runs], "").value or 0.0
    response, missing = _response(runs, circuit, loads)
    notes = (f"{WITH_THE_CHUNK}; the first {WARM_UP * 100:.0f} % are left out",) if response else ()
    warnings = [*trace.warnings, *(warning for run in runs for warning in run.warnings), *missing]
    warnings += _rejections(runs)
    if late > LATE:
        warnings.append(f"the load was not carried: its last record was put in {late * 100:.0f} % of its span too late")
    return Result(
        world=trace.world,
        engine=trace.engine,
        scenario=trace.scenario,
        host=_host(runs),
        circuit=CircuitResult(
            makespan=estimate([run.makespan_s for run in runs], "s"),
            bytes_per_s=estimate([bytes_put_in(run, circuit) for run in runs], "B/s"),
            records_per_s=_known([records_put_in(run, circuit) for run in runs], "records/s"),
            response_time=response,
            bottleneck=bottleneck_of(runs, circuit, paced, late > LATE),
        ),
        stations={name: _station(runs, circuit, name, loads) for name in circuit.order()},
        pipes={label: _pipe([run.pipes[label] for run in runs]) for label in runs[0].pipes},
        saturated=bool(paced) and late > LATE,
        repetitions=len(runs),
        notes=notes,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _rejections(runs: Runs) -> list[str]:
    """Return a line for each station that left records out."""
    found = {}
    for run in runs:
        for name, station in run.stations.items():
            if station.rejected:
                records = "1 record" if station.rejected == 1 else f"{station.rejected} records"
                found[name] = f"station {name!r} left out {records}; the first: {station.rejection}"
    return list(found.values())


def _check(trace: Trace, circuit: Circuit) -> None:
    if not trace.runs:
        raise ProfileError(f"the {trace.world} trace of {trace.scenario.name!r} holds no run")
    for station in circuit.stations:
        if any(station.name not in run.stations for run in trace.runs):
            raise ProfileError(
                f"the {trace.world} trace of {trace.scenario.name!r} has no station {station.name!r}: "
                "it belongs to another circuit"
            )


def _known(values: list[float | None], unit: str) -> Estimate | None:
    """Return the estimate of the values that exist, or None where none does."""
    found = estimate(values, unit)
    return found if found.value is not None else None


def _last(curve: Array) -> float:
    return float(curve[-1]) if len(curve) else 0.0


def _host(runs: Runs) -> HostResult:
    speeds = [run.host.speed for run in runs]
    same = all(len(speed) == len(speeds[0]) for speed in speeds)
    return HostResult(
        cores=runs[0].host.cores,
        available_cores=_mean([run.host.available_cores for run in runs]),
        background_cores=_mean([run.background_cores for run in runs]),
        speed=tuple(_mean(list(column)) for column in zip(*speeds, strict=True)) if same else speeds[0],
    )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _bytes(station: StationTrace, *, reads: bool) -> float | None:
    return _last(station.bytes_in if reads else station.bytes_out)


def _records(station: StationTrace, *, reads: bool) -> float | None:
    return station.records_in if reads else station.records_out


def _station(runs: Runs, circuit: Circuit, name: str, loads: Mapping[str, Load]) -> StationResult:
    traces = [run.stations[name] for run in runs]
    # A paced source has a chunk when it is due, and what making it took lies before that.
    paced = name in loads and loads[name].open
    services = [None if paced else service_times(trace) for trace in traces]
    waits, responses = _passages(runs, circuit, name, loads)
    return StationResult(
        servers=circuit.station(name).parallelism,
        bytes_in=estimate([_last(trace.bytes_in) for trace in traces], "B"),
        bytes_out=estimate([_last(trace.bytes_out) for trace in traces], "B"),
        records_in=_known([trace.records_in for trace in traces], "records"),
        records_out=_known([trace.records_out for trace in traces], "records"),
        utilisation=estimate([_utilisation(run, name) for run in runs], ""),
        cpu=estimate([_last(trace.cpu_s) for trace in traces], "core-s"),
        demand_per_byte=_known([_per(trace, _bytes) for trace in traces], "core-s/B"),
        demand_per_record=_known([_per(trace, _records) for trace in traces], "core-s/record"),
        service_time=_known([_mean_of(times) for times in services], "s"),
        service_scv=_known([_scv(times) for times in services], ""),
        wait=_known(waits, "s"),
        response_time=_known(responses, "s"),
        budget=_budget(traces),
        ended=estimate([trace.ended_s for trace in traces], "s"),
        rejected=_known([trace.rejected for trace in traces], "records"),
    )


def _utilisation(run: RunTrace, name: str) -> float | None:
    trace = run.stations[name]
    return _last(trace.running_s) / run.makespan_s / trace.servers if run.makespan_s > 0 else None


def _per(station: StationTrace, amount: Callable[..., float | None]) -> float | None:
    """Return the core-seconds for each byte or record taken in; given out, where nothing comes in (a source)."""
    moved = amount(station, reads=_last(station.bytes_in) > 0)
    return _last(station.cpu_s) / moved if moved else None


def _mean_of(times: Array | None) -> float | None:
    return float(times.mean()) if times is not None and len(times) else None


def _scv(times: Array | None) -> float | None:
    if times is None or len(times) < 2 or times.mean() == 0:
        return None
    return float(times.var(ddof=1) / times.mean() ** 2)


def _passages(
    runs: Runs, circuit: Circuit, name: str, loads: Mapping[str, Load]
) -> tuple[list[float | None], list[float | None]]:
    """Return the mean wait and the mean response time of a chunk at this station, for each run."""
    waits: list[float | None] = []
    responses: list[float | None] = []
    for run in runs:
        came, chunks = arrivals(run, circuit, name, loads), chunk_visits(run.stations[name])
        known = came is not None and chunks is not None
        waits.append(_mean_of(chunks["got"] - came) if known and chunks is not None else None)
        responses.append(_mean_of(chunks["sent"] - came) if known and chunks is not None else None)
    return waits, responses


def _budget(traces: list[StationTrace]) -> Budget | None:
    shares: dict[str, list[float]] = {state: [] for state in STATES}
    for trace in traces:
        spent = {state: _last(getattr(trace, f"{state}_s")) for state in STATES}
        life = math.fsum(spent.values())
        for state in STATES if life > 0 else ():
            shares[state].append(spent[state] / life)
    if not shares["running"]:
        return None
    return Budget(**{state: estimate(values, "") for state, values in shares.items()})


def _pipe(traces: list[PipeTrace]) -> PipeResult:
    capacity = traces[0].capacity_bytes
    nearly = max(1, capacity - PAGE_BYTES)
    return PipeResult(
        capacity_bytes=capacity,
        level_bytes=Level(
            mean=estimate([_over_time(trace, trace.level_bytes) for trace in traces], "B"),
            p99=estimate([_quantile(trace, 0.99) for trace in traces], "B"),
        ),
        full=estimate([_over_time(trace, trace.level_bytes >= nearly) for trace in traces], ""),
        empty=estimate([_over_time(trace, trace.level_bytes == 0) for trace in traces], ""),
    )


def _weights(trace: PipeTrace) -> Array:
    """Return how long each level held: until the next sample."""
    weights = np.diff(trace.time_s, append=trace.time_s[-1:])
    return weights if weights.sum() > 0 else np.ones_like(weights)


def _over_time(trace: PipeTrace, values: NDArray[Any]) -> float | None:
    return float(np.average(values, weights=_weights(trace))) if len(trace.time_s) else None


def _quantile(trace: PipeTrace, level: float) -> float | None:
    if not len(trace.time_s):
        return None
    order = np.argsort(trace.level_bytes)
    reached = np.cumsum(_weights(trace)[order])
    return float(trace.level_bytes[order][np.searchsorted(reached, level * reached[-1])])


def _response(runs: Runs, circuit: Circuit, loads: Mapping[str, Load]) -> tuple[ResponseTime | None, list[str]]:
    """Return the response time of records under an open load, or why there is none."""
    paced = [name for name, load in loads.items() if load.open]
    if not paced:
        return None, []
    times = [found for found in (response_times(run, circuit, loads) for run in runs) if len(found)]
    if not times:
        silent = [name for name in (*paced, *circuit.ends()) if not _sees_records(runs, name)]
        names = ", ".join(repr(name) for name in silent) or "its ends"
        return None, [f"no response times: {names} kept no visits with records (a Unix command keeps none)"]
    quantiles = {name: [float(np.quantile(found, level)) for found in times] for name, level in
                 (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}  # fmt: skip
    return ResponseTime(
        mean=estimate([float(found.mean()) for found in times], "s"),
        **{name: estimate(values, "s") for name, values in quantiles.items()},
    ), []


def _sees_records(runs: Runs, name: str) -> bool:
    traces = [run.stations[name] for run in runs if name in run.stations]
    visits = [trace.visits for trace in traces if trace.visits is not None]
    return any(found["records_in"].any() or found["records_out"].any() for found in visits)
