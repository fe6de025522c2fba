"""Whatever circuit runs: no byte is lost, doubled or moved, and its counts are those of the bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsim.loading import load
from streamsim.real.measure import Session
from streamsim.real.run import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observing needs Linux's /proc")

CONSERVING = {
    "cat": {"command": "cat"},
    "small": {"command": "dd bs=100 status=none"},
    "large": {"command": "dd ibs=1000000 obs=70000 status=none"},
    "rot": {"command": "tr a-z b-za"},
    "shell": {"command": "bash -c 'cat | cat'"},
    "copy": {"operator": "copy"},
    "work": {"operator": "work", "service": "1 us"},
}
"""Stations that give as many bytes as they take, in the same order."""

FAST = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(cores=min(2, len(os.sched_getaffinity(0)))) as ready:
        yield ready


def rotate(data: bytes, times: int) -> bytes:
    table = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz", b"bcdefghijklmnopqrstuvwxyza")
    for _ in range(times):
        data = data.translate(table)
    return data


@FAST
@given(
    stages=st.lists(st.sampled_from(sorted(CONSERVING)), min_size=1, max_size=5),
    capacities=st.lists(st.sampled_from(["4 KiB", "64 KiB", "256 KiB"]), min_size=5, max_size=5),
    lines=st.integers(0, 20_000),
)
def test_a_chain_conserves_every_byte(
    stages: list[str], capacities: list[str], lines: int, session: Session, tmp_path: Path
) -> None:
    content = b"".join(b"%d the quick brown fox\n" % number for number in range(lines))
    (tmp_path / "in").write_bytes(content)
    stations = {
        f"s{place}": {**CONSERVING[stage], "pipe": {"capacity": capacities[place]}}
        for place, stage in enumerate(stages)
    }
    scenario = load(
        {"host": {"cores": 1}, "sources": {"f": {"file": str(tmp_path / "in")}}, "stations": stations,
         "sinks": {"o": {"file": str(tmp_path / "out")}}}
    )  # fmt: skip
    trace = session.run_once(scenario)
    assert (tmp_path / "out").read_bytes() == rotate(content, stages.count("rot"))
    for station in trace.stations.values():
        if station.operator or station.name == f"s{len(stages) - 1}":
            assert station.bytes_out[-1] == len(content), station.name
        if station.operator or station.name == "s0":
            assert station.bytes_in[-1] == len(content), station.name
        assert np.sum(
            [station.running_s, station.runnable_s, station.starved_s, station.blocked_s, station.waiting_s], axis=0
        ) == pytest.approx(station.time_s - station.started_s, abs=1e-6)


@FAST
@given(branches=st.integers(2, 4), lines=st.integers(0, 5_000), words=st.sampled_from(["cat", "tac | tac", "sort"]))
def test_a_split_and_join_conserves_every_record(branches: int, lines: int, words: str, tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number for number in range(lines))
    stations: dict[str, object] = {
        f"b{number}": {"command": f"bash -c '{words}'", "input": "stdin_copy"} for number in range(branches)
    }
    scenario = load(
        {"stations": {"stdin_copy": {"command": "cat"}, **stations,
                      "join": {"operator": "interleave", "input": list(stations)}}}
    )  # fmt: skip
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        run(scenario, stdin=source.fileno(), stdout=target.fileno())
    assert sorted((tmp_path / "out").read_bytes().splitlines()) == sorted(content.splitlines() * branches)
