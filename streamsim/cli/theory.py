"""``model``: any model of queueing theory or dataflow, asked with numbers instead of a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.options import Json
from streamsim.cli.output import example

if TYPE_CHECKING:
    from rich.table import Table


@example(
    "streamsim model",
    "streamsim model M/M/c/K",
    "streamsim model M/M/c 'arrival_rate=1500 records/s' 'service_time=1 ms' servers=2",
    "streamsim model MVA 'populations=[8]' 'demands=[[0.002, 0.001]]' 'servers=[2, 1]'",
    "streamsim model 'network calculus' burst=10 'rate=200 records/s' 'service_rates=[400, 500]' --json",
)
def model(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.", show_default=False)] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What it is asked with.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the models of theory, show one, or ask it: 'arrival_rate=800 records/s' 'service_time=1 ms'.

    A value is a number, a quantity with its unit, or a list of them in JSON.
    """
    from inspect import cleandoc

    from rich.text import Text

    from streamsim.analysis import catalogue
    from streamsim.cli.output import say, show
    from streamsim.files import to_json

    if name is None:
        show(_listing())
        return
    if not values:
        show(Text(cleandoc(catalogue.find(name).__doc__ or "")))
        say(f"\nIt takes {_signature(name)}.")
        return
    answer = catalogue.ask(name, dict(_pair(one) for one in values))
    if json:
        say(to_json(answer).decode().rstrip())
        return
    show(_table(answer))


def _listing() -> Table:
    from inspect import cleandoc

    from streamsim.analysis import catalogue
    from streamsim.cli.tables import plain_table

    table = plain_table("model", "what it is asked with", "what it answers")
    for name in catalogue.names():
        first = cleandoc(catalogue.find(name).__doc__ or "").partition("\n")[0]
        table.add_row(name, ", ".join(catalogue.parameters(name)), first)
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

    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise UsageError(f"{text!r}: write KEY=VALUE, such as servers=2")
    try:
        return key.strip(), msgspec.json.decode(value)
    except msgspec.DecodeError:
        return key.strip(), value.strip()


def _table(answer: Any) -> Table:
    from streamsim.cli.tables import plain_table

    table = plain_table("", "", right=[1])
    for place, value in _rows(answer, ""):
        table.add_row(place, value)
    return table


def _rows(answer: Any, place: str) -> list[tuple[str, str]]:
    """Return one row for each number of an answer, by where it stands in it; lists of numbers on one row."""
    if isinstance(answer, dict):
        return [row for key, one in answer.items() for row in _rows(one, f"{place}.{key}".lstrip("."))]
    if isinstance(answer, list) and any(isinstance(one, dict) for one in answer):
        return [row for number, one in enumerate(answer, 1) for row in _rows(one, f"{place} {number}".strip())]
    return [(place or "answer", _said(answer))]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)
