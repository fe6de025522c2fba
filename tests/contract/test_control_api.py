"""The API that every operator publishes: a valid OpenRPC document, methods that keep to it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import msgspec
import pytest

from streamsim import operators
from streamsim.errors import ScenarioError, StreamsimError
from streamsim.operators.base import Operator, control, readable
from streamsim.real.control.api import Api, readings
from streamsim.real.control.faculties import AMONG_SERVERS, Faculties, make_api
from streamsim.real.control.rpc import BadParameters, NoMethod
from streamsim.real.control.runs import ServerEntry
from streamsim.real.control.tools import System

META = json.loads((Path(__file__).parents[1] / "data" / "openrpc-meta-schema.json").read_text())
COMMON = {"state", "metrics", "parameters", "set", "pause", "resume", "drain", "snapshot", "restore", "swap", "at"}


def api_of(name: str, parameters: dict[str, Any] | None = None) -> tuple[Api, Any]:
    spec = {"operator": name, "name": name, "format": "lines"}
    endpoint = SimpleNamespace(requests=0, api=None)
    attention: Any = SimpleNamespace(
        spec=spec,
        paused=False,
        bytes_in=0,
        bytes_out=0,
        chunks=0,
        unwritten=0,
        appointments=[],
        endpoint=endpoint,
        started=0.0,
    )
    holder = SimpleNamespace(operator=operators.create(name, parameters or first_parameters(name)))
    endpoint.api = make_api(attention, holder)
    return endpoint.api, holder


def makeable(name: str) -> bool:
    """Whether an operator can be made from the first example of its documentation, or from nothing."""
    try:
        operators.create(name, first_parameters(name))
    except ScenarioError:
        return False
    return True


def first_parameters(name: str) -> dict[str, Any]:
    examples = operators.describe(name).examples
    return examples[0] if examples else {}


MADE = [name for name in operators.names() if makeable(name)]


def test_nearly_every_operator_can_be_made_from_its_documentation() -> None:
    assert len(operators.names()) - len(MADE) <= 2, set(operators.names()) - set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_every_operator_publishes_a_valid_openrpc_document(name: str) -> None:
    api, _ = api_of(name)
    document = json.loads(json.dumps(api.document()))
    jsonschema.Draft7Validator(META).validate(document)
    methods = {method["name"]: method for method in document["methods"]}
    assert set(methods) >= COMMON and not set(methods) & AMONG_SERVERS
    assert {one["name"] for one in methods["set"]["params"]} == set(operators.adjustable(name))
    assert all(method["summary"].endswith(".") for method in methods.values())
    state = document["components"]["schemas"]["State"]
    assert set(state["properties"]) == set(readings(operators.create(name, first_parameters(name))))


@pytest.mark.parametrize("name", MADE)
def test_answers_are_what_the_document_says(name: str) -> None:
    api, _ = api_of(name)
    document = api.document()
    for method in document["methods"]:
        if method["name"] in ("state", "metrics", "parameters", "adjustable"):
            schema = {**method["result"]["schema"], "components": document["components"]}
            answer = json.loads(msgspec.json.encode(api.call(method["name"], {})))
            jsonschema.Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize("name", MADE)
def test_what_an_operator_has_can_be_set_as_the_document_says(name: str) -> None:
    api, _ = api_of(name)
    values = api.call("parameters", {})
    for one in next(method for method in api.document()["methods"] if method["name"] == "set")["params"]:
        if values[one["name"]] is not None:
            value = json.loads(msgspec.json.encode(values[one["name"]]))
            jsonschema.Draft202012Validator(one["schema"]).validate(value)


def test_what_the_system_offers_for_a_command_is_a_valid_document_too() -> None:
    entry = ServerEntry(name="sort", kind="command", program="sort", pid=1, started="1")
    document = Api("sort", System(entry), lambda: System(entry)).document()
    jsonschema.Draft7Validator(META).validate(json.loads(json.dumps(document)))
    assert "cpu_s" in document["components"]["schemas"]["Usage"]["properties"]


def test_the_meta_schema_refuses_a_document_without_methods() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(META).validate({"openrpc": "1.3.2", "info": {"title": "x", "version": "1"}})


class Dial(Operator):
    """Pass on; has a dial."""

    level = 1

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        return chunk

    @readable
    def position(self) -> int:
        """Where the dial is."""
        return self.level

    @control
    def turn(self, by: int, quickly: bool = False) -> int:
        """Turn the dial."""
        self.level += by * (2 if quickly else 1)
        return self.level


def test_an_operators_own_methods_stand_beside_the_common_ones_and_are_checked() -> None:
    dial = Dial({}, operators.create("copy").codec)
    api = Api("dial", object(), lambda: dial)
    assert api.call("turn", {"by": 2}) == 3
    assert api.call("turn", [1, True]) == 5
    for wrong in ({}, {"by": "2"}, {"by": 1.5}, {"by": 1, "extra": 2}, [1, False, 3], {"by": None}):
        with pytest.raises(BadParameters):
            api.call("turn", wrong)  # type: ignore[arg-type]
    with pytest.raises(NoMethod, match="did you mean 'turn'"):
        api.call("turm", {})
    assert dial.level == 5


def test_methods_and_document_are_those_of_the_operator_that_is_there() -> None:
    codec = operators.create("copy").codec
    there: list[object] = [Dial({}, codec)]
    api = Api("dial", object(), lambda: there[0])
    assert api.call("turn", {"by": 2}) == 3
    there[0] = Dial({}, codec)
    assert api.call("turn", {"by": 3}) == 4  # of the other dial
    assert api.document()["info"]["description"] == "Pass on; has a dial."
    there[0] = operators.create("filter", {"where": "len(record) > 3"})
    assert "turn" not in api.names()
    assert api.document()["info"]["description"].startswith("Keep the records")


def test_no_operator_has_a_method_named_as_a_common_one() -> None:
    common = {name for name in vars(Faculties) if not name.startswith("_")}
    for name in operators.names():
        own = {
            key
            for kind in operators.find(name).__mro__
            for key, value in vars(kind).items()
            if getattr(value, "__control__", False)
        }
        assert not own & common, name


def test_parameters_change_all_or_not_at_all() -> None:
    api, holder = api_of("filter", {"where": "len(record) > 3"})
    before = holder.operator
    for wrong in ({"where": "len("}, {"where": "record == 'x'", "delimitter": ";"}, {"where": 3}):
        with pytest.raises(StreamsimError):
            api.call("set", wrong)
        assert holder.operator is before
    assert api.call("set", {"where": "len(record) > 1"})["where"] == "len(record) > 1"
    assert holder.operator.run(b"ab\na\n") == b"ab\n"
