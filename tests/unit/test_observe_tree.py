"""A station whose first process starts others: what these used counts once."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from streamsim.real.observation.tree import Tree
from streamsim.real.states import STARVED
from tests.patience import PATIENCE_S, until


def test_a_child_that_has_been_waited_for_since_the_last_look_counts_once() -> None:
    code = "import os, time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\nos.read(0, 1)"
    burn = f"{sys.executable} -S -E -c '{code}'"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(["sh", "-c", f"{burn}; read line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    tree, children = Tree(process.pid), Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        process.stdout.read(1)  # the child has worked, and waits
        while not tree.family:
            tree.look()
            tree.look_for_children(time.monotonic())
        tree.look()
        process.stdin.write(b"x")
        process.stdin.flush()
        while children.read_text():
            time.sleep(0.001)
        tree.look()
        counted = tree.cpu_s()
    finally:
        tree.close()
        process.communicate(b"\n", timeout=PATIENCE_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert abs(counted - used) < 0.04  # ticks of 10 ms, one for each of the times; a child used more
    assert used > 0.1


def test_the_next_child_of_a_shell_is_seen_as_soon_as_it_sleeps() -> None:
    process = subprocess.Popen(
        ["sh", "-c", "dd bs=1 count=1 2>&1; cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stdin is not None
    tree = Tree(process.pid)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def child_reading() -> str:
        pid = children.read_text().strip()
        with suppress(OSError):
            return pid if pid and "pipe_read" in Path(f"/proc/{pid}/wchan").read_text() else ""
        return ""

    def starved() -> bool:
        tree.look()
        return tree.state == STARVED

    try:
        assert until(child_reading)
        first = child_reading()
        assert until(starved)
        process.stdin.write(b"x")
        process.stdin.flush()
        assert until(lambda: child_reading() not in ("", first))
        assert until(starved)  # and nobody has asked for a list of its children
    finally:
        tree.close()
        process.communicate(timeout=PATIENCE_S)
