"""What the kernel says of one process in /proc/PID/stat (proc(5)); `observation.proc` is for those looked at often."""

from __future__ import annotations

from pathlib import Path


def fields_of(text: str) -> list[str]:
    """Return the fields of a stat file from the state on: what stands before it is the id, and a name of any letters.

    >>> fields_of("7 (a) b) S 1 7")
    ['S', '1', '7']
    """
    return text.rpartition(")")[2].split()


def state_of(pid: int) -> str:
    """Return the letter of what a process is doing; empty where there is none."""
    try:
        return fields_of(Path(f"/proc/{pid}/stat").read_text(errors="replace"))[0]
    except (OSError, IndexError):
        return ""


def born(pid: int) -> str:
    """Return when a process was started (clock ticks since boot), which tells a reused id from the old one.

    Empty where there is none, or nothing but its end, for which nobody may ever wait.
    """
    try:
        fields = fields_of(Path(f"/proc/{pid}/stat").read_text(errors="replace"))
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
