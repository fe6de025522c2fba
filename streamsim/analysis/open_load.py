"""Circuits with a load of their own: decomposition into single stations, each a G/G/1 queue.

Every station is answered alone: its arrivals are the departures of the one before, known by rate and squared
coefficient of variation (Whitt 1983, "The Queueing Network Analyzer", Bell System Technical Journal 62(9), eq. 38 for
departures); its mean wait by Kraemer and Langenbach-Belz (1976). Where there are more stations than cores a station's
service is stretched by those that happen to want a core too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from streamsim.analysis.case import Case
from streamsim.analysis.fluid import FluidResult
from streamsim.analysis.queueing.flow import departure_scv, superpose_scv
from streamsim.analysis.queueing.gg1 import kraemer_langenbach_belz
from streamsim.analysis.segments import moved, reading_demand
from streamsim.service import HostProfile
from streamsim.traffic import arrival_times

NEARLY = 0.999


@dataclass(frozen=True)
class StationAnswer:
    """One station under an open load; times in seconds for one record."""

    service_time_s: float
    service_scv: float
    utilisation: float
    wait_s: float | None
    response_time_s: float | None


@dataclass(frozen=True, kw_only=True)
class OpenAnswer:
    """The whole circuit under an open load."""

    makespan: float
    saturated: bool
    stations: dict[str, StationAnswer]
    response_mean_s: float | None = None
    response_quantiles_s: tuple[float | None, float | None, float | None] = (None, None, None)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def open_load(case: Case, fluid: FluidResult) -> OpenAnswer:
    """Return waits and response times, or say that the load cannot be carried and the largest that could."""
    spans = _spans(case)
    span = max(spans.values(), default=0.0)
    startup = fluid.ended.get("startup", 0.0)
    capacity_s = fluid.makespan - startup
    if span <= 0 or capacity_s >= span * NEARLY:
        largest = _largest_rates(case, spans, capacity_s)
        return OpenAnswer(
            makespan=max(fluid.makespan, span),
            saturated=True,
            stations={},
            warnings=(f"the load cannot be carried: the circuit needs {capacity_s / span:.2f} times as long; "
                      f"it would hold {largest}",) if span > 0 else (),
        )  # fmt: skip
    return _decompose(case, span, startup)


def _spans(case: Case) -> dict[str, float]:
    """Return how long each paced source takes to give everything at its own rate (s)."""
    spans, scenario, flows = {}, case.scenario, case.flows
    for name, load in scenario.loads.items():
        if load.open and name in flows:
            size, records = flows[name].bytes_out, flows[name].records_out
            if load.rate is None:
                spans[name] = float(arrival_times(scenario, name).max(initial=0.0)) / case.rate
            else:
                amount = size if load.rate.unit == "bytes" else records
                spans[name] = amount / load.rate.per_second / case.rate
    return spans


def _largest_rates(case: Case, spans: dict[str, float], capacity_s: float) -> str:
    rates = []
    for name, span in spans.items():
        rate = case.scenario.load_of(name).rate
        if rate is not None and capacity_s > 0:
            rates.append(f"at most {rate.per_second * case.rate * span / capacity_s:.4g} {rate.unit}/s at '{name}'")
    return " and ".join(rates) or "a slower trace of times"


def _decompose(case: Case, span: float, startup: float) -> OpenAnswer:
    scenario, profiles, flows, host = case.scenario, case.profiles, case.flows, case.host
    circuit = scenario.circuit
    own: dict[str, tuple[float, float, float]] = {}  # service time alone (s), rate (1/s), time without a core (s)
    speed = host.speed_when(1.0)
    for name in case.order:
        size, records = moved(flows[name])
        service = profiles[name].service
        sleeping = service.waiting_per_record + service.waiting_per_byte * size / max(records, 1)
        own[name] = (reading_demand(profiles[name], flows[name]) / max(records, 1) / speed, records / span, sleeping)
    stretch = _stretch(own, host)
    scv_out: dict[str, float] = {}
    answers: dict[str, StationAnswer] = {}
    for name in case.order:
        work, rate, sleeping = own[name]
        time = work * stretch[name] + sleeping
        scv = profiles[name].service.scv
        inputs = case.inputs[name]
        if circuit.station(name).role == "source":  # the load itself, or what feeds it: records wait for nobody there
            scv_out[name] = scenario.load_of(name).scv
            answers[name] = StationAnswer(time, scv, min(rate * time, 1.0), 0.0, time)
            continue
        arrivals = superpose_scv(
            [own[pipe.upstream][1] for pipe in inputs], [scv_out[pipe.upstream] for pipe in inputs]
        )
        load = min(rate * time, NEARLY)
        wait: float | None = 0.0
        if time > 0:
            wait = kraemer_langenbach_belz(rate, time, arrivals, scv).wait
        scv_out[name] = departure_scv(load, arrivals, scv)
        waking = host.wake_far_s * (1 - load)  # a reader that slept must be woken first
        total = wait + time + waking if wait is not None else None
        answers[name] = StationAnswer(time, scv, rate * time, wait, total)
    path = max(circuit.paths(), key=lambda names: sum(answers[name].response_time_s or 0.0 for name in names))
    times = [answers[name].response_time_s for name in path]
    known = [time for time in times if time is not None]
    mean = sum(known) if len(known) == len(times) else None
    return OpenAnswer(
        makespan=startup + span + (mean or 0.0),
        saturated=mean is None,
        stations=answers,
        response_mean_s=mean,
        response_quantiles_s=_quantiles(known) if mean else (None, None, None),
        notes=(
            "waits: G/G/1 decomposition (Kraemer and Langenbach-Belz; departures by Whitt's QNA, eq. 38)",
            "response-time quantiles: a gamma law with the mean, and the variance of independent exponential stations",
        ),
    )


def _stretch(own: dict[str, tuple[float, float, float]], host: HostProfile) -> dict[str, float]:
    """Return how much longer each station's work takes because others want the cores too.

    With K others at work (independent, each with its own utilisation) a station gets min(1, m / (K + 1)) of a
    core, m the available cores; the utilisations depend on the stretch, so the equations are iterated.
    """
    stretch = dict.fromkeys(own, 1.0)
    cores = max(host.available_cores, 1e-9)
    for _ in range(100):
        busy = {name: min(rate * work * stretch[name], 1.0) for name, (work, rate, _) in own.items()}
        following = {}
        for name in own:
            chances = np.array([1.0])
            for other, part in busy.items():
                if other != name:
                    chances = np.convolve(chances, [1 - part, part])
            slow = np.maximum(1.0, (np.arange(len(chances)) + 1) / cores)
            following[name] = float(chances @ slow)
        if all(math.isclose(following[name], stretch[name], rel_tol=1e-9) for name in own):
            break
        stretch = following
    return stretch


def _quantiles(times: list[float]) -> tuple[float | None, float | None, float | None]:
    from scipy import stats

    mean, variance = sum(times), sum(time**2 for time in times)
    shape = mean**2 / variance
    law = stats.gamma(shape, scale=mean / shape)
    return float(law.ppf(0.5)), float(law.ppf(0.95)), float(law.ppf(0.99))
