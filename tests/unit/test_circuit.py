"""Circuits as graphs, held against definitions that are slow and plain."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsim.circuit import Circuit, Feed, Pipe, Sink, Station


def circuit_of(names: list[str], edges: list[tuple[str, str]]) -> Circuit:
    stations = tuple(
        Station(name=name, command="cat", inputs=tuple(up for up, down in edges if down == name)) for name in names
    )
    return Circuit(stations=stations, pipes=tuple(Pipe(up, down) for up, down in edges))


@st.composite
def circuits(draw: st.DrawFn, *, acyclic: bool = True) -> Circuit:
    count = draw(st.integers(1, 7))
    names = draw(st.permutations([f"s{number}" for number in range(count)]))
    pairs = [(names[i], names[j]) for i in range(count) for j in range(count) if i < j or not acyclic]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12)) if pairs else []
    return circuit_of(draw(st.permutations(names)), edges)


def graph_of(circuit: Circuit) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(station.name for station in circuit.stations)
    graph.add_edges_from((pipe.upstream, pipe.downstream) for pipe in circuit.pipes)
    return graph


@given(circuits())
def test_the_order_is_downstream_and_complete(circuit: Circuit) -> None:
    order = circuit.order()
    assert sorted(order) == sorted(station.name for station in circuit.stations)
    assert all(order.index(pipe.upstream) < order.index(pipe.downstream) for pipe in circuit.pipes)


@given(circuits())
def test_ties_in_the_order_are_as_in_the_file(circuit: Circuit) -> None:
    rank = {station.name: place for place, station in enumerate(circuit.stations)}
    assert circuit.order() == tuple(nx.lexicographical_topological_sort(graph_of(circuit), key=rank.__getitem__))


@given(circuits(acyclic=False))
def test_a_cycle_is_found_exactly_where_there_is_one(circuit: Circuit) -> None:
    cycle = circuit.cycle()
    assert (cycle is None) == nx.is_directed_acyclic_graph(graph_of(circuit))
    if cycle is not None:
        pipes = {(pipe.upstream, pipe.downstream) for pipe in circuit.pipes}
        assert cycle[0] == cycle[-1]
        assert all(pair in pipes for pair in pairwise(cycle))


@given(circuits())
def test_paths_are_all_ways_from_a_start_to_an_end(circuit: Circuit) -> None:
    graph = graph_of(circuit)
    paths = list(circuit.paths())
    expected = {
        tuple(path)
        for start in circuit.starts()
        for end in circuit.ends()
        for path in ([[start]] if start == end else nx.all_simple_paths(graph, start, end))
    }
    assert len(paths) == len(set(paths))
    assert set(paths) == expected


@given(circuits())
def test_cut_points_are_on_every_path(circuit: Circuit) -> None:
    paths = list(circuit.paths())
    expected = [name for name in circuit.order() if all(name in path for path in paths)]
    assert list(circuit.cut_points()) == expected


@given(circuits())
def test_starts_ends_splits_and_joins_count_pipes(circuit: Circuit) -> None:
    graph = graph_of(circuit)
    assert set(circuit.starts()) == {name for name, degree in graph.in_degree() if degree == 0}
    assert set(circuit.ends()) == {name for name, degree in graph.out_degree() if degree == 0}
    assert set(circuit.splits()) == {name for name, degree in graph.out_degree() if degree > 1}
    assert set(circuit.joins()) == {name for name, degree in graph.in_degree() if degree > 1}


def test_inputs_come_in_the_order_that_the_station_says() -> None:
    circuit = Circuit(
        stations=(
            Station(name="a", command="cat"),
            Station(name="b", command="cat"),
            Station(name="c", command="cat", inputs=("b", "words", "a")),
        ),
        pipes=(Pipe("a", "c"), Pipe("b", "c")),
        feeds=(Feed("words", "words.txt"),),
        sinks=(Sink("out", "c"),),
    )
    assert [pipe.label for pipe in circuit.inputs_of("c")] == ["b->c", "a->c"]
    assert circuit.feed_of("c") == (Feed("words", "words.txt"),)
    assert circuit.sinks_of("c") == (Sink("out", "c"),)


def test_an_unknown_station_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        circuit_of(["a"], []).station("nobody")


def test_the_circuit_without_stations_has_no_order_and_no_cut_points() -> None:
    empty = Circuit()
    assert (empty.order(), empty.cut_points(), list(empty.paths()), empty.cycle()) == ((), (), [], None)
