"""The sections of a scenario file held against their types: what does not fit is refused with its place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from streamsim.errors import ScenarioError, nearest
from streamsim.sections import Section

S = TypeVar("S", bound=Section)


def table(document: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the named tables of one kind, such as all stations; an empty one where there are none."""
    value = document.get(kind, {})
    if not isinstance(value, dict):
        raise ScenarioError(f"{value!r} is not a table; write [{kind}.NAME]", path=kind)
    return value


def convert(value: Any, kind: type[S], path: str, *, open_ended: bool = False) -> tuple[S, dict[str, Any]]:
    """Check one section against its type; returns it and the keys that it does not know (where it may have some)."""
    if not isinstance(value, dict):
        raise ScenarioError(f"{value!r} is not a table of keys and values", path=path or None)
    known = _keys(kind)
    extra = {key: item for key, item in value.items() if key not in known}
    if extra and not open_ended:
        refuse_unknown(next(iter(extra)), kind, path)
    inner = _sections_in(kind)
    parts = {key: convert(value[key], inner[key], _join(path, key))[0] for key in value if key in inner}
    for key in known.intersection(value):
        if isinstance(value[key], float) and not math.isfinite(value[key]):
            raise ScenarioError(f"{value[key]!r} is not a finite number", path=_join(path, key))
    try:
        return msgspec.convert({key: value[key] for key in value if key in known} | parts, kind), extra
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$")
        inside = inside.rstrip("`").lstrip(".")
        if message.startswith("Invalid enum value") and (choices := _choices(kind, inside.split("."))):
            word = message.partition("'")[2].removesuffix("'")
            message = f"{word!r} is none of {', '.join(map(repr, choices))}{nearest(word, choices)}"
            raise ScenarioError(message, path=_join(path, inside)) from None
        found = value.get(inside.split(".")[0].split("[")[0]) if inside else None
        shown = f" (it is {found!r})" if found is not None else ""
        raise ScenarioError(f"{message}{shown}", path=_join(path, inside) or None) from None


def _choices(kind: Any, keys: Sequence[str]) -> list[str]:
    """Return the words that a key may have, or one further in, whose keys lead there."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return list(dict.fromkeys(_choices(get_type_hints(kind).get(keys[0]), keys[1:]))) if keys else []
    if get_origin(kind) is Literal:
        return [] if keys else list(get_args(kind))
    return [word for one in get_args(kind) for word in _choices(one, keys)]


def refuse_unknown(key: str, kind: type[Section], path: str, what: str = "key") -> NoReturn:
    """Raise the ScenarioError for a key that the section does not know."""
    known = [field.name for field in msgspec.structs.fields(kind)]
    raise ScenarioError(
        f"unknown {what}{nearest(key, known)} (known: {', '.join(sorted(known))})", path=_join(path, key)
    )


@cache
def _keys(kind: type[Section]) -> frozenset[str]:
    """Return the keys of a section; msgspec evaluates all annotations for each answer, which takes a millisecond."""
    return frozenset(field.name for field in msgspec.structs.fields(kind))


@cache
def _sections_in(kind: type[Section]) -> dict[str, type[Section]]:
    """Return the fields that are sections themselves, such as the pipe of a station."""
    hints = get_type_hints(kind)
    return {key: hint for key, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Section)}


def _join(path: str, inside: str) -> str:
    return ".".join(part for part in (path, inside) if part)


def quantity(parse: Any, value: Any, path: str) -> Any:
    """Read a quantity with its unit; None stays None; a wrong one is a ScenarioError at that path."""
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise ScenarioError(str(error), path=path) from None
