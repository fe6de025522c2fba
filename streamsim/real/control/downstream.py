"""A command for a station further down, exactly before what a station gives after so many records of its own input.

No marker travels in the stream: the bytes that a server has written into its one pipe are the bytes that the next one
will read from it, so the place is named by their number. The server above tells the next one between two records, when
all that comes before is in the pipe and nothing behind it, and waits until that has taken note. So the next one cannot
be past it, whatever the format, and nothing that stands in the stream can be sorted, filtered or mistaken for data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamsim.errors import ControlError
from streamsim.real.control.client import Client
from streamsim.real.control.runs import RunEntry, ServerEntry, find_by_directory


def way(run: RunEntry, start: str, target: str) -> list[ServerEntry]:
    """Return the servers from the one behind ``start`` to ``target``.

    Raises ControlError where there is no way, several, or one that leads through what nobody can follow bytes through.
    """
    run.server(target)
    if start == target:
        raise ControlError(f"{target!r} is this station itself; leave station out")
    found = [run.server(start)]
    while found[-1].name != target:
        here = found[-1]
        following = [server for server in run.servers if set(server.inputs.values()) & set(here.outputs.values())]
        if not following or len(found) > len(run.servers):
            raise ControlError(f"{target!r} does not stand behind {start!r}")
        if len(following) > 1:
            raise ControlError(f"{here.name!r} gives to several: which byte goes where it alone knows")
        found.append(following[0])
    for server in found[1:-1]:
        _passes(server, target)
    if found[-1].kind == "command":
        raise ControlError(f"{target!r} is a Unix command ({found[-1].program}): it knows no places in a stream")
    _passes(found[-1], target)
    return found[1:]


def _passes(server: ServerEntry, target: str) -> None:
    if server.kind == "command":
        raise ControlError(
            f"{server.name!r}, a Unix command ({server.program}), stands before {target!r}: which of the bytes that it "
            "gives come from which that it took nobody can say; name the place at a station behind it"
        )
    if len(server.inputs) != 1:
        raise ControlError(f"{server.name!r} reads several inputs: in which order is not known beforehand")


def hand_on(directory: Path, start: str, target: str, written: int, method: str, parameters: dict[str, Any]) -> None:
    """Tell the next server on the way to ``target`` what is to be done at the byte that it will read next from here."""
    run = find_by_directory(directory)
    following = way(run, start, target)[0]
    order: dict[str, Any] = {"byte": written, "method": method, "parameters": parameters}
    if following.name != target:
        order["station"] = target
    with Client(directory / str(following.socket)) as client:
        client.call("at", order)
