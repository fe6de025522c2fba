"""JSON-RPC 2.0 as its specification has it, and nothing that a client says ends a server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsim.errors import ControlError
from streamsim.real.control.rpc import BadParameters, NoMethod, answer, too_large


def call(name: str, given: dict[str, Any] | list[Any]) -> Any:
    if name == "subtract":
        left, right = given if isinstance(given, list) else (given["minuend"], given["subtrahend"])
        return left - right
    if name == "refuse":
        raise ControlError("not now")
    if name == "choosy":
        raise BadParameters("too few")
    if name == "broken":
        raise KeyError("x")
    raise NoMethod(f"no {name}")


def ask(text: str) -> Any:
    reply = answer(text.encode(), call)
    return json.loads(reply) if reply else None


# The examples of https://www.jsonrpc.org/specification, section 7.
@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (
            '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
            {"jsonrpc": "2.0", "result": 19, "id": 1},
        ),
        (
            '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
            {"jsonrpc": "2.0", "result": 19, "id": 3},
        ),
        ('{"jsonrpc": "2.0", "method": "subtract", "params": [1, 2]}', None),
        ('[{"jsonrpc": "2.0", "method": "subtract", "params": [1, 2]}]', None),
    ],
)
def test_the_examples_of_the_specification(request_: str, reply: Any) -> None:
    assert ask(request_) == reply


@pytest.mark.parametrize(
    ("request_", "code", "identity"),
    [
        ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', -32601, "1"),
        ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700, None),
        ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', -32600, None),
        ('{"jsonrpc": "2.0", "method": "subtract", "params": "bar", "id": 7}', -32600, 7),
        ('{"jsonrpc": "1.0", "method": "subtract", "id": 7}', -32600, 7),
        ("[]", -32600, None),
        ("1", -32600, None),
        ("[" * 10_000 + "]" * 10_000, -32700, None),
        ("{" * 100_000, -32700, None),
        ('{"jsonrpc": "2.0", "method": "refuse", "id": 1}', -32000, 1),
        ('{"jsonrpc": "2.0", "method": "choosy", "id": 1}', -32602, 1),
        ('{"jsonrpc": "2.0", "method": "broken", "id": 1}', -32001, 1),
        ("[" + ",".join(["1"] * 101) + "]", -32600, None),
        ("\xff", -32700, None),
    ],
)
def test_what_is_wrong_has_the_code_that_the_specification_gives_it(request_: str, code: int, identity: Any) -> None:
    reply = ask(request_)
    assert (reply["error"]["code"], reply["id"], reply["jsonrpc"]) == (code, identity, "2.0")
    assert reply["error"]["message"]


def test_a_batch_answers_each_in_its_place_and_no_notification() -> None:
    reply = ask(
        '[{"jsonrpc":"2.0","method":"subtract","params":[3,1],"id":1},{"jsonrpc":"2.0","method":"subtract",'
        '"params":[1,2]},1,{"jsonrpc":"2.0","method":"nope","id":2}]'
    )
    assert [(one["id"], one.get("result"), one.get("error", {}).get("code")) for one in reply] == [
        (1, 2, None),
        (None, None, -32600),
        (2, None, -32601),
    ]


@pytest.mark.parametrize("text", [b'"\xff"', b'{"\xff":1}', b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"divide"}'])
def test_a_text_that_is_no_utf8_is_no_json(text: bytes) -> None:
    reply = json.loads(answer(text, call))
    assert (reply["error"]["code"], reply["id"]) == (-32700, None)
    assert "not UTF-8" in reply["error"]["message"]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123 jsonrpcmethodidparams', max_size=200).map(str.encode))
def test_any_bytes_get_an_answer_or_none_and_never_an_exception(text: bytes) -> None:
    reply = answer(text, call)
    assert reply == b"" or json.loads(reply)


def test_an_answer_that_is_too_large_says_how_large_it_was() -> None:
    reply = json.loads(too_large(b'{"jsonrpc":"2.0","method":"state","id":9}', 200_000, 131_072))
    assert reply["id"] == 9
    assert "200000 bytes" in reply["error"]["message"]
