"""Recordings that are done again record by record: what records can do of them, and what is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamsim.adjustable import Change, Replay, Timed, Turn
from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models.records.compiling import compile_table
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.runs import steered
from streamsim.scenario import Scenario
from streamsim.service import HostProfile
from streamsim.simulating import simulate_result

HOST = HostProfile(cores=8, available_cores=8.0, wake_near_s=0.0, wake_far_s=0.0)


SERVICE: dict[str, Any] = {
    "make": {"bytes": 800, "record_bytes": 8},
    "desk": {"per_record": "5 ms", "record_bytes": 8},
    "last": {"per_record": "1 ms", "record_bytes": 8},
}


def line(**more: Any) -> Scenario:
    """A hundred records, one each 10 ms, for a station that needs 5 ms for each, and one that needs 1 ms."""
    document: dict[str, Any] = {
        "sources": {"make": {"operator": "generate", "count": 100, "rate": "100 records/s"}},
        "stations": {"desk": {"command": "cat"}, "last": {"operator": "copy"}},
        "service": SERVICE,
        **more,
    }
    return load(document)


def exits(scenario: Scenario, *timed: Timed) -> list[float]:
    """Return when records leave, as both engines say."""
    table = compile_table(scenario, None, HOST, Replay({}, timed)).table
    law, kernel = Interpreter(table, np.random.SeedSequence(1)), Kernel(table, np.random.SeedSequence(1), log="exits")
    assert (steered(law)(), steered(kernel)()) == (False, False)
    found = [time for time, *_ in law.exits]
    assert kernel.exits()[1][:, 0].tolist() == found
    return found


def test_while_a_station_is_paused_it_serves_what_it_has_taken_and_then_what_has_waited() -> None:
    free = exits(line())
    held = exits(line(), Timed(0.102, "desk", "pause"), Timed(0.302, "desk", "resume"))
    assert len(free) == len(held) == 100
    place = next(number for number, (one, other) in enumerate(zip(free, held, strict=True)) if one != other)
    assert held[place - 1] == free[place - 1]
    assert held[place - 1] > 0.102  # it was served, though it was taken before
    # Then a record each 5 ms, until those that came meanwhile have been served.
    assert held[place : place + 30] == pytest.approx([0.302 + 0.005 * (n + 1) + 0.001 for n in range(30)], abs=1e-9)
    assert held[-1] == pytest.approx(free[-1], abs=1e-9)


def test_a_part_of_a_shared_process_pauses_the_process() -> None:
    fused = line(stations={"desk": {"operator": "copy"}, "last": {"operator": "copy", "fuse": True}})
    held = exits(fused, Timed(0.0, "last", "pause"), Timed(2.0, "last", "resume"))
    assert held[0] < 0.01  # it had been taken
    assert held[1] > 2.0


KEYED: dict[str, Any] = {
    "stations": {"desk": {"operator": "group", "key": 1, "parallelism": 4, "partition": "key"}},
    "service": {
        "make": {"bytes": 8_000_000, "record_bytes": 800},
        "desk": {"per_record": "1 ms", "record_bytes": 800, "selectivity": 1.0},
    },
    "sources": {"make": {"operator": "generate", "count": 10_000}},
}


def test_so_many_servers_of_a_keyed_station_get_records_and_none_while_keys_move() -> None:
    free, one = exits(line(**KEYED)), exits(line(**KEYED), Timed(0.0, "desk", "scale", 1))
    assert len(free) == len(one) == 10_000
    assert free[-1] < 3.5
    assert one[-1] == pytest.approx(10.0, abs=3 * 0.082)  # three full pipes of 64 KiB had been filled before
    # What stands in the pipes, and with the servers, is worked on while keys move.
    moved = exits(line(**KEYED), Timed(0.0, "desk", "scale", 4, ready_s=0.0, moving_s=5.0))
    assert moved[-1] == pytest.approx(5.0 + free[-1], abs=0.1)


def test_a_closed_load_is_paused_record_by_record_without_being_asked_to() -> None:
    users = {"operator": "generate", "count": 100, "arrivals": "closed", "in_flight": 1}
    scenario = line(sources={"make": users})
    timed = Timed(0.2, "desk", "pause"), Timed(1.2, "desk", "resume")
    free, held = simulate_result(scenario, host=HOST), simulate_result(scenario, host=HOST, replay=Replay({}, timed))
    assert held.circuit.makespan.value == pytest.approx((free.circuit.makespan.value or 0.0) + 1.0, abs=0.006)


@pytest.mark.parametrize(
    ("replay", "says"),
    [
        (Replay({"last": [Change(4, {})]}), "what was recorded of 'last' is done at a byte of its input, and records"),
        (Replay({}, turns=(Turn("last", 4, "desk", "wc"),)), "what was recorded of 'desk' is done at a byte"),
        (Replay({}, (Timed(1.0, "desk", "niceness", 3),)), "niceness of 'desk' cannot be simulated record by record"),
        (Replay({}, (Timed(1.0, "desk", "pipe", 4096),)), "pipe of 'desk' cannot be simulated record by record"),
        (Replay({}, (Timed(1.0, "make", "pause"),)), "pause of 'make' cannot be simulated: it reads nothing"),
        (Replay({}, (Timed(1.0, "disk", "pause"),)), r"no server of this simulation is called \(there are make, desk"),
        (Replay({}, (Timed(1.0, "desk", "scale", 1),)), "scale of 'desk' cannot be simulated: it has not several"),
        (Replay({}, (Timed(1.0, "desk", "pause"),)), "'desk' is paused at 1 s and never resumed"),
    ],
)
def test_what_records_cannot_do_is_refused_by_name(replay: Replay, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        simulate_result(line(), host=HOST, engine="auto", replay=replay)


def test_a_recording_belongs_to_a_run_that_ends() -> None:
    poisson = {"operator": "generate", "rate": "100 records/s", "arrivals": "poisson"}
    endless = line(sources={"make": poisson}, service={**SERVICE, "make": {"record_bytes": 8}})
    timed = Timed(0.2, "desk", "pause"), Timed(1.2, "desk", "resume")
    with pytest.raises(ModelError, match="this load has no end"):
        simulate_result(endless, host=HOST, engine="auto", replay=Replay({}, timed))
