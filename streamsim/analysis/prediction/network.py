"""Predict: queueing theory on the circuit of a scenario, with the service models of its profile.

Saturated circuits (every source gives as fast as it is taken) are answered by the fluid model of `fluid`, and record by
record where the demand of every record is declared, so that finite pipes count (`finite`); circuits
with a load of their own by decomposition into stations (`open_load`), each answered by the most exact model that its
assumptions allow (`choice`). Both start from the same traffic equations.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from streamsim.analysis.dataflow.circuit import dataflow
from streamsim.analysis.explain import methods
from streamsim.analysis.prediction.case import Case, case_of
from streamsim.analysis.prediction.caveats import by_key, caveats, ordered_merges, out_of_turn, pins_of
from streamsim.analysis.prediction.closed_loop import ClosedLoop, closed_loop, makespan_of_loop
from streamsim.analysis.prediction.feedback import loop_note, makespan_of_loops
from streamsim.analysis.prediction.finite import Finite, finite, pace_of, seconds_needed
from streamsim.analysis.prediction.fluid import FluidResult, Segment, solve
from streamsim.analysis.prediction.held import answered
from streamsim.analysis.prediction.narrow import open_line_of
from streamsim.analysis.prediction.open_load import OpenAnswer
from streamsim.analysis.prediction.segments import moved, reading_demand, segments_of
from streamsim.analysis.prediction.steered import steered
from streamsim.analysis.relief import order
from streamsim.placement import beyond, core_shares
from streamsim.result import (
    Bottleneck,
    CircuitResult,
    Dataflow,
    Estimate,
    HostResult,
    ResponseTime,
    Result,
    StationResult,
)
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile, StationProfile
from streamsim.visits import ONE_BY_ONE, WITH_THE_CHUNK

COSTLY = 0.02
"""A part of the largest load that narrow pipes cost, from which on waits are visibly longer too."""
FREE = 1e-3
"""Narrow pipes and loops that cost less change nothing of what holds a circuit back."""


def predict(scenario: Scenario, profile: Profile, *, host: HostProfile | None = None, explain: bool = False) -> Result:
    """Predict a scenario by queueing theory.

    Parameters
    ----------
    host : what the machine gives; default: what the profile's calibration found, cut to the scenario's cores.
    explain : say how, in `Result.methods`, what other methods would say, and answer the circuit as dataflow too.

    Raises ProfileError where a station has no service model.
    """
    return predict_case(case_of(scenario, profile, host=host), explain=explain)


def predict_case(case: Case, *, explain: bool = False) -> Result:
    """Predict a case that was made before; `predict` without what is the same in all variants of a scenario."""
    steering = steered(case)
    case = steering.case
    segments, warnings = segments_of(case)
    warnings += [*beyond(case.scenario.circuit, case.host.cores), *steering.warnings]
    fluid = solve(segments, case.host, case.limits)
    needed = least = _busy(fluid)
    notes = [
        *steering.notes,
        "makespan and throughput: fluid model of the segments between barriers (utilisation law on shared cores)",
        *pins_of(case),
    ]
    answer = pace = None
    circuit, loop = finite(case, any_load=case.scenario.open), closed_loop(case, whole=True)
    if case.scenario.open:
        needed = seconds_needed(case, fluid, circuit)
        answer = answered(case, fluid, needed, steering.held_s)
        whole = open_line_of(case, circuit, answer)
        if not isinstance(whole, str):
            answer = whole
        elif not answer.saturated and needed * (1 - COSTLY) > least:
            part = f"{1 - least / needed:.0%}".replace("%", " %")
            warnings.append(f"narrow pipes cost {part} of the largest load; the response times leave them out: {whole}")
        if merges := ordered_merges(case):
            answer = replace(answer, response_mean_s=None, response_quantiles_s=(None, None, None))
            warnings.append(out_of_turn(merges))
        notes += [*answer.notes, *_response_of(answer)]
        warnings += list(answer.warnings)
    elif loop is not None:
        fluid.makespan = max(fluid.makespan, makespan_of_loop(case, loop, fluid))
        notes.append(f"{loop.method}: {loop.why}")
        warnings += [loop.left_out] if loop.left_out else []
    elif case.loops:
        fluid.makespan = makespan_of_loops(case, fluid, segments)
        notes += [loop_note(case, loop) for loop in case.loops]
    elif isinstance(circuit, Finite):
        pace = pace_of(case, circuit)
        fluid.makespan = max(fluid.makespan, fluid.ended.get("startup", 0.0) + circuit.records / pace.rate)
        notes.append(f"what full and empty pipes cost, record by record: {pace.method}")
        warnings += by_key(circuit) if not pace.exact else []
    by_line = answer is not None and bool(answer.line)
    warnings += caveats(case, answer, places_counted=pace is not None or by_line or (loop is not None and loop.line))
    engine = "closed network" if loop else "finite pipes" if pace else None
    narrow = (needed if case.scenario.open else _busy(fluid)) > least * (1 + FREE)
    result = _result(case, fluid, answer, notes, warnings, engine, segments, narrow)
    if loop is not None:
        circuit_result = msgspec.structs.replace(result.circuit, response_time=_response_of_loop(loop))
        result = msgspec.structs.replace(result, circuit=circuit_result)
    if not explain:
        return result
    flow = dataflow(case)
    return msgspec.structs.replace(
        result,
        methods=methods(case, fluid, answer, flow, pace, loop),
        dataflow=flow if isinstance(flow, Dataflow) else None,
    )


def _response_of(answer: OpenAnswer) -> list[str]:
    """Say what the response times are of."""
    if answer.response_mean_s is None:
        return []
    chunked = [name for name in answer.path if answer.stations[name].released.late_s > 0]
    if not chunked:
        return [f"{ONE_BY_ONE}, as simulate --engine auto has it; by chunks they are longer"]
    return [f"{WITH_THE_CHUNK}, as simulate has it by chunks (seen at {', '.join(chunked)})"]


def _busy(fluid: FluidResult) -> float:
    """Return how long a saturated circuit works where no pipe is ever full or empty (s)."""
    return fluid.makespan - fluid.ended.get("startup", 0.0)


def _response_of_loop(loop: ClosedLoop) -> ResponseTime:
    """Return the mean by Little's law; mean value analysis knows no quantiles."""
    unknown = _exact(None, "s")
    return ResponseTime(mean=_exact(loop.response, "s"), p50=unknown, p95=unknown, p99=unknown)


