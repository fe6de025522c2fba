"""Every model of queueing theory and dataflow that can be asked by its name, with the numbers of a circuit or without.

A prediction takes the models that its scenario's assumptions allow. What a scenario cannot say (vacations, a number of
places, classes of records, think times) is asked here: `ask("M/M/c/K", {"arrival_rate": 3, …})`.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streamsim.analysis.queueing import Queue, models
from streamsim.errors import ModelError, nearest
from streamsim.units import parse_rate, parse_seconds

_QUEUEING, _LINES = "streamsim.analysis.queueing", "streamsim.analysis.queueing.lines"
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
    "MAP/MAP/1": f"{_QUEUEING}.mapmap1:map_map_1",
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
    "finite network": f"{_LINES}:finite_network",
    "closed line": f"{_LINES}:closed_line",
    "network calculus": "streamsim.analysis.dataflow.calculus:line",
}
_SOLVED_BY = dict.fromkeys(("finite network", "closed line"), f"{_LINES}:solve_network")
"""Where a model only makes the question, what answers it; its other parameters are the model's too."""

_TIMES = ("time", "demand", "latenc", "wait", "delay", "residence", "longest", "shortest")
_RATES = ("rate", "throughput", "alone", "generator", "lost")
_SHARES = ("probabilit", "utilisation", "running", "blocked", "starved", "contention", "spread", "loss", "held")
_COUNTS = ("in_system", "in_queue", "in_pipe", "backlog", "burst")
_UNITS = ((_SHARES, "fraction"), (_COUNTS, "records"), (_TIMES, "s"), (_RATES, "/s"))
_ANSWERS = {"G/G/1 Kingman bound": "s", "traffic": "/s", "Erlang B": "fraction", "Erlang C": "fraction"}


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
    return _imported(_PLACES[name])


def _imported(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def parameters(name: str) -> dict[str, inspect.Parameter]:
    """Return what a model takes, in its order."""
    taken = dict(inspect.signature(find(name)).parameters)
    if name in _SOLVED_BY:
        _, *rest = inspect.signature(_imported(_SOLVED_BY[name])).parameters.values()
        taken |= {one.name: one for one in rest}
    return taken


def text(name: str) -> str:
    """Return what is said of a model: its docstring, and that of what solves it where it only makes the question.

    >>> text("Erlang B").partition(" ")[0], "most_states" in text("closed line")
    ('Return', True)
    """
    parts = [find(name), *([_imported(_SOLVED_BY[name])] if name in _SOLVED_BY else [])]
    return "\n\n".join(inspect.getdoc(part) or "" for part in parts)


def unit(name: str, place: str) -> str:
    """Return the unit of a number of a model's answer: "s", "/s", "fraction", "records", or "" for a plain number.

    Parameters
    ----------
    place : the names that lead to the number, joined by dots; "" where the number is the whole answer.

    >>> unit("M/M/1", "wait"), unit("Jackson", "stations.throughput"), unit("M/M/1", "exact"), unit("Erlang B", "")
    ('s', '/s', '', 'fraction')
    """
    last = place.rpartition(".")[2]
    return _unit(last) if last else _ANSWERS.get(name, "")


def _unit(name: str) -> str:
    return next((unit for words, unit in _UNITS if any(f"_{word}" in f"_{name}" for word in words)), "")


def ask(name: str, given: Mapping[str, Any]) -> Any:
    """Return what a model answers, as plain numbers, texts, lists and dicts.

    Parameters
    ----------
    given : by name; a time may be a text with its unit (``"5 ms"``), and a rate (``"3 records/s"``), in lists and
        dicts too.

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
    solve = _imported(_SOLVED_BY[name]) if name in _SOLVED_BY else None
    hints = (typing.get_type_hints(solve) if solve else {}) | typing.get_type_hints(model)
    taken = {}
    for key, value in given.items():
        try:
            taken[key] = msgspec.convert(_quantity(key, value), hints[key], strict=False)
        except (msgspec.ValidationError, ModelError, ValueError) as error:
            raise ModelError(f"{name}: {key}: {error}") from None
    try:
        if solve is None:
            return _plain(model(**taken))
        own = inspect.signature(model).parameters
        question = model(**{key: value for key, value in taken.items() if key in own})
        return _plain(solve(question, **{key: value for key, value in taken.items() if key not in own}))
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise ModelError(f"{name}: cannot be computed for these numbers: {error}") from None


def _quantity(name: str, value: Any) -> Any:
    """Return a value with its unit taken off; ValueError where the unit does not fit what the name says."""
    if isinstance(value, list):
        return [_quantity(name, one) for one in value]
    if isinstance(value, dict):
        return {key: _quantity(key, one) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    if _unit(name) == "/s":
        rate = parse_rate(value)
        if rate.unit != "records":
            raise ValueError(f"{value!r} counts bytes, and records belong here, such as '2000 records/s'")
        return rate.per_second
    return parse_seconds(value) if _unit(name) == "s" else value


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
