"""What happens to records, by hand: small timelines that both engines must give."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamsim.errors import ModelError
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.streams import Drawn, Listed
from streamsim.models.records.table import Command, Host, Pipe, Source, Station, Table
from streamsim.service import HostProfile
from tests.unit.recorded import departures, exits, source, table


def test_a_server_holds_the_record_that_finds_no_room_after_its_service(engine: Any) -> None:
    model = table(
        Station(name="fast", source=Source(records=3)),
        Station(name="slow", base_s=5.0),
        pipes=[Pipe(upstream=0, downstream=1, capacity=1)],
    )
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    assert exits(engine, model) == [(6.0, "slow"), (11.0, "slow"), (16.0, "slow")]
    sent = [s for *_, s in one.visits] if engine is Interpreter else one.visits()[1][:, 3].tolist()
    assert sent == [1.0, 2.0, 6.0, 6.0, 11.0, 16.0]  # the third waits for room from 3 to 6


def test_a_server_that_claims_its_place_first_starts_only_then(engine: Any) -> None:
    model = table(
        Station(name="fast", source=Source(records=3), when_full="before"),
        Station(name="slow", base_s=5.0),
        pipes=[Pipe(upstream=0, downstream=1, capacity=1)],
    )
    # the second claims at 1 and is there at 2; the third claims at 6 only, when the second is taken
    assert exits(engine, model) == [(6.0, "slow"), (11.0, "slow"), (16.0, "slow")]
    assert departures(engine, model, 0) == [1.0, 2.0, 7.0]


def test_what_finds_no_room_is_lost_where_that_is_said(engine: Any) -> None:
    model = table(
        source(times=(0.0, 1.0, 2.0, 3.0), when_full="drop"),
        Station(name="slow", base_s=2.5),
        pipes=[Pipe(upstream=0, downstream=1, capacity=1)],
    )
    assert exits(engine, model) == [(2.5, "slow"), (5.0, "slow"), (7.5, "slow")]  # that of 2 finds that of 1 waiting


def test_the_most_urgent_record_is_taken_first(engine: Any) -> None:
    model = table(
        source("low", times=(0.0, 0.1, 0.2), urgency=1),
        source("high", times=(0.5,), urgency=0),
        Station(name="one", pick="ready"),
        pipes=[Pipe(upstream=0, downstream=2, classes=2), Pipe(upstream=1, downstream=2, classes=2)],
    )
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    due = [b for _, b, *_ in one.exits] if engine is Interpreter else one.exits()[1][:, 1].tolist()
    assert due == [0.0, 0.5, 0.1, 0.2]


def test_two_tasks_on_one_core_take_twice_as_long(engine: Any) -> None:
    host = Host(name="host", profile=HostProfile(wake_near_s=0.0, wake_far_s=0.0))
    model = table(
        source(times=(0.0, 1.0)),
        Station(name="shared", servers=2, base_s=2.0, host=0),
        pipes=[(0, 1)],
        hosts=(host,),
    )
    # alone until 1, half a core each until 3, alone again until 4
    assert exits(engine, model) == [(3.0, "shared"), (4.0, "shared")]


def test_a_command_changes_the_background_from_then_on(engine: Any) -> None:
    host = Host(name="host", profile=HostProfile(cores=2, available_cores=1.0, wake_near_s=0.0, wake_far_s=0.0))
    model = table(
        source(times=(0.0, 0.0)),
        Station(name="shared", servers=2, base_s=2.0, host=0),
        pipes=[(0, 1)],
        hosts=(host,),
        commands=(Command(time_s=1.0, target="host", parameter="background", value=0.0),),
    )
    assert exits(engine, model) == [(2.5, "shared"), (2.5, "shared")]  # half a core each until 1, then one each


def test_commands_change_services_servers_and_weights(engine: Any) -> None:
    model = table(
        source(times=(1.0, 1.0, 1.0, 1.0), split="drawn", weights=(0.0, 1.0)),
        Station(name="left", servers=2, base_s=2.0),
        Station(name="right", base_s=1.0),
        pipes=[(0, 1), (0, 2)],
        commands=(
            Command(time_s=0.0, target="left", parameter="servers", value=1),
            Command(time_s=0.0, target="source", parameter="weights", value=(1.0, 0.0)),
            Command(time_s=3.5, target="left", parameter="service", value=0.5),
            Command(time_s=5.0, target="left", parameter="servers", value=2),
        ),
    )
    # one server until 5, then two, and half the work for what is taken from 3.5 on
    assert exits(engine, model) == [(3.0, "left"), (5.0, "left"), (6.0, "left"), (6.0, "left")]


def test_a_station_of_which_no_server_takes_records_is_paused(engine: Any) -> None:
    model = table(
        source(times=(0.0, 1.0, 2.0)),
        Station(name="take", servers=2, base_s=3.0),
        pipes=[(0, 1)],
        commands=(
            Command(time_s=0.5, target="take", parameter="servers", value=0),
            Command(time_s=9.0, target="take", parameter="servers", value=2),
        ),
    )
    assert exits(engine, model) == [(3.0, "take"), (12.0, "take"), (12.0, "take")]
    with pytest.raises(ModelError, match="1 to 1 servers can take records, not 0"):
        check(replace(model, commands=(Command(time_s=0.5, target="source", parameter="servers", value=0),)))


def test_a_fraction_of_records_is_given_exactly(engine: Any) -> None:
    model = table(
        source(records=6),
        Station(name="some", yields=Fraction(2, 3)),
        Station(name="more", base_s=0.0, yields=Fraction(5, 2)),
        pipes=[(0, 1), (1, 2)],
    )
    assert [time for time, _ in exits(engine, model)] == [2.0] * 2 + [3.0] * 3 + [5.0] * 2 + [6.0] * 3


def test_a_record_larger_than_its_pipe_goes_through_in_parts(engine: Any) -> None:
    model = table(
        source(records=2, size=10_000),
        Station(name="slow", base_s=3.0),
        pipes=[Pipe(upstream=0, downstream=1, capacity=4096, unit="bytes", split=True)],
    )
    assert exits(engine, model) == [(3.0, "slow"), (6.0, "slow")]
    assert departures(engine, model, 0) == [0.0, 3.0]  # the second is not all in the pipe before it is read


def test_a_page_holds_one_record_of_more_than_half_its_size(engine: Any) -> None:
    model = table(
        source(records=20, size=2049),
        Station(name="slow", base_s=1.0),
        pipes=[Pipe(upstream=0, downstream=1, capacity=4 * 4096, unit="pages")],
    )
    assert departures(engine, model, 0)[:6] == [0.0] * 5 + [1.0]  # one with the reader, four in the pipe


def test_a_barrier_gives_after_the_end_of_its_input(engine: Any) -> None:
    model = table(
        source(times=(0.0, 5.0)),
        Station(name="sort", barrier=True, finish_s=2.0, output_s=0.5),
        pipes=[(0, 1)],
    )
    assert exits(engine, model) == [(8.5, "sort"), (9.0, "sort")]


def test_a_join_waits_for_one_of_each_and_throws_the_rest_away(engine: Any) -> None:
    model = table(
        source("left", times=(0.0, 1.0)),
        source("right", times=(3.0, 4.0, 5.0)),
        Station(name="join", pick="join"),
        pipes=[(0, 2), (1, 2)],
    )
    assert exits(engine, model) == [(4.0, "join"), (5.0, "join")]


@pytest.mark.parametrize(
    ("pick", "order"),
    [
        ("ready", ["left", "left", "left", "right", "right"]),
        ("turns", ["left", "right", "left", "right", "left"]),
        ("sequence", ["left", "left", "left", "right", "right"]),
        ("arrival", ["left", "right", "left", "right", "left"]),
        ("order", ["left", "right", "left", "right", "left"]),
    ],
)
def test_inputs_are_read_by_the_rule(engine: Any, pick: Any, order: list[str]) -> None:
    model = table(
        source("left", times=(0.0, 0.2, 0.4)),
        source("right", times=(0.1, 0.3)),
        Station(name="merge", pick=pick),
        pipes=[(0, 2), (1, 2)],
    )
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    due = [b for _, b, *_ in one.exits] if engine is Interpreter else one.exits()[1][:, 1].tolist()
    assert ["left" if time in (0.0, 0.2, 0.4) else "right" for time in due] == order


def test_an_ordered_merge_restores_the_order_of_the_split(engine: Any) -> None:
    model = table(
        source(records=4, split="turns"),
        Station(name="slow", base_s=4.0),
        Station(name="fast", base_s=1.0),
        Station(name="merge", pick="next", base_s=0.0),
        pipes=[(0, 1), (0, 2), (1, 3), (2, 3)],
    )
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    left = [(t, i) for s, t, i in one.departures if s == 3] if engine is Interpreter else [
        (float(t), int(i)) for (s, i), (t,) in zip(*one.departures(), strict=True) if s == 3
    ]  # fmt: skip
    assert left == [(4.0, 0), (4.0, 1), (8.0, 2), (8.0, 3)]


def test_a_loop_ends_when_nothing_is_in_it_any_more(engine: Any) -> None:
    model = table(
        source(records=2),
        Station(name="again", split="turns"),
        Station(name="last", base_s=0.0, barrier=True),
        pipes=[(0, 1), (1, 1), (1, 2)],
    )
    # each record goes round once: 1 and 2, back, then out at 3 and 4 in turn; the barrier sees the end at 4
    assert [time for time, _ in exits(engine, model)] == [4.0, 4.0]


def test_a_closed_source_gives_the_next_when_the_last_has_left(engine: Any) -> None:
    model = table(
        source(arrivals="closed", in_flight=2, records=5, stream=Drawn(lambda rng, count: np.full(count, 10.0))),
        Station(name="one"),
        pipes=[(0, 1)],
    )
    assert [time for time, _ in exits(engine, model)] == [1.0, 2.0, 12.0, 13.0, 23.0]


def test_waking_up_on_another_core_costs_more(engine: Any) -> None:
    profile = HostProfile(cores=2, available_cores=2.0, wake_near_s=0.25, wake_far_s=0.5)
    model = table(
        Station(name="make", source=Source(records=1), host=0),
        Station(name="take", host=0),
        pipes=[(0, 1)],
        hosts=(Host(name="host", profile=profile),),
    )
    assert exits(engine, model) == [(2.5, "take")]
    one_core = Host(name="host", profile=HostProfile(wake_near_s=0.25, wake_far_s=0.5))
    assert exits(engine, Table(stations=model.stations, pipes=model.pipes, hosts=(one_core,))) == [(2.25, "take")]


def test_a_stream_that_ends_too_early_is_an_error(engine: Any) -> None:
    model = table(source(records=3), Station(name="two", service=Listed((1.0, 1.0))), pipes=[(0, 1)])
    with pytest.raises(ModelError, match="'two': its service stream has ended"):
        engine(model, np.random.SeedSequence(1)).run()


@pytest.mark.parametrize(
    ("stations", "pipes", "message"),
    [
        ([source(records=1), Station(name="a", servers=2, barrier=True)], [(0, 1)], "a barrier has one server"),
        ([source(records=1), Station(name="a"), Station(name="a")], [(0, 1), (1, 2)], "two stations 'a'"),
        ([source(records=1), Station(name="a")], [], "'a': no pipe feeds it"),
        ([source(), Station(name="a")], [(0, 1)], "for ever at one instant"),
        ([source(records=1), Station(name="a", base_s=0.0)], [(0, 1), (1, 1)], "the loop of 'a' takes any time"),
        ([source(records=1), Station(name="a", base_s=-1.0)], [(0, 1)], "base_s is -1"),
        (
            [source(records=1, when_full="before"), Station(name="a")],
            [Pipe(upstream=0, downstream=1, capacity=4096, unit="pages")],
            "needs pipes that take a record whole",
        ),
        (
            [source(records=1, split="drawn", weights=(1.0,)), Station(name="a"), Station(name="b")],
            [(0, 1), (0, 2)],
            "has 2 weights, not 1",
        ),
        ([source(records=1, arrivals="gaps"), Station(name="a")], [(0, 1)], "a source of gaps has a stream"),
        ([source(records=1), Station(name="a", preempts=True)], [(0, 1)], "none of its inputs tells classes apart"),
        ([source(records=1), Station(name="a", takes=2, servers=2)], [(0, 1)], "ends early has one server, not 2"),
        (
            [source(records=1, when_full="drop"), Station(name="a")],
            [Pipe(upstream=0, downstream=1, capacity=0)],
            "no place to claim or to be full",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(stations: list[Station], pipes: list[Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        table(*stations, pipes=pipes)


def test_a_command_that_leaves_a_loop_without_work_is_refused() -> None:
    model = table(source(records=1), Station(name="a", base_s=1.0), pipes=[(0, 1), (1, 1)])
    for target, value in (("a", 0.5), ("source", 0.0)):
        check(replace(model, commands=(Command(time_s=5.0, target=target, parameter="service", value=value),)))
    idle = Command(time_s=5.0, target="a", parameter="service", value=0.0)
    with pytest.raises(ModelError, match="the loop of 'a' takes any time"):
        check(replace(model, commands=(idle,)))


def test_a_command_for_nobody_is_refused() -> None:
    command = Command(time_s=1.0, target="sotr", parameter="service", value=1.0)
    with pytest.raises(ModelError, match=r"no such station; did you mean 'sort'\?"):
        table(source(records=1), Station(name="sort"), pipes=[(0, 1)], commands=(command,))


def test_the_kernel_holds_no_more_memory_for_more_records() -> None:
    sizes = []
    for records in (2_000, 200_000):
        one = Kernel(table(source(records=records), Station(name="one"), pipes=[
            Pipe(upstream=0, downstream=1, capacity=9)]), np.random.SeedSequence(1), log="none")  # fmt: skip
        one.run()
        assert one.exited == records
        sizes.append(one._n.size if hasattr(one._n, "size") else len(one._n))
    assert sizes[0] == sizes[1]
