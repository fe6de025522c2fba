"""What the time of a server goes to, and which stations only take what was let fall."""

from __future__ import annotations

STATES = ("starved", "running", "runnable", "waiting", "blocked")
"""Running includes waiting for a share of the cores: the core-seconds used tell them apart. Runnable is the time that
waking up takes, waiting the time without a core (`delay_s`)."""

STARVED, RUNNING, RUNNABLE, WAITING, BLOCKED = range(5)

SHED = ".shed"
"""What the name of the station ends with that takes what another lets fall: it counts as gone, not as served."""
