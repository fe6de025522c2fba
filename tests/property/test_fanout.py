"""One stream to several readers, by pages where they are full: each gets every byte, or what it stayed for."""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.pipes import Descriptors
from streamsim.real.run import run
from streamsim.real.worker import fanout as worker_fanout
from streamsim.real.worker import loop as worker_loop
from streamsim.trace import VISIT
from tests.patience import PATIENCE_S

WORKER = Path(worker_loop.__file__).with_name("main.py")
pytestmark = pytest.mark.skipif(not hasattr(os, "splice"), reason="the kernel moves no pages between pipes")


class Reader(threading.Thread):
    """Reads a pipe in pieces of random sizes until its end, or until it has had enough."""

    def __init__(self, descriptor: int, seed: int, enough: int | None, pause_s: float) -> None:
        super().__init__()
        self.descriptor, self.random, self.enough, self.pause_s = descriptor, random.Random(seed), enough, pause_s
        self.got = b""
        self.start()

    def run(self) -> None:
        while self.enough is None or len(self.got) < self.enough:
            data = os.read(self.descriptor, self.random.choice((1, 100, 4096, 65536)))
            if not data:
                break
            self.got += data
            if self.pause_s and self.random.random() < 0.05:
                threading.Event().wait(self.pause_s)
        os.close(self.descriptor)


def fan_out(
    content: bytes, piece: int, readers: list[tuple[int | None, float]], visits: Path, seed: int
) -> list[bytes]:
    """Run a copy server between a writer of pieces and readers; returns what each of them got, and checks its end."""
    ends = [os.pipe() for _ in readers]
    source = os.pipe()
    fcntl.fcntl(source[1], 1031, 1 << 18)  # F_SETPIPE_SZ: there is room for chunks that are full
    spec = {"operator": "copy", "inputs": [source[0]], "outputs": [w for _, w in ends], "visits": str(visits)}
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-P", str(WORKER), json.dumps(spec)],
        pass_fds=[source[0], *(w for _, w in ends)], stderr=subprocess.PIPE,
    )  # fmt: skip
    for end in (source[0], *(w for _, w in ends)):
        os.close(end)
    threads = [Reader(r, seed + n, *how) for n, ((r, _), how) in enumerate(zip(ends, readers, strict=True))]
    try:
        for start in range(0, len(content), piece):
            os.write(source[1], content[start : start + piece])
    except BrokenPipeError:
        assert all(enough is not None for enough, _ in readers), "somebody wanted all of it"
    os.close(source[1])
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    error = process.communicate(timeout=PATIENCE_S)[1]
    everybody_left = all(enough is not None for enough, _ in readers)
    assert error == b"" and process.returncode in ((0, -signal.SIGPIPE) if everybody_left else (0,))
    return [thread.got for thread in threads]


def test_a_full_output_does_not_keep_a_full_chunk_from_the_next(tmp_path: Path) -> None:
    source, first, second = os.pipe(), os.pipe(), os.pipe()
    fcntl.fcntl(source[1], 1031, 1 << 18)  # F_SETPIPE_SZ: three chunks are there before anybody reads
    content = random.Random(1).randbytes(3 << 16)
    os.write(source[1], content)
    os.close(source[1])
    spec = {"operator": "copy", "inputs": [source[0]], "outputs": [first[1], second[1]]}
    with subprocess.Popen(
        [sys.executable, "-S", "-E", "-P", str(WORKER), json.dumps(spec)], pass_fds=[source[0], first[1], second[1]]
    ) as process:
        for end in (source[0], first[1], second[1]):
            os.close(end)
        try:
            got = b""
            while len(got) < 2 << 16:  # the first output is full with one chunk, and nobody reads it yet
                assert select.select([second[0]], [], [], 60)[0], "the second chunk waits for the first output"
                got += os.read(second[0], 65536)
            other = Reader(first[0], 0, None, 0.0)
            while data := os.read(second[0], 65536):
                got += data
            other.join(timeout=PATIENCE_S)
            os.close(second[0])
            assert process.wait(timeout=PATIENCE_S) == 0
        finally:
            process.kill()  # nothing where it has ended
    assert got == other.got == content


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 1_500_000),
    piece=st.sampled_from([700, 4096, 65536, 100_000, 262_144]),
    readers=st.lists(
        st.tuples(st.one_of(st.none(), st.integers(1, 800_000)), st.sampled_from([0.0, 0.002])), min_size=2, max_size=4
    ),
    seed=st.integers(0, 99),
)
def test_every_reader_that_stays_gets_every_byte(
    size: int, piece: int, readers: list[tuple[int | None, float]], seed: int, tmp_path: Path
) -> None:
    content = random.Random(seed).randbytes(size)
    found = fan_out(content, piece, readers, tmp_path / "visits", seed)
    for (enough, _), got in zip(readers, found, strict=True):
        assert content.startswith(got)
        if enough is None:
            assert len(got) == size
    visits = np.fromfile(tmp_path / "visits", dtype=VISIT)
    if any(enough is None for enough, _ in readers):
        assert visits["taken"].sum() == visits["given"].sum() == size
    assert (visits["given"] <= visits["taken"]).all()


