"""The examples of every operator, from its documentation, and records that suit it."""

from __future__ import annotations

import gzip
import tempfile
from typing import Any

import pytest

from streamsim import operators

DIRECTORY = tempfile.TemporaryDirectory(prefix="streamsim-examples-")
RECORDS = b"".join(b"%d,%d,%s\n" % (number % 7, number, b"JFK" if number % 3 else b"") for number in range(200))
NEEDS_A_FILE: dict[str, list[dict[str, Any]]] = {
    "tail": [{"path": f"{DIRECTORY.name}/tail", "idle": 0}],
    "tee": [{"file": f"{DIRECTORY.name}/tee"}],
}
BYTES_OF_NO_RECORDS = ("compress", "decompress", "convert")
"""What goes in or comes out of these are no lines."""


def examples(name: str) -> tuple[dict[str, Any], ...]:
    """Return the parameters of an operator's examples."""
    return tuple(NEEDS_A_FILE.get(name, ())) or operators.describe(name).examples or ({},)


def cases(*, source: bool) -> list[Any]:
    """Return the name and parameters of each example as a case for pytest."""
    return [
        pytest.param(name, parameters, id=f"{name}-{place}")
        for name in operators.names()
        if operators.describe(name).traits.source == source
        for place, parameters in enumerate(examples(name))
    ]


def records_for(name: str, parameters: dict[str, Any]) -> bytes:
    """Return 200 records that this example can read."""
    if name == "decompress":
        return gzip.compress(RECORDS[:900], mtime=0) + gzip.compress(RECORDS[900:], mtime=0)
    if name == "parse" and parameters["from"] == "json":
        return b"".join(b'{"user": {"name": "n%d"}, "bytes": %d}\n' % (number % 5, number) for number in range(200))
    if name == "parse" and parameters["from"] == "pairs":
        return b"".join(b'level=l%d msg="all %d well"\n' % (number % 3, number) for number in range(200))
    if name == "parse":
        return b"".join(b'host%d - - "GET /%d"\n' % (number % 3, number) for number in range(200))
    if name == "convert":
        return b"".join(b"k%d,%d\n" % (number % 9, number) for number in range(200))
    if name in ("time-window", "join"):
        return b"".join(b"%d,k%d,%d\n" % (number // 3, number % 2, number) for number in range(200))
    return RECORDS
