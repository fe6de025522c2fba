"""What a server is told: one JSON object, see main.py."""

from __future__ import annotations

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any


class _Options:
    """What the decoder of `json` asks of its owner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


def _content(text: str) -> str:
    """Return the text itself, or for ``@PATH`` what that file holds: one argument may have 128 KiB (execve(2))."""
    if text[:1] != "@":
        return text
    with open(text[1:], "rb") as file:
        return file.read().decode()


try:
    _scan: Any = __import__("_json").make_scanner(_Options)
except ImportError:  # another Python
    _scan = None


def parse(text: str) -> Any:
    """Return what a JSON text says that begins with a bracket or brace; raises ValueError where it is none.

    >>> parse('[1, "a"]')
    [1, 'a']
    """
    if _scan is None:
        from json import loads

        return loads(text)
    try:
        value, end = _scan(text, 0)
    except (StopIteration, SystemError):  # without the other half of `json` the scanner has no error to raise
        raise ValueError("no JSON") from None
    if text[end:].strip():
        raise ValueError(f"{text[end:][:20]!r} behind the end")
    return value


def read_spec(text: str) -> dict[str, Any]:
    """Return the specification that a JSON text, or ``@PATH``, holds; raises ValueError where it is none.

    Uses the C half of `json`: importing all of it takes 12 ms, for `re` that it hardly uses.

    >>> read_spec('{"operator": "copy", "until_s": null}')
    {'operator': 'copy', 'until_s': None}
    """
    text = _content(text)
    spec = parse(text) if text[:1] == "{" else None
    if not isinstance(spec, dict) or "operator" not in spec:
        raise ValueError(f"{text[:60]!r} is not a JSON object with an operator")
    return spec
