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
_MOST_BYTES, _MOST_SEEN = 1000, 16

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
        self._seen: dict[tuple[bytes, bytes], Any] = {}
        """What requests that have been answered ask for, by what stands before and behind the number in them."""

    def answer(self, line: bytes) -> bytes | None:
        """Return the answer to a request; None where it is not one of those."""
        if len(line) > _MOST_BYTES:
            return None
        before, _, rest = line.partition(b'"id":')
        number, _, behind = rest.partition(b",")
        method = self._seen.get((before, behind))
        if method is None or not (number.isdigit() and (number[:1] != b"0" or number == b"0")):
            found = _plain(line)
            if found is None:
                return None
            identity, name = found
            method = getattr(self._basics, name)
            number = b"%d" % identity
            alike = b'%s"id":%s,%s' % (before, number, behind) == line and line.count(b"id") == 1 and b"\\" not in line
            if alike and len(self._seen) < _MOST_SEEN:
                self._seen[before, behind] = method
        try:
            result = "".join(_encode(method(), 0))
        except Exception:  # the whole API says what is wrong
            return None
        return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (number, result.encode())


def _plain(line: bytes) -> tuple[int, str] | None:
    """Return number and method of a request, if it is one of those that are answered here."""
    try:
        request = parse(line.decode())
    except (ValueError, RecursionError):  # also of UTF-8
        return None
    if not isinstance(request, dict) or request.keys() - {"jsonrpc", "id", "method", "params"}:
        return None
    identity: Any = request.get("id")
    fits = type(identity) is int and request.get("jsonrpc") == "2.0" and request.get("params", {}) in ({}, [])
    name: Any = request.get("method")
    return (identity, name) if fits and name in METHODS else None
