"""Another number of servers for a keyed station while it runs, with the state of each key moved to its new server.

The servers that a station was started with are all there is; of these the first so many take part. The split is
paused and drained, then every server that has taken all that was on its way is paused between two chunks, the keys
change hands, and all go on: no record is lost, none is counted twice, and none overtakes another of its key.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from streamsim.errors import ControlError
from streamsim.real.control.pipe_levels import pipe_of
from streamsim.real.control.reach import Server
from streamsim.real.control.recording import note
from streamsim.real.control.runs import RunEntry

_PATIENCE_S = 30.0
_PAUSE_S = 0.002


def rescale(run: RunEntry, station: str, servers: int) -> list[int]:
    """Let so many of a station's servers take part; returns how many keys each of them got from others.

    Raises
    ------
    ControlError : the station has no split by key, or fewer servers than that, its operator does not keep its state
        by keys, or a server did not come to rest in time. Where it raises before the keys move, all go on as before.
    """
    names = [server.name for server in run.servers]
    members = [name for name in names if name.rpartition(".")[0] == station and name.rpartition(".")[2].isdigit()]
    if f"{station}.split" not in names or not members:
        raise ControlError(f"{station!r} has one server and no split: give it parallelism and partition = 'key'")
    if not 1 <= servers <= len(members):
        raise ControlError(f"{station!r} was started with {len(members)} servers: ask for 1 to {len(members)}")
    since_s = time.monotonic()
    with ExitStack() as stack:
        split = stack.enter_context(Server(run, run.server(f"{station}.split")))
        ours = [stack.enter_context(Server(run, run.server(name))) for name in members]
        if split.parameters().get("by") != "key":
            raise ControlError(f"{station!r} does not share records out by key: its servers have no keys to move")
        try:
            _come_to_rest(split, ours)
            taken = _move(ours, servers)
            split.call("set", {"active": servers})
        finally:
            for one in (*ours, split):
                one.call("resume")
    note(run, station, "scale", {"servers": servers}, since_s=since_s)
    return taken


def _come_to_rest(split: Server, servers: list[Server]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while split.call("drain"):
        _wait(until, "the split")
    for one in servers:
        while True:
            one.call("pause")  # it answers between two chunks: what it has read is worked on
            if not one.call("drain") and not any(
                pipe_of(one.entry.pid, descriptor)[0] for descriptor in one.entry.inputs
            ):
                break
            one.call("resume")
            _wait(until, one.entry.name)


def _wait(until: float, who: str) -> None:
    if time.monotonic() > until:
        raise ControlError(f"{who} did not come to rest within {_PATIENCE_S:g} s: is what stands behind it stopped?")
    time.sleep(_PAUSE_S)


def _move(servers: list[Server], among: int) -> list[int]:
    taken = [0] * len(servers)
    with tempfile.TemporaryDirectory(prefix="streamsim-keys-") as directory:
        for place, one in enumerate(servers):
            own = Path(directory) / str(place)
            own.mkdir()
            one.call("hand_over", {"place": place, "among": among, "directory": str(own)})
        for own in sorted(Path(directory).iterdir()):
            for file in own.iterdir():
                owner = int(file.name)
                taken[owner] += servers[owner].call("take_over", {"file": str(file)})
    return taken