def _exact(value: float | None, unit: str) -> Estimate:
    return Estimate(value=value, unit=unit)


def _result(
    case: Case,
    fluid: FluidResult,
    answer: OpenAnswer | None,
    notes: list[str],
    warnings: list[str],
    engine: str | None,
    segments: list[Segment],
    narrow: bool,
) -> Result:
    scenario, profiles, flows, host = case.scenario, case.profiles, case.flows, case.host
    makespan = answer.makespan if answer is not None else fluid.makespan
    stations = {name: _station(case, name, fluid, answer, makespan) for name in case.order}
    starts = [name for name in case.order if not case.inputs[name]]
    size = sum(moved(flows[name])[0] for name in starts)
    records = sum(moved(flows[name])[1] for name in starts) if all(counted(profiles[name]) for name in starts) else None
    saturated = answer is None or answer.saturated
    return Result(
        world="predicted",
        engine=engine or ("fluid" if answer is None else "decomposition"),
        scenario=scenario.key,
        host=HostResult(cores=host.cores, available_cores=host.available_cores, speed=host.speed),
        circuit=CircuitResult(
            makespan=_exact(makespan, "s"),
            bytes_per_s=_exact(size / makespan if makespan else None, "B/s"),
            records_per_s=_exact(records / makespan, "records/s") if records and makespan else None,
            response_time=_response(answer),
            bottleneck=_bottleneck(case, fluid, segments, makespan, narrow=narrow, saturated=saturated),
        ),
        stations=stations,
        saturated=saturated,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def _station(case: Case, name: str, fluid: FluidResult, answer: OpenAnswer | None, makespan: float) -> StationResult:
    profile, flow = case.profiles[name], case.flows[name]
    size, records = moved(flow)
    known = counted(profile)
    cpu = fluid.cpu.get(name, 0.0)
    demand = reading_demand(profile, flow)
    queue = answer.stations.get(name) if answer is not None else None
    return StationResult(
        servers=case.servers[name],
        bytes_in=_exact(flow.bytes_in, "B"),
        bytes_out=_exact(flow.bytes_out, "B"),
        records_in=_exact(flow.records_in, "records") if known and flow.bytes_in else None,
        records_out=_exact(flow.records_out, "records") if profile.records_out is not None else None,
        utilisation=_exact(fluid.running.get(name, 0.0) / makespan if makespan else None, ""),
        cpu=_exact(cpu, "core-s"),
        demand_per_byte=_exact(cpu / size, "core-s/B") if size else None,
        demand_per_record=_exact(demand / records, "core-s/record") if records and known else None,
        service_time=_exact(queue.service_time_s, "s") if queue else None,
        service_scv=_exact(queue.service_scv, "") if queue else None,
        wait=_exact(queue.wait_s, "s") if queue else None,
        response_time=_exact(queue.response_time_s, "s") if queue else None,
    )


def counted(profile: StationProfile) -> bool:
    """Whether anybody counted the records that this station handles."""
    return profile.records_in is not None or (profile.bytes_in == 0 and profile.records_out is not None)


def _response(answer: OpenAnswer | None) -> ResponseTime | None:
    if answer is None or answer.response_mean_s is None:
        return None
    mean, p50, p95, p99 = answer.response_mean_s, *answer.response_quantiles_s
    return ResponseTime(mean=_exact(mean, "s"), p50=_exact(p50, "s"), p95=_exact(p95, "s"), p99=_exact(p99, "s"))


def _bottleneck(
    case: Case, fluid: FluidResult, segments: list[Segment], makespan: float, *, narrow: bool, saturated: bool
) -> Bottleneck | None:
    """Name what relief would pay most for; its share is the part of the time in which it is at work, or waits."""
    if makespan <= 0:
        return None
    shares = {name: min(1.0, wall / makespan) for name, wall in fluid.busy.items()}
    shares |= core_shares(case.placement, fluid.cpu, case.host.available_cores, makespan)
    held = fluid.held_back(segments, but="startup" if case.scenario.open else "")
    first, *rest = order(case, held, shares, narrow=narrow)
    return Bottleneck(
        station=first,
        share=_exact(shares.get(first, 0.0), ""),
        runner_up=rest[0] if rest else None,
        runner_up_share=_exact(shares.get(rest[0], 0.0), "") if rest else None,
        saturated=saturated,
    )
