"""Operators that share a process give what they give apart, and each is still accounted for by itself."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsim.errors import RunError, ScenarioError
from streamsim.loading import load
from streamsim.real.control.client import Client
from streamsim.real.control.runs import control_paths
from streamsim.real.launch import launched
from streamsim.real.measure import run_once
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observing needs Linux's /proc")

STAGES: list[dict[str, Any]] = [
    {"operator": "copy"},
    {"operator": "filter", "where": "len(record) % 3 != 1"},
    {"operator": "map", "to": "record + ',' + record"},
    {"operator": "map", "to": "column(1)"},
    {"operator": "sample", "every": 2},
    {"operator": "group", "key": 1, "function": "count"},
    {"operator": "count"},
    {"operator": "work", "service": "1 us"},
]


def chain(stages: list[int], *, fuse: bool) -> dict[str, Any]:
    stations = {f"s{place}": STAGES[stage] | ({"fuse": True} if fuse and place else {}) for place, stage in
                enumerate(stages)}  # fmt: skip
    return {"name": "chain", "host": {"cores": 1}, "stations": stations}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stages=st.lists(st.integers(0, len(STAGES) - 1), min_size=2, max_size=5),
    lines=st.integers(0, 30_000),
    ended=st.booleans(),
)
def test_fused_operators_give_what_they_give_apart(stages: list[int], lines: int, ended: bool, tmp_path: Path) -> None:
    content = b"\n".join(b"%d" % (number * 7919 % 1000) for number in range(lines)) + b"\n" * ended
    (tmp_path / "in").write_bytes(content)
    found = []
    for fuse in (True, False):
        scenario = load(chain(stages, fuse=fuse))
        assert len(make_plan(scenario).processes) == (1 if fuse else len(stages))
        with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
            run(scenario, stdin=source.fileno(), stdout=target.fileno())
        found.append((tmp_path / "out").read_bytes())
    assert found[0] == found[1]


def test_each_part_is_accounted_for_by_itself(tmp_path: Path) -> None:
    document = chain([0, 1, 2, 7, 6], fuse=True)
    document["sources"] = {"numbers": {"operator": "generate", "count": 100_000, "size": 21}}
    document["stations"]["s0"]["fuse"] = True
    document["sinks"] = {"out": {"file": str(tmp_path / "out")}}
    fused = run_once(load(document))
    assert not [warning for warning in fused.warnings if "standard error" in warning]
    for station in document["stations"].values():
        station.pop("fuse", None)
    apart = run_once(load(document))
    assert list(fused.stations) == list(apart.stations)
    assert fused.pipes == {}
    for name, one in fused.stations.items():
        other = apart.stations[name]
        assert (one.records_in, one.records_out) == (other.records_in, other.records_out), name
        assert (one.bytes_in[-1], one.bytes_out[-1]) == (other.bytes_in[-1], other.bytes_out[-1]), name
        assert one.visits is not None and (np.diff(one.visits["sent"]) >= 0).all()
        for first, then in (("asked", "got"), ("got", "served"), ("served", "sent")):
            assert (one.visits[first] <= one.visits[then]).all(), (name, first)
        shares = (one.running_s, one.runnable_s, one.starved_s, one.blocked_s, one.waiting_s)
        assert np.sum(shares, axis=0) == pytest.approx(one.time_s - one.started_s, abs=1e-6)
        assert all((np.diff(share) >= -1e-9).all() for share in shares)
    work = fused.stations["s3"]
    assert work.cpu_s[-1] > 0.5 * sum(float(one.cpu_s[-1]) for one in fused.stations.values())
    assert fused.stations["s0"].blocked_s[-1] > fused.stations["s0"].running_s[-1]


def test_the_part_that_fails_is_named() -> None:
    scenario = load({"sources": {"n": {"command": "printf '1\\nx\\n'"}},
                     "stations": {"fine": {"operator": "copy"},
                                  "bad": {"operator": "group", "key": 1, "value": 1, "function": "mean", "fuse": True},
                                  "last": {"operator": "copy", "fuse": True}}})  # fmt: skip
    with pytest.raises(RunError) as caught, launched(make_plan(scenario), Setting()) as crew:
        supervise(crew)
    assert caught.value.station == "fine" and "copy | group | copy" in caught.value.message
    assert caught.value.stderr.startswith("bad: record 2")


def test_a_fused_chain_whose_reader_goes_ends_well() -> None:
    scenario = load({"sources": {"n": {"operator": "generate"}},
                     "stations": {"a": {"operator": "copy", "fuse": True}, "b": {"operator": "copy", "fuse": True},
                                  "head": {"command": "head -n 3"}}})  # fmt: skip
    read, write = os.pipe()
    run(scenario, stdout=write)
    os.close(write)
    with open(read, "rb") as file:
        assert file.read() == b"1\n2\n3\n"


def test_records_that_a_part_leaves_out_are_counted_and_kept(tmp_path: Path) -> None:
    dead = str(tmp_path / "dead")
    scenario = load({"sources": {"n": {"command": "printf '1\\nx\\n3\\n'"}},
                     "stations": {"a": {"operator": "copy"},
                                  "b": {"operator": "map", "to": "str(int(record))", "on_error": "dead-letter",
                                        "dead_letter": dead, "fuse": True},
                                  "c": {"operator": "count", "fuse": True}}})  # fmt: skip
    found = run_once(scenario)
    assert Path(dead).read_bytes() == b"x\n"
    assert found.stations["b"].rejected == 1 and found.stations["a"].rejected == 0
    assert found.stations["c"].records_in == 2


SOURCES: list[dict[str, Any]] = [
    {"operator": "generate", "count": 20_000, "size": 12},
    {"operator": "generate", "size": 12, "rate": "200000 records/s"},
    {"operator": "file", "paths": ["in", "in"]},
    {"file": "in", "rate": "200000 records/s", "arrivals": "poisson"},
    {"command": "cat in", "rate": "200000 records/s"},
]


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_shares_a_process_gives_what_it_gives_apart(source: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"".join(b"%d\n" % (number * 7919 % 1000) for number in range(9000)))
    found = []
    for fuse in (True, False):
        stations = {"keep": {"operator": "filter", "where": "len(record) % 3 != 1", "fuse": fuse},
                    "every": {"operator": "sample", "every": 3, "fuse": fuse}}  # fmt: skip
        document = {"sources": {"n": source}, "stations": stations, "sinks": {"out": {"file": "out"}},
                    "measure": {"records": 15_000}}  # fmt: skip
        scenario = load(document, file=str(tmp_path / "fused.toml"))
        processes = make_plan(scenario).processes
        assert len(processes) == (1 if fuse else 3) + ("command" in source)
        trace = run_once(scenario)
        found.append((
            (tmp_path / "out").read_bytes(),
            {name: (one.records_in, one.records_out, int(one.bytes_out[-1])) for name, one in trace.stations.items()},
        ))  # fmt: skip
    assert found[0] == found[1]
    assert found[0][0].count(b"\n") > 1000


def test_below_a_fused_source_a_bad_record_is_named_kept_or_skipped(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "sources": {"n": {"operator": "generate", "count": 3}},
        "stations": {"bad": {"operator": "map", "to": "str(6 // (2 - int(record)))", "fuse": True}},
        "sinks": {"out": {"file": "out"}},
    }
    place = str(tmp_path / "fused.toml")
    with pytest.raises(RunError) as caught, launched(make_plan(load(document, file=place)), Setting()) as crew:
        supervise(crew)
    assert caught.value.station == "n" and caught.value.stderr.startswith("bad: record 2")
    assert not (tmp_path / "out").exists()
    document["stations"]["bad"] |= {"on_error": "dead-letter", "dead_letter": "dead"}
    trace = run_once(load(document, file=place))
    assert (tmp_path / "dead").read_bytes() == b"2\n" and (tmp_path / "out").read_bytes() == b"6\n-6\n"
    assert trace.stations["bad"].rejected == 1


def test_a_killed_process_of_a_fused_source_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    document = {"sources": {"n": {"operator": "generate"}},
                "stations": {"a": {"operator": "copy", "fuse": True}}, "sinks": {"out": {"file": "out"}}}  # fmt: skip
    plan = make_plan(load(document, file=str(tmp_path / "fused.toml")))

    def run_and_kill() -> None:
        with launched(plan, Setting()) as crew:
            os.kill(crew.children[0].pid, signal.SIGKILL)
            supervise(crew)

    with pytest.raises(RunError, match="SIGKILL"):
        run_and_kill()
    assert list(tmp_path.iterdir()) == []


def test_a_fused_source_and_all_below_it_can_be_asked_and_changed() -> None:
    document = {"sources": {"n": {"operator": "generate"}},
                "stations": {"a": {"operator": "filter", "where": "int(record) < 5", "fuse": True},
                             "b": {"operator": "copy", "fuse": True}}}  # fmt: skip
    read, write = os.pipe()
    with launched(make_plan(load(document)), Setting(stdout=write)) as crew:
        os.close(write)
        assert os.read(read, 1 << 16) == b"1\n2\n3\n4\n"
        with Client(str(control_paths(crew.directory, 0)["socket"]), timeout_s=60.0) as client:
            assert client.call("parameters")["kind"] == "numbers"
            assert client.call("a/parameters")["where"] == "int(record) < 5"
            assert client.call("b/metrics")["bytes_in"] == 8
            client.call("a/set", {"where": "int(record) % 2 == 0"})
        assert int(os.read(read, 1 << 16).split(b"\n")[1]) % 2 == 0
    os.close(read)


REFUSED = {
    "above it stands 'a', a command": {"a": {"command": "cat"}, "b": {"operator": "copy", "fuse": True}},
    "it reads the file 'stdin' itself": {"a": {"operator": "copy", "fuse": True}},
    "others read 'a' too": {"a": {"operator": "copy"}, "b": {"operator": "copy", "input": "a", "fuse": True},
                            "c": {"command": "cat", "input": "a"}},
    "it has 2 inputs": {"x": {"operator": "copy"}, "a": {"operator": "copy", "input": "x"},
                        "c": {"operator": "copy", "input": "x"},
                        "b": {"operator": "interleave", "input": ["a", "c"], "fuse": True}},
    "one of them has several servers": {"a": {"operator": "copy"},
                                        "b": {"operator": "copy", "parallelism": 2, "fuse": True},
                                        "c": {"operator": "copy"}},
    "its niceness, cores and env": {"a": {"operator": "copy"},
                                    "b": {"operator": "copy", "niceness": 3, "fuse": True}},
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_fused_is_refused_by_name(reason: str) -> None:
    with pytest.raises(ScenarioError, match=rf"stations\.\w+\.fuse: cannot be fused: {reason}"):
        load({"stations": REFUSED[reason]})
