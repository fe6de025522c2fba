"""Another number of servers for a keyed station while it runs, with the state of each key moved to its new server.

The servers that a station was started with are all there is; of these the first so many take part. The split is
paused and drained, then every server that has taken all that was on its way is paused between two chunks, the keys
change hands, and all go on: no record is lost, none is counted twice, and none overtakes another of its key.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from streamsim.errors import CommandError, ControlError
from streamsim.real.control.pipe_levels import pipe_of
from streamsim.real.control.reach import Server
from streamsim.real.control.recording import note
from streamsim.real.control.runs import RunEntry, directory_of

_PATIENCE_S = 30.0
_PAUSE_S = 0.002


def rescale(run: RunEntry, station: str, servers: int) -> list[int]:
    """Let so many of a station's servers take part; returns how many keys each of them got from others.

    Raises
    ------
    CommandError : the station has no split by key, or fewer servers than that.
    ControlError : its operator does not keep its state by keys, or a server did not come to rest in time. Where it
        raises before the keys move, all go on as before.
    """
    names = [server.name for server in run.servers]
    members = [name for name in names if name.rpartition(".")[0] == station and name.rpartition(".")[2].isdigit()]
    if f"{station}.split" not in names or not members:
        raise CommandError(f"{station!r} has one server and no split: give it parallelism and partition = 'key'")
    if not 1 <= servers <= len(members):
        raise CommandError(f"{station!r} was started with {len(members)} servers: ask for 1 to {len(members)}")
    with ExitStack() as stack:
        stack.enter_context(_alone(run, station))
        since_s = time.monotonic()
        split = stack.enter_context(Server(run, run.server(f"{station}.split")))
        ours = [stack.enter_context(Server(run, run.server(name))) for name in members]
        if split.parameters().get("by") != "key":
            raise CommandError(f"{station!r} does not share records out by key: its servers have no keys to move")
        for one in (split, *ours):
            if one.call("metrics")["paused"]:
                raise ControlError(f"{one.entry.name!r} is paused, and has to take what is on its way: resume it first")
        try:
            _come_to_rest(split, ours)
            taken = _move(ours, servers)
            split.call("set", {"active": servers})
        finally:
            for one in (*ours, split):
                one.call("resume")
        note(run, station, "scale", {"servers": servers}, since_s=since_s)
    return taken


@contextmanager
def _alone(run: RunEntry, station: str) -> Iterator[None]:
    """Let nobody else move this station's keys meanwhile: two at once would each see half of them."""
    until = time.monotonic() + _PATIENCE_S
    try:
        descriptor = os.open(directory_of(run) / f"{station}.scale", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise ControlError("the run has ended meanwhile") from None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # given up by the kernel if we are killed
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise ControlError(f"somebody else has been moving the keys of {station!r} all the time") from None
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


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
        for place in range(len(servers)):
            own = Path(directory) / str(place)
            own.mkdir()
        try:
            for place, one in enumerate(servers):
                one.call("hand_over", {"place": place, "among": among, "directory": str(Path(directory) / str(place))})
            for file in sorted(Path(directory).glob("*/*")):
                owner = int(file.name)
                taken[owner] += servers[owner].call("take_over", {"file": str(file)})
                file.unlink()
        except ControlError:
            for file in Path(directory).glob("*/*"):  # no key is lost: who gave it away takes it again
                servers[int(file.parent.name)].call("take_over", {"file": str(file)})
            raise
    return taken
