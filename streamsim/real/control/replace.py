"""Asking the runner for another program in the place of a Unix command (see real/replacing.py)."""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec

from streamsim.errors import CommandError, ControlError
from streamsim.real.control.runs import RunEntry, alive, directory_of

STATELESS = ("cat", "tr", "cut", "rev", "expand", "unexpand", "iconv")
"""Tools that know nothing of what came before: whatever they are told."""

_LOOK_S = 0.02


def replace(run: RunEntry, station: str, command: str, *, state: str = "keep", timeout_s: float = 60.0) -> Any:
    """Let a station run another command; returns its new process when that runs.

    Parameters
    ----------
    state : ``new`` says that what the old program knows may be given up: it writes that, as at the end of its input.

    Raises
    ------
    ControlError : the program may have a state, or the runner refuses, with the reason.
    """
    entry = run.server(station)
    tool = os.path.basename(entry.program.split()[0])  # noqa: PTH119  # a word, not a path
    if state not in ("keep", "new"):
        raise CommandError(f"state is 'keep' or 'new', not {state!r}")
    if state == "keep" and tool not in STATELESS:
        raise ControlError(
            f"{tool!r} may know something of what it has read, which nobody can hand over: it would write that as at "
            "the end of its input, and the new one begin with nothing; state=new says that you want this"
        )
    token = f"{os.getpid()}-{time.monotonic_ns()}"
    directory = directory_of(run)
    answer = directory / f"{token}.replaced"
    try:
        aside = directory / f"{token}.asked"
        aside.write_bytes(msgspec.json.encode({"station": station, "command": command, "state": state}))
        aside.rename(directory / f"{token}.replace")
    except OSError as error:
        raise ControlError(f"the run has ended: {error.strerror}") from None
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            found = msgspec.json.decode(answer.read_bytes())
        except FileNotFoundError:
            if not directory.exists() or not any(alive(server) for server in run.servers):
                raise ControlError("the run has ended meanwhile") from None
            time.sleep(_LOOK_S)
            continue
        answer.unlink(missing_ok=True)
        if "error" in found:
            raise ControlError(str(found["error"]))
        return found
    raise ControlError(f"{station!r} has not ended within {timeout_s:g} s: is what stands behind it stopped?")
