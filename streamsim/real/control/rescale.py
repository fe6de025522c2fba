"""Another number of servers for a station while it runs, with the state of each key moved to its new server.

The servers that a station was started with are all there is; of these the first so many take part. All load what they
need for it while data flows. Then the split is paused and drained, every server that has taken all that was on its way
is paused between two chunks, and what they gave has been taken where that is read as it comes; the keys change hands,
and all go on: no record is lost, none is counted twice, and none overtakes another of its key. Whoever does it may be
killed meanwhile: the keys are then where they were, or where they should go (keys.py), and the runner, or who moves
keys next, lets the servers go on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from streamsim.errors import CommandError, ControlError
from streamsim.real.control.keys import DONE
from streamsim.real.control.pipe_levels import pipe_of
from streamsim.real.control.reach import Server
from streamsim.real.control.recording import note
from streamsim.real.control.runs import RunEntry, alive, directory_of, find_by_directory

_PATIENCE_S = 30.0
_PAUSE_S = 0.002
_EVERY_S = 1.0
_MOVING = ".keys"
"""How the directory ends, in that of the run, that is there while keys move."""


def rescale(run: RunEntry, station: str, servers: int) -> list[int]:
    """Let so many of a station's servers take part; returns how many keys each of them got from others.

    Where records are not shared out by key there is nothing to move: the split is told, which writes that down itself.

    Raises
    ------
    CommandError : the station has no split, or fewer servers than that, or keys and is a Unix command.
    ControlError : an ordered merge counts on each of them; its operator has a state that it does not keep by keys; or a
        server did not come to rest in time, and all go on as before.
    """
    members = _members(run, station)
    if not members:
        raise CommandError(f"{station!r} has one server and no split: give it parallelism")
    if not 1 <= servers <= len(members):
        raise CommandError(f"{station!r} was started with {len(members)} servers: ask for 1 to {len(members)}")
    directory = _directory(run, station)
    with ExitStack() as stack:
        stack.enter_context(_alone(run, station))
        if directory.exists():
            _go_on(run, station)
        since_s = time.monotonic()
        split = stack.enter_context(Server(run, run.server(f"{station}.split"), timeout_s=_PATIENCE_S))
        if split.parameters().get("by") != "key":  # any server may get any record
            split.call("set", {"active": servers})
            return [0] * len(members)
        for name in members:
            if (tool := run.server(name)).socket is None:
                raise CommandError(
                    f"{name!r} is a Unix command ({tool.program}): nobody can tell whether it has written all that it "
                    "has read, which may come behind what another server gives of the same key"
                )
        ours = [stack.enter_context(Server(run, run.server(name), timeout_s=_PATIENCE_S)) for name in members]
        for one in (split, *ours):
            if one.call("metrics")["paused"]:
                raise ControlError(f"{one.entry.name!r} is paused, and has to take what is on its way: resume it first")
        with ThreadPoolExecutor(len(members) + 1) as pool:
            ready = pool.map(lambda one: float(one.call("get_ready", {"keys": one is not split})), (split, *ours))
            work_s = sum(ready)
        directory.mkdir(mode=0o700)
        try:
            ready_s = _drain(split) - since_s
            split.call("agree", {"directory": str(directory), "parameters": {"active": servers}})
            for one in ours:
                _come_to_rest(one)
            for one in ours:
                _let_pass(one, run)
            resting_s = time.monotonic()
            taken = _move(ours, servers, directory)
            _decide(directory, _Decision(servers, since_s, resting_s, work_s, ready_s))
        finally:
            _go_on(run, station)
    return taken


class Stranded:
    """Looks once a second whether somebody was killed while moving keys; lets the servers go on that wait for that."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._due = directory, time.monotonic() + _EVERY_S

    def look(self) -> None:
        """Let them go on, their keys moved or as before; not while who moves them is alive."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _EVERY_S
        for directory in self._directory.glob(f"*{_MOVING}"):
            station = directory.name.removesuffix(_MOVING)
            with suppress(ControlError):
                run = find_by_directory(self._directory)
                with _alone(run, station, patience_s=0.0):
                    if directory.exists():
                        _go_on(run, station)


class _Decision(msgspec.Struct):
    """What is in `keys.DONE`: how many servers take part; when the move began, and all rested (monotonic, s).

    ``work_s`` and ``ready_s``: see `recording.Recorded`.
    """

    servers: int
    since_s: float
    resting_s: float
    work_s: float
    ready_s: float


def _decide(directory: Path, decision: _Decision) -> None:
    """Make the move happen, at one stroke: whoever is killed before has changed nothing."""
    aside = directory / "deciding"
    aside.write_bytes(msgspec.json.encode(decision))
    aside.rename(directory / DONE)


def _go_on(run: RunEntry, station: str) -> None:
    """Let all servers of a station do their part of a move, or forget it, and go on; write down that it was done."""
    directory = _directory(run, station)
    failed = []
    for name in (*_members(run, station), f"{station}.split"):
        try:
            with Server(run, run.server(name)) as one:
                one.call("settle")
                one.call("resume")
        except ControlError as error:
            if alive(run.server(name)):
                failed.append(error)
    if failed:
        raise failed[0]
    with suppress(FileNotFoundError):
        decision = msgspec.json.decode((directory / DONE).read_bytes(), type=_Decision)
        moving_s = max(0.0, time.monotonic() - decision.resting_s)
        note(
            *(run, station, "scale", {"servers": decision.servers}),
            since_s=decision.since_s,
            work_s=decision.work_s,
            ready_s=decision.ready_s,
            moving_s=moving_s,
        )
    shutil.rmtree(directory, ignore_errors=True)


def _members(run: RunEntry, station: str) -> list[str]:
    """Return the servers among which a split shares records out; none where there is no split."""
    names = [server.name for server in run.servers]
    if f"{station}.split" not in names:
        return []
    return [name for name in names if name.rpartition(".")[0] == station and name.rpartition(".")[2].isdigit()]


def _directory(run: RunEntry, station: str) -> Path:
    return directory_of(run) / f"{station}{_MOVING}"


@contextmanager
def _alone(run: RunEntry, station: str, patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """Let nobody else move this station's keys meanwhile: two at once would each see half of them."""
    until = time.monotonic() + patience_s
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


