"""Words with which a shell completes ``ctl``: the runs of this moment, their stations, what can be asked of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from streamsim.real.control.reach import Server

_WAIT_S = 1.0
_OWN = ("get", "set", "watch")


def complete_runs(incomplete: str) -> list[str]:
    """Return ids and names of runs."""
    from streamsim.real.control.runs import runs

    return _beginning(incomplete, [word for run in runs() for word in (run.id, run.name)])


def complete_stations(context: typer.Context, incomplete: str) -> list[str]:
    """Return the stations of the run; with ``scale`` in mind also those that have several servers."""
    from streamsim.errors import ControlError
    from streamsim.real.control.runs import find

    try:
        run = find(named(context.params.get("run")))
    except ControlError:
        return []
    names = [server.name for server in run.servers]
    shared = [name.removesuffix(".split") for name in names if name.endswith(".split")]
    return _beginning(incomplete, [*names, *shared])


def complete_actions(context: typer.Context, incomplete: str) -> list[str]:
    """Return what can be asked of the station; of one that has several servers, `scale`."""
    if str(context.params.get("station")) not in complete_stations(context, ""):
        return []
    found = _asked(context, _methods)
    return _beginning(incomplete, [*_OWN, *found] if found else ["scale"])


def complete_given(context: typer.Context, incomplete: str) -> list[str]:
    """Return the values that there are to get, or the parameters that a method takes."""
    action = str(context.params.get("action"))
    if action in ("get", "watch"):
        return _beginning(incomplete, _asked(context, _values))
    return _beginning(incomplete, _asked(context, lambda server: _takes(server, action)))


def named(word: object) -> str | None:
    """Return how `find` takes a run that was named on the command line; ``.`` is the only one."""
    return None if word in (None, ".") else str(word)


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word.startswith(incomplete)]


def _asked(context: typer.Context, question: Callable[[Server], list[str]]) -> list[str]:
    """Ask the server that the line names; nothing where it does not answer at once: somebody waits for a key."""
    from streamsim.errors import ControlError
    from streamsim.real.control.reach import Server
    from streamsim.real.control.runs import find

    try:
        run = find(named(context.params.get("run")))
        with Server(run, run.server(str(context.params.get("station"))), timeout_s=_WAIT_S) as server:
            return question(server)
    except ControlError:
        return []


def _methods(server: Server) -> list[str]:
    return [str(method["name"]) for method in server.document()["methods"]]


def _values(server: Server) -> list[str]:
    return [*server.call("metrics"), *server.call("state"), *server.parameters()]


def _takes(server: Server, action: str) -> list[str]:
    return [f"{name}=" for name in server.takes(action)]
