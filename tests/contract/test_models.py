"""Every model of queueing theory and dataflow can be asked: by its name, or by the predictions that use it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import streamsim
from streamsim.analysis import catalogue
from streamsim.errors import ModelError

ROOT = Path(streamsim.__file__).parent
BY_FUNCTION = {"gm1"}
"""Taken with a function of Python; what it is for with named laws is asked by their names."""
THEORY = [ROOT / "analysis/queueing", ROOT / "analysis/dataflow"]


def module_of(path: Path) -> str:
    name = ".".join(("streamsim", *path.relative_to(ROOT).with_suffix("").parts))
    return name.removesuffix(".__init__")


def words(path: Path) -> set[str]:
    """Return every name that a file mentions but for what it defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found | {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_every_function_of_theory_is_asked_by_somebody() -> None:
    asked = {(catalogue.find(name).__module__, catalogue.find(name).__name__) for name in catalogue.names()}
    mentioned = {path: words(path) for path in ROOT.rglob("*.py")}
    alone = []
    for path in (file for folder in THEORY for file in folder.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.name in BY_FUNCTION:
                continue
            if (module_of(path), node.name) not in asked and not any(node.name in one for one in mentioned.values()):
                alone.append(f"{module_of(path)}.{node.name}")
    assert not alone, f"no verb reaches {', '.join(alone)}: name it in analysis/catalogue.py"


@pytest.mark.parametrize("name", catalogue.names())
def test_every_model_says_what_it_is(name: str) -> None:
    assert catalogue.find(name).__doc__
    assert catalogue.parameters(name)


@pytest.mark.parametrize(
    ("name", "given", "place", "right"),
    [
        # known_answers.json holds the models themselves; these say that a name and its units reach the right one
        # the longer of two exponential times has the moments 1.5 and 3.5
        ("M/M/1", {"arrival_rate": "800 records/s", "service_time": "1 ms"}, "response_time", 0.005),
        ("M/M/c/K", {"arrival_rate": 1, "service_time": 1, "servers": 1, "places": 1}, "probability_of_loss", 0.5),
        ("MVA", {"populations": [1], "demands": [["1 ms", "3 ms"]]}, "throughputs", [250.0]),
        ("Erlang B", {"servers": 1, "offered": 1.0}, "", 0.5),
        ("split-merge", {"arrival_rate": 0.1, "service_times": [1, 1]}, "response_time", 1.5 + 0.1 * 3.5 / 2 / 0.85),
        (
            "network calculus",
            {
                "arrivals": {"burst": 10, "rate": 2},
                "services": [{"rate": "4 records/s", "latency": "1 s"}, {"rate": 5, "latency": 1}],
            },
            "delay",
            4.5,
        ),
        (
            "departures by Marshall",
            {"arrival_rate": 0.5, "service_time": 1, "arrival_scv": 1, "service_scv": 1, "wait": "1 s"},
            "",
            1.0,
        ),
        ("closed line", {"service_times": [1, 1], "places": [1, 1], "population": 1}, "throughput", 0.5),
        (
            "MAP/MAP/1",
            {
                "arrivals": {"silent": [[-1]], "eventful": [[1]]},
                "services": {"silent": [[-2]], "eventful": [[2]]},
            },
            "response_time",
            1.0,
        ),
    ],
)
def test_a_model_is_asked_by_its_name(name: str, given: dict[str, object], place: str, right: object) -> None:
    found = catalogue.ask(name, given)
    assert (found[place] if place else found) == pytest.approx(right)
    json.dumps(found)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("M/M/q", {}, "there is no model 'M/M/q'; did you mean 'M/M/c'"),
        ("M/M/1", {"arrival_rate": 1}, "needs service_time too"),
        ("M/M/1", {"arrival_rate": 1, "service_tim": 1}, "did you mean 'service_time'"),
        ("M/M/1", {"arrival_rate": -1, "service_time": 1}, "at least 0"),
        ("M/M/1", {"arrival_rate": "fast", "service_time": 1}, "arrival_rate"),
        (
            "M/M/1",
            {"arrival_rate": "0.5 kB/s", "service_time": 1},
            "arrival_rate: '0.5 kB/s' counts bytes, and records",
        ),
        ("M/M/1", {"arrival_rate": 1, "service_time": "2 records/s"}, "durations are ns, us, ms"),
        ("M/M/c", {"arrival_rate": 1, "service_time": 1, "servers": "2 ms"}, "servers"),
        ("network calculus", {"arrivals": {"burst": 1}, "services": []}, "arrivals: .*`rate`"),
        (
            "MAP/MAP/1",
            {"arrivals": {"silent": [[1]], "eventful": [[1]]}, "services": {}},
            "MAP/MAP/1: arrivals: silent",
        ),
        ("M/M/c", {"arrival_rate": 1, "service_time": 1, "servers": 1.5}, "servers"),
        ("Jackson", {"arrival_rates": [1], "routing": [[1.5]], "service_times": [1]}, "1.5"),
        ("saturated line", {"service_times": [1] * 9, "waiting_places": [9] * 8, "method": "exact"}, "states"),
    ],
)
def test_what_a_model_cannot_answer_is_said(name: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        catalogue.ask(name, given)


@pytest.mark.parametrize(
    ("place", "unit"),
    [
        ("response_time_p99", "s"),
        ("output.rate", "/s"),
        ("probability_of_waiting", "fraction"),
        ("stations 1.in_system", "records"),
        ("saturated", ""),
        ("largest_scale", ""),
    ],
)
def test_a_number_of_an_answer_has_the_unit_that_its_name_says(place: str, unit: str) -> None:
    assert catalogue.unit("M/M/1", place) == unit


def test_what_solves_a_network_takes_its_own_parameters_from_who_asks() -> None:
    given = {"service_times": [1, 1], "places": [1, 2], "routing": [[0, 1], [0, 0]], "saturated": [0]}
    assert catalogue.ask("finite network", {**given, "method": "windows"})["method"].startswith("windows")
    with pytest.raises(ModelError, match="method"):
        catalogue.ask("finite network", {**given, "method": "guess"})
