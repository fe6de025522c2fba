"""What a trace says, against numbers worked out by hand or by another way."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.circuit import Circuit, Feed, Pipe, Station
from streamsim.errors import ProfileError
from streamsim.models import simulate
from streamsim.result import Result
from streamsim.scenario import Load
from streamsim.summary import STATES, summarise
from streamsim.units import Rate
from streamsim.visits import due_times, response_times
from tests.unit import modelled, traces

TWO = traces.chain(["give", "take"])


def _two(makespan: float = 10.0, **more: object) -> traces.RunTrace:
    return traces.run_trace(
        [
            traces.station_trace("give", life=8, bytes_out=1000, spent={"running": 2, "blocked": 5}, records_out=10),
            traces.station_trace("take", life=9, bytes_in=1000, bytes_out=50, spent={"running": 6, "runnable": 1}),
        ],
        makespan=makespan,
        **more,
    )


def test_every_metric_is_the_mean_over_the_repetitions() -> None:
    result = summarise(traces.trace_of(_two(10), _two(12)), TWO)
    assert result.circuit.makespan.value == 11
    assert result.stations["take"].utilisation.value == pytest.approx((6 / 10 + 6 / 12) / 2)
    assert result.circuit.bytes_per_s.value == pytest.approx((1000 / 10 + 1000 / 12) / 2)
    assert result.circuit.makespan.low < 11 < result.circuit.makespan.high
    assert result.repetitions == 2


def test_a_budget_adds_up_to_one() -> None:
    budget = summarise(traces.trace_of(_two()), TWO).stations["take"].budget
    assert math.fsum(getattr(budget, state).value for state in STATES) == pytest.approx(1)
    assert budget.running.value == pytest.approx(6 / 9)
    assert budget.starved.value == pytest.approx(2 / 9)


def test_throughput_counts_what_the_starts_put_in() -> None:
    result = summarise(traces.trace_of(_two()), TWO)
    assert result.circuit.bytes_per_s.value == 100
    assert result.circuit.records_per_s.value == 1


def test_a_start_that_opens_a_file_puts_in_what_it_read() -> None:
    circuit = Circuit((Station(name="count", command="wc", inputs=("text",)),), feeds=(Feed("text", "a.txt"),))
    run = traces.run_trace([traces.station_trace("count", bytes_in=5000, bytes_out=10)])
    result = summarise(traces.trace_of(run), circuit)
    assert result.circuit.bytes_per_s.value == 500
    assert result.circuit.records_per_s is None


def test_demand_is_for_each_byte_in_and_for_a_source_each_byte_out() -> None:
    stations = summarise(traces.trace_of(_two()), TWO).stations
    assert stations["take"].demand_per_byte.value == pytest.approx(6 / 1000)
    assert stations["give"].demand_per_byte.value == pytest.approx(2 / 1000)
    assert stations["give"].demand_per_record.value == pytest.approx(2 / 10)


def test_the_bottleneck_is_the_station_at_work_the_longest() -> None:
    bottleneck = summarise(traces.trace_of(_two()), TWO).circuit.bottleneck
    assert (bottleneck.station, bottleneck.runner_up) == ("take", "host")
    assert bottleneck.share.value == pytest.approx(0.6)
    assert bottleneck.runner_up_share.value == pytest.approx(8 / (2 * 10))
    assert bottleneck.saturated  # nothing gives by the clock


def test_waiting_for_a_core_counts_against_the_host() -> None:
    stations = [
        traces.station_trace("give", bytes_out=1, spent={"running": 5, "runnable": 5}),
        traces.station_trace("take", bytes_in=1, spent={"running": 4.8, "runnable": 5}),
    ]
    run = traces.run_trace(stations, available_cores=1.0)
    bottleneck = summarise(traces.trace_of(run), TWO).circuit.bottleneck
    assert bottleneck.station == "host"
    assert bottleneck.share.value == pytest.approx(0.98)
    assert bottleneck.saturated


def test_a_lone_station_is_named_before_the_host_that_it_fills() -> None:
    alone = traces.chain(["only"])
    run = traces.run_trace([traces.station_trace("only", spent={"running": 10})], available_cores=1.0)
    assert summarise(traces.trace_of(run), alone).circuit.bottleneck.station == "only"


def test_levels_are_weighted_by_how_long_they_held() -> None:
    pipe = TWO.pipes[0]
    full = pipe.capacity_bytes
    level = traces.pipe_trace(pipe, [0, 1, 4, 10], [0, full, full / 2, 0])
    found = summarise(traces.trace_of(_two(pipes=[level])), TWO).pipes[pipe.label]
    assert found.level_bytes.mean.value == pytest.approx((3 * full + 6 * full / 2) / 10)
    assert found.level_bytes.p99.value == full
    assert found.full.value == pytest.approx(0.3)
    assert found.empty.value == pytest.approx(0.1)


def test_a_pipe_of_one_page_is_not_full_while_empty() -> None:
    small = Pipe("give", "take", 4096)
    level = traces.pipe_trace(small, [0, 5, 10], [0, 100, 100])
    found = summarise(traces.trace_of(_two(pipes=[level])), TWO).pipes[small.label]
    assert (found.full.value, found.empty.value) == (0.5, 0.5)


def test_service_is_of_chunks_and_not_of_the_end_of_the_input() -> None:
    rows = traces.visits((0, 1, 2, 2, 1, 500, 0, 0, 0), (2, 3, 6, 7, 3, 500, 0, 0, 0), (7, 8, 9.5, 10, 1, 0, 50, 0, 0))
    take = traces.station_trace("take", bytes_in=1000, bytes_out=50, visits=rows)
    run = traces.run_trace([traces.station_trace("give", bytes_out=1000), take])
    station = summarise(traces.trace_of(run), TWO).stations["take"]
    assert station.service_time.value == 2
    assert station.service_scv.value == pytest.approx(2 / 4)
    assert station.wait is None


def test_without_visits_there_is_no_service_time_and_no_complaint() -> None:
    result = summarise(traces.trace_of(_two()), TWO)
    assert result.stations["take"].service_time is None
    assert result.warnings == ()


def test_a_chunk_waits_from_when_its_first_byte_was_in_the_pipe() -> None:
    upstream = traces.visits((0, 0, 1, 1, 1, 0, 100, 0, 1), (1, 1, 2, 2, 1, 0, 100, 0, 1))
    # 150 bytes at 3 (their first came at 1), 50 at 5 (came with the second hundred, at 2)
    down = traces.visits((0, 3, 4, 4.5, 1, 150, 0, 1, 0), (4.5, 5, 6, 6, 1, 50, 0, 1, 0))
    run = traces.run_trace(
        [
            traces.station_trace("give", bytes_out=200, visits=upstream),
            traces.station_trace("take", bytes_in=200, visits=down),
        ]
    )
    station = summarise(traces.trace_of(run), TWO).stations["take"]
    assert station.wait.value == pytest.approx(((3 - 1) + (5 - 2)) / 2)
    assert station.response_time.value == pytest.approx(((4.5 - 1) + (6 - 2)) / 2)


def test_a_paced_source_waits_from_when_it_was_due() -> None:
    rows = traces.visits((1, 1.5, 1.6, 1.7, 0.1, 0, 10, 0, 1), (2, 2.1, 2.2, 2.3, 0.1, 0, 10, 0, 1))
    run = traces.run_trace(
        [traces.station_trace("give", bytes_out=20, visits=rows), traces.station_trace("take", bytes_in=20)]
    )
    paced = {"give": Load(rate=Rate(1, "records"))}
    assert summarise(traces.trace_of(run), TWO, loads=paced).stations["give"].wait.value == pytest.approx(0.3)
    assert summarise(traces.trace_of(run), TWO).stations["give"].wait is None


def test_response_times_of_an_open_load_follow_lindley() -> None:
    circuit, loads, trace = traces.open_chain(400)
    result = summarise(trace, circuit, loads=loads)
    means = []
    for run in trace.runs:
        due = run.stations["clock"].visits["asked"]
        left = run.stations["store"].visits["sent"]
        means.append((left - due)[40:].mean())
    assert result.circuit.response_time.mean.value == pytest.approx(np.mean(means))
    assert result.circuit.response_time.p50.value < result.circuit.response_time.p95.value
    assert result.stations["parse"].wait.value > 0
    assert not result.saturated
    assert any("first 10 %" in note for note in result.notes)


def test_a_station_that_gives_one_record_in_four_answers_for_the_last_of_the_four() -> None:
    due = np.arange(8.0)
    source = traces.station_trace("give", bytes_out=800, visits=traces.source_visits(due))
    rows = traces.visits((0, 3, 4, 4, 1, 400, 10, 4, 1), (4, 7, 9, 9, 1, 400, 10, 4, 1))
    run = traces.run_trace([source, traces.station_trace("take", bytes_in=800, visits=rows)])
    loads = {"give": Load(rate=Rate(1, "records"))}
    assert response_times(run, TWO, loads).tolist() == [4 - 3, 9 - 7]


def test_an_end_that_gives_nothing_is_done_with_what_it_took() -> None:
    source = traces.station_trace("give", bytes_out=200, visits=traces.source_visits(np.array([0.0, 1.0])))
    rows = traces.visits((0, 1.5, 2, 2, 0.5, 200, 0, 2, 0))
    run = traces.run_trace([source, traces.station_trace("take", bytes_in=200, visits=rows)])
    assert response_times(run, TWO, {"give": Load(rate=Rate(1, "records"))}).tolist() == [2, 1]


def test_records_of_one_chunk_were_due_evenly_up_to_the_next_chunk() -> None:
    rows = traces.visits((0, 0, 0, 0, 0, 0, 9, 0, 3), (0.6, 0, 0, 0, 0, 0, 9, 0, 0), (0.9, 0, 0, 0, 0, 0, 9, 0, 2))
    source = traces.station_trace("give", visits=rows)
    assert due_times(source).tolist() == pytest.approx([0, 0.3, 0.6, 0.9, 1.2])


def test_a_unix_command_at_the_end_leaves_no_response_time_and_says_so() -> None:
    circuit, loads, trace = traces.open_chain(50)
    run = trace.runs[0]
    stations = [*list(run.stations.values())[:2], traces.station_trace("store", bytes_in=1)]
    result = summarise(traces.trace_of(traces.run_trace(stations)), circuit, loads=loads)
    assert result.circuit.response_time is None
    assert any("'store' kept no visits" in warning for warning in result.warnings)


def test_a_source_that_falls_behind_its_times_is_saturated() -> None:
    due = np.arange(100.0) / 10
    late = traces.source_visits(due)
    late["sent"] = due * 1.3
    run = traces.run_trace(
        [traces.station_trace("give", bytes_out=1, visits=late), traces.station_trace("take", bytes_in=1)]
    )
    result = summarise(traces.trace_of(run), TWO, loads={"give": Load(rate=Rate(10, "records"))})
    assert result.saturated
    assert result.circuit.bottleneck.saturated
    assert any("30 % of its span" in warning for warning in result.warnings)


def test_a_split_answers_at_every_end() -> None:
    circuit = Circuit(
        (
            Station(name="s", operator="generate", role="source"),
            Station(name="c", operator="copy", role="copy", inputs=("s",)),
            Station(name="a", operator="map", inputs=("c",)),
            Station(name="b", operator="map", inputs=("c",)),
        ),
        (Pipe("s", "c"), Pipe("c", "a"), Pipe("c", "b")),
    )
    due = np.arange(20.0)
    ends = {name: traces.queue_visits(due, np.full(20, delay)) for name, delay in (("c", 0), ("a", 0.25), ("b", 0.5))}
    source = traces.station_trace("s", visits=traces.source_visits(due))
    run = traces.run_trace([source, *(traces.station_trace(name, visits=rows) for name, rows in ends.items())])
    found = response_times(run, circuit, {"s": Load(rate=Rate(1, "records"))})
    assert sorted(found.tolist()) == pytest.approx([0.25] * 18 + [0.5] * 18)


def test_another_circuit_is_refused_by_name() -> None:
    with pytest.raises(ProfileError, match="no station 'rank'"):
        summarise(traces.trace_of(_two()), traces.chain(["give", "take", "rank"]))


def test_a_trace_without_runs_is_refused() -> None:
    with pytest.raises(ProfileError, match="holds no run"):
        summarise(traces.trace_of(), TWO)


def test_the_result_survives_json() -> None:
    circuit = traces.chain([f"s{place}" for place in range(5)])
    result = summarise(traces.example_trace(circuit), circuit)
    assert msgspec.json.decode(msgspec.json.encode(result), type=Result) == result


def test_warnings_of_all_runs_are_told_once() -> None:
    runs = [_two(warnings=("a clock jumped",)), _two(warnings=("a clock jumped",))]
    result = summarise(traces.trace_of(*runs, warnings=("few samples",)), TWO)
    assert result.warnings == ("few samples", "a clock jumped")


def test_a_simulated_run_is_summarised_as_worked_out_by_hand() -> None:
    # Chunk k of 10 comes at k s and takes 3 s: it is got at 1 + 3 (k - 1), so it waits 2 (k - 1) s.
    scenario, profile = modelled.chain(
        modelled.giving(10 * modelled.PAGE, setup=1.0), modelled.taking(setup=3.0), operators=True
    )
    result = summarise(simulate(scenario, profile), scenario.circuit)
    taker = result.stations["s1"]
    assert result.circuit.makespan.value == pytest.approx(31)
    assert result.circuit.bytes_per_s.value == pytest.approx(10 * modelled.PAGE / 31)
    assert taker.wait.value == pytest.approx(9)
    assert taker.service_time.value == pytest.approx(3)
    assert taker.response_time.value == pytest.approx(12)
    assert taker.utilisation.value == pytest.approx(30 / 31)
    assert (result.circuit.bottleneck.station, result.circuit.bottleneck.saturated) == ("s1", True)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 5), min_size=4, max_size=4), st.floats(0.1, 30))
def test_shares_stay_between_nothing_and_all(parts: list[float], idle: float) -> None:
    spent = dict(zip(("running", "runnable", "blocked", "waiting"), parts, strict=True))
    life = sum(parts) + idle
    one = traces.station_trace("give", life=life, bytes_out=10, spent=spent)
    other = traces.station_trace("take", life=life, bytes_in=10, spent={})
    result = summarise(traces.trace_of(traces.run_trace([one, other], makespan=life)), TWO)
    budget = result.stations["give"].budget
    assert math.fsum(getattr(budget, state).value for state in STATES) == pytest.approx(1)
    assert 0 <= result.stations["give"].utilisation.value <= 1
    assert 0 <= result.circuit.bottleneck.share.value <= 1
