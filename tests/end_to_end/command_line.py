"""A small scenario, and ways to run a command line: in a process of its own, or (the fixture `run`) in this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.patience import PATIENCE_S

SCENARIO = """
title = "Count what is even [or not]"

[sources.numbers]
command = "seq 20000"

[stations.parity]
operator = "map"
to = "str(int(record) % 2)"

[stations.sort]
command = "sort"
env = { LC_ALL = "C" }

[stations.count]
command = "uniq -c"

[measure]
repetitions = 1
warmup = 0
"""


class Ran:
    """What one command line gave."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Run = Callable[..., Ran]


def streamsim(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    call = [sys.executable, "-m", "streamsim", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options)  # type: ignore[call-overload, no-any-return]


def one_line(text: str) -> str:
    """Return the only line of an error message."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]
