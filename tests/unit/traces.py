"""Traces made by hand, for tests of what reads traces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from streamsim.circuit import Circuit, Pipe, Sink, Station
from streamsim.scenario import Load, ScenarioKey
from streamsim.service import Distribution, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.trace import VISIT, PipeTrace, RunTrace, StationTrace, Trace
from streamsim.units import Rate

SAMPLES = 41
KEY = ScenarioKey(name="example", digest="0123456789abcdef")
RECORD_BYTES = 100


def chain(names: Sequence[str], *, programs: Sequence[str] | None = None) -> Circuit:
    """Return a source and stations in a row; all but the first are Unix commands unless programs say otherwise."""
    programs = programs or [f"{name} --some --option" for name in names]
    stations = tuple(
        Station(
            name=name,
            command=programs[place],
            role="station" if place else "source",
            inputs=(names[place - 1],) if place else (),
        )
        for place, name in enumerate(names)
    )
    pipes = tuple(Pipe(one, other) for one, other in pairwise(names))
    return Circuit(stations, pipes, sinks=(Sink("out", names[-1], "out.txt"),))


def visits(*rows: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """Return visits from rows in the order of the fields of VISIT."""
    return np.array([tuple(row) for row in rows], VISIT)


def station_trace(
    name: str,
    *,
    life: float = 10.0,
    bytes_in: float = 0.0,
    bytes_out: float = 0.0,
    cpu: float | None = None,
    spent: dict[str, float] | None = None,
    shape: np.ndarray[Any, Any] | None = None,
    **more: Any,
) -> StationTrace:
    """Return a station whose curves all follow one shape (a straight line) up to the totals given.

    ``spent`` gives seconds for each state; what it leaves of the life is starved.
    """
    time = np.linspace(0, life, SAMPLES)
    shape = time / life if shape is None else shape
    spent = spent or {}
    seconds = {state: spent.get(state, 0.0) for state in ("running", "runnable", "blocked", "waiting")}
    seconds["starved"] = life - math.fsum(seconds.values())
    return StationTrace(
        name=name,
        started_s=0.0,
        ended_s=life,
        time_s=time,
        bytes_in=bytes_in * shape,
        bytes_out=bytes_out * shape,
        cpu_s=(seconds["running"] if cpu is None else cpu) * shape,
        reads=np.floor(bytes_in / 65536 * shape),
        writes=np.floor(bytes_out / 4096 * shape),
        **{f"{state}_s": total * shape for state, total in seconds.items()},
        **more,
    )


def pipe_trace(pipe: Pipe, times: Sequence[float], levels: Sequence[float]) -> PipeTrace:
    """Return the samples of one pipe."""
    return PipeTrace(
        label=pipe.label,
        capacity_bytes=pipe.capacity_bytes,
        time_s=np.array(times, float),
        level_bytes=np.array(levels, float),
    )


def run_trace(
    stations: Sequence[StationTrace],
    *,
    makespan: float = 10.0,
    pipes: Sequence[PipeTrace] = (),
    available_cores: float = 2.0,
    **more: Any,
) -> RunTrace:
    """Return one repetition on a host of two cores."""
    return RunTrace(
        makespan_s=makespan,
        stations={station.name: station for station in stations},
        pipes={pipe.label: pipe for pipe in pipes},
        host=HostProfile(cores=2, available_cores=available_cores, speed=(1.0, 0.9)),
        **more,
    )


def trace_of(*runs: RunTrace, world: Any = "measured", **more: Any) -> Trace:
    """Return a trace of these repetitions."""
    engine = "pipes" if world == "measured" else "simpy"
    return Trace(world=world, engine=engine, scenario=KEY, runs=runs, **more)


def queue_visits(
    arrived: np.ndarray[Any, Any], services: np.ndarray[Any, Any], size: int = RECORD_BYTES
) -> np.ndarray[Any, Any]:
    """Return the visits of a first-come first-served station without limits on its pipe, one record a chunk.

    Lindley's recursion: a record is got when it has come and the one before it has gone.
    """
    made = np.zeros(len(arrived), VISIT)
    free = 0.0
    for place, (came, service) in enumerate(zip(arrived, services, strict=True)):
        got = max(came, free)
        made[place] = (free, got, got + service, got + service, service, size, size, 1, 1)
        free = got + service
    return made


def source_visits(due: np.ndarray[Any, Any], size: int = RECORD_BYTES) -> np.ndarray[Any, Any]:
    """Return the visits of a paced source that is never late."""
    made = np.zeros(len(due), VISIT)
    for field in ("asked", "got", "served", "sent"):
        made[field] = due
    made["given"], made["records_out"] = size, 1
    return made


def example_trace(circuit: Circuit, *, world: str = "measured", repetitions: int = 3, seed: int = 1) -> Trace:
    """Return a trace of a chain of stations with uneven loads, scatter between repetitions, visits and levels."""
    rng = np.random.default_rng([seed, world == "measured"])
    return trace_of(*(_example_run(circuit, rng, world) for _ in range(repetitions)), world=world)


def _example_run(circuit: Circuit, rng: np.random.Generator, world: str) -> RunTrace:
    count = len(circuit.stations)
    makespan = 8.0 * rng.normal(1.0, 0.02) * (1.0 if world == "measured" else 1.04)
    size = 40e6
    stations, pipes = [], []
    for place, name in enumerate(circuit.order()):
        busy = makespan * (0.9 if place == count // 2 else 0.1 + 0.5 * ((place * 7) % 5) / 5)
        rest = makespan - busy
        after = place > count // 2
        spent = {
            "running": busy * 0.95,
            "runnable": busy * 0.05,
            "waiting": rest * 0.05,
            "blocked": 0.0 if after else rest * 0.85,
        }
        given = size * (0.7 if place % 2 else 1.0)
        shape = np.sort(np.clip(np.linspace(0, 1, SAMPLES) + rng.normal(0, 0.01, SAMPLES), 0, 1))
        shape[0], shape[-1] = 0.0, 1.0
        own = place % 3 == 1
        stations.append(
            station_trace(
                name,
                life=makespan,
                bytes_in=size if place else 0.0,
                bytes_out=given,
                spent=spent,
                shape=shape,
                visits=_example_visits(rng, makespan, size, given) if own else None,
                records_in=round(size / RECORD_BYTES) if own else None,
                records_out=round(given / RECORD_BYTES) if own else None,
                operator=own,
            )
        )
        size = given
    times = np.linspace(0, makespan, 1500)
    for place, pipe in enumerate(circuit.pipes):
        centre = 0.9 if place < count // 2 else 0.1
        levels = np.clip(centre + rng.normal(0, 0.15, len(times)), 0, 1) * pipe.capacity_bytes
        pipes.append(pipe_trace(pipe, times, levels))
    return run_trace(stations, makespan=makespan, pipes=pipes, available_cores=1.93)


def _example_visits(rng: np.random.Generator, makespan: float, size: float, given: float) -> np.ndarray[Any, Any]:
    count = 600
    got = np.linspace(0.01, makespan * 0.99, count)
    service = rng.gamma(4, makespan / count / 8, count)
    made = np.zeros(count, VISIT)
    made["asked"], made["got"], made["served"], made["sent"] = got - 0.002, got, got + service, got + service
    made["cpu"], made["taken"], made["given"] = service, int(size / count), int(given / count)
    made["records_in"] = made["taken"] // RECORD_BYTES
    made["records_out"] = made["given"] // RECORD_BYTES
    return made


def example_profile(circuit: Circuit) -> Profile:
    """Return a profile that belongs to `example_trace`."""
    scatter = Distribution(family="gamma", scv=0.25, parameters=(4.0, 0.0, 0.25))
    model = ServiceModel(per_byte=1e-7, scv=0.25, distribution=scatter)
    station = StationProfile(service=model, bytes_in=40e6, bytes_out=40e6)
    return Profile(scenario="example", stations=dict.fromkeys([one.name for one in circuit.stations], station))


def open_chain(
    count: int = 400, *, world: str = "measured", seed: int = 3, rate: float = 100.0
) -> tuple[Circuit, dict[str, Load], Trace]:
    """Return a paced source and two exponential stations in a row (utilisation 0.7 and 0.5), three repetitions."""
    circuit = chain(["clock", "parse", "store"])
    rng = np.random.default_rng([seed, world == "measured"])
    runs = []
    for _ in range(3):
        due = np.cumsum(rng.exponential(1 / rate, count))
        first = queue_visits(due, rng.exponential(0.7 / rate, count))
        second = queue_visits(first["sent"], rng.exponential(0.5 / rate, count))
        makespan = float(second["sent"][-1])
        total = float(count * RECORD_BYTES)
        runs.append(
            run_trace(
                [
                    _paced("clock", makespan, source_visits(due), 0.0, total, count),
                    _paced("parse", makespan, first, total, total, count),
                    _paced("store", makespan, second, total, total, count),
                ],
                makespan=makespan,
                pipes=[pipe_trace(pipe, [0, makespan], [100, 0]) for pipe in circuit.pipes],
            )
        )
    return circuit, {"clock": Load(rate=Rate(rate, "records"), arrivals="poisson")}, trace_of(*runs, world=world)


def _paced(name: str, makespan: float, made: Any, taken: float, given: float, count: int) -> StationTrace:
    return station_trace(
        name,
        life=makespan,
        bytes_in=taken,
        bytes_out=given,
        spent={"running": float(made["cpu"].sum())},
        visits=made,
        records_in=count if taken else 0,
        records_out=count,
        operator=True,
    )
