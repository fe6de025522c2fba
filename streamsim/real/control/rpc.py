"""JSON-RPC 2.0: bytes of a request (or a batch) in, bytes of the reply out.

https://www.jsonrpc.org/specification; errors of our own are in its range for servers, -32000 to -32099.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streamsim.errors import CommandError, ScenarioError, StreamsimError

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMETERS = -32700, -32600, -32601, -32602
REFUSED = -32000
"""The method ran and said no: the message says why."""
FAILED = -32001
"""The method failed in a way that it should not."""

MOST_IN_BATCH = 100


class Request(msgspec.Struct):
    """One request; without an ``id`` it is a notification, which is never answered."""

    method: str
    jsonrpc: str = "2.0"
    id: int | float | str | msgspec.UnsetType | None = msgspec.UNSET
    params: dict[str, Any] | list[Any] = msgspec.field(default_factory=dict)


class BadParameters(CommandError):
    """The parameters do not fit the method."""


class NoMethod(CommandError):
    """There is no such method."""


_decode = msgspec.json.Decoder().decode
_decode_request = msgspec.json.Decoder(Request).decode
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def answer(text: bytes, call: Callable[[str, dict[str, Any] | list[Any]], Any]) -> bytes:
    r"""Answer one request or batch; empty where nothing is to be said (notifications).

    ``call`` is given the method and its parameters and returns the result, or raises `NoMethod`, `BadParameters`
    or any StreamsimError.

    >>> answer(b'{"jsonrpc": "2.0", "id": 1, "method": "double", "params": [4]}', lambda name, given: 2 * given[0])
    b'{"jsonrpc":"2.0","id":1,"result":8}'
    """
    try:
        request = _decode_request(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):  # a batch, or wrong: see which
        pass
    else:
        reply = _respond(request, call)
        return b"" if reply is None else _encode(reply)
    try:
        body = _decode(text)
    except RecursionError:  # the decoder minds the stack
        return _encode(_error(None, PARSE_ERROR, "nested too deeply"))
    except UnicodeDecodeError as error:
        return _encode(_error(None, PARSE_ERROR, f"not UTF-8: {error.reason}"))
    except msgspec.DecodeError as error:
        return _encode(_error(None, PARSE_ERROR, f"not JSON: {error}"))
    if not isinstance(body, list):
        reply = _answer_one(body, call)
        return b"" if reply is None else _encode(reply)
    if not body or len(body) > MOST_IN_BATCH:
        return _encode(_error(None, INVALID_REQUEST, f"a batch has 1 to {MOST_IN_BATCH} requests, not {len(body)}"))
    replies = [reply for item in body if (reply := _answer_one(item, call)) is not None]
    return _encode(replies) if replies else b""


def too_large(text: bytes, size: int, most: int) -> bytes:
    """Return the reply in place of one that has more bytes than a reply may have."""
    body = _decode(text)
    identity = body.get("id") if isinstance(body, dict) else None
    return _encode(_error(identity, REFUSED, f"the answer has {size} bytes, {most} are allowed; ask for a part of it"))


def _answer_one(body: Any, call: Callable[[str, dict[str, Any] | list[Any]], Any]) -> dict[str, Any] | None:
    try:
        request = msgspec.convert(body, Request)
    except msgspec.ValidationError as error:
        identity = body.get("id") if isinstance(body, dict) else None
        known = isinstance(identity, int | float | str) and not isinstance(identity, bool)
        return _error(identity if known else None, INVALID_REQUEST, str(error))
    return _respond(request, call)


def _respond(request: Request, call: Callable[[str, dict[str, Any] | list[Any]], Any]) -> dict[str, Any] | None:
    silent = request.id is msgspec.UNSET
    identity = None if silent else request.id
    if request.jsonrpc != "2.0":
        return _error(identity, INVALID_REQUEST, f"jsonrpc is '2.0', not {request.jsonrpc!r}")
    try:
        reply = {"jsonrpc": "2.0", "id": identity, "result": call(request.method, request.params)}
    except NoMethod as error:
        reply = _error(identity, NO_METHOD, str(error))
    except (CommandError, ScenarioError) as error:  # also: an operator that there is not, or its parameters
        reply = _error(identity, INVALID_PARAMETERS, str(error))
    except StreamsimError as error:
        reply = _error(identity, REFUSED, str(error))
    except Exception as error:  # a method's own fault must not end the server
        reply = _error(identity, FAILED, f"{type(error).__name__}: {error}")
    return None if silent else reply


def _error(identity: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}
