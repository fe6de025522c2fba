r"""A little HTTP/1.1 for whoever says ``curl --unix-socket``: requests found in bytes, answers written as bytes.

>>> request = taken(b"POST /rpc HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET")
>>> request.path, request.body, request.rest
(b'/rpc', b'{}', b'GET')
>>> taken(b"GET /rpc HTTP/1.1\r\n") is None  # the rest has not come yet
True
"""

from __future__ import annotations

from typing import NamedTuple

from streamsim.real.control.endpoint import MOST_BYTES

_MOST_HEADER = 8192


class Request(NamedTuple):
    """One request; ``keep``: whether others may follow it, of which ``rest`` is the beginning."""

    method: bytes
    path: bytes
    body: bytes
    rest: bytes
    keep: bool


class Refused(Exception):
    """What came is no request that is answered; ``status`` says so."""

    def __init__(self, status: bytes) -> None:
        self.status = status


def taken(buffer: bytes) -> Request | None:
    """Return the first request of what has come; None where it has not come whole. Raises Refused."""
    head, mark, body = buffer.partition(b"\r\n\r\n")
    if not mark:
        if len(head) > _MOST_HEADER or (b"\n" in head and b" HTTP/1." not in head.partition(b"\n")[0]):
            raise Refused(b"400 Bad Request")
        return None
    first, *fields = head.split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Refused(b"400 Bad Request")
    length: int | None = None
    keep = words[2] == b"HTTP/1.1"
    for field in fields:
        name, _, value = field.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-length":
            if not value.isdigit() or len(value) > 12 or length not in (None, int(value)):
                raise Refused(b"400 Bad Request")
            length = int(value)
        elif name == b"transfer-encoding":
            raise Refused(b"411 Length Required")
        elif name == b"connection" and value.lower() == b"close":
            keep = False
        elif name == b"origin":  # a web page's: no page has any business here
            raise Refused(b"403 Forbidden")
    length = length or 0
    if length > MOST_BYTES:
        raise Refused(b"413 Content Too Large")
    if len(body) < length:
        return None
    return Request(words[0], words[1], body[:length], body[length:], keep)


def written(status: bytes, body: bytes = b"") -> bytes:
    """Return an answer."""
    kind = b"Content-Type: application/json\r\n" if body else b""
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, kind, len(body), body)
