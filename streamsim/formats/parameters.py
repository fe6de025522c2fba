"""Parameters of operators and formats: their names, what they take, and how a wrong one is refused.

Standard library only, and none of it at import: a server starts with this module.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: importing that would double the time a server takes to start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, NoReturn

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "text": "a text",
    "texts": "a list of texts",
    "delimiter": "a text of at least one character",
    "flag": "true or false",
    "seconds": "a duration such as '12 us', or seconds",
    "bytes": "a size such as '64 KiB', or bytes",
    "format": "a format: its name, or a table of its name and options",
}
"""What a parameter may be, and how messages say it."""


FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""How a flag is written as a text."""


class Parameter:
    """One parameter: its name, type (a key of `TYPES`), default, and what it means.

    ``choices`` are the only texts allowed; ``least`` and ``most`` bound a number, a duration or a size.

    >>> Parameter("every", "integer", None, "keep every nth record", least=1)
    Parameter('every', 'integer', None)
    """

    __slots__ = ("choices", "default", "doc", "least", "most", "name", "required", "type")

    def __init__(
        self,
        name: str,
        type: str,
        default: Any,
        doc: str,
        *,
        required: bool = False,
        choices: Sequence[str] = (),
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        self.name, self.type, self.default, self.doc = name, type, default, doc
        self.required, self.choices, self.least, self.most = required, tuple(choices), least, most

    def __repr__(self) -> str:
        return f"Parameter({self.name!r}, {self.type!r}, {self.default!r})"

    @property
    def takes(self) -> str:
        """What it takes, for people.

        >>> Parameter("mode", "text", "match", "", choices=("match", "extract")).takes
        "'match' or 'extract'"
        >>> Parameter("every", "integer", None, "", least=1).takes
        'a whole number, at least 1'
        >>> Parameter("block", "bytes", None, "", most=1 << 30).takes
        "a size such as '64 KiB', or bytes, at most 1 GiB"
        """
        if self.choices:
            return " or ".join(repr(choice) for choice in self.choices)
        bounds = [f"at least {self._shown(self.least)}"] if self.least is not None else []
        bounds += [f"at most {self._shown(self.most)}"] if self.most is not None else []
        return ", ".join([TYPES[self.type], *bounds])

    @property
    def shown_default(self) -> str:
        """Its default, for people; empty where there is none."""
        if self.type == "bytes" and self.default is not None:
            return self._shown(self.default)
        return "" if self.default in (None, "", ()) else repr(self.default)

    def _shown(self, bound: float) -> str:
        if self.type != "bytes":
            return f"{bound:.15g}"
        from streamsim.units import format_bytes

        return format_bytes(bound)


def normal(owner: str, known: Iterable[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every parameter, defaults filled in, durations in seconds and sizes in bytes.

    ``owner`` says whose they are, such as ``"operator 'sample'"``. Raises ScenarioError whose path is the
    name of the parameter that is unknown, missing, or not of its type.

    >>> normal("operator 'work'", [Parameter("service", "seconds", 0, "")], {"service": "12 us"})
    {'service': 1.2e-05}
    """
    by_name = {parameter.name: parameter for parameter in known}
    for name in given:
        if name not in by_name:
            _refuse_unknown(owner, name, by_name)
    values = {}
    for name, parameter in by_name.items():
        if given.get(name) is not None:
            values[name] = _value(owner, parameter, given[name])
        elif parameter.required:
            _refuse(f"{owner} needs '{name}': {parameter.doc}, {parameter.takes}", name)
        else:
            values[name] = parameter.default
    return values


def from_text(owner: str, known: Iterable[Parameter], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters written as texts (a command line) as the values that `normal` takes.

    >>> from_text("operator 'top'", [Parameter("k", "integer", 10, "")], {"k": "3"})
    {'k': 3}
    """
    by_name = {parameter.name: parameter for parameter in known}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        owned, _, option = name.partition(".")
        if option and owned in by_name and by_name[owned].type == "format":
            continue  # read with the format itself
        if name in by_name and by_name[name].type == "format":
            values[name] = _at(name, format_from_text, name, texts)
            continue
        if name not in by_name:
            _refuse_unknown(owner, name, by_name)
        parameter = by_name[name]
        try:
            values[name] = _read(parameter.type, text)
        except (ValueError, KeyError):
            _refuse_value(owner, parameter, text)
    return values


def format_from_text(name: str, texts: Mapping[str, str]) -> str | dict[str, Any]:
    """Return the format that ``NAME`` and ``NAME.OPTION`` describe.

    >>> format_from_text("to", {"to": "csv", "to.header": "true"})
    {'name': 'csv', 'header': True}
    """
    from streamsim.formats import find

    start = f"{name}."
    given = {key.removeprefix(start): text for key, text in texts.items() if key.startswith(start)}
    chosen = texts.get(name, "lines")
    if not given:
        return chosen
    return {"name": chosen, **from_text(f"format '{chosen}'", find(chosen).parameters, given)}


def _read(type: str, text: str) -> Any:
    if type == "integer":
        return int(text)
    if type == "number":
        return float(text)
    if type == "flag":
        return FLAGS[text.lower()]
    if type == "texts":
        return text.split(",")
    return text


def _value(owner: str, parameter: Parameter, value: Any) -> Any:
    try:
        value = _at(parameter.name, _format, value) if parameter.type == "format" else _CONVERT[parameter.type](value)
    except (TypeError, ValueError):
        _refuse_value(owner, parameter, value)
    outside = (parameter.choices and value not in parameter.choices) or (
        (parameter.least is not None and value < parameter.least)
        or (parameter.most is not None and value > parameter.most)
    )
    if outside:
        _refuse_value(owner, parameter, value)
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:  # inf or nan
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(_text(item) for item in value)


def _delimiter(value: Any) -> str:
    if not _text(value):
        raise ValueError
    return "\t" if value == "\\t" else str(value)  # how a shell hands a tab over


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        from streamsim.units import parse_seconds  # 25 ms: a server is given numbers

        value = parse_seconds(value)
    return float(_number(value))


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        from streamsim.units import parse_bytes

        value = parse_bytes(value)
    return _integer(value)


def _at(name: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """Read a format; an error says which parameter it stands in."""
    try:
        return read(*arguments)
    except Exception as error:  # told by its class below, which a server has not loaded
        from streamsim.errors import ScenarioError  # here only: it costs a server 15 ms

        if not isinstance(error, ScenarioError):
            raise
        option = "" if error.path in (None, "format") else f".{error.path}"
        raise ScenarioError(error.message, path=f"{name}{option}") from None


def _format(value: Any) -> Any:
    """Check a format; its options become plain data, as `normal` makes them."""
    from streamsim.formats import normal_format

    return normal_format(value)


_CONVERT = {
    "integer": _integer,
    "number": _number,
    "text": _text,
    "texts": _texts,
    "delimiter": _delimiter,
    "flag": _flag,
    "seconds": _seconds,
    "bytes": _bytes,
    "format": _format,  # see _at
}


def _refuse_value(owner: str, parameter: Parameter, value: Any) -> NoReturn:
    hint = ""
    if parameter.choices and isinstance(value, str):
        from streamsim.errors import nearest

        hint = nearest(value, parameter.choices)
    _refuse(f"{owner}: {value!r} is not {parameter.takes}{hint}", parameter.name)


def _refuse_unknown(owner: str, name: str, known: Iterable[str]) -> NoReturn:
    from streamsim.errors import nearest

    takes = ", ".join(known) or "nothing"
    _refuse(f"{owner} has no parameter '{name}'{nearest(name, known)} (it takes {takes})", name)


def _refuse(message: str, path: str) -> NoReturn:
    from streamsim.errors import ScenarioError

    raise ScenarioError(message, path=path)
