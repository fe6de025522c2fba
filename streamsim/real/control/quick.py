"""Answers to the plainest requests: what is asked most is answered before the libraries are loaded, which takes 100 ms.

Only requests that fit exactly are answered here; of any other nothing is said, and the whole API is made for it.
"""

from __future__ import annotations

from streamsim.real.control.basics import Basics
from streamsim.real.worker.spec import parse

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any

METHODS = ("metrics", "state", "parameters")
_MOST_BYTES = 1000

_json: Any = __import__("_json")  # the C half: the module around it costs a server 3 ms


def _refuse(value: Any) -> Any:
    raise TypeError(type(value).__name__)


_encode: Any = _json.make_encoder(None, _refuse, _json.encode_basestring, None, ":", ",", False, False, False)
"""Writes a value as JSON, in parts; raises TypeError for what only a library knows to write."""


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
            result = "".join(_encode(getattr(self._basics, request["method"])(), 0))
        except Exception:  # the whole API says what is wrong
            return None
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (identity, result.encode())
