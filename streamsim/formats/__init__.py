"""The formats by name: how a stream is cut into records. One file a format; this finds them.

>>> names()
('arrow', 'csv', 'frames', 'lines', 'msgpack', 'rows')
>>> create("lines").split(b"a\\nb\\n")
[b'a', b'b']
>>> create({"name": "rows", "width": 2}).split(b"abcd")
[b'ab', b'cd']
"""

from __future__ import annotations

import sys

from streamsim.formats.parameters import normal

TYPE_CHECKING = False  # see formats/parameters.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from streamsim.formats.base import Codec

_HELPERS = ("base", "parameters")


def names() -> tuple[str, ...]:
    """Return the names of all formats."""
    from pkgutil import iter_modules

    found = (module.name for module in iter_modules(__path__))
    return tuple(sorted(name for name in found if name not in _HELPERS and not name.startswith("_")))


def find(name: str) -> type[Codec]:
    """Return the codec class of a format; raises ScenarioError with the nearest name where there is none."""
    module = f"{__name__}.{name}"
    try:
        if name in _HELPERS or not name.isidentifier() or name.startswith("_"):
            raise ModuleNotFoundError(name=module)
        __import__(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        from streamsim.errors import ScenarioError, nearest

        known = names()
        message = f"unknown format '{name}'{nearest(name, known)} (formats are {', '.join(known)})"
        raise ScenarioError(message, path="format") from None
    found: type[Codec] = getattr(sys.modules[module], name.title())
    return found


def check(format: str | Mapping[str, Any], *, path: str = "format") -> None:
    """Raise ScenarioError, its path starting with ``path``, for an unknown format or a wrong option."""
    from streamsim.errors import ScenarioError

    try:
        kind, values = _chosen(format)
        require(libraries(format), f"format '{kind.name}'")
        kind(values)
    except ScenarioError as error:
        option = "" if error.path in (None, "format") else f".{error.path}"
        raise ScenarioError(error.message, path=f"{path}{option}") from None


def create(format: str | Mapping[str, Any] = "lines") -> Codec:
    """Return a codec; a format is a name, or a table of its ``name`` and options such as ``header = true``.

    Raises ScenarioError for an unknown format or option, or a wrong value.
    """
    kind, values = _chosen(format)
    return kind(values)


def libraries(format: str | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules outside the standard library that a format with these options imports.

    >>> libraries("lines")
    ()
    """
    kind, values = _chosen(format)
    return kind.libraries(values)


def require(modules: Iterable[str], owner: str) -> None:
    """Raise ScenarioError where a module is not installed; ``owner`` is who needs it. Imports none of them."""
    from importlib.util import find_spec

    for module in modules:
        if find_spec(module) is None:
            from streamsim.errors import ScenarioError

            raise ScenarioError(f"{owner} needs the library '{module}', which is not installed: pip install {module}")


def normal_format(format: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a format as a table of its name and the value of every option, as plain data that JSON can carry.

    >>> normal_format("csv")
    {'name': 'csv', 'header': False}
    """
    if not isinstance(format, str) and not hasattr(format, "keys"):
        raise TypeError
    kind, values = _chosen(format)
    return {"name": kind.name, **values}


def is_text(format: str | Mapping[str, Any]) -> bool:
    """Return whether any text can be a record of a format.

    >>> is_text("frames"), is_text("arrow")
    (True, False)
    """
    kind, values = _chosen(format)
    return kind.is_text(values)


def answer_format(format: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """Return the format of what operators write that make columns of their own from records of this one.

    >>> answer_format("frames"), answer_format({"name": "rows", "columns": ["i8"]})
    ('frames', 'csv')
    """
    kind, values = _chosen(format)
    return kind.answer_format(values) or format


def _chosen(format: str | Mapping[str, Any]) -> tuple[type[Codec], dict[str, Any]]:
    given = {"name": format} if isinstance(format, str) else dict(format)
    name = given.pop("name", "lines")
    if not isinstance(name, str):
        from streamsim.errors import ScenarioError

        raise ScenarioError(f"{name!r} is not the name of a format", path="name")
    kind = find(name)
    values = normal(f"format '{name}'", kind.parameters, given)
    kind.verify(values)
    return kind, values
