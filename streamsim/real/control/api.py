"""The API of a server: which methods it has, what they take and give, and the document that says so.

Everything comes from type hints and docstrings: methods marked `control` can be called, methods marked `readable`
(without parameters) are the state.
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
from streamsim.operators import adjustable_of
from streamsim.operators.base import Base
from streamsim.real.control import openrpc
from streamsim.real.control.answers import Metrics
from streamsim.real.control.basics import marked, readings
from streamsim.real.control.rpc import BadParameters, NoMethod

DISCOVER = "rpc.discover"
_LONGEST = 60
"""Characters that are shown of a parameter that does not fit."""


class Method:
    """A method that can be called: its parameters are checked against its type hints.

    It is called of what ``owner`` returns then, which is of the kind that ``function`` was taken from. ``returns`` and
    ``rest``: what it gives, and what it takes beside what it names, where the type hints do not say that.
    """

    def __init__(
        self,
        owner: Callable[[], object],
        function: Callable[..., Any],
        returns: Any = None,
        rest: type[msgspec.Struct] | None = None,
    ) -> None:
        hints = typing.get_type_hints(function, localns={"Any": Any, "Metrics": Metrics})  # basics.py loads no typing
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
        self.takes = rest if rest is not None and self.rest else self.parameters
        """What the document says that it takes."""
        self.among_servers = getattr(function, "__among_servers__", False)
        """Whether servers call it of each other, and nobody else does."""

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
    what the document says of it all; empty: what the operator says of itself. ``done`` is told of every call of
    somebody outside that succeeded, and of the core-seconds that it took.
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
            returns, rest = self._of_the_operator(operator)
            self._methods = {}
            owners: tuple[Callable[[], object], ...] = (lambda: self._common, self._operator)
            for owner in owners:
                for name, function in marked(owner(), "__control__").items():
                    self._methods.setdefault(name, Method(owner, function, returns.get(name), rest))
        return self._methods

    @staticmethod
    def _of_the_operator(operator: object) -> tuple[dict[str, Any], type[msgspec.Struct] | None]:
        """Return what the common methods give that depends on the operator, and what ``set`` takes."""
        fields = [(name, _returned(method)) for name, method in readings(operator).items()]
        returns = {"state": msgspec.defstruct("State", fields)}
        if not isinstance(operator, Base):
            return returns, None
        free = adjustable_of(type(operator))
        returns |= dict.fromkeys(("parameters", "set"), openrpc.values(operator.parameters))
        return returns, openrpc.settings(one for one in operator.parameters if one.name in free)

    def names(self) -> tuple[str, ...]:
        """Return which methods anybody may call."""
        return tuple(name for name, method in self.methods.items() if not method.among_servers)

    def call(self, name: str, given: dict[str, Any] | list[Any]) -> Any:
        """Call a method; raises `NoMethod`, `BadParameters`, or what the method raises."""
        if name == DISCOVER:
            return self.document()
        since = thread_time()
        method = self.methods.get(name)
        if method is None:
            raise NoMethod(f"there is no method {name!r}{nearest(name, self.methods)} ({DISCOVER} lists them)")
        result = method.call(given)
        if self._done is not None and not method.among_servers:
            self._done(name, method.named(given), thread_time() - since)
        return result

    def document(self) -> dict[str, Any]:
        """Return the OpenRPC document of the API; the same object until an operator of another kind is there."""
        methods = [method for method in self.methods.values() if not method.among_servers]
        if self._document is None:
            about = self._description or inspect.cleandoc(type(self._operator()).__doc__ or "")
            self._document = openrpc.document(self.title, about, methods)
        return self._document


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
