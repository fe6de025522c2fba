"""The way from a station to one further down: which servers a marker passes, by which pipes it comes and goes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from streamsim.errors import CommandError, ControlError
from streamsim.real.control.runs import RunEntry, ServerEntry


class Step(NamedTuple):
    """A server on the way: the descriptors by which a marker comes, and those by which it goes on.

    Both are empty between operators that share a process; at the end of the way nothing goes on.
    """

    server: ServerEntry
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    last: bool


class _Link(NamedTuple):
    """What leads from one server to the next: a pipe by its two descriptors, or a call inside a process (-1)."""

    source: str
    output: int
    target: str
    input: int


def way(run: RunEntry, start: str, target: str) -> list[Step]:
    """Return the steps from ``start``, the first, to ``target``: all servers that stand between them, upstream first.

    ``target`` may be a server, or a station with several. Raises ControlError where it does not stand behind, where a
    Unix command stands between, or where it goes in a circle.
    """
    targets = _servers(run, target)
    if start in targets:
        raise CommandError(f"{target!r} is this station itself; leave station out")
    links = [link for link in _links(run) if link.source not in targets]
    behind = _reached({start}, [(link.source, link.target) for link in links])
    before = _reached(targets & behind, [(link.target, link.source) for link in links])
    links = [link for link in links if link.source in behind & before and link.target in before]
    if not links:
        raise CommandError(f"{target!r} does not stand behind {start!r}")
    steps = []
    for name in _in_order(start, links):
        server = run.server(name)
        _check(server, target, last=name in targets)
        comes = tuple(link.input for link in links if link.target == name and link.input >= 0)
        goes = tuple(link.output for link in links if link.source == name and link.output >= 0)
        steps.append(Step(server, comes, goes, name in targets))
    return steps


def _servers(run: RunEntry, target: str) -> set[str]:
    """Return the names of a station's servers: itself, or where it has several ``STATION.1`` and so on."""
    several = {
        server.name
        for server in run.servers
        if server.name.rpartition(".")[0] == target and server.name.rpartition(".")[2].isdigit()
    }
    return several or {run.server(target).name}


def _links(run: RunEntry) -> list[_Link]:
    processes: dict[int, list[ServerEntry]] = {}
    for server in run.servers:
        processes.setdefault(server.pid, []).append(server)
    readers = {
        label: (parts[0].name, descriptor)
        for parts in processes.values()
        for descriptor, label in parts[0].inputs.items()
    }
    links = []
    for parts in processes.values():
        links += [_Link(one.name, -1, other.name, -1) for one, other in pairwise(parts)]
        for output, label in parts[0].outputs.items():
            if label in readers:
                links.append(_Link(parts[-1].name, output, *readers[label]))
    return links


def _reached(start: set[str], links: list[tuple[str, str]]) -> set[str]:
    found, new = set(start), set(start)
    while new:
        new = {target for source, target in links if source in new} - found
        found |= new
    return found


def _in_order(start: str, links: list[_Link]) -> list[str]:
    """Return the servers so that each comes behind all that lead to it."""
    left = {link.target: 0 for link in links} | {start: 0}
    for link in links:
        left[link.target] += 1
    order = [start] if not left[start] else []
    for name in order:
        for link in links:
            if link.source == name:
                left[link.target] -= 1
                if not left[link.target]:
                    order.append(link.target)
    if len(order) < len(left):
        pairs = [(link.source, link.target) for link in links]
        circle = [name for name in left if name in _reached({target for one, target in pairs if one == name}, pairs)]
        raise ControlError(f"it goes in a circle ({', '.join(sorted(circle))}): a record comes by more than once")
    return order


def _check(server: ServerEntry, target: str, *, last: bool) -> None:
    if server.kind != "command":
        return
    if last:
        raise ControlError(f"{target!r} is a Unix command ({server.program}): it knows no places in a stream")
    raise ControlError(
        f"{server.name!r}, a Unix command ({server.program}), stands before {target!r}: which of the bytes that it "
        "gives come from which that it took nobody can say; name the place at a station behind it"
    )