def test_the_last_reader_and_then_the_one_before_may_leave(tmp_path: Path) -> None:
    content = random.Random(2).randbytes(40 << 16)
    got = fan_out(content, 1 << 16, [(None, 0.0), (20 << 16, 0.0), (2 << 16, 0.0)], tmp_path / "visits", seed=5)
    assert got[0] == content


def test_full_chunks_are_not_copied(tmp_path: Path) -> None:
    content = bytes(4 << 20)
    assert fan_out(content, 1 << 18, [(None, 0.0), (None, 0.0)], tmp_path / "visits", 0) == [content, content]
    visits = np.fromfile(tmp_path / "visits", dtype=VISIT)
    spliced = visits["records_in"] == worker_fanout.UNCOUNTED
    assert spliced.any() and (visits["taken"][spliced] == 65536).all()


@pytest.mark.parametrize("limit", [12, 14, 16, 20, 26, 32, 40, 50])
def test_with_few_descriptors_a_server_fails_before_it_begins_or_not_at_all(limit: int, tmp_path: Path) -> None:
    # It is given 11, and wants 18 for private pipes, one to wait for each full output, and some for who asks.
    content, readers = random.Random(0).randbytes(1 << 20), 9
    control = {"socket": str(tmp_path / "s"), "page": str(tmp_path / "p"), "log": str(tmp_path / "l"), "libraries": []}
    spec = {"operator": "copy", "outputs": [1, *range(3, 2 + readers)], "control": control}
    words = ["sh", "-c", f'ulimit -n {limit} && exec "$0" "$@"', sys.executable, "-S", "-E", "-P", str(WORKER)]
    with Descriptors(64) as descriptors:
        read, write = descriptors.pipe()
        fcntl.fcntl(write, 1031, 1 << 20)  # F_SETPIPE_SZ: all of it is there at once, so that chunks are full
        os.write(write, content)
        descriptors.close(write)
        ends = [descriptors.pipe() for _ in range(readers)]
        error = descriptors.open(str(tmp_path / "error"), os.O_RDWR | os.O_CREAT)
        places = [(read, 0), (error, 2), *((w, n) for (_, w), n in zip(ends, spec["outputs"], strict=True))]
        actions = [(os.POSIX_SPAWN_DUP2, held, place) for held, place in places]
        pid = os.posix_spawn("/bin/sh", [*words, json.dumps(spec)], os.environ, file_actions=actions)
        descriptors.close(read, *(w for _, w in ends))
        threads = [Reader(os.dup(r), n, None, 0.002) for n, (r, _) in enumerate(ends)]
        for thread in threads:
            thread.join(timeout=PATIENCE_S)
    status, said = os.waitpid(pid, 0)[1], (tmp_path / "error").read_text()
    if status == 0:
        assert all(thread.got == content for thread in threads) and said == ""
    else:
        assert limit < 26 and ("Too many open files" in said or "cannot open shared object" in said), said
        assert all(thread.got == b"" for thread in threads)


@pytest.mark.parametrize("lines", [50, 400_000])
def test_what_was_not_counted_is_known_from_the_neighbours(lines: int) -> None:
    scenario = load(
        {"name": "fan", "sources": {"n": {"operator": "generate", "size": 40}},
         "stations": {"a": {"operator": "count", "input": "n"}, "b": {"command": "wc -l", "input": "n"}},
         "measure": {"records": lines}}
    )  # fmt: skip
    trace = run_once(scenario)
    copy, source = trace.stations["n.copy"], trace.stations["n"]
    assert copy.visits is not None
    assert copy.records_in == copy.records_out == lines == copy.visits["records_in"].sum()
    assert copy.bytes_in[-1] == copy.bytes_out[-1] == source.bytes_out[-1] == copy.visits["taken"].sum()
    assert trace.stations["b"].bytes_in[-1] == source.bytes_out[-1]
    assert (copy.visits["records_in"] >= 0).all()


def test_records_that_nobody_counts_stay_unknown(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"0123456789abcde\n" * (1 << 18))
    scenario = load(
        {"sources": {"n": {"command": f"cat {tmp_path}/in"}},
         "stations": {"a": {"command": "wc -l", "input": "n"}, "b": {"command": "wc -c", "input": "n"}}}
    )  # fmt: skip
    trace = run_once(scenario)
    copy = trace.stations["n.copy"]
    assert copy.bytes_in[-1] == copy.bytes_out[-1] == 16 << 18
    assert copy.records_in is None or copy.records_in == 1 << 18
    for name in ("a", "b"):
        assert trace.stations[name].bytes_in[-1] == 16 << 18


def test_a_fanout_that_stands_still_in_a_splice_is_named() -> None:
    scenario = load(
        {"sources": {"n": {"command": "head -c 8000000 /dev/zero"}},
         "stations": {"a": {"command": "cat", "input": "n"}, "b": {"command": "cat", "input": "n"},
                      "join": {"command": "cat {b} {a}", "input": ["a", "b"]}}}
    )  # fmt: skip
    with open(os.devnull, "wb") as nowhere, pytest.raises(RunError, match=r"n\.copy cannot write n\.copy->a"):
        run(scenario, stdout=nowhere.fileno())
