"""The API of a server: which methods it has, what they take and give, and the document that says so.

Everything comes from type hints and docstrings: methods marked `control` can be called, methods marked `readable`
(without parameters) are the state. The document is OpenRPC 1.3.2, https://spec.open-rpc.org.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from time import thread_time
from typing import Any

import msgspec

from streamsim.errors import nearest
from streamsim.real.control.basics import marked, readings
from streamsim.real.control.rpc import BadParameters, NoMethod

DISCOVER = "rpc.discover"
VERSION = "1"
"""Of the common methods."""
_LONGEST = 60
"""Characters that are shown of a parameter that does not fit."""


class Method:
    """A method that can be called: its parameters are checked against its type hints.

    It is called of what ``owner`` returns then, which is of the kind that ``function`` was taken from.
    """

    def __init__(self, owner: Callable[[], object], function: Callable[..., Any], returns: Any = None) -> None:
        hints = typing.get_type_hints(function, localns={"Any": Any})  # basics.py loads no typing
        self.name = function.__name__
        self._owner = owner
        self.doc = inspect.getdoc(function) or ""
        self.returns = returns or hints.get("return", Any)
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
        self.rest = False
        for name, parameter in inspect.signature(function).parameters.items():
            hint = hints.get(name, Any)
            if parameter.kind is parameter.VAR_KEYWORD:
                self.rest = True
            elif parameter.default is parameter.empty:
                fields.append((name, hint))
            else:
                fields.append((name, hint, parameter.default))
        self.demanding = any(len(field) == 2 for field in fields)
        """Whether it cannot be called without parameters."""
        self.names = tuple(field[0] for field in fields)
        self.parameters = msgspec.defstruct(f"{self.name}_parameters", fields, forbid_unknown_fields=not self.rest)

    def named(self, given: dict[str, Any] | list[Any]) -> dict[str, Any]:
        """Return parameters by name that were given by name or by position."""
        return given if isinstance(given, dict) else dict(zip(self.names, given, strict=False))

    def call(self, given: dict[str, Any] | list[Any]) -> Any:
        """Call it with parameters by name or by position; raises `BadParameters` where they do not fit."""
        function = getattr(self._owner(), self.name)
        return function(**self.checked(given)) if given or self.demanding else function()

    def checked(self, given: dict[str, Any] | list[Any]) -> dict[str, Any]:
        """Return the arguments for its function; raises `BadParameters` where the parameters do not fit."""
        if isinstance(given, list) and len(given) > len(self.names):
            raise BadParameters(f"{self.name} takes {len(self.names)} parameters, not {len(given)}")
        given = self.named(given)
        for name in () if self.rest else given:
            if name not in self.names:
                takes = f"it takes {', '.join(self.names)}" if self.names else "it takes none"
                raise BadParameters(f"{self.name}: there is no parameter {name!r}{nearest(name, self.names)} ({takes})")
        try:
            checked = msgspec.convert(given, self.parameters)
        except msgspec.ValidationError as error:
            raise BadParameters(f"{self.name}: {_what_is_wrong(error, given)}") from None
        rest = {key: value for key, value in given.items() if key not in self.names} if self.rest else {}
        return {name: getattr(checked, name) for name in self.names} | rest


class Api:
    """The methods of a server.

    ``common`` has the methods that all servers have; ``operator`` returns the operator of the moment, whose `control`
    methods come beside them and whose `readable` methods are the fields of what ``state`` answers. ``description``:
    what the document says of it all; empty: what the operator says of itself. ``done`` is told of every call that
    succeeded, and of the core-seconds that it took.
    """

    def __init__(
        self,
        title: str,
        common: object,
        operator: Callable[[], object],
        description: str = "",
        done: Callable[[str, dict[str, Any], float], None] | None = None,
    ) -> None:
        self.title, self._description, self._done = title, description, done
        self._operator = operator
        self._of: type | None = None
        self._common = common
        self._methods: dict[str, Method] = {}
        self._document: dict[str, Any] | None = None

    @property
    def methods(self) -> dict[str, Method]:
        """The methods by name; made anew when the operator has been replaced by one of another kind."""
        operator = self._operator()
        if self._of is not type(operator):
            self._of, self._document = type(operator), None
            fields = [(name, _returned(method)) for name, method in readings(operator).items()]
            state = msgspec.defstruct("State", fields)
            self._methods = {}
            owners: tuple[Callable[[], object], ...] = (lambda: self._common, self._operator)
            for owner in owners:
                for function in marked(owner(), "__control__").values():
                    method = Method(owner, function, state if function.__name__ == "state" else None)
                    self._methods.setdefault(method.name, method)
        return self._methods

    def names(self) -> tuple[str, ...]:
        """Return which methods there are."""
        return tuple(self.methods)

    def call(self, name: str, given: dict[str, Any] | list[Any]) -> Any:
        """Call a method; raises `NoMethod`, `BadParameters`, or what the method raises."""
        if name == DISCOVER:
            return self.document()
        since = thread_time()
        method = self.methods.get(name)
        if method is None:
            raise NoMethod(f"there is no method {name!r}{nearest(name, self.methods)} ({DISCOVER} lists them)")
        result = method.call(given)
        if self._done is not None:
            self._done(name, method.named(given), thread_time() - since)
        return result

    def document(self) -> dict[str, Any]:
        """Return the OpenRPC document of the API; the same object until an operator of another kind is there."""
        methods = list(self.methods.values())
        if self._document is None:
            self._document = self._described(methods)
        return self._document

    def _about(self) -> str:
        return self._description or inspect.cleandoc(self._of.__doc__ or "")

    def _described(self, methods: list[Method]) -> dict[str, Any]:
        types = [method.parameters for method in methods] + [method.returns for method in methods]
        schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        described = []
        for number, method in enumerate(methods):
            shape = components.pop(method.parameters.__name__)
            required = shape.get("required", [])
            parameters = [
                {"name": name, "required": name in required, "schema": shape["properties"][name]}
                for name in method.names
            ]
            if method.rest:
                parameters.append({"name": "…", "required": False, "schema": True})
            described.append(
                {
                    "name": method.name,
                    "summary": method.doc.partition("\n")[0],
                    "description": method.doc,
                    "paramStructure": "by-name" if method.rest else "either",
                    "params": parameters,
                    "result": {"name": "result", "schema": schemas[len(methods) + number]},
                }
            )
        return {
            "openrpc": "1.3.2",
            "info": {"title": self.title, "description": self._about(), "version": VERSION},
            "methods": described,
            "components": {"schemas": components},
        }


def _what_is_wrong(error: msgspec.ValidationError, given: dict[str, Any]) -> str:
    """Return the place, the reason and what stood there.

    >>> _what_is_wrong(msgspec.ValidationError("Expected `int`, got `str` - at `$.cores[1]`"), {"cores": [0, "a"]})
    "cores[1]: Expected `int`, got `str` (it is [0, 'a'])"
    """
    reason, _, place = str(error).partition(" - at `$.")
    if not place:
        return reason
    place = place.rstrip("`")
    shown = repr(given.get(re.split(r"[.\[]", place)[0]))
    return f"{place}: {reason} (it is {shown if len(shown) <= _LONGEST else f'{shown[:_LONGEST]}…'})"


def _returned(method: Callable[..., Any]) -> Any:
    return typing.get_type_hints(method).get("return", Any)
