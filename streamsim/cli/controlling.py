"""``ctl``: look into the servers of a circuit that runs, and steer them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.completing import complete_actions, complete_given, complete_runs, complete_stations, named
from streamsim.cli.options import Json
from streamsim.cli.output import example
from streamsim.cli.steering_tables import brief, print_api, print_runs, print_stations, print_values, whole

if TYPE_CHECKING:
    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import RunEntry


RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="A run's id or scenario; . is the only one (within a run: that run).",
        show_default=False,
        autocompletion=complete_runs,
    ),
]


@example(
    "streamsim ctl",
    "streamsim ctl top-words",
    "streamsim ctl top-words long",
    "streamsim ctl top-words long get",
    "streamsim ctl top-words long set 'where=len(record) > 7'",
    "streamsim ctl . sort pause",
    "streamsim ctl . long swap operator=sample every=10 state=new",
    "streamsim ctl . change swap 'command=tr a-z A-Z'",
    "streamsim ctl . long watch records_in --every 0.5",
    "streamsim ctl . count scale 3",
)
def ctl(
    run: RunName = None,
    station: Annotated[
        str | None,
        typer.Argument(
            metavar="STATION", help="One of its stations.", show_default=False, autocompletion=complete_stations
        ),
    ] = None,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="ACTION",
            help="get, set, watch, scale, or a method of its API.",
            show_default=False,
            autocompletion=complete_actions,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE", help="Of get and watch: NAME.", show_default=False, autocompletion=complete_given
        ),
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
        print_runs(runs(), json=json)
        return
    found = find(named(run))
    if station is not None and action == "scale":
        _scale(found, station, given or [], json=json)
        return
    if station is None:
        print_stations(found, json=json)
        return
    with Server(found, found.server(station)) as server:
        if action is None:
            print_api(server, json=json)
        elif action == "watch":
            _watch(found, server, given or [], every, times, json=json)
        elif action == "get":
            print_values(_pick(_seen(found, server, given or [], all_of_it=True), given or []), json=json)
        else:
            print_values(server.ask(action, _gathered(server, action, _parameters(given or []))), json=json)


def _scale(run: RunEntry, station: str, given: list[str], *, json: bool) -> None:
    from streamsim.cli.failures import UsageError
    from streamsim.real.control.rescale import rescale

    if len(given) != 1 or not given[0].isdigit():
        raise UsageError("say how many servers: streamsim ctl RUN STATION scale 2")
    moved = rescale(run, station, int(given[0]))
    print_values({f"keys moved to {station}.{place}": count for place, count in enumerate(moved, start=1)}, json=json)


def _parameters(given: list[str]) -> dict[str, Any]:
    """Read ``name=value``: the value as JSON where it is such, else as a text."""
    import msgspec

    from streamsim.cli.failures import UsageError
    from streamsim.files import from_json

    found: dict[str, Any] = {}
    for word in given:
        name, mark, text = word.partition("=")
        if not mark or not name:
            raise UsageError(f"{word!r} is not NAME=VALUE")
        if name in found:
            raise UsageError(f"{name!r} is given twice")
        try:
            found[name] = from_json(text)
        except msgspec.DecodeError:
            found[name] = text
    return found


def _gathered(server: Server, action: str, given: dict[str, Any]) -> dict[str, Any]:
    """Put what a method that takes ``parameters`` does not know itself into these: swap operator=sample every=10."""
    takes = server.takes(action) if given else ()
    inner = {name: value for name, value in given.items() if name not in takes}
    if "parameters" not in takes or "parameters" in given or not inner:
        return given
    return {name: value for name, value in given.items() if name in takes} | {"parameters": inner}


def _seen(run: RunEntry, server: Server, names: list[str], *, all_of_it: bool) -> dict[str, Any]:
    """Ask a server; where it does not answer in time, look into shared memory, unless there is more to be seen."""
    from streamsim.cli.output import note
    from streamsim.real.control.client import Silence
    from streamsim.real.control.overview import counters

    try:
        values = {**server.call("metrics"), **server.call("state")}
        return {**values, **server.parameters()} if all_of_it else values
    except Silence as silence:
        values = counters(run, server.entry)
        if any(name not in values for name in names):
            raise
        note(f"{server.entry.name}: {silence}; its counters in shared memory:")
        return values


def _pick(values: dict[str, Any], names: list[str]) -> Any:
    from streamsim.cli.failures import UsageError
    from streamsim.errors import nearest

    for name in names:
        if name not in values:
            raise UsageError(f"there is no {name!r}{nearest(name, values)} (it has {', '.join(values)})")
    if len(names) == 1:
        return values[names[0]]
    return {name: values[name] for name in names} if names else values


def _moves(name: str, value: Any) -> bool:
    """Whether it may change from look to look and fits in a line beside others."""
    return name not in ("station", "operator", "program", "pid", "runs") and not isinstance(value, dict | list)


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
        if not (names or json):
            values = {name: value for name, value in values.items() if _moves(name, value)}
        picked = _pick(values, names)
        say(
            whole(picked)
            if json or not isinstance(picked, dict)
            else "  ".join(f"{name}={brief(value)}" for name, value in picked.items())
        )
        looks += 1
