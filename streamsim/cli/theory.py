"""``model``: any model of queueing theory or dataflow, asked with numbers instead of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.options import Json
from streamsim.cli.output import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

_SHORT = 3
"""So many numbers of a list stand on one row at most: with their place and unit they fit into 80 columns."""


@example(
    "streamsim model",
    "streamsim model M/M/c/K",
    "streamsim model M/M/c 'arrival_rate=1500 records/s' 'service_time=1 ms' servers=2",
    "streamsim model MVA 'populations=[8]' 'demands=[[0.002, 0.001]]' 'servers=[2, 1]'",
    "streamsim model 'network calculus' 'arrivals={\"burst\": 10, \"rate\": 200}' 'services=[{\"rate\": 400}]' --json",
)
def model(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.", show_default=False)] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What it is asked with.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the models of theory, show one, or ask it: 'arrival_rate=800 records/s' 'service_time=1 ms'.

    A value is a number, a quantity with its unit, or lists and objects of them in JSON.
    """
    from rich.text import Text

    from streamsim.analysis import catalogue
    from streamsim.cli.output import say, show
    from streamsim.files import to_json

    if name is not None and values:
        answer = catalogue.ask(name, dict(_pair(one) for one in values))
        if json:
            say(to_json(answer).decode().rstrip())
        else:
            show(_table(name, answer))
            if _saturated(answer):
                say("note: where it is saturated, what waits grows without end, so that waits and numbers have no mean")
    elif json:
        found = [_described(one) for one in catalogue.names()] if name is None else _described(name)
        say(to_json(found).decode().rstrip())
    elif name is None:
        show(_listing())
    else:
        show(Text(catalogue.text(name)))
        say(f"\nIt takes {_signature(name)}.")


def _described(name: str) -> dict[str, Any]:
    """Return what a model is, for a program: its parameters with whether they are needed and what they are else."""
    from inspect import Parameter

    from streamsim.analysis import catalogue

    parameters = [
        {"name": key, "required": True}
        if one.default is Parameter.empty
        else {"name": key, "required": False, "default": one.default}
        for key, one in catalogue.parameters(name).items()
    ]
    return {"name": name, "parameters": parameters, "text": catalogue.text(name)}


def _listing() -> Table:
    from streamsim.analysis import catalogue
    from streamsim.cli.tables import plain_table

    table = plain_table("model", "what it is asked with", "what it answers")
    for name in catalogue.names():
        table.add_row(name, ", ".join(catalogue.parameters(name)), catalogue.text(name).partition("\n")[0])
    return table


def _signature(name: str) -> str:
    from inspect import Parameter

    from streamsim.analysis import catalogue

    found = [
        key if one.default is Parameter.empty else f"{key} (or {one.default!r})"
        for key, one in catalogue.parameters(name).items()
    ]
    return ", ".join(found)


def _pair(text: str) -> tuple[str, Any]:
    """Return a key and its value: JSON where it is such, else the text.

    >>> _pair("servers=[1, 2]"), _pair("service_time=5 ms")
    (('servers', [1, 2]), ('service_time', '5 ms'))
    """
    import msgspec

    from streamsim.cli.failures import UsageError
    from streamsim.files import from_json

    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"{text!r}: write KEY=VALUE, such as servers=2")
    try:
        return key.strip(), from_json(value)
    except msgspec.DecodeError:
        return key.strip(), value.strip()


def _table(name: str, answer: Any) -> Table:
    from streamsim.cli.tables import plain_table

    table = plain_table("", "", "", right=[1])
    for place, value, unit in _rows(name, answer, "", ""):
        table.add_row(place, value, unit)
    return table


def _rows(name: str, answer: Any, place: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each number of an answer, by where it stands in it; a short list of numbers has one row."""
    from streamsim.analysis import catalogue

    if isinstance(answer, dict):
        for inner, one in answer.items():
            yield from _rows(name, one, f"{place}.{inner}".lstrip("."), inner)
    elif isinstance(answer, list) and (any(isinstance(one, dict | list) for one in answer) or len(answer) > _SHORT):
        for number, one in enumerate(answer, 1):
            yield from _rows(name, one, f"{place} {number}".strip(), key)
    else:
        number = isinstance(answer, int | float | list) and not isinstance(answer, bool)
        yield place or "answer", _said(answer), catalogue.unit(name, key) if number else ""


def _saturated(answer: Any) -> bool:
    """Whether an answer, or a part of it, is one of no steady state."""
    if isinstance(answer, dict):
        return answer.get("saturated") is True or any(_saturated(one) for one in answer.values())
    return isinstance(answer, list) and any(_saturated(one) for one in answer)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)
