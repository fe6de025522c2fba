"""Models take stations that share a process for one station, which does the work of all of them."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim import verbs
from streamsim.errors import ModelError
from streamsim.joining import joined
from streamsim.loading import load
from streamsim.scenario import Scenario

SERVICE: dict[str, Any] = {
    "text": {"bytes": "1 MB", "record_bytes": 10},
    "half": {"per_record": "20 us", "selectivity": 0.5, "record_bytes": 10},
    "work": {"per_record": "30 us", "record_bytes": 10},
    "last": {"per_byte": "1 ns"},
}


def scenario(*, fuse: bool, **changes: Any) -> Scenario:
    stations: dict[str, Any] = {
        "half": {"operator": "sample", "every": 2},
        "work": {"operator": "map", "to": "record", "fuse": fuse},
        "last": {"command": "wc"},
    }
    return load(
        {"host": {"cores": 1}, "sources": {"text": {"command": "cat f"}}, "stations": stations, "service": SERVICE}
        | changes
    )


def test_a_joined_station_does_what_comes_to_each_of_its_parts() -> None:
    one, none = joined(scenario(fuse=True), None)
    assert none is None
    assert [station.name for station in one.circuit.stations] == ["text", "half+work", "last"]
    assert [pipe.label for pipe in one.circuit.pipes] == ["text->half+work", "half+work->last"]
    both = one.services["half+work"]
    assert both.service.per_record == pytest.approx(20e-6 + 0.5 * 30e-6)
    assert (both.bytes_in, both.bytes_out) == (1_000_000, 500_000)


def test_what_shares_no_process_is_left_as_it_is() -> None:
    apart = scenario(fuse=False)
    assert joined(apart, None)[0] is apart


def test_on_one_core_a_fused_circuit_takes_as_long_as_its_parts_together() -> None:
    # 100,000 records of 10 bytes: 2 s and, for half of them, 1.5 s; a nanosecond for each of 500,000 bytes.
    work = 100_000 * 20e-6 + 50_000 * 30e-6 + 500_000 * 1e-9
    fused = scenario(fuse=True)
    profile = verbs.find_profile(fused)
    for found in (
        verbs.summarise(verbs.simulate(fused, profile), fused),
        verbs.predict(fused, profile),
    ):
        assert found.circuit.makespan is not None
        assert found.circuit.makespan.value == pytest.approx(work, rel=0.01)
        assert "half+work" in found.stations


def test_a_source_that_shares_its_process_is_refused_by_name() -> None:
    made = load(
        {"sources": {"n": {"operator": "generate", "count": 10}},
         "stations": {"a": {"operator": "copy", "fuse": True}}}
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"a source that shares a process \(n, a\) can only be measured"):
        joined(made, None)
