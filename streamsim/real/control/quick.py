"""Answers to the plainest requests: what is asked most is answered before the libraries are loaded, which takes 100 ms.

Only requests that fit exactly are answered here; of any other nothing is said, and the whole API is made for it.
"""

from __future__ import annotations

from math import isfinite

from streamsim.real.control.basics import Basics
from streamsim.real.worker.spec import parse

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any

METHODS = ("metrics", "state", "parameters")
_MOST_BYTES = 1000

_quoted: Any = __import__("_json").encode_basestring


class Quick:
    """Answers those requests for `METHODS` that have no parameters.

    >>> class Two:
    ...     metrics = staticmethod(lambda: {"a": [1, None, "x"]})
    >>> quick = Quick(Two())
    >>> quick.answer(b'{"jsonrpc": "2.0", "id": 1, "method": "metrics"}')
    b'{"jsonrpc":"2.0","id":1,"result":{"a":[1,null,"x"]}}'
    >>> quick.answer(b'{"jsonrpc": "2.0", "id": 1, "method": "pause"}') is None
    True
    """

    def __init__(self, basics: Basics | Any) -> None:
        self._basics = basics

    def answer(self, line: bytes) -> bytes | None:
        """Return the answer to a request; None where it is not one of those."""
        if len(line) > _MOST_BYTES:
            return None
        try:
            request = parse(line.decode())
        except (ValueError, RecursionError):  # also of UTF-8
            return None
        if not isinstance(request, dict) or request.keys() - {"jsonrpc", "id", "method", "params"}:
            return None
        identity: Any = request.get("id")
        fits = type(identity) is int and request.get("jsonrpc") == "2.0" and request.get("params", {}) in ({}, [])
        if not fits or request.get("method") not in METHODS:
            return None
        try:
            result = _encoded(getattr(self._basics, request["method"])())
        except Exception:  # the whole API says what is wrong
            return None
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (identity, result.encode())


def _encoded(value: Any) -> str:
    """Return a value as JSON; raises TypeError for what only a library knows to write."""
    kind = type(value)
    if kind is str:
        return str(_quoted(value))
    if kind is bool or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if kind is int or (kind is float and isfinite(value)):
        return repr(value)
    if kind is dict and all(type(key) is str for key in value):
        return "{" + ",".join([f"{_quoted(key)}:{_encoded(one)}" for key, one in value.items()]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([_encoded(one) for one in value]) + "]"
    raise TypeError(kind.__name__)