def _drain(split: Server) -> float:
    """Let the split rest, having written all that it has read; return when it was paused (monotonic, s)."""
    until = time.monotonic() + _PATIENCE_S
    left, paused_s = split.call("drain"), time.monotonic()
    while left:
        _wait(until, "the split")
        left = split.call("drain")
    return paused_s


def _come_to_rest(server: Server) -> None:
    """Pause it when it has taken all that was on its way; nothing more comes, as the split is drained."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        server.call("pause")  # it answers between two chunks: what it has read is worked on
        inputs = server.entry.inputs
        if not server.call("drain") and not any(pipe_of(server.entry.pid, number)[0] for number in inputs):
            return
        server.call("resume")
        _wait(until, server.entry.name)


def _let_pass(server: Server, run: RunEntry) -> None:
    """Wait until what it gave has been taken where that is read as it comes: what another gives could overtake it."""
    for descriptor, label in server.entry.outputs.items():
        reader = label.rpartition("->")[2]
        if not any(one.name == reader and one.program == "interleave" for one in run.servers):
            continue
        until, before = time.monotonic() + _PATIENCE_S, None
        while left := pipe_of(server.entry.pid, descriptor)[0]:
            if left != before:
                until, before = time.monotonic() + _PATIENCE_S, left
            _wait(until, reader)


def _wait(until: float, who: str) -> None:
    if time.monotonic() > until:
        raise ControlError(f"{who} did not come to rest within {_PATIENCE_S:g} s: is what stands behind it stopped?")
    time.sleep(_PAUSE_S)


def _move(servers: list[Server], among: int, directory: Path) -> list[int]:
    for place, one in enumerate(servers):
        one.call("hand_over", {"place": place, "among": among, "directory": str(directory)})
    taken = [0] * len(servers)
    for file in sorted(directory.glob("*/*")):
        owner = int(file.name)
        taken[owner] += servers[owner].call("take_over", {"file": str(file)})
    return taken
