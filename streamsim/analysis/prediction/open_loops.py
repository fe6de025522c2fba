"""Loops under a load of their own: every station by itself, visited as often as records come round to it.

Where arrivals are Poisson, all service is exponential, records part as if at random and cores abound, what goes round
is no Poisson stream, and yet every station has as many records as if it were: Jackson's theorem (J. R. Jackson,
"Networks of waiting lines", Operations Research 5(4), 1957, p. 518). Otherwise that is an approximation, and said so.
"""

from __future__ import annotations

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.choice import Arrivals, choose
from streamsim.analysis.prediction.layers import stretches
from streamsim.analysis.prediction.loads import too_much
from streamsim.analysis.prediction.open_load import (
    OpenAnswer,
    StationAnswer,
    asked_of,
    overloaded_in,
    wake_s,
    wants_of,
)
from streamsim.analysis.prediction.streams import rate_of
from streamsim.traffic import shares

AS_IF_POISSON = "what goes round is taken for a Poisson stream"
NO_QUANTILES = "response-time quantiles: not known where records go round a different number of times"


def open_loops(case: Case, span: float, startup: float) -> OpenAnswer:
    """Return waits and the mean response time of a circuit with loops whose load can be carried.

    Parameters
    ----------
    span : how long the load lasts (s); `startup` what comes before it.
    """
    own = {name: wants_of(case, name, span) for name in case.order}
    wanted = {name: wants for name, (wants, _) in own.items()}
    stretch = stretches(wanted, max(case.host.available_cores, 1e-9), limits=case.limits)
    answers: dict[str, StationAnswer] = {}
    why = "" if _jackson(case) else AS_IF_POISSON
    for name in case.order:
        wants, sleeping = own[name]
        time, scv = wants.work * stretch[name] + sleeping, case.profiles[name].service.scv
        rate = rate_of(case, name, span)
        if time == 0 or not case.inputs[name]:
            answers[name] = StationAnswer(time, scv, min(rate * time, 1.0), 0.0, time)
            continue
        asked = asked_of(case, name, Arrivals(rate, 1.0, "poisson", why), time, stretch[name])
        choice = choose(asked)
        waking = wake_s(case, name) * (1 - choice.queue.utilisation)
        wait = choice.queue.wait
        total = wait + time + waking if wait is not None else None
        used = asked.arrivals.rate * time / asked.servers
        answers[name] = StationAnswer(time, scv, used, wait, total, asked, choice)
    return _together(case, answers, span, startup, exact=not why)


def _jackson(case: Case) -> bool:
    """Whether the circuit is a Jackson network."""
    loads = [load for load in case.scenario.loads.values() if load.open]
    working = [name for name in case.order if case.inputs[name] and rate_of(case, name, 1.0) and _works(case, name)]
    return (
        all(load.arrivals == "poisson" for load in loads)
        and all(case.profiles[name].service.distribution.family == "exponential" for name in working)
        and all(case.servers[name] == 1 or case.one_queue(name) for name in working)
        and all(_at_random(case, name) for name in case.order)
    )


def _works(case: Case, name: str) -> bool:
    wants, sleeping = wants_of(case, name, 1.0)
    return wants.work + sleeping > 0


def _at_random(case: Case, name: str) -> bool:
    """Whether each record that a station gives goes one way, drawn by itself: by key or by a port."""
    station, outputs = case.scenario.circuit.station(name), case.outputs[name]
    if len(outputs) > 1 and all(
        part == 1.0 for part in shares(case.scenario.circuit, case.profiles[name], name).values()
    ):
        return False
    return len(outputs) < 2 or bool(station.ports) or station.parameters.get("by") == "key"


def _together(case: Case, answers: dict[str, StationAnswer], span: float, startup: float, *, exact: bool) -> OpenAnswer:
    path = _longest(case, answers)
    rounds = {name for loop in case.scenario.circuit.loops() for name in loop}
    along = [*path, *(name for name in case.order if name in rounds and name not in path)]
    if overloaded := overloaded_in(answers):
        warnings = too_much(case, span, overloaded)
        return OpenAnswer(makespan=startup + span, saturated=True, stations=answers, path=path, warnings=warnings)
    mean = sum(_visits(case, name) * (answers[name].response_time_s or 0.0) for name in along)
    exact = exact and all(choice.exact for name in along if (choice := answers[name].choice) is not None)
    return OpenAnswer(
        makespan=startup + span + mean,
        saturated=False,
        stations=answers,
        path=path,
        response_mean_s=mean,
        exact=exact and not any(wake_s(case, name) for name in along),
        notes=("waits: every station by itself, visited as often as records come round to it", NO_QUANTILES),
    )


def _visits(case: Case, name: str) -> float:
    """Return how often a record comes to a station: in a loop, for each that comes into the loop from outside."""
    loop = next((loop for loop in case.scenario.circuit.loops() if name in loop), None)
    if loop is None:
        return 1.0
    circuit = case.scenario.circuit
    entering = 0.0
    for pipe in circuit.pipes:
        if pipe.downstream in loop and pipe.upstream not in loop:
            part = shares(circuit, case.profiles[pipe.upstream], pipe.upstream)[pipe.label]
            entering += case.flows[pipe.upstream].records_out * part
    return case.flows[name].records_in / entering if entering else 0.0


def _longest(case: Case, answers: dict[str, StationAnswer]) -> tuple[str, ...]:
    """Return the path from a start to an end, what leads back left out, that takes longest on average."""
    back = {pipe.label for pipe in case.scenario.circuit.feedback()}
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for name in case.order:
        above = max((best[pipe.upstream] for pipe in case.inputs[name] if pipe.label not in back), default=(0.0, ()))
        best[name] = above[0] + (answers[name].response_time_s or 0.0), (*above[1], name)
    ends = [name for name in case.order if not case.outputs[name]]
    return max((best[name] for name in ends), default=(0.0, case.order))[1]
