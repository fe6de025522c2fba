"""What ``ctl`` shows: the runs, the stations of one, what can be asked of a station, and answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import RunEntry


def print_values(value: Any, *, json: bool) -> None:
    """Show an answer: a line for each value of an object, anything else as it is."""
    from streamsim.cli.output import say, show
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

    from streamsim.cli.output import say, show
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

    from streamsim.cli.output import say, show
    from streamsim.real.control.overview import counters

    rows = [counters(run, server) for server in run.servers]
    if json:
        say(msgspec.json.encode({"run": run.id, "scenario": run.name, "servers": rows}).decode())
        return
    show(_table(rows))


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return a line for each station; on a narrow terminal its program is cut, on a very narrow one left out."""
    from rich.text import Text

    from streamsim.cli.output import fits
    from streamsim.cli.tables import plain_table
    from streamsim.units import format_bytes

    def table(*, programs: Callable[[str], str] | None, no_wrap: bool) -> Table:
        heads = ["station", "runs", "does", "bytes in", "bytes out", "records in", "records out"]
        table = plain_table(*heads, right=range(3, 7))
        for column in (table.columns[0], *table.columns[2:]):
            column.no_wrap = no_wrap
        for row in rows:
            sizes = [format_bytes(row[key]) if key in row else "" for key in ("bytes_in", "bytes_out")]
            counts = [str(row[key]) if row.get(key) else "" for key in ("records_in", "records_out")]
            runs = Text(programs(row["runs"]) if programs else "", no_wrap=True, overflow="ellipsis")
            table.add_row(row["station"], runs, row["does"], *sizes, *counts)
        if programs is None:
            del table.columns[1]
        return table

    cut = table(programs=lambda program: program[:_SHORTEST], no_wrap=True)
    return table(programs=str, no_wrap=True) if fits(cut) else table(programs=None, no_wrap=False)


_SHORTEST = 4
"""Characters of a program with which it is still shown."""


def print_api(server: Server, *, json: bool) -> None:
    """Show what can be asked of a server, and its parameters."""
    import msgspec

    from streamsim.cli.output import say, show
    from streamsim.cli.tables import plain_table
    from streamsim.real.control.reach import AMONG_SERVERS
    from streamsim.real.control.tools import SYSTEM

    document = server.document()
    if json:
        say(msgspec.json.encode(document).decode())
        return
    free = [*server.call("adjustable"), *SYSTEM] if server.entry.socket is not None else []
    info = document["info"]
    say(f"{info['title']}: {info['description'].partition(chr(10))[0]}\n")
    table = plain_table("method", "takes", "what it does")
    for method in document["methods"]:
        if method["name"] in AMONG_SERVERS:
            continue
        takes = ", ".join(f"{one['name']}{'' if one['required'] else '?'}" for one in method["params"])
        if takes == "…?":  # any: of these
            takes = ", ".join(f"{name}?" for name in free)
        table.add_row(method["name"], takes, method["summary"])
    show(table)
    say("")
    print_values(server.parameters(), json=False)
