"""What a scenario compiles to, and what is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamsim.circuit import Circuit, Feed, Pipe, Sink, Station
from streamsim.errors import ModelError, ProfileError
from streamsim.loading import load
from streamsim.models import compile_model
from streamsim.models.random import due_times
from streamsim.models.table import Pace
from streamsim.scenario import Load, Scenario
from streamsim.service import Profile
from streamsim.units import Rate
from tests.unit.modelled import EXPONENTIAL, PAGE, chain, giving, ideal_host, taking


def joined(command: str, *inputs: str) -> Scenario:
    stations = [Station(name=name, command="make", role="source") for name in inputs]
    join = Station(name="join", command=command, inputs=inputs, labels=inputs)
    pipes = tuple(Pipe(name, "join") for name in inputs)
    return Scenario(name="join", circuit=Circuit(stations=(*stations, join), pipes=pipes))


@pytest.mark.parametrize(
    ("command", "order", "inputs"),
    [
        ("comm -12 {a} {b}", "lockstep", ["b", "a"]),
        ("cat {a} {b}", "sequence", ["a", "b"]),
        ("/usr/bin/sort {a} {b}", "sequence", ["a", "b"]),
        ("sort -m {b} {a}", "lockstep", ["b", "a"]),
        ("grep -f {a} -", "sequence", ["a", "b"]),
        ("wc {a}", "sequence", ["b", "a"]),
        ("own-merger {a} {b}", "lockstep", ["b", "a"]),
    ],
)
def test_a_tool_reads_its_inputs_in_its_own_order(command: str, order: str, inputs: list[str]) -> None:
    profile = Profile(stations={"a": giving(PAGE), "b": giving(PAGE), "join": taking()})
    row = compile_model(joined(command, "b", "a"), profile).stations[2]
    assert (row.order, [entry.name for entry in row.inputs]) == (order, inputs)


def test_an_operator_reads_whichever_input_has_data() -> None:
    scenario = joined("cat {a} {b}", "a", "b")
    operator = Station(name="join", operator="interleave", inputs=("a", "b"))
    circuit = msgspec.structs.replace(scenario.circuit, stations=(*scenario.circuit.stations[:2], operator))
    profile = Profile(stations={"a": giving(PAGE), "b": giving(PAGE), "join": taking()})
    assert compile_model(msgspec.structs.replace(scenario, circuit=circuit), profile).stations[2].order == "ready"


def test_a_file_that_a_station_opens_is_an_input_without_pipe() -> None:
    circuit = Circuit(stations=(Station(name="cut", command="cut", inputs=("file",)),), feeds=(Feed("file", "f"),))
    scenario = Scenario(name="feed", circuit=circuit, source_bytes={"file": 12345})
    (entry,) = compile_model(scenario, Profile(stations={"cut": taking()})).stations[0].inputs
    assert (entry.pipe, entry.total_bytes) == (None, 12345)


def test_several_outputs_of_anything_but_a_copy_are_refused_by_name() -> None:
    stations = (
        Station(name="a", command="make", role="source"),
        Station(name="b", command="b", inputs=("a",)),
        Station(name="c", command="c", inputs=("a",)),
    )
    scenario = Scenario(name="fork", circuit=Circuit(stations=stations, pipes=(Pipe("a", "b"), Pipe("a", "c"))))
    profile = Profile(stations={"a": giving(PAGE), "b": taking(), "c": taking()})
    with pytest.raises(ModelError, match="'a': only a copy has several outputs"):
        compile_model(scenario, profile)


def test_a_negative_demand_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="station 's1': a demand below 0"):
        compile_model(*chain(giving(PAGE), taking(per_byte=-1.0)))


def test_a_host_without_cores_is_refused() -> None:
    with pytest.raises(ModelError, match="nothing can run on 0 available of 2 cores"):
        compile_model(*chain(giving(PAGE), host=ideal_host(2, available_cores=0.0)))


def test_an_unknown_station_is_a_profile_error_that_says_what_to_do() -> None:
    scenario, _ = chain(giving(PAGE), taking())
    with pytest.raises(ProfileError, match=r"'s0', 's1'.*streamsim measure.*\[service\.s0\]"):
        compile_model(scenario, Profile())


def test_a_scenario_declared_by_hand_compiles_without_a_profile() -> None:
    scenario = load(
        {
            "sources": {"make": {"command": "seq 9"}},
            "stations": {"sum": {"command": "wc -l"}},
            "service": {"make": {"bytes": "64 KiB"}, "sum": {"per_byte": "2 ns"}},
        }
    )
    model = compile_model(scenario, None)
    assert [row.flow.bytes_in for row in model.stations] == [0, 65536]
    assert [row.name for row in model.sources] == ["make"]


def test_only_what_draws_numbers_is_random() -> None:
    poisson = Load(rate=Rate(1.0, "records"), arrivals="poisson")
    even = Load(rate=Rate(1.0, "records"))
    assert not compile_model(*chain(giving(PAGE), taking(per_byte=1.0))).random
    assert not compile_model(*chain(giving(PAGE), taking(distribution=EXPONENTIAL), load=even)).random
    assert compile_model(*chain(giving(PAGE), taking(per_byte=1.0, distribution=EXPONENTIAL))).random
    assert compile_model(*chain(giving(PAGE), taking(), load=poisson)).random


def test_the_expected_time_is_that_of_the_busiest_station_or_of_the_cores_or_of_the_load() -> None:
    parts = giving(100 * PAGE), taking(setup=0.5, startup=1.0), taking(setup=0.2)
    assert compile_model(*chain(*parts)).expected_s() == pytest.approx(51.0)
    assert compile_model(*chain(*parts, host=ideal_host(1))).expected_s() == pytest.approx(71.0)
    slow = Load(rate=Rate(0.5, "records"))
    assert compile_model(*chain(*parts, load=slow)).expected_s() == pytest.approx(200.0)


def test_a_trace_of_arrivals_is_read_when_the_scenario_is_compiled(tmp_path: Path) -> None:
    times = tmp_path / "times"
    times.write_text("3\n1\n2\n")
    model = compile_model(*chain(giving(10 * PAGE), taking(), load=Load(arrivals="trace", times=str(times))))
    pace = model.stations[0].pace
    assert pace is not None
    assert list(due_times(pace, np.random.default_rng(1))) == [1.0, 2.0, 3.0]


def test_a_source_without_a_load_of_its_own_has_no_arrival_times() -> None:
    pace = compile_model(*chain(giving(10 * PAGE), load=Load(duration_s=2.0))).stations[0].pace
    assert pace == Pace(duration_s=2.0)


def test_records_are_counted_by_their_last_byte() -> None:
    row = compile_model(*chain(giving(1000, record=80), taking(record=80, gives=0.5))).stations[1]
    assert [row.records_in(taken) for taken in (0, 79, 80, 959, 1000)] == [0, 0, 0, 11, 12]
    assert row.first_bytes(row.flow.records_out) == row.flow.bytes_out == 500


def test_the_sinks_of_a_copy_are_known() -> None:
    stations = (
        Station(name="a", command="make", role="source"),
        Station(name="a.copy", operator="copy", inputs=("a",), role="copy"),
        Station(name="b", command="b", inputs=("a.copy",)),
    )
    circuit = Circuit(
        stations=stations,
        pipes=(Pipe("a", "a.copy"), Pipe("a.copy", "b")),
        sinks=(Sink("table", "a.copy", None),),
    )
    profile = Profile(stations={"a": giving(PAGE), "a.copy": taking(), "b": taking()})
    assert compile_model(Scenario(name="copy", circuit=circuit), profile).stations[1].sinks == 1
