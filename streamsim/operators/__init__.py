"""The operators by name. One file an operator; this finds them, checks their parameters and makes them.

>>> create("sample", {"every": 2}).run(b"a\\nb\\nc\\nd\\n")
b'b\\nd\\n'
"""

from __future__ import annotations

import sys

from streamsim.formats import create as create_codec
from streamsim.formats import libraries as libraries_of_format
from streamsim.formats import require
from streamsim.formats.parameters import from_text as _from_text
from streamsim.formats.parameters import normal as _normal
from streamsim.operators._rejects import Rejects
from streamsim.operators._rejects import check_policy as check_policy
from streamsim.operators.base import MANY

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from streamsim.formats.parameters import Parameter
    from streamsim.operators.base import Base, Operator, Traits
    from streamsim.operators.source import Source

_HELPERS = ("base", "source")


class Description:
    """What people and planners want to know of an operator: ``summary`` is one line, ``doc`` all of it."""

    __slots__ = ("_module_doc", "doc", "name", "parameters", "summary", "traits")

    def __init__(self, name: str, kind: type[Base]) -> None:
        self.name = name
        self.doc = (kind.__doc__ or sys.modules[kind.__module__].__doc__ or "").strip()
        self.summary = self.doc.partition("\n")[0]
        self.parameters: tuple[Parameter, ...] = kind.parameters
        self.traits: Traits = kind.traits
        self._module_doc = sys.modules[kind.__module__].__doc__ or ""

    @property
    def examples(self) -> tuple[dict[str, Any], ...]:
        """The parameters of the examples in the documentation of its module, to copy from.

        >>> describe("sample").examples[0]
        {'every': 3}
        """
        import ast
        from contextlib import suppress
        from doctest import DocTestParser

        found = []
        for example in DocTestParser().get_examples(self._module_doc):
            for node in ast.walk(ast.parse(example.source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "create":
                    name, *parameters = node.args
                    with suppress(ValueError):  # its parameters are no literals: a temporary file, say
                        if ast.literal_eval(name) == self.name:
                            found.append(ast.literal_eval(parameters[0]) if parameters else {})
        return tuple(found)


def names() -> tuple[str, ...]:
    """Return the names of all built-in operators.

    >>> "filter" in names(), "base" in names()
    (True, False)
    """
    from pkgutil import iter_modules

    found = (module.name for module in iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in found if name not in _HELPERS and name[0] != "_"))


def find(name: str) -> type[Base]:
    """Return the class of an operator, importing its module only.

    ``name`` is a built-in operator's, or ``"package.module:Class"`` for your own. Raises ScenarioError with
    the nearest known name where there is none.

    >>> find("filter").traits.barrier
    False
    """
    if ":" in name:
        return _find_own(name)
    words = name.split("-")
    module = f"{__name__}.{'_'.join(words)}"
    try:
        if name in _HELPERS or not all(word.isalnum() and word.isascii() for word in words):
            raise ModuleNotFoundError(name=module)
        __import__(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        _refuse_unknown(name)
    found: type[Base] = getattr(sys.modules[module], "".join(word.title() for word in words))
    return found


def _find_own(name: str) -> type[Base]:
    from streamsim.operators.base import Operator
    from streamsim.operators.source import Source

    module, _, attribute = name.partition(":")
    try:
        __import__(module)
        found = getattr(sys.modules[module], attribute)
    except ModuleNotFoundError as error:
        absent = error.name == module.partition(".")[0]
        mend = f"; PYTHONPATH has to name the directory of {error.name}.py" if absent else ""
        _refuse(f"operator '{name}' cannot be imported: {error}{mend}")
    except (ImportError, AttributeError, ValueError) as error:
        _refuse(f"operator '{name}' cannot be imported: {error}")
    if not (isinstance(found, type) and issubclass(found, (Operator, Source))):
        _refuse(f"'{name}' is not an operator: it is no Operator or Source of streamsim.operators")
    return found


def _check_own(name: str, kind: type[Base]) -> None:
    """Refuse a class that could not be made: one with an ``__init__`` of other arguments, or with methods missing."""
    from inspect import signature  # for people, who wait for `check`; a server finds out by making it

    try:
        signature(kind).bind({}, None)
    except TypeError as error:
        _refuse(f"'{name}' cannot be made: {error}; its __init__ takes (self, values, codec)")
    missing = sorted(kind.__abstractmethods__)
    if missing:
        _refuse(f"'{name}' cannot be made: it has no {' and no '.join(missing)}")


def describe(name: str) -> Description:
    """Return the description of an operator; raises ScenarioError as `find` does.

    >>> [parameter.name for parameter in describe("sample").parameters]
    ['every', 'probability', 'seed']
    """
    return Description(name, find(name))


def normal(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter of an operator, as plain data that JSON can carry.

    Defaults are filled in, durations become seconds and sizes bytes. Raises ScenarioError whose path is
    ``operator`` or the name of the parameter that is wrong.

    >>> normal("work", {"service": "2 ms"})["service"]
    0.002
    """
    kind = find(name)
    values = _normal(f"operator '{name}'", kind.parameters, parameters)
    kind.verify(values)
    return values


def check(name: str, parameters: Mapping[str, Any], *, path: str | None = None, source: bool | None = None) -> None:
    """Raise ScenarioError where an operator is unknown or a parameter wrong; run nothing.

    ``path`` is where in the scenario the operator stands, such as ``stations.rank``: the error's path goes on
    from there. ``source`` says whether it must be a source, or must not be one.
    """
    from streamsim.errors import ScenarioError

    try:
        kind = find(name)
        is_source = kind.traits.source
        if source is not None and source != is_source:
            wrong = "is a source: place it in [sources.NAME]" if is_source else "is no source: it needs an input"
            _refuse(f"operator '{name}' {wrong}")
        require(kind.libraries(normal(name, parameters)), f"operator '{name}'")
        if ":" in name:
            _check_own(name, kind)
    except ScenarioError as error:
        inside = ".".join(part for part in (path, error.path) if part)
        raise ScenarioError(error.message, file=error.file, path=inside) from None


def adjustable(name: str) -> tuple[str, ...]:
    """Return the parameters that may change while it runs: those that it names, all of them where it has no state.

    >>> adjustable("sample"), adjustable("group")
    (('every', 'probability'), ())
    """
    return adjustable_of(find(name))


def adjustable_of(kind: type[Base]) -> tuple[str, ...]:
    """Return the parameters of an operator that may change while it runs."""
    if kind.adjustable is not None:
        return tuple(kind.adjustable)
    free = kind.traits.state == "none" and not kind.traits.source
    return tuple(parameter.name for parameter in kind.parameters) if free else ()


def takes_inputs(name: str, count: int) -> bool:
    """Return whether an operator can read so many inputs at once.

    >>> takes_inputs("interleave", 3), takes_inputs("copy", 2), takes_inputs("generate", 0)
    (True, False, True)
    """
    inputs = find(name).traits.inputs
    return count >= 1 if inputs == MANY else count == inputs


def from_text(name: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters written on a command line as values for `create`; raises as `normal` does.

    >>> from_text("sample", {"every": "10"})
    {'every': 10}
    """
    return _from_text(f"operator '{name}'", find(name).parameters, texts)


def output_format(
    name: str, parameters: Mapping[str, Any], format: str | Mapping[str, Any]
) -> str | dict[str, Any] | None:
    """Return the format of what an operator writes that works in this one; None where that are no records.

    >>> output_format("filter", {"where": "record"}, "csv"), output_format("convert", {"to": "frames"}, "csv")
    ('csv', {'name': 'frames'})
    >>> output_format("group", {"key": 1}, {"name": "rows", "columns": ["i8"]}), output_format("compress", {}, "lines")
    ('csv', None)
    """
    found = find(name).writes_format(normal(name, parameters), format)
    return found if found is None or isinstance(found, str) else dict(found)


def libraries(name: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules outside the standard library that an operator with these parameters imports.

    >>> libraries("dedup", {"capacity": 1000}), libraries("dedup", {})
    (('rbloom', 'xxhash'), ())
    """
    kind = find(name)
    return kind.libraries(normal(name, parameters))


def create(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    format: str | Mapping[str, Any] = "lines",
    *,
    on_error: str = "fail",
    dead_letter: int | None = None,
) -> Operator | Source:
    """Return an operator ready to work on a stream of that format; raises ScenarioError as `normal` does.

    ``on_error`` says what becomes of a record that it cannot work on: ``"fail"`` raises RunError, ``"skip"`` leaves it
    out, ``"dead-letter"`` writes it to the descriptor ``dead_letter``; ``rejects`` of the operator counts them.

    >>> create("filter", {"where": "int(record) > 1"}, on_error="skip").run(b"1\\nx\\n2\\n")
    b'2\\n'
    """
    values = normal(name, parameters or {})
    kind: Any = find(name)
    try:
        made: Operator | Source = kind(values, create_codec(format))
    except ModuleNotFoundError:
        require(kind.libraries(values), f"operator '{name}'")
        require(libraries_of_format(format), f"format {format!r}")
        raise
    if on_error != "fail" or dead_letter is not None:
        check_policy(on_error, dead_letter)
        made.rejects = Rejects(on_error, -1 if dead_letter is None else dead_letter)
    return made


def _refuse_unknown(name: str) -> NoReturn:
    from streamsim.errors import nearest

    _refuse(f"unknown operator '{name}'{nearest(name, names())} (streamsim operators lists them)")


def _refuse(message: str) -> NoReturn:
    from streamsim.errors import ScenarioError

    raise ScenarioError(message, path="operator")
