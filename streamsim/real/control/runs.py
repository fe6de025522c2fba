"""Which runs there are on this machine, which servers they have, and how each is reached.

A run has a private directory (mode 0700) under the directory for temporary files. In it stands ``run.json``, written
when all processes have been started; ``N.socket`` and ``N.page`` belong to server number N.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Literal

import msgspec

from streamsim.errors import CommandError, ControlError, nearest
from streamsim.real.marks import VARIABLE
from streamsim.real.plan import Plan
from streamsim.real.procfs import born

PREFIX = "streamsim-"
LOG = "commands.jsonl"
"""Every command that changed something, a line each, as the servers did them."""
_FILE = "run.json"
_START_S = 10.0


class ServerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a run: ``socket`` and ``page`` where it is an operator of ours.

    ``inputs`` and ``outputs`` are its descriptors that are ends of pipes, with the labels of these. ``part``: how it is
    called at the socket where other operators share the process and the socket is that of the first.
    """

    name: str
    kind: Literal["operator", "command"]
    program: str
    pid: int
    started: str
    socket: str | None = None
    page: str | None = None
    inputs: dict[int, str] = {}
    outputs: dict[int, str] = {}
    part: str | None = None


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A run: ``name`` is the scenario's, ``id`` what `find` takes too, ``pid`` the runner's.

    ``numbers`` is the namespace of the process numbers: in another one they say nothing.
    """

    schema: str = "streamsim.run/1"
    id: str
    name: str
    pid: int
    since: float
    servers: tuple[ServerEntry, ...]
    numbers: str = ""

    def server(self, name: str) -> ServerEntry:
        """Return the server of that name; CommandError where there is none."""
        for server in self.servers:
            if server.name == name:
                return server
        names = [server.name for server in self.servers]
        if f"{name}.split" in names:
            several = ", ".join(one for one in names if one.rpartition(".")[0] == name)
            raise CommandError(f"{name!r} has several servers, and only scale is asked of all of them: say {several}")
        raise CommandError(f"run {self.id} has no server {name!r}{nearest(name, names)} (it has {', '.join(names)})")


def control_paths(directory: Path, number: int | str) -> dict[str, object]:
    """Return what a server is told of its control channel: see `attention.Attention`."""
    libraries = [str(Path(str(msgspec.__file__)).parents[1])]
    return {
        "socket": str(directory / f"{number}.socket"),
        "page": str(directory / f"{number}.page"),
        "log": str(directory / LOG),
        "libraries": libraries,
    }


def pause_mark(directory: Path, pid: int) -> Path:
    """Return the file that says, while it exists, that a command is stopped since somebody asked for that."""
    return directory / f"{pid}.paused"


def publish(directory: Path, plan: Plan, pids: list[int]) -> None:
    """Write down which servers a run has, so that `runs` finds them."""
    servers = []
    for number, (process, pid) in enumerate(zip(plan.processes, pids, strict=True)):
        ours = process.spec is not None
        servers.append(
            ServerEntry(
                name=process.name,
                kind="operator" if ours else "command",
                program=process.program,
                pid=pid,
                started=born(pid),
                socket=f"{number}.socket" if ours else None,
                page=f"{number}.page" if ours else None,
                inputs={fd: wire.target for fd, wire in process.reads.items() if wire.kind == "pipe"},
                outputs={fd: wire.target for fd, wire in process.writes.items() if wire.kind == "pipe"},
            )
        )
        specs = process.spec["fused"] if process.spec is not None and process.parts else []
        for place, spec in enumerate(specs, start=1):
            part = msgspec.structs.replace(
                servers[-1],
                name=str(spec["name"]),
                program=str(spec["operator"]),
                page=f"{number}.{place}.page",
                inputs={},
                outputs={},
                part=str(spec["name"]),
            )
            servers.append(part)
    entry = RunEntry(
        id=directory.name.removeprefix(PREFIX),
        name=plan.name,
        pid=os.getpid(),
        since=time.time(),
        servers=tuple(servers),
        numbers=_numbers(),
    )
    aside = directory / f"{_FILE}.new"
    aside.write_bytes(msgspec.json.encode(entry))
    aside.rename(directory / _FILE)


def runs() -> tuple[RunEntry, ...]:
    """Return the runs of this user that are going on, the oldest first."""
    found = [entry for path in _directories() if (entry := _read(path)) is not None]
    return tuple(sorted(found, key=lambda entry: entry.since))


def sweep() -> None:
    """Remove what is left of runs that were killed together with all who would have removed it."""
    here = _numbers()
    for directory in _directories():
        entry = _decoded(directory)
        if entry is None or not here or entry.numbers != here:
            continue  # it is still starting, or whether it goes on cannot be seen from here
        if not Path(f"/proc/{entry.pid}").exists() and not any(alive(server) for server in entry.servers):
            shutil.rmtree(directory, ignore_errors=True)


def find(word: str | None = None) -> RunEntry:
    """Return the run with this id (or a beginning of it) or scenario name; None: that of the caller, or the only one.

    A process that a run has started is in it (marks.py), however many others there are.

    Raises
    ------
    ControlError : nothing is running.
    CommandError : none of the runs fits, or several do: names them.
    """
    if word is None and (own := _own()) is not None:
        return own
    known = runs()
    if not known:
        raise ControlError("nothing is running: streamsim run or measure starts a run")
    fitting = [entry for entry in known if word is None or entry.id.startswith(word) or entry.name == word]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{entry.id} ({entry.name})" for entry in fitting or known)
    if fitting:
        raise CommandError(f"say which run: {listed}")
    raise CommandError(f"there is no run {word!r}{nearest(str(word), [e.name for e in known])} (running: {listed})")


def _own() -> RunEntry | None:
    """Return the run that has started this process; None where none has, or it has ended."""
    directory = Path(os.environ.get(VARIABLE, ""))
    if directory not in _directories():
        return None
    until = time.monotonic() + _START_S
    while _decoded(directory) is None and directory.exists() and time.monotonic() < until:
        time.sleep(0.01)  # it starts the others before it says what it has started
    return _read(directory)


def find_by_directory(directory: Path) -> RunEntry:
    """Return the run whose private directory this is; ControlError where there is none."""
    entry = _read(directory)
    if entry is None:
        raise ControlError(f"{directory}: no run is going on there")
    return entry


def directory_of(entry: RunEntry) -> Path:
    """Return the private directory of a run."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}{entry.id}"


def alive(server: ServerEntry) -> bool:
    """Return whether the process is still the one that was started (its number may have gone to another)."""
    return born(server.pid) == server.started != ""


def _directories() -> list[Path]:
    own = os.geteuid()
    found = []
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        if status.st_uid == own and status.st_mode & 0o170077 == 0o040000:
            found.append(path)
    return found


def _read(directory: Path) -> RunEntry | None:
    entry = _decoded(directory)
    return entry if entry is not None and any(alive(server) for server in entry.servers) else None


def _decoded(directory: Path) -> RunEntry | None:
    try:
        return msgspec.json.decode((directory / _FILE).read_bytes(), type=RunEntry)
    except (OSError, msgspec.DecodeError):
        return None


def _numbers() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
