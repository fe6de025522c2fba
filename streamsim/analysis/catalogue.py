"""Every model of queueing theory and dataflow that can be asked by its name, with the numbers of a circuit or without.

A prediction takes the models that its scenario's assumptions allow. What a scenario cannot say (vacations, a number of
places, classes of records, think times) is asked here: `ask("M/M/c/K", {"arrival_rate": 3, …})`.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from streamsim.analysis.queueing import Queue, models
from streamsim.errors import ModelError, nearest
from streamsim.units import parse_rate, parse_seconds

_QUEUEING, _HERE = "streamsim.analysis.queueing", "streamsim.analysis.catalogue"
_PLACES = {
    "M^X/G/1": f"{_QUEUEING}.batch:batch_mg1",
    "M^X/M/1": f"{_QUEUEING}.batch:batch_mm1",
    "M/G/1 priorities": f"{_QUEUEING}.priority:nonpreemptive",
    "M/G/1 preemptive": f"{_QUEUEING}.priority:preemptive_resume",
    "M/G/1 vacations": f"{_QUEUEING}.vacation:multiple_vacations",
    "M/G/1 one vacation": f"{_QUEUEING}.vacation:single_vacation",
    "M/G/1 start-up": f"{_QUEUEING}.vacation:start_up",
    "M/M/1 transient": f"{_QUEUEING}.transient:mm1_transient",
    "G/G/1 Kingman bound": f"{_QUEUEING}.gg1:kingman_bound",
    "M/M/1 variance of a mean wait": f"{_QUEUEING}.mm1:wait_asymptotic_variance",
    "MAP/MAP/1": f"{_HERE}:map_map_1",
    "PH/PH/1 of phases": f"{_QUEUEING}.mapmap1:ph_ph_1_of",
    "M/M/c/K probabilities": f"{_QUEUEING}.mmck:mmck_probabilities",
    "departures by Marshall": f"{_QUEUEING}.flow:marshall_departure_scv",
    "Jackson by visits": f"{_QUEUEING}.jackson:visited_network",
    "normalising constants": f"{_QUEUEING}.convolution:normalising_constants",
    "phases of three moments": f"{_QUEUEING}.phase_type:fit_three_moments",
    "Erlang B": f"{_QUEUEING}.mmc:erlang_b",
    "Erlang C": f"{_QUEUEING}.mmc:erlang_c",
    "Jackson": f"{_QUEUEING}.jackson:jackson",
    "QNA": f"{_QUEUEING}.qna:qna",
    "traffic": f"{_QUEUEING}.visits:flow_rates",
    "visits": f"{_QUEUEING}.visits:closed_visits",
    "MVA": f"{_QUEUEING}.mva:mva",
    "MVA mixed": f"{_QUEUEING}.mva:mixed_mva",
    "convolution": f"{_QUEUEING}.convolution:convolution",
    "Schweitzer": f"{_QUEUEING}.amva:schweitzer",
    "linearizer": f"{_QUEUEING}.amva:linearizer",
    "asymptotic bounds": f"{_QUEUEING}.bounds:asymptotic_bounds",
    "balanced-job bounds": f"{_QUEUEING}.bounds:balanced_job_bounds",
    "geometric bounds": f"{_QUEUEING}.bounds:geometric_bounds",
    "fork-join": f"{_QUEUEING}.fork_join:fork_join",
    "split-merge": f"{_QUEUEING}.fork_join:split_merge",
    "Amdahl": f"{_QUEUEING}.scalability:amdahl",
    "scalability": f"{_QUEUEING}.scalability:fit_scaling",
    "two stations": f"{_QUEUEING}.tandem:two_stations",
    "saturated line": f"{_QUEUEING}.lines:saturated_line",
    "open line": f"{_QUEUEING}.lines:open_line",
    "finite network": f"{_HERE}:finite_network",
    "closed line": f"{_HERE}:closed_line",
    "network calculus": f"{_HERE}:network_calculus",
}


def names() -> tuple[str, ...]:
    """Return the names of all models.

    >>> "M/M/c/K" in names() and "finite network" in names()
    True
    """
    return (*models(), *_PLACES)


def find(name: str) -> Callable[..., Any]:
    """Return a model by its name.

    Raises ModelError with the nearest name where there is none.
    """
    if name in models():
        return models()[name]
    if name not in _PLACES:
        raise ModelError(f"there is no model {name!r}{nearest(name, names())} (streamsim model lists them)")
    module, _, function = _PLACES[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def parameters(name: str) -> dict[str, inspect.Parameter]:
    """Return what a model takes, in its order."""
    return dict(inspect.signature(find(name)).parameters)


def ask(name: str, given: Mapping[str, Any]) -> Any:
    """Return what a model answers, as plain numbers, texts, lists and dicts.

    Parameters
    ----------
    given : by name; a time may be a text with its unit (``"5 ms"``), and a rate (``"3 records/s"``), in lists too.

    Raises ModelError for a parameter that is unknown, missing or wrong, and where the model has no answer.

    >>> round(ask("M/M/1", {"arrival_rate": "800 records/s", "service_time": "1 ms"})["wait"], 9)
    0.004
    >>> ask("asymptotic bounds", {"population": 4, "demands": ["1 ms", "3 ms"]})["highest_throughput"]
    333.3333333333333
    """
    model, known = find(name), parameters(name)
    for key in given:
        if key not in known:
            raise ModelError(f"{name} has no parameter {key!r}{nearest(key, known)} (it has {', '.join(known)})")
    missing = [key for key, one in known.items() if one.default is inspect.Parameter.empty and key not in given]
    if missing:
        raise ModelError(f"{name} needs {', '.join(missing)} too (streamsim model {name!r} says what they are)")
    hints = typing.get_type_hints(model)
    taken = {}
    for key, value in given.items():
        try:
            taken[key] = msgspec.convert(_quantity(key, value), hints[key], strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            raise ModelError(f"{name}: {key}: {error}") from None
    try:
        return _plain(model(**taken))
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise ModelError(f"{name}: cannot be computed for these numbers: {error}") from None


def _quantity(name: str, value: Any) -> Any:
    """Return a value with its unit taken off."""
    if isinstance(value, list):
        return [_quantity(name, one) for one in value]
    if not isinstance(value, str):
        return value
    if "rate" in name:
        rate = parse_rate(value)
        return rate.per_second
    if "time" in name or name in ("demands", "latency"):
        return parse_seconds(value)
    return value


def _plain(answer: Any) -> Any:
    if isinstance(answer, Queue):
        found = msgspec.to_builtins(msgspec.structs.replace(answer, response_law=None))
        del found["response_law"]
        levels = {f"p{level:g}": answer.response_time_quantile(level / 100) for level in (50, 95, 99)}
        return found | {f"response_time_{key}": value for key, value in levels.items() if value is not None}
    if isinstance(answer, tuple | list):
        return [_plain(one) for one in answer]
    if isinstance(answer, dict):
        return {key: _plain(one) for key, one in answer.items()}
    found = msgspec.to_builtins(answer)
    return _plain(found) if isinstance(found, dict) else found


def map_map_1(
    hidden_arrivals: Sequence[Sequence[float]],
    visible_arrivals: Sequence[Sequence[float]],
    hidden_services: Sequence[Sequence[float]],
    visible_services: Sequence[Sequence[float]],
) -> Queue:
    """Solve the MAP/MAP/1 queue exactly: arrivals and services whose gaps depend on the one before.

    Parameters
    ----------
    hidden_arrivals, visible_arrivals : rates (1/s) between the phases, without and with an arrival; each row of both
        together adds up to 0. Likewise of the services.
    """
    from streamsim.analysis.queueing import mapmap1
    from streamsim.analysis.queueing.map_process import MarkovProcess

    def process(hidden: Sequence[Sequence[float]], visible: Sequence[Sequence[float]]) -> MarkovProcess:
        return MarkovProcess(tuple(map(tuple, hidden)), tuple(map(tuple, visible)))

    return mapmap1.map_map_1(process(hidden_arrivals, visible_arrivals), process(hidden_services, visible_services))


def finite_network(
    service_times: Sequence[float],
    places: Sequence[int],
    routing: Sequence[Sequence[float]],
    *,
    arrival_rates: Sequence[float] | None = None,
    saturated: Sequence[int] = (),
    population: int | None = None,
    service_scvs: Sequence[float] | None = None,
    blocking: Literal["after-service", "before-service", "repetitive"] = "after-service",
    method: Literal["best", "exact", "windows"] = "best",
) -> Any:
    """Answer splits and merges with finite places: by the exact chain, or by windows of a few neighbouring stations.

    Parameters
    ----------
    service_times : of each station (s); `places` those before it; `routing` the chance from each to each.
    arrival_rates : from outside (1/s); or `saturated` stations that never lack records; or a `population` that goes
        round.
    """
    from streamsim.analysis.queueing import lines

    network = lines.finite_network(
        service_times,
        places,
        routing,
        arrival_rates=arrival_rates,
        saturated=saturated,
        population=population,
        service_scvs=service_scvs,
        blocking=blocking,
    )
    return lines.solve_network(network, method=method)


def closed_line(
    service_times: Sequence[float],
    places: Sequence[int],
    population: int,
    *,
    service_scvs: Sequence[float] | None = None,
) -> Any:
    """Answer stations in a circle with finite places and so many records that go round, by the exact chain."""
    from streamsim.analysis.queueing import lines

    return lines.solve_network(lines.closed_line(service_times, places, population, service_scvs=service_scvs))


def network_calculus(
    burst: float, rate: float, service_rates: Sequence[float], latencies: Sequence[float] | None = None
) -> Any:
    """Bound delay (s) and backlog (records) of a line: a token bucket comes, each station serves so much at least.

    Parameters
    ----------
    burst, rate : at most burst + rate·t records come in any time t.
    service_rates, latencies : each serves at least rate·(t − latency) records in a busy time t.
    """
    from streamsim.analysis.dataflow.calculus import Bucket, Service, line

    late = latencies or [0.0] * len(service_rates)
    if len(late) != len(service_rates):
        raise ModelError(f"latencies: {len(late)} for {len(service_rates)} stations")
    return line(Bucket(burst, rate), [Service(*one) for one in zip(service_rates, late, strict=True)])
