"""``ctl``: look into the servers of a circuit that runs, and steer them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.options import Json
from streamsim.cli.output import example

if TYPE_CHECKING:
    from rich.table import Table

    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import RunEntry


def _complete_runs(incomplete: str) -> list[str]:
    from streamsim.real.control.runs import runs

    return [word for run in runs() for word in (run.id, run.name) if word.startswith(incomplete)]


RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="A run's id or scenario; . is the only one.",
        show_default=False,
        autocompletion=_complete_runs,
    ),
]


def _complete_stations(context: typer.Context, incomplete: str) -> list[str]:
    from streamsim.errors import ControlError
    from streamsim.real.control.runs import find

    try:
        run = find(named(context.params.get("run")))
    except ControlError:
        return []
    return [server.name for server in run.servers if server.name.startswith(incomplete)]


def _complete_actions(context: typer.Context, incomplete: str) -> list[str]:
    from streamsim.errors import ControlError
    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import find

    try:
        run = find(named(context.params.get("run")))
        with Server(run, run.server(str(context.params.get("station"))), timeout_s=1.0) as server:
            methods = [str(method["name"]) for method in server.document()["methods"]]
    except ControlError:
        methods = []
    return [word for word in dict.fromkeys(["get", "set", "watch", "scale", *methods]) if word.startswith(incomplete)]


@example(
    "streamsim ctl",
    "streamsim ctl top-words",
    "streamsim ctl top-words long",
    "streamsim ctl top-words long get",
    "streamsim ctl top-words long set 'where=len(record) > 7'",
    "streamsim ctl . sort pause",
    "streamsim ctl . change swap 'command=tr a-z A-Z'",
    "streamsim ctl . long watch records_in --every 0.5",
    "streamsim ctl . count scale 3",
)
def ctl(
    run: RunName = None,
    station: Annotated[
        str | None,
        typer.Argument(
            metavar="STATION", help="One of its stations.", show_default=False, autocompletion=_complete_stations
        ),
    ] = None,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="ACTION",
            help="get, set, watch, scale, or a method of its API.",
            show_default=False,
            autocompletion=_complete_actions,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE", help="Of get and watch: NAME.", show_default=False),
    ] = None,
    every: Annotated[float, typer.Option("--every", min=0.01, help="Seconds between two looks of watch.")] = 1.0,
    times: Annotated[
        int | None, typer.Option("--times", min=1, help="So many looks of watch.", show_default="until it ends")
    ] = None,
    json: Json = False,
) -> None:
    """Look into a run that is going on, and steer it: list it, show a station's API, get, set, watch, call."""
    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import find, runs

    if run is None:
        _list(runs(), json=json)
        return
    found = find(named(run))
    if station is not None and action == "scale":
        _scale(found, station, given or [], json=json)
        return
    if station is None:
        _overview(found, json=json)
        return
    with Server(found, found.server(station)) as server:
        if action is None:
            _api(server, json=json)
        elif action == "watch":
            _watch(found, server, given or [], every, times, json=json)
        elif action == "get":
            _print(_pick(_seen(found, server, given or [], all_of_it=True), given or []), json=json)
        else:
            _print(server.call(action, _parameters(given or [])), json=json)


def _scale(run: RunEntry, station: str, given: list[str], *, json: bool) -> None:
    from streamsim.cli.failures import UsageError
    from streamsim.real.control.rescale import rescale

    if len(given) != 1 or not given[0].isdigit():
        raise UsageError("say how many servers: streamsim ctl RUN STATION scale 2")
    moved = rescale(run, station, int(given[0]))
    _print({f"keys moved to {station}.{place}": count for place, count in enumerate(moved, start=1)}, json=json)


def named(word: object) -> str | None:
    """Return how `find` takes a run that was named on the command line; ``.`` is the only one."""
    return None if word in (None, ".") else str(word)


def _parameters(given: list[str]) -> dict[str, Any]:
    """Read ``name=value``: the value as JSON where it is such, else as a text."""
    import msgspec

    from streamsim.cli.failures import UsageError

    found: dict[str, Any] = {}
    for word in given:
        name, mark, text = word.partition("=")
        if not mark or not name:
            raise UsageError(f"{word!r} is not NAME=VALUE")
        if name in found:
            raise UsageError(f"{name!r} is given twice")
        try:
            found[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found[name] = text
    return found


def _seen(run: RunEntry, server: Server, names: list[str], *, all_of_it: bool) -> dict[str, Any]:
    """Ask a server; where it does not answer in time, look into shared memory, unless there is more to be seen."""
    from streamsim.real.control.client import Silence
    from streamsim.real.control.overview import counters

    try:
        values = {**server.call("metrics"), **server.call("state")}
        return {**values, **server.parameters()} if all_of_it else values
    except Silence:
        values = counters(run, server.entry)
        if any(name not in values for name in names):
            raise
        return values


def _pick(values: dict[str, Any], names: list[str]) -> Any:
    from streamsim.cli.failures import UsageError
    from streamsim.errors import nearest

    for name in names:
        if name not in values:
            raise UsageError(f"there is no {name!r}{nearest(name, values)} (there are {', '.join(values)})")
    if len(names) == 1:
        return values[names[0]]
    return {name: values[name] for name in names} if names else values


def _print(value: Any, *, json: bool) -> None:
    from streamsim.cli.output import say, show
    from streamsim.cli.tables import plain_table

    if json or not isinstance(value, dict):
        say(_text(value))
        return
    table = plain_table("", "")
    table.show_header = False
    for name, item in value.items():
        table.add_row(name, _text(item))
    show(table)


def _text(value: Any) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _list(found: tuple[RunEntry, ...], *, json: bool) -> None:
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


def _overview(run: RunEntry, *, json: bool) -> None:
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
    from streamsim.cli.tables import plain_table
    from streamsim.units import format_bytes

    table = plain_table(
        "station", "runs", "does", "bytes in", "bytes out", "records in", "records out", right=range(3, 7)
    )
    for row in rows:
        sizes = [format_bytes(row[key]) if key in row else "" for key in ("bytes_in", "bytes_out")]
        counts = [str(row[key]) if row.get(key) else "" for key in ("records_in", "records_out")]
        table.add_row(row["station"], row["runs"], row["does"], *sizes, *counts)
    return table


def _api(server: Server, *, json: bool) -> None:
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
    _print(server.parameters(), json=False)


def _watch(run: RunEntry, server: Server, names: list[str], every: float, times: int | None, *, json: bool) -> None:
    from streamsim.cli.output import say
    from streamsim.errors import ControlError
    from streamsim.real.control.client import Refusal, Silence

    looks = 0
    while times is None or looks < times:
        if looks:
            time.sleep(every)
        try:
            values = _seen(run, server, names, all_of_it=False)
        except (Refusal, Silence):
            raise
        except ControlError:
            if looks:
                return  # it has ended
            raise
        picked = _pick(values, names)
        say(
            _text(picked)
            if json or not isinstance(picked, dict)
            else "  ".join(f"{k}={_text(v)}" for k, v in picked.items())
        )
        looks += 1
