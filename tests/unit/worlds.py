"""What reports are made from, for tests: traces made by hand, their results, and a theory that is off."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from streamsim.analysis.bottleneck import Cause, Diagnosis
from streamsim.analysis.compare import compare_results
from streamsim.analysis.curves import Knee, Scaling
from streamsim.analysis.plots.inputs import Inputs
from streamsim.circuit import Circuit
from streamsim.result import CircuitResult, Estimate, ResponseTime, Result, StationResult, Transient
from streamsim.scenario import Load, ScenarioKey
from streamsim.summary import summarise
from streamsim.trace import Done, Trace
from tests.unit.traces import chain, example_profile, example_trace, open_chain


def in_all_worlds(circuit: Circuit, measured: Trace, simulated: Trace, loads: dict[str, Load] | None = None) -> Inputs:
    """Return what a report is made from; theory says what was measured, less a twentieth."""
    found, model = summarise(measured, circuit, loads=loads), summarise(simulated, circuit, loads=loads)
    theory = predicted_from(found, 0.95)
    return Inputs(
        circuit=circuit,
        title="An example",
        loads=loads or {},
        measured_trace=measured,
        measured=found,
        simulated_trace=simulated,
        simulated=model,
        predicted=theory,
        profile=example_profile(circuit),
        comparison=compare_results(found, model, theory),
        diagnosis=example_diagnosis(circuit, found.scenario, tail=bool(loads)),
        knee=example_knee() if loads else None,
        scaling=None
        if loads
        else Scaling(
            cores=(1, 2, 4),
            available=(0.9, 1.9, 3.9),
            theory=(3e6, 5e6, 6e6),
            by_station=6.5e6,
            by_cores=(3e6, 6.3e6, 13e6),
            given=2,
        ),
    )


def steered_inputs() -> Inputs:
    """Return what a report is made from where two controllers set a number, a size of a pipe, and an order."""
    plain = example_inputs(2)
    assert plain.measured_trace is not None
    assert plain.simulated_trace is not None
    names = [station.name for station in plain.circuit.stations]

    def steered(trace: Trace, late_s: float) -> Trace:
        commands = tuple(
            Done(late_s + 2.0 * step, who, station, parameters)
            for step in range(4)
            for who, station, parameters in (
                ("hold", names[-1], {"probability": 0.5 / (step + 1)}),
                ("fit", names[-1], {"pipe": 65536 << step}),
                ("eddy", names[0], {"order": ("1,2,3", "3,1,2")[step % 2]}),
            )
        )
        runs = tuple(dataclasses.replace(run, commands=commands) for run in trace.runs)
        return dataclasses.replace(trace, runs=runs)

    return dataclasses.replace(
        plain, measured_trace=steered(plain.measured_trace, 0.4), simulated_trace=steered(plain.simulated_trace, 0.0)
    )


def example_knee() -> Knee:
    """Return the curve of an M/M/1 station that carries 1000 records/s at most."""
    loads = tuple(float(load) for load in range(50, 1000, 50))
    mean = tuple(1 / (1000 - load) for load in loads)
    return Knee(
        loads=loads,
        mean=mean,
        p99=tuple(4.6 * time for time in mean),
        least=(1e-3,) * len(loads),
        most=tuple(1.1 * time for time in mean),
        largest=1000.0,
        given=700.0,
        knee=500.0,
    )


def example_diagnosis(circuit: Circuit, key: ScenarioKey, *, tail: bool) -> Diagnosis:
    """Return a diagnosis in which every station matters half as much as the one before."""
    causes = tuple(
        Cause(station=name, demand=0.6 / 2**place, half_demand=0.5 / 2**place, p99_demand=1.2 if tail else None)
        for place, name in enumerate([*circuit.order(), "host"])
    )
    basis: Any = "largest load" if tail else "run"
    return Diagnosis(
        scenario=key, saturated=not tail, basis=basis, throughput=1.0, throughput_unit="B/s", causes=causes
    )


def example_inputs(count: int) -> Inputs:
    """Return the inputs of a chain of so many stations, with long names where there are many."""
    names = [f"station-{place}" if count <= 4 else f"a-station-with-a-long-name-{place}" for place in range(count)]
    circuit = chain(names)
    return in_all_worlds(circuit, example_trace(circuit), example_trace(circuit, world="simulated"))


def open_inputs() -> Inputs:
    """Return the inputs of a circuit with a load of its own."""
    circuit, loads, measured = open_chain()
    return in_all_worlds(circuit, measured, open_chain(world="simulated")[2], loads)


def changing_inputs() -> Inputs:
    """Return the inputs of a circuit whose load was stepped up in a simulation."""
    known = open_inputs()
    assert known.simulated is not None

    def curve(scale: float, unit: str) -> tuple[Estimate, ...]:
        values = [scale * (1.0 + step / 10) for step in range(20)]
        return tuple(Estimate(value=one, low=0.9 * one, high=1.1 * one, level=0.95, unit=unit) for one in values)

    transient = Transient(
        engine="compiled",
        replications=30,
        steps=("make × 1.5 from 3 s on",),
        times_s=tuple(0.5 * step for step in range(1, 21)),
        response_time=curve(0.02, "s"),
        records_per_s=curve(400.0, "records/s"),
        records_inside=curve(8.0, "records"),
    )
    return dataclasses.replace(known, simulated=msgspec.structs.replace(known.simulated, transient=transient))


def predicted_from(result: Result, factor: float) -> Result:
    """Return what a theory would say that is off by one factor everywhere."""

    def off(estimate: Estimate | None) -> Any:
        if estimate is None or estimate.value is None:
            return None
        return Estimate(value=estimate.value * factor, unit=estimate.unit)

    def all_off(holder: Any, *names: str) -> dict[str, Any]:
        return {name: off(getattr(holder, name)) for name in names}

    response = result.circuit.response_time
    return Result(
        world="predicted",
        engine="fluid",
        scenario=result.scenario,
        host=result.host,
        circuit=CircuitResult(
            **all_off(result.circuit, "makespan", "bytes_per_s"),
            response_time=ResponseTime(**all_off(response, "mean", "p50", "p95", "p99")) if response else None,
            bottleneck=result.circuit.bottleneck,
        ),
        stations={
            name: StationResult(**all_off(station, "bytes_in", "bytes_out", "utilisation", "cpu"))
            for name, station in result.stations.items()
        },
        notes=("a theory made up",),
    )
