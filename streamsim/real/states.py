"""What a look at a process can find it doing. Apart, for `run` looks too and needs nothing of what measuring needs."""

ACTIVE, STARVED, BLOCKED, WAITING = 0, 1, 2, 3
"""What a look saw: on a core or wanting one; asleep for input; for room in the output; for anything else."""
