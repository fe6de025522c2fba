"""What /proc tells about real processes, and that asking leaves nothing behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streamsim.real.children import Child
from streamsim.real.observation.gauge import Gauge, Holder
from streamsim.real.observation.proc import Process
from streamsim.real.observation.tree import Tree
from streamsim.real.plan import Process as Planned
from streamsim.real.states import ACTIVE, BLOCKED, STARVED, WAITING
from tests.patience import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observing needs Linux's /proc")


@contextmanager
def started(*words: str, **what: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, **what)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout):
            if end is not None:
                end.close()


@contextmanager
def watched(pid: int) -> Iterator[Process]:
    process = Process(pid)
    try:
        yield process
    finally:
        process.close()


def sees(process: Process, state: int) -> bool:
    def look() -> bool:
        process.look()
        return process.state == state

    return until(look)


def test_a_reader_of_an_empty_pipe_is_starved() -> None:
    with started("cat", stdin=subprocess.PIPE) as child, watched(child.pid) as process:
        assert sees(process, STARVED)


def test_a_writer_of_a_full_pipe_is_blocked() -> None:
    with started("yes", stdout=subprocess.PIPE) as child, watched(child.pid) as process:
        assert sees(process, BLOCKED)
        process.look_at_io()
        assert process.wchar >= 65536


def test_a_sleeper_waits_and_a_spinner_is_active() -> None:
    with started("sleep", "60") as child, watched(child.pid) as process:
        assert sees(process, WAITING)
    with started("sh", "-c", "while :; do :; done") as child, watched(child.pid) as process:
        assert until(lambda: process.look() and process.state == ACTIVE and process.cpu > 20e6)


def test_a_process_that_sleeps_on_is_seen_without_being_read_again() -> None:
    with started("sleep", "60") as child, watched(child.pid) as process:
        assert sees(process, WAITING)
        assert not process.look()


def test_every_time_that_it_is_put_on_a_core_counts() -> None:
    with started("cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child, watched(child.pid) as process:
        assert child.stdin is not None
        assert child.stdout is not None
        assert sees(process, STARVED)
        before = process.switches
        for _ in range(20):
            child.stdin.write(b"x")
            child.stdin.flush()
            child.stdout.read(1)
        assert sees(process, STARVED)
        assert before + 20 <= process.switches <= before + 100  # more where others want its core


def test_the_counters_of_a_zombie_are_final() -> None:
    words = ("sh", "-c", "head -c 100000 /dev/zero")
    with started(*words, stdout=subprocess.DEVNULL) as child, watched(child.pid) as process:
        assert os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT) is not None
        process.look()
        process.count()
        process.look_at_io()
        assert process.wchar >= 100_000
        assert process.cpu > 0


def test_threads_are_found_by_the_time_they_use() -> None:
    script = "import threading\ndef f():\n    while 1: pass\nthreading.Thread(target=f).start()"
    with started(sys.executable, "-S", "-c", script) as child, watched(child.pid) as process:

        def several() -> bool:
            process.look()
            process.count()
            return process.several

        assert until(several)
        assert process.state == ACTIVE


def test_the_children_of_a_shell_belong_to_its_station() -> None:
    with started("sh", "-c", "cat; :", stdin=subprocess.PIPE) as child:
        tree = Tree(child.pid)

        def starved() -> bool:
            tree.look()
            tree.look_for_children(time.monotonic())
            tree.look()
            return tree.family and tree.state == STARVED

        try:
            assert until(starved)
        finally:
            tree.close()


def held(pid: int, descriptor: int) -> tuple[Child, Holder]:
    child = Child(Planned(name="x", program="x", arguments=("x",)), 0, pid, 0.0, -1, None)
    child.open_pidfd(select.poll())
    return child, Holder(child, descriptor)


def test_a_level_is_asked_for_without_keeping_an_end() -> None:
    read, write = os.pipe()
    with started("sleep", "60", stdin=read) as reader, started("sleep", "60", stdout=write) as writer:
        gives, takes = held(writer.pid, 1), held(reader.pid, 0)
        gauge = Gauge("a->b", os.fstat(read).st_ino, 65536, gives[1], takes[1])
        os.close(read)
        assert gauge.level() == 0 and not gauge.full()
        os.write(write, bytes(65536))
        assert gauge.level() == 65536 and gauge.full()
        reader.kill()
        reader.wait()
        with pytest.raises(BrokenPipeError):
            os.write(write, b"x")  # nobody holds the reading end any more
        assert gauge.level() is None
        os.close(write)
        for child, _ in (gives, takes):
            child.close()


def test_a_level_can_be_asked_for_by_name_too() -> None:
    read, write = os.pipe()
    with started("sleep", "60", stdin=read) as reader:
        os.close(read)
        child, holder = held(reader.pid, 0)
        child.close()  # as where pidfd_getfd is forbidden
        gauge = Gauge("a->b", os.fstat(write).st_ino, 65536, holder, holder)
        os.write(write, b"123")
        assert gauge.level() == 3
        assert holder.borrow() == -1
        reader.kill()
        reader.wait()
        with pytest.raises(BrokenPipeError):
            os.write(write, b"x")
        os.close(write)


def test_another_file_in_the_place_of_the_pipe_has_no_level() -> None:
    with started("sleep", "60", stdin=subprocess.PIPE) as reader:
        child, holder = held(reader.pid, 0)
        assert Gauge("a->b", 1, 65536, holder, holder).level() is None
        child.close()
