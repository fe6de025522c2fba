"""Several servers, splits and merges, simulated chunk by chunk: every byte comes through, and the work is shared."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.loading import load
from streamsim.models import simulate
from streamsim.scenario import Scenario


def circuit(**station: Any) -> Scenario:
    """100 MB, a second of work for each 10 MB at the station in the middle, and four cores."""
    inserted = ("work.split", "work.merge") if station else ()
    return load(
        {
            "name": "shapes",
            "sources": {"make": {"command": "cat /dev/zero"}},
            "stations": {
                "work": {"operator": "filter", "where": "len(record) > 0", **station},
                "last": {"command": "cat"},
            },
            "host": {"cores": 4},
            "service": {
                "make": {"bytes": 100_000_000, "record_bytes": 100},
                "work": {"per_byte": "100 ns", "record_bytes": 100},
                **{name: {"record_bytes": 100} for name in ("last", *inserted)},
            },
        }
    )


def makespan_and_bytes(scenario: Scenario) -> tuple[float, int, int]:
    run = simulate(scenario).runs[0]
    return run.makespan_s, int(run.stations["work"].bytes_in[-1]), int(run.stations["last"].bytes_in[-1])


def test_one_server_takes_ten_seconds() -> None:
    assert makespan_and_bytes(circuit()) == (pytest.approx(10.0, rel=0.01), 100_000_000, 100_000_000)


@pytest.mark.parametrize("partition", ["round-robin", "least-loaded", "key"])
@pytest.mark.parametrize("servers", [2, 4])
def test_servers_share_the_work_and_no_byte_is_lost(partition: str, servers: int) -> None:
    more = {"partition_key": 1} if partition == "key" else {}
    found = makespan_and_bytes(circuit(parallelism=servers, partition=partition, **more))
    assert found == (pytest.approx(10.0 / servers, rel=0.05), 100_000_000, 100_000_000)


@pytest.mark.parametrize("selectivity", [0.0, 0.3, 2.5])
@pytest.mark.parametrize("partition", ["round-robin", "least-loaded"])
def test_servers_whose_answers_are_put_in_order_share_the_work_too(partition: str, selectivity: float) -> None:
    ordered = circuit(parallelism=3, partition=partition, merge="ordered")
    scenario = load(ordered.document, overrides={"service.work.selectivity": selectivity})
    found = makespan_and_bytes(scenario)
    assert found[0] == pytest.approx(10.0 / 3, rel=0.05)
    assert found[1:] == (100_000_000, pytest.approx(100_000_000 * selectivity, abs=3))


def test_no_more_servers_work_at_once_than_there_are_cores() -> None:
    scenario = circuit(parallelism=4)
    narrow = load(scenario.document, overrides={"host.cores": 2})
    assert simulate(narrow).runs[0].makespan_s == pytest.approx(5.0, rel=0.02)


def test_the_servers_of_a_station_are_one_row_whose_life_is_theirs() -> None:
    run = simulate(circuit(parallelism=4)).runs[0]
    assert set(run.stations) == {"make", "work.split", "work", "work.merge", "last"}
    assert run.stations["work"].servers == 4
    assert run.stations["work"].cpu_s[-1] == pytest.approx(10.0, rel=1e-6)
