"""How a process ended, and what that means for the run."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from streamsim.real.plan import Process

TAIL_BYTES = 4096
TAIL_LINES = 20


class Verdict(NamedTuple):
    """Whether an ending fails the run, and what to say of it (None: nothing)."""

    failed: bool
    message: str | None


def judge(process: Process, status: int, stderr: str = "") -> Verdict:
    """Judge a wait status.

    SIGPIPE is how a writer whose reader has gone ends, so it is a success; a shell says it as 141 (128 +
    SIGPIPE), and some tools catch it and complain of a broken pipe. Status 1 of ``grep`` and its like is an answer.

    >>> judge(Process(name="a", program="yes", arguments=("yes",)), signal.SIGPIPE)
    Verdict(failed=False, message=None)
    >>> judge(Process(name="a", program="cp", arguments=("cp",)), 2 << 8)
    Verdict(failed=True, message='exited with status 2: cp')
    """
    code = os.waitstatus_to_exitcode(status)
    if code in (0, -signal.SIGPIPE, 128 + signal.SIGPIPE):
        return Verdict(False, None)
    if code in process.answers:
        return Verdict(False, f"station '{process.name}' exited with status {code}: it found nothing, or differences")
    if code > 0 and "broken pipe" in stderr.lower().replace("brokenpipe", "broken pipe"):
        return Verdict(False, f"station '{process.name}' exited with status {code} because its reader had gone")
    if code > 0:
        return Verdict(True, f"exited with status {code}: {process.program}")
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return Verdict(True, f"was killed by {signal_name(-code)}{hint}: {process.program}")


def was_cut(process: Process, status: int) -> bool:
    """Return whether a process that did not fail ended because nobody read it any more.

    >>> was_cut(Process(name="a", program="yes", arguments=("yes",)), signal.SIGPIPE)
    True
    """
    return os.waitstatus_to_exitcode(status) not in (0, *process.answers)


def signal_name(number: int) -> str:
    """Return a signal's name.

    >>> signal_name(11)
    'SIGSEGV'
    """
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has a number only
        return f"signal {number}"


def tail_of(descriptor: int) -> str:
    """Return the last lines of what was written to a file: at most 20, of at most 4 KiB.

    What is no UTF-8 is replaced; other control characters than tabs become spaces, for a terminal would obey them.
    """
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES))
    lines = data.decode(errors="replace").splitlines()
    if size > TAIL_BYTES and len(lines) > 1:
        lines = lines[1:]  # the first was cut
    shown = ("".join(c if c.isprintable() or c == "\t" else " " for c in line) for line in lines[-TAIL_LINES:])
    return "\n".join(shown).strip("\n")
