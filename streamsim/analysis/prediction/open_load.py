"""Circuits with a load of their own: decomposition into single stations, each answered by the best model there is.

Every station is answered alone: its arrivals are the departures of the one before, known by rate and squared
coefficient of variation (Whitt 1983, "The Queueing Network Analyzer", Bell System Technical Journal 62(9), eq. 38 for
departures). Where all arrivals are Poisson, all service is exponential and cores abound, that is Jackson's theorem and
exact. Where there are fewer cores than servers the work of each is stretched by those that want a core too (`layers`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.choice import Arrivals, Choice, Station, choose
from streamsim.analysis.prediction.crowding import crowded_stretch, least_inside
from streamsim.analysis.prediction.finite import seconds_needed
from streamsim.analysis.prediction.fluid import FluidResult
from streamsim.analysis.prediction.layers import Wants, stretches
from streamsim.analysis.prediction.loads import largest_rates, spans, too_much
from streamsim.analysis.prediction.released import ALONE_AND_AT_ONCE, Along, Released, released, variance_along
from streamsim.analysis.prediction.response import Law, gamma_quantiles, quantiles
from streamsim.analysis.prediction.segments import moved, reading_demand
from streamsim.analysis.prediction.streams import (
    dealt,
    departures,
    drawn,
    into,
    merged,
    of_source,
    rate_of,
    thinned,
    together_again,
)
from streamsim.circuit import Pipe
from streamsim.traffic import shares
from streamsim.units import format_seconds

NEARLY = 0.999
PERCENTILES = (0.5, 0.95, 0.99)
UNSETTLED = 0.8
"""Waits that come to less of those of the steady state by the end of the run are said to."""
ALONE = 1 + 1e-9
"""Work stretched by less shares its core with nobody."""


@dataclass(frozen=True)
class StationAnswer:
    """One station under an open load; times in seconds for one record. ``choice`` is None where records wait for
    nobody: at a source. ``released`` is what serving whole chunks adds to the response (released.py)."""

    service_time_s: float
    service_scv: float
    utilisation: float
    wait_s: float | None
    response_time_s: float | None
    asked: Station | None = None
    choice: Choice | None = None
    released: Released = ALONE_AND_AT_ONCE


@dataclass(frozen=True, kw_only=True)
class OpenAnswer:
    """The whole circuit under an open load; ``exact``: every station on the way is, and so is their sum. ``line``: by
    which method it was answered as a whole, where it was."""

    makespan: float
    saturated: bool
    stations: dict[str, StationAnswer] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    response_mean_s: float | None = None
    response_quantiles_s: tuple[float | None, float | None, float | None] = (None, None, None)
    exact: bool = False
    line: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def open_load(case: Case, fluid: FluidResult, needed_s: float | None = None) -> OpenAnswer:
    """Return waits and response times, or say that the load cannot be carried and the largest that could.

    Parameters
    ----------
    needed_s : `seconds_needed`, where it is known already.
    """
    found = spans(case)
    span = max(found.values(), default=0.0)
    startup = fluid.ended.get("startup", 0.0)
    capacity_s = seconds_needed(case, fluid) if needed_s is None else needed_s
    if span <= 0 or capacity_s >= span * NEARLY:
        largest = largest_rates(case, found, capacity_s)
        return OpenAnswer(
            makespan=max(fluid.makespan, span),
            saturated=True,
            stations={},
            warnings=(f"the load cannot be carried: the circuit needs {capacity_s / span:.2f} times as long; "
                      f"it would hold {largest}",) if span > 0 else (),
        )  # fmt: skip
    if case.loops:
        from streamsim.analysis.prediction.open_loops import open_loops  # it is made of the parts of this module

        return open_loops(case, span, startup)
    return decompose(case, span, startup)


def decompose(case: Case, span: float, startup: float, *, settled: Collection[str] = ()) -> OpenAnswer:
    """Answer every station alone, along the streams between them.

    Those that are ``settled`` come to what waits there long before the run ends, whatever the steady state says.
    """
    own = {name: wants_of(case, name, span) for name in case.order}
    wanted = {name: wants for name, (wants, _) in own.items()}
    cores = max(case.host.available_cores, 1e-9)
    stretch = stretches(wanted, cores, limits=case.limits)
    if case.limits is None and any(value > ALONE for value in stretch.values()):
        scvs = {name: case.profiles[name].service.scv for name in case.order}
        arrival_scv = max(of_source(case, name, span).scv for name in case.order if not case.inputs[name])
        least = least_inside(wanted, scvs, arrival_scv, cores)
        if least:
            stretch = crowded_stretch(stretch, wanted, lambda one: _inside(_alone(case, span, own, one), wanted), least)
    return _together(case, _alone(case, span, own, stretch), stretch, span, startup, settled)


def at_the_end(answer: StationAnswer, span_s: float) -> float:
    """Return how long records wait at most at the end of a run that began empty (s).

    Near saturation a queue fills for longer than most runs take. As reflected Brownian motion its work has the variance
    2·W·(1 − ρ) a second, W the wait of the steady state; without its drift down it comes to sqrt(4·W·(1 − ρ)·T/π) on
    average after T (Abate and Whitt, "Transient behavior of regulated Brownian motion, I", Advances in Applied
    Probability 19, 1987, starting at the origin), and so at most to that.

    >>> round(at_the_end(StationAnswer(1.0, 1.0, 0.999, 999.0, 1000.0), 1000.0), 3)
    35.665
    """
    wait = answer.wait_s or 0.0
    return min(wait, math.sqrt(4 * wait * max(0.0, 1 - answer.utilisation) * span_s / math.pi))


def _inside(answers: dict[str, StationAnswer], wanted: dict[str, Wants]) -> float:
    """Return how many records wait and are served on average."""
    found = 0.0
    for name, answer in answers.items():
        wait = math.inf if answer.wait_s is None else answer.wait_s
        found += wanted[name].rate * wanted[name].servers * (wait + answer.service_time_s)
    return found


def _alone(
    case: Case, span: float, own: dict[str, tuple[Wants, float]], stretch: Mapping[str, float]
) -> dict[str, StationAnswer]:
    leaving: dict[str, Arrivals] = {}
    answers: dict[str, StationAnswer] = {}
    for name in case.order:
        wants, sleeping = own[name]
        time = wants.work * stretch[name] + sleeping
        profile = case.profiles[name]
        if case.scenario.circuit.station(name).role == "source":  # records wait for nobody there
            answers[name] = StationAnswer(
                time, profile.service.scv, min(rate_of(case, name, span) * time, 1.0), 0.0, time
            )
            leaving[name] = of_source(case, name, span)
            continue
        arrivals = merged([into(case, leaving[pipe.upstream], pipe) for pipe in case.inputs[name]])
        if time == 0:
            answers[name] = StationAnswer(0.0, 0.0, 0.0, 0.0, 0.0)
            leaving[name] = thinned(arrivals, case, name, span)
            continue
        asked = asked_of(case, name, arrivals, time, stretch[name])
        choice = choose(asked)
        waking = wake_s(case, name) * (1 - choice.queue.utilisation)  # a reader that slept must be woken first
        wait = choice.queue.wait
        late = _released(case, name, asked, choice, answers)
        total = wait + time + waking + late.late_s if wait is not None else None
        answers[name] = StationAnswer(
            time, profile.service.scv, asked.arrivals.rate * time / asked.servers, wait, total, asked, choice, late
        )
        gone = departures(asked, choice)
        if asked.servers < wants.servers:
            in_turn = case.partition(name) == "round-robin"
            gone = together_again(arrivals, asked, wants.servers) if in_turn else merged([gone] * wants.servers)
        leaving[name] = thinned(gone, case, name, span)
    return answers


def _released(case: Case, name: str, asked: Station, choice: Choice, before: dict[str, StationAnswer]) -> Released:
    """Return what serving whole chunks adds, for a station that was seen to do so."""
    profile = case.profiles[name]
    if profile.source != "fitted" or asked.servers > 1 or choice.queue.wait is None:
        return ALONE_AND_AT_ONCE
    apart = 1 if case.partition(name) == "copy" else case.servers[name]  # each server gets its part of what comes
    above = [(before[pipe.upstream].released, _part(case, pipe) / apart) for pipe in case.inputs[name]]
    return released(
        profile,
        wait_s=choice.queue.wait,
        service_s=asked.service_time,
        scv=asked.service_scv,
        utilisation=choice.queue.utilisation,
        came_together=max(1 + (one.together - 1) * part for one, part in above),
        came_variance=max(one.variance * part**2 for one, part in above),
    )


def _part(case: Case, pipe: Pipe) -> float:
    """Return how many records go into a pipe for each that its writer takes."""
    flow, circuit, name = case.flows[pipe.upstream], case.scenario.circuit, pipe.upstream
    part = shares(circuit, case.profiles[name], name)[pipe.label] if len(case.outputs[name]) > 1 else 1.0
    return part * (flow.records_out / flow.records_in if flow.records_in else 1.0)


def wants_of(case: Case, name: str, span: float) -> tuple[Wants, float]:
    """Return what a server wants of the host, and the time without a core that a record takes besides (s)."""
    size, records = moved(case.flows[name])
    service, servers = case.profiles[name].service, case.servers[name]
    sleeping = service.waiting_per_record + service.waiting_per_byte * size / max(records, 1)
    work = reading_demand(case.profiles[name], case.flows[name]) / max(records, 1) / case.host.speed_when(1.0)
    each = records / span / (1 if case.partition(name) == "copy" else servers)
    return Wants(each, work, servers), sleeping


def asked_of(case: Case, name: str, arrivals: Arrivals, time: float, stretch: float) -> Station:
    """Return the station as the models see it; servers with pipes of their own are so many stations of one server.

    Work that shares the cores takes a time that scatters less with its own demand and more with what others want: its
    scv is drawn to 1 by the part of the time that others take (processor sharing is insensitive to the demand's law).
    """
    service, servers = case.profiles[name].service, case.servers[name]
    scv, family = service.scv, service.distribution.family
    if stretch > ALONE and family != "exponential":
        scv, family = scv + (1 - scv) * crowded(stretch), "gamma"
    one = Station(arrivals, time, scv, family, 1, shared=stretch > ALONE, law=service.distribution)
    if servers == 1:
        return one
    if case.one_queue(name):
        return replace(one, servers=servers)
    match case.partition(name):
        case "copy":
            return one
        case "round-robin":
            return replace(one, arrivals=dealt(arrivals, servers))
        case "key":
            return replace(one, arrivals=drawn(arrivals, 1 / servers, "keys fall on the servers as if at random"))
    together = replace(arrivals, why="who is least loaded is asked before, not when a server falls idle")
    return replace(one, arrivals=together, servers=servers)


def wake_s(case: Case, name: str) -> float:
    """Return what it takes to wake a reader that sleeps (s): less on its writer's core, where both have only that."""
    near = case.host.cores == 1
    if case.placement is not None:
        own = case.placement.of(name).cores
        near = len(own) == 1 and all(case.placement.of(pipe.upstream).cores == own for pipe in case.inputs[name])
    return case.host.wake_near_s if near else case.host.wake_far_s


def crowded(stretch: float) -> float:
    """Return the part of a station's time on the cores that others take from it: (stretch − 1) / stretch."""
    return (stretch - 1) / stretch


def _together(
    case: Case,
    answers: dict[str, StationAnswer],
    stretch: dict[str, float],
    span: float,
    startup: float,
    settled: Collection[str],
) -> OpenAnswer:
    path = _longest(case, answers)
    if overloaded := overloaded_in(answers):
        warnings = too_much(case, span, overloaded)
        return OpenAnswer(makespan=startup + span, saturated=True, stations=answers, path=path, warnings=warnings)
    mean = sum(answers[name].response_time_s or 0.0 for name in path)
    exact = all(choice.exact for name in path if (choice := answers[name].choice) is not None)
    together = (
        sum(crowded(stretch[name]) * (answers[name].response_time_s or 0.0) for name in path) / mean if mean else 0
    )
    chunked = any(answers[name].released.late_s > 0 for name in path)
    if chunked:
        variance = variance_along([_along(answers[name]) for name in path], correlation=together)
        p50, p95, p99 = gamma_quantiles(mean, variance, PERCENTILES)
    else:
        p50, p95, p99 = quantiles(_laws(answers, path), PERCENTILES, correlation=together)
    at_end = {name: at_the_end(answers[name], span) for name in path if name not in settled}
    early = [name for name in at_end if at_end[name] < UNSETTLED * (answers[name].wait_s or 0.0)]
    drained = sum(  # what waits at the end, and so what leaves with it, is so much less than in the steady state
        ((answers[name].wait_s or 0.0) + answers[name].released.late_s)
        * (1 - at_end[name] / (answers[name].wait_s or 1.0))
        for name in early
    )
    return OpenAnswer(
        makespan=startup + span + mean - drained,
        saturated=False,
        stations=answers,
        path=path,
        response_mean_s=mean,
        response_quantiles_s=(p50, p95, p99),
        exact=exact and not any(wake_s(case, name) for name in path),
        notes=(
            "waits: every station by itself, by the most exact model that it allows (--explain says which)",
            "response-time quantiles: "
            + (
                "a gamma law; records that leave one station together wait together at the next"
                if chunked
                else "the times at the stations of a path, as if independent"
            )
            + (", but for the cores that they share" if together and not chunked else ""),
        ),
        warnings=tuple(
            f"the run ends before {name!r} comes to its steady state: at its end records wait at most "
            f"{format_seconds(at_end[name])} there; waits and response times are those of a run without end"
            for name in early
        ),
    )


def overloaded_in(answers: dict[str, StationAnswer]) -> dict[str, float]:
    """Return the stations that have no steady state, and which part of what comes to them they could carry."""
    return {
        name: one.choice.queue.largest_rate / one.asked.arrivals.rate
        for name, one in answers.items()
        if one.response_time_s is None and one.choice is not None and one.asked is not None
    }


def _longest(case: Case, answers: dict[str, StationAnswer]) -> tuple[str, ...]:
    """Return the path from a start to an end that takes longest on average."""
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name in case.order:
        above = max((best[pipe.upstream] for pipe in case.inputs[name]), default=(0.0, ()))
        best[name] = above[0] + (answers[name].response_time_s or 0.0), (*above[1], name)
    return max(best[name] for name in case.order if not case.outputs[name])[1]


def _along(answer: StationAnswer) -> Along:
    """Return a station of a path with the deviation of the time there."""
    release = answer.released
    if not release.deviation_s:
        law = answer.choice.law if answer.choice is not None else None
        law = law or Law(answer.service_time_s, answer.service_scv)
        release = release._replace(deviation_s=math.sqrt(max(0.0, law.variance)))
    return Along(release, answer.service_time_s, min(answer.utilisation, NEARLY))


def _laws(answers: dict[str, StationAnswer], path: tuple[str, ...]) -> list[Law]:
    """Return the law of the time at each station of a path, waking up included."""
    laws = []
    for name in path:
        answer = answers[name]
        law = answer.choice.law if answer.choice is not None else None
        if law is None:
            laws.append(Law(answer.service_time_s, answer.service_scv))
        else:
            laws.append(replace(law, shift=max(0.0, (answer.response_time_s or 0.0) - law.mean)))
    return laws
