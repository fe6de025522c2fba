"""Servers that are forked from a warm parent are what servers are that were started one by one."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real import warm
from streamsim.real.children import descendants
from streamsim.real.launch import Crew, launched
from streamsim.real.measure import run_once
from streamsim.real.observation.proc import POLLING, state_of
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.real.starting import Setting
from streamsim.real.states import STARVED
from streamsim.real.supervise import supervise
from streamsim.real.worker.parent import able
from tests.end_to_end.processes import lives, no_children
from tests.patience import until

pytestmark = pytest.mark.skipif(not able(), reason="servers are forked on Linux only")

MANY = {
    "stations": {
        "first": {"operator": "copy"},
        **{f"branch{n}": {"operator": "filter", "where": f"len(record) != {n}", "input": "first"} for n in range(9)},
        "join": {"operator": "interleave", "input": [f"branch{n}" for n in range(9)]},
        "last": {"command": "sort"},
    }
}
"""Twelve servers of ours, one with nine outputs and one with nine inputs, so that descriptors have to move."""


@contextmanager
def waiting(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, forked: bool) -> Iterator[tuple[Crew, int]]:
    """Start a circuit whose input stays open until the block ends; yields the crew and where to write."""
    if not forked:
        monkeypatch.setattr(warm, "WARM_FROM", 1000)
    read, write = os.pipe()
    try:
        with launched(make_plan(load(document)), Setting(stdin=read)) as crew:
            os.close(read)
            assert until(lambda: all(reads(child.pid) for child in crew.children))
            yield crew, write
            os.close(write)
            supervise(crew)
    finally:
        monkeypatch.undo()


def reads(pid: int) -> bool:
    return state_of(Path(f"/proc/{pid}/wchan").read_bytes()) in (STARVED, POLLING)


def facts(pid: int) -> dict[str, Any]:
    """What a process is made of: descriptors by what they are, directory, signals, group, cores, parent."""
    status = Path(f"/proc/{pid}/status").read_text()
    kinds = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        kinds[int(path.name)] = re.sub(r"streamsim-\w+|\d+", "", str(path.readlink()))
    return {
        "descriptors": kinds,
        "directory": str(Path(f"/proc/{pid}/cwd").readlink()),
        "group": os.getpgid(pid) == os.getpgid(os.getpid()),
        **dict(re.findall(r"^(PPid|SigBlk|SigIgn|SigCgt|ShdPnd|Cpus_allowed_list|Threads):\s*(.*)$", status, re.M)),
    }


def test_they_have_the_same_descriptors_signals_cores_and_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for forked in (True, False):
        with waiting(MANY, monkeypatch, forked=forked) as (crew, _):
            assert len({os.getpgid(child.pid) for child in crew.children}) == 1
            found[forked] = [facts(child.pid) for child in crew.children]
    assert found[True] == found[False]
    assert no_children()


def test_they_bear_the_names_of_their_stations(monkeypatch: pytest.MonkeyPatch) -> None:
    with waiting(MANY, monkeypatch, forked=True) as (crew, _):
        names = [Path(f"/proc/{child.pid}/comm").read_text().strip() for child in crew.children]
        assert names == [child.process.name for child in crew.children[:-1]] + ["sort"]


def test_the_output_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(b"%d\n" % (number**3) for number in range(20_000))
    (tmp_path / "in").write_bytes(content)
    outputs = []
    for forked in (True, False):
        if not forked:
            monkeypatch.setattr(warm, "WARM_FROM", 1000)
        with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
            run(load(MANY), stdin=source.fileno(), stdout=target.fileno())
        outputs.append((tmp_path / "out").read_bytes())
    assert outputs[0] == outputs[1] and len(outputs[0].splitlines()) > 8 * 20_000


def test_one_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"stations": {"fine": {"operator": "copy"}, "bad": {"operator": "group", "key": 1, "value": 1,
                "function": "mean"}}}  # fmt: skip
    with pytest.raises(RunError) as caught, waiting(document, monkeypatch, forked=True) as (_, write):
        os.write(write, b"1\nx\n")
    assert caught.value.station == "bad" and caught.value.stderr.startswith("bad: ")
    assert no_children()


def test_one_that_is_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill_one() -> None:
        with waiting(MANY, monkeypatch, forked=True) as (crew, _):
            os.kill(next(child.pid for child in crew.children if child.process.name == "branch3"), signal.SIGKILL)

    with pytest.raises(RunError, match="station 'branch3': was killed by SIGKILL"):
        kill_one()
    assert no_children()


def test_a_parent_that_does_not_come_up_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(warm, "_PARENT", str(tmp_path / "broken.py"))
    with pytest.raises(RunError, match="the parent of all servers has ended"):
        run(load(MANY))
    assert no_children()


def test_they_are_observed_from_their_birth() -> None:
    trace = run_once(load({"sources": {"n": {"operator": "generate", "count": 50_000}},
                           "stations": {"a": {"operator": "copy"}, "b": {"operator": "count"}}}))  # fmt: skip
    for name in ("n", "a"):
        station = trace.stations[name]
        assert station.records_out == 50_000
        assert station.visits is not None and station.visits["got"].min() >= station.started_s
        assert 0 < station.cpu_s[-1] < 5


RUNNER = """
from streamsim.loading import load
from streamsim.real.{module} import {verb}
{verb}(load({{"sources": {{"n": {{"operator": "generate"}}}},
             "stations": {{"a": {{"operator": "copy"}}, "b": {{"operator": "filter", "where": "False"}}}}}}))
"""


@pytest.mark.parametrize(("module", "verb"), [("run", "run"), ("measure", "measure")])
def test_none_survives_a_runner_that_is_killed(module: str, verb: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER.format(module=module, verb=verb)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    found: dict[int, str] = {}

    def complete() -> bool:
        found.clear()
        found.update(descendants([process.pid]))
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in found if Path(f"/proc/{pid}").exists()}
        return {"n", "a", "b"} <= names

    try:
        assert until(complete), "the circuit has not started"
    finally:
        process.kill()
        process.wait()
    assert until(lambda: not any(lives(pid, born) for pid, born in found.items()))


@pytest.mark.parametrize("forked", [True, False])
def test_a_station_has_its_own_cores_niceness_and_pipe(forked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    first = min(os.sched_getaffinity(0))
    own = {"niceness": 3, "cores": [first], "pipe": {"capacity": "128 KiB"}}
    document = {"stations": {"plain": {"operator": "copy"}, "ours": {"operator": "copy", **own},
                             "tool": {"command": "cat", **own}}}  # fmt: skip
    with waiting(document, monkeypatch, forked=forked) as (crew, _):
        found = {child.process.name: child.pid for child in crew.children}
        before = os.getpriority(os.PRIO_PROCESS, 0)
        for name in ("ours", "tool"):
            assert os.sched_getaffinity(found[name]) == {first}
            assert os.getpriority(os.PRIO_PROCESS, found[name]) == min(19, before + 3)
            with open(f"/proc/{found[name]}/fd/0", "rb") as pipe:
                assert fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) == 1 << 17
        assert os.sched_getaffinity(found["plain"]) == os.sched_getaffinity(0)
        assert os.getpriority(os.PRIO_PROCESS, found["plain"]) == before


def test_a_core_that_the_run_does_not_have_is_refused() -> None:
    with pytest.raises(RunError, match=r"station 'b': cores: CPU 1023 is not one of those of this run"):
        run(load({"stations": {"a": {"command": "sleep 60"}, "b": {"command": "cat", "cores": [1023]}}}))
    assert no_children()
