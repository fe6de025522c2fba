"""Dataflow against published graphs, and against an executor that knows nothing of cycles."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.analysis.dataflow import buffers
from streamsim.analysis.dataflow.calculus import Bucket, Service, bound, bucket_of, line
from streamsim.analysis.dataflow.graph import Actor, Channel, Graph, repetitions
from streamsim.analysis.dataflow.ratio import pace
from streamsim.errors import ModelError

KnownAnswerOf = Callable[[str], dict[str, Any]]


def graph_of(row: dict[str, Any]) -> Graph:
    given = row["parameters"]
    return Graph(
        tuple(Actor(name, time) for name, time in given["times"].items()),
        tuple(Channel(*channel) for channel in given["channels"]),
    )


def rooms(graph: Graph, capacities: list[int]) -> dict[str, int]:
    return {channel.label: room for channel, room in zip(graph.channels, capacities, strict=True)}


def executed(graph: Graph, capacities: dict[str, int]) -> Fraction | None:
    """Fire everything as soon as it can until a state comes again; iterations a second, 0 where nothing fires any more.

    Room is claimed when a firing starts and tokens move when it ends; times must be whole numbers.
    """
    counts = repetitions(graph)
    tokens = {channel.label: channel.tokens for channel in graph.channels}
    room = {channel.label: capacities[channel.label] - channel.tokens for channel in graph.channels}
    idle = {actor.name: actor.servers for actor in graph.actors}
    times = {actor.name: int(actor.time) for actor in graph.actors}
    watched = max(graph.actors, key=lambda actor: actor.time).name
    running: list[tuple[int, str]] = []
    fired, now = 0, 0
    seen: dict[Any, tuple[int, int]] = {}
    while True:
        started = True
        while started:
            started = False
            for name in idle:
                takes = [channel for channel in graph.channels if channel.downstream == name]
                gives = [channel for channel in graph.channels if channel.upstream == name]
                while (
                    idle[name]
                    and all(tokens[channel.label] >= channel.taken for channel in takes)
                    and all(room[channel.label] >= channel.given for channel in gives)
                ):
                    for channel in takes:
                        tokens[channel.label] -= channel.taken
                    for channel in gives:
                        room[channel.label] -= channel.given
                    idle[name] -= 1
                    heapq.heappush(running, (now + times[name], name))
                    started = True
        if not running:
            return Fraction(0)
        state = (
            tuple(tokens.values()),
            tuple(room.values()),
            tuple(sorted((end - now, name) for end, name in running)),
        )
        if state in seen:
            then, before = seen[state]
            return Fraction(fired - before, (now - then) * counts[watched]) if now > then else None
        seen[state] = now, fired
        now = running[0][0]
        while running and running[0][0] == now:
            _, name = heapq.heappop(running)
            idle[name] += 1
            fired += name == watched
            for channel in graph.channels:
                if channel.downstream == name:
                    room[channel.label] += channel.taken
                if channel.upstream == name:
                    tokens[channel.label] += channel.given


def test_the_dac06_example_reaches_its_published_throughputs(known_answer: KnownAnswerOf) -> None:
    row = known_answer("sdf_dac06_example")
    graph = graph_of(row)
    found = [pace(graph, rooms(graph, caps)).throughput for caps in row["parameters"]["caps"]]
    assert found == pytest.approx(row["expected"]["X"], rel=1e-7)


def test_the_front_of_the_dac06_example_is_the_published_one(known_answer: KnownAnswerOf) -> None:
    row = known_answer("sdf_dac06_example")
    trades = buffers.front(graph_of(row))
    # DAC'06, figure 5: <4,2>, <6,2>, <6,3>, <7,3>; <5,3> does what <6,2> does
    assert [trade.size for trade in trades] == [sum(caps) for caps in row["parameters"]["caps"]]
    assert [trade.throughput for trade in trades] == pytest.approx(row["expected"]["X"], rel=1e-7)


def test_the_sample_rate_converter_has_its_published_vector_and_throughputs(known_answer: KnownAnswerOf) -> None:
    row = known_answer("sdf_cd2dat_samplerate")
    graph, expected = graph_of(row), row["expected"]
    assert list(repetitions(graph).values()) == expected["repetition"]
    # printed with eight decimals
    assert pace(graph).throughput == pytest.approx(expected["X_iter_max"], abs=5e-9)
    limited = pace(graph, rooms(graph, row["parameters"]["caps"]))
    assert limited.throughput == pytest.approx(expected["X_iter_caps"], abs=5e-9)


@st.composite
def small_graphs(draw: st.DrawFn) -> tuple[Graph, dict[str, int]]:
    """Lines and forks of 2 to 4 actors with small rates, a capacity for each channel, some too small."""
    count = draw(st.integers(2, 4))
    repeats = [draw(st.integers(1, 4)) for _ in range(count)]
    actors = [Actor(f"a{k}", draw(st.integers(1 if k == 0 else 0, 5)), draw(st.integers(1, 2))) for k in range(count)]
    channels = []
    for below in range(1, count):
        above = draw(st.integers(0, below - 1))
        common = Fraction(repeats[above], repeats[below])
        channels.append(
            Channel(f"a{above}", common.denominator, f"a{below}", common.numerator, draw(st.integers(0, 3)))
        )
    graph = Graph(tuple(actors), tuple(channels))
    return graph, {c.label: max(c.tokens, c.smallest + draw(st.integers(-1, 4))) for c in channels}


@settings(max_examples=120)
@given(small_graphs())
def test_the_cycle_ratio_is_what_an_execution_reaches(example: tuple[Graph, dict[str, int]]) -> None:
    graph, capacities = example
    found = pace(graph, capacities)
    expected = executed(graph, capacities)
    assert expected is not None
    if expected == 0:
        assert found.deadlock and found.throughput == 0
    else:
        assert found.throughput == pytest.approx(float(expected), rel=1e-9)


@settings(max_examples=30)
@given(small_graphs())
def test_nothing_smaller_is_as_fast_as_a_point_of_the_front(example: tuple[Graph, dict[str, int]]) -> None:
    graph, _ = example
    trades = buffers.front(graph)
    assert [trade.throughput for trade in trades] == sorted({trade.throughput for trade in trades})
    assert trades[-1].throughput == pytest.approx(pace(graph).throughput or 0, rel=1e-9)
    for trade in trades:
        for label, room in trade.capacities.items():
            least = next(channel.smallest for channel in graph.channels if channel.label == label)
            if room > least:
                smaller = pace(graph, {**trade.capacities, label: room - 1}).throughput or 0.0
                assert smaller < trade.throughput * (1 - 1e-12)


@pytest.mark.parametrize(
    ("actors", "channels", "message"),
    [
        ((), (), "at least one actor"),
        ((Actor("a", 1), Actor("a", 1)), (), "one name: a"),
        ((Actor("a", 1),), (Channel("a", 1, "b", 1),), "there is no actor 'b'"),
        ((Actor("a", 1), Actor("b", 1)), (Channel("a", 1, "b", 1), Channel("a", 1, "b", 1)), "the same two actors"),
    ],
)
def test_graphs_that_mean_nothing_are_refused(actors: Any, channels: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Graph(actors, channels)


def test_rates_that_never_balance_are_refused() -> None:
    graph = Graph(
        (Actor("a", 1), Actor("b", 1), Actor("c", 1)),
        (Channel("a", 1, "b", 1), Channel("b", 1, "c", 1), Channel("a", 2, "c", 1)),
    )
    with pytest.raises(ModelError, match="never balances"):
        repetitions(graph)


def test_actors_with_negative_times_are_refused() -> None:
    with pytest.raises(ModelError, match=r"a\.time"):
        Actor("a", -1.0)


def test_a_cycle_without_tokens_is_a_deadlock_that_no_pipe_mends() -> None:
    graph = Graph((Actor("a", 1), Actor("b", 1)), (Channel("a", 1, "b", 1), Channel("b", 1, "a", 1)))
    assert pace(graph).deadlock
    with pytest.raises(ModelError, match="whatever the pipes hold"):
        buffers.front(graph)


@settings(max_examples=60)
@given(
    st.lists(st.floats(0, 10), min_size=2, max_size=40).map(sorted),
    st.floats(0.2, 5),
    st.floats(0.2, 5),
)
def test_no_record_is_later_than_network_calculus_says(times: list[float], rate: float, service: float) -> None:
    arrivals = bucket_of(times, rate)
    found = bound(arrivals, Service(rate=1 / service), packet=1.0)
    if found.saturated:
        assert rate > 1 / service
        return
    free, delays, leaving = 0.0, [], []
    for time in times:
        free = max(free, time) + service
        leaving.append(free)
        delays.append(free - time)
    assert found.delay is not None and found.backlog is not None
    assert max(delays) <= found.delay * (1 + 1e-9)
    inside = max(sum(1 for a, d in zip(times, leaving, strict=True) if a <= t < d) for t in times)
    assert inside <= found.backlog * (1 + 1e-9)


def test_a_line_of_constant_stations_delays_a_record_by_their_times_and_no_more() -> None:
    services = [Service(1 / 2), Service(1 / 3), Service(1 / 1)]
    assert line(Bucket(1, 0.3), services, packet=1.0).delay == pytest.approx(2 + 3 + 3)


def test_a_burst_is_paid_for_only_once_along_a_line() -> None:
    # two stations of rate 4 and latency 1, burst 10, rate 2: 2 + 10/4 together; 3.5 + (1 + 12/4) apart
    services = [Service(4, 1), Service(4, 1)]
    assert line(Bucket(10, 2), services).delay == pytest.approx(4.5)
    first = bound(Bucket(10, 2), services[0])
    assert first.output is not None
    assert (first.delay or 0) + (bound(first.output, services[1]).delay or 0) == pytest.approx(7.5)
