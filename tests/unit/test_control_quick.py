"""What is answered without a library is answered as the library would, whatever was answered before it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamsim.real.control.quick import Quick
from streamsim.real.control.rpc import NoMethod, answer

VALUES: dict[str, Any] = {"metrics": {"a": 1, "b": [None, True, 1.5]}, "state": {"text": 'é"\n'}, "parameters": {}}
BASICS = SimpleNamespace(**{name: (lambda value=value: value) for name, value in VALUES.items()})


def call(name: str, _: object) -> Any:
    if name not in VALUES:
        raise NoMethod(name)
    return VALUES[name]


NUMBERS = st.sampled_from(["0", "7", "12", "-1", "07", "1.0", "1e2", '"7"', "null", "[7]", " 7", "7 ", "9" * 30])
PARTS = {
    "jsonrpc": st.sampled_from(['"2.0"', '"1.0"', "2.0"]) | st.just('"2.0"'),
    "id": NUMBERS,
    "method": st.sampled_from(['"metrics"', '"state"', '"parameters"', '"pause"', "7", '["state"]']),
    "params": st.sampled_from(["{}", "[]", '{"x": 1}', "[1]", "null"]),
}


@st.composite
def requests(draw: st.DrawFn) -> str:
    """A request as somebody may write it: any order, spaces, what is missing, what is said twice."""
    names = draw(st.permutations(["jsonrpc", "id", "method"]))
    more = draw(st.lists(st.sampled_from([*PARTS, "more"]), max_size=2))
    colon, comma = draw(st.sampled_from([(":", ","), (": ", ", ")]))
    return "{" + comma.join(f'"{name}"{colon}{draw(PARTS.get(name, NUMBERS))}' for name in [*names, *more]) + "}"


@given(st.lists(requests(), min_size=1, max_size=12))
def test_an_answer_does_not_depend_on_what_was_asked_before(texts: list[str]) -> None:
    quick = Quick(BASICS)
    for text in texts:
        line = text.encode()
        if (found := quick.answer(line)) is not None:
            assert json.loads(found) == json.loads(answer(line, call))


def test_a_request_that_differs_by_its_number_alone_is_known_again() -> None:
    quick = Quick(BASICS)
    for number in (1, 2, 0, 10**12):
        found = quick.answer(b'{"jsonrpc":"2.0","id":%d,"method":"metrics"}' % number)
        assert found is not None
        assert json.loads(found) == {"jsonrpc": "2.0", "id": number, "result": VALUES["metrics"]}
    assert quick.answer(b'{"jsonrpc":"2.0","id":"x","method":"metrics"}') is None
    assert quick.answer(b'{"jsonrpc":"2.0","id":01,"method":"metrics"}') is None


def test_a_number_that_is_said_twice_is_read_as_json_has_it() -> None:
    quick = Quick(BASICS)
    for first, last in ((5, 5), (7, 5)):
        for name in ("id", "\\u0069d"):
            found = quick.answer(b'{"jsonrpc":"2.0","id":%d,"method":"state","%s":%d}' % (first, name.encode(), last))
            assert found is not None
            assert json.loads(found)["id"] == last
