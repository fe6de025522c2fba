"""What ``ctl`` shows: the runs, the stations of one, what can be asked of a station, and answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from streamsim.cli.output import fits, say, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import RunEntry


def print_values(value: Any, *, json: bool) -> None:
    """Show an answer: a line for each value of an object, anything else as it is."""
    from streamsim.cli.tables import plain_table

    if json or not isinstance(value, dict):
        say(whole(value))
        return
    table = plain_table("", "")
    table.show_header = False
    for name, item in value.items():
        table.add_row(name, brief(item))
    show(table)


def whole(value: Any) -> str:
    """Return a value as scripts read it: a text as it is, anything else as JSON."""
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_LONGEST = 240
"""Characters of a value among others; asked for alone, or with --json, it is shown whole."""


def brief(value: Any) -> str:
    """Return a value for people who look at several."""
    import msgspec

    if isinstance(value, float):
        return f"{value:.6g}"
    # Spaces between the items of lists and objects are where a narrow terminal breaks lines.
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    return text if len(text) <= _LONGEST else f"{text[: text.rfind(' ', 0, _LONGEST)]} … (--json: all of it)"


def print_runs(found: tuple[RunEntry, ...], *, json: bool) -> None:
    """Show the runs that are going on."""
    import msgspec

    from streamsim.cli.tables import plain_table
    from streamsim.units import format_seconds

    if json:
        say(msgspec.json.encode(found).decode())
        return
    if not found:
        say("nothing is running")
        return
    table = plain_table("run", "scenario", "for", "stations", right=(2,))
    for run in found:
        names = ", ".join(server.name for server in run.servers)
        table.add_row(run.id, run.name, format_seconds(time.time() - run.since), names)
    show(table)


def print_stations(run: RunEntry, *, json: bool) -> None:
    """Show all servers with their counters."""
    import msgspec

    from streamsim.real.control.overview import counters

    rows = [counters(run, server) for server in run.servers]
    if json:
        say(msgspec.json.encode({"run": run.id, "scenario": run.name, "servers": rows}).decode())
        return
    show(*_tables(rows))


_COUNTS = tuple((key.replace("_", " "), key) for key in ("bytes_in", "bytes_out", "records_in", "records_out"))
"""Columns of counters: their heads, and their names."""
_SHORTEST = 4
"""Characters of a program with which it is still shown."""


def _tables(rows: list[dict[str, Any]]) -> list[Table | str]:
    """Return a line for each station: on a narrow terminal without its program, on a very narrow one two tables.

    No number is broken, or cut.
    """
    if fits(_table(rows, _COUNTS, program=_SHORTEST)):
        return [_table(rows, _COUNTS, program=None)]
    one = _table(rows, _COUNTS, program=0)
    return [one] if fits(one) else [_table(rows, _COUNTS[:2], program=0), "", _table(rows, _COUNTS[2:], program=0)]


def _table(rows: list[dict[str, Any]], counts: Sequence[tuple[str, str]], *, program: int | None) -> Table:
    """Return a line for each station, with so many characters of its program at most; the terminal may cut these."""
    from rich.text import Text

    from streamsim.cli.tables import plain_table

    shown = program != 0
    heads = [head if shown else head.replace(" ", "\n") for head, _ in counts]
    first = ["station", *(["runs"] if shown else []), "does"]
    table = plain_table(*first, *heads, right=range(len(first), len(first) + len(heads)))
    for column in table.columns:
        column.no_wrap = column.header != "runs"  # where all must give way, rich cuts columns of this kind alike
    for row in rows:
        runs = [Text(row["runs"][:program], no_wrap=True, overflow="ellipsis")] if shown else []
        table.add_row(row["station"], *runs, row["does"], *(_count(row, key) for _, key in counts))
    return table


def _count(row: dict[str, Any], key: str) -> str:
    """Return how often, or how much; nothing where nobody counts records, or the station has ended."""
    from streamsim.units import format_bytes

    if key.startswith("bytes"):
        return format_bytes(row[key]) if key in row else ""
    return str(row[key]) if row.get(key) else ""


def print_api(server: Server, *, json: bool) -> None:
    """Show what can be asked of a server, and its parameters."""
    import msgspec

    from streamsim.cli.tables import plain_table

    document = server.document()
    if json:
        say(msgspec.json.encode(document).decode())
        return
    info = document["info"]
    say(f"{info['title']}: {info['description'].partition(chr(10))[0]}\n")
    table = plain_table("method", "takes", "what it does")
    for method in document["methods"]:
        takes = ", ".join(f"{one['name']}{'' if one['required'] else '?'}" for one in method["params"])
        table.add_row(method["name"], takes, method["summary"])
    show(table)
    say("")
    print_values(server.parameters(), json=False)
