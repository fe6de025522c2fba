"""What a scenario's shape brings into the circuit beside its stations: splits, merges, copies, entries of loops."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from streamsim.circuit import Circuit
from streamsim.endless import endless_loops
from streamsim.errors import ScenarioError
from streamsim.expansion import expand, servers_of
from streamsim.loading import load
from streamsim.sharing import partial_answers

ABOVE = {"sources": {"a": {"command": "seq 9"}}}
COUNT = {"operator": "group", "key": 2, "delimiter": ";", "parallelism": 3}


def circuit_of(**stations: dict[str, Any]) -> Circuit:
    return load({**ABOVE, "stations": stations}).circuit


def labels(circuit: Circuit) -> list[str]:
    return [pipe.label for pipe in circuit.pipes]


def refused(stations: dict[str, Any]) -> ScenarioError:
    with pytest.raises(ScenarioError) as raised:
        load({**ABOVE, "stations": stations})
    return raised.value


def test_servers_stand_between_a_split_and_a_merge() -> None:
    circuit = circuit_of(b={"command": "sort", "parallelism": 2}, c={"command": "wc"})
    assert labels(circuit) == ["a->b.split", "b.split->b", "b->b.merge", "b.merge->c"]
    assert circuit.station("b").parallelism == 2
    assert circuit.station("b.split").parameters == {"by": "round-robin"}
    assert circuit.station("b.merge").operator == "interleave"


def test_an_expanded_circuit_has_a_station_for_every_process() -> None:
    circuit = expand(circuit_of(b={"command": "sort", "parallelism": 2}, c={"command": "wc"}))
    assert labels(circuit) == [
        "a->b.split",
        "b.split->b.1",
        "b.split->b.2",
        "b.1->b.merge",
        "b.2->b.merge",
        "b.merge->c",
    ]
    assert circuit.station("b.merge").inputs == ("b.1", "b.2")
    assert servers_of(circuit)["b"] == ("b.1", "b.2")
    assert {station.parallelism for station in circuit.stations} == {1}


def test_a_circuit_of_single_servers_is_its_own_expansion() -> None:
    circuit = circuit_of(b={"command": "sort"})
    assert expand(circuit) is circuit


def test_an_operator_that_groups_shares_its_records_out_by_its_own_key() -> None:
    assert circuit_of(b=COUNT).station("b.split").parameters == {"by": "key", "key": 2, "delimiter": ";"}
    other = COUNT | {"partition": "key", "partition_key": {"column": 1, "delimiter": ":"}}
    assert circuit_of(b=other).station("b.split").parameters == {"by": "key", "key": 1, "delimiter": ":"}
    assert circuit_of(b=COUNT | {"partition": "least-loaded"}).station("b.split").parameters == {"by": "least-loaded"}


def test_each_input_of_a_join_is_shared_out_by_its_own_column() -> None:
    join = {"operator": "join", "left": 1, "right": 2, "input": ["a", "c"], "parallelism": 2}
    circuit = circuit_of(c={"command": "cat", "input": "a"}, b=join)
    assert circuit.station("b.split.a").parameters == {"by": "key", "key": 1}
    assert circuit.station("b.split.c").parameters == {"by": "key", "key": 2}


def test_records_that_are_to_be_told_apart_go_to_one_server_each() -> None:
    assert circuit_of(b={"operator": "dedup", "parallelism": 2}).station("b.split").parameters == {"by": "key"}
    column = {"operator": "dedup", "column": 2, "parallelism": 2}
    assert circuit_of(b=column).station("b.split").parameters == {"by": "key", "key": 2}


def test_the_key_of_a_command_is_a_column_or_the_whole_record() -> None:
    sort = {"command": "sort", "parallelism": 2, "partition": "key"}
    assert circuit_of(b=sort).station("b.split").parameters == {"by": "key"}
    assert circuit_of(b=sort | {"partition_key": 3}).station("b.split").parameters == {"by": "key", "key": 3}


def test_an_ordered_merge_takes_from_the_servers_in_turn_what_the_split_gave() -> None:
    circuit = circuit_of(b={"command": "tr a b", "one_to_one": True, "parallelism": 2, "merge": "ordered"})
    batch = circuit.station("b.split").parameters["batch"]
    assert (circuit.station("b.merge").operator, circuit.station("b.merge").parameters) == ("reorder", {"batch": batch})


def test_the_servers_of_an_operator_answer_numbered_batches_for_an_ordered_merge() -> None:
    circuit = expand(circuit_of(b={"operator": "filter", "where": "True", "parallelism": 2, "merge": "ordered"}))
    parts = {station.name: station.batches for station in circuit.stations if station.batches}
    assert parts == {"b.split": "number", "b.1": "answer", "b.2": "answer", "b.merge": "collate"}
    assert circuit.station("b.split").parameters == {"by": "round-robin"}
    circuit = expand(circuit_of(b={"operator": "filter", "where": "True", "parallelism": 2}))
    assert not any(station.batches for station in circuit.stations)


def test_a_merge_of_one_s_own_choice_is_an_operator_with_its_parameters() -> None:
    merge = {"operator": "interleave"}
    assert circuit_of(b={"command": "sort", "parallelism": 2, "merge": merge}).station("b.merge").parameters == {}


def test_each_input_of_a_join_has_its_own_split_and_a_file_for_all_needs_none(tmp_path: Any) -> None:
    (tmp_path / "table").write_text("x\n")
    join = {
        "command": "grep -f {table}",
        "input": ["a", "table"],
        "parallelism": 2,
        "partition": {"a": "round-robin", "table": "copy"},
    }
    document = {"sources": {**ABOVE["sources"], "table": {"file": str(tmp_path / "table")}}, "stations": {"b": join}}
    circuit = expand(load(document).circuit)
    assert circuit.station("b.2").inputs == ("b.split.a", "table")
    assert circuit.station("b.2").labels == ("a", "table")
    assert labels(circuit)[:3] == ["a->b.split.a", "b.split.a->b.1", "b.split.a->b.2"]


def test_readers_share_an_output_where_its_station_says_so() -> None:
    circuit = circuit_of(
        b={"command": "cat", "split": "key", "split_key": 1},
        c={"command": "wc", "input": "b"},
        d={"command": "wc", "input": "b"},
    )
    assert labels(circuit) == ["a->b", "b->b.route", "b.route->c", "b.route->d"]
    assert circuit.station("b.route").parameters == {"by": "key", "key": 1}


def test_a_port_is_an_output_of_its_own_with_copies_and_merges_of_its_own() -> None:
    route = {"command": "tee {late}", "ports": ["late"], "parallelism": 2}
    circuit = circuit_of(
        b=route,
        c={"command": "wc", "input": "b"},
        d={"command": "wc", "input": "b.late"},
        e={"command": "wc", "input": "b.late"},
    )
    assert labels(circuit) == [
        "a->b.split",
        "b.split->b",
        "b->b.merge",
        "b.late->b.merge.late",
        "b.merge.late->b.late.copy",
        "b.merge->c",
        "b.late.copy->d",
        "b.late.copy->e",
    ]
    assert "b.2.late->b.merge.late" in labels(expand(circuit))


def test_what_leads_back_enters_a_loop_beside_what_comes_from_outside() -> None:
    circuit = circuit_of(
        b={"operator": "filter", "where": "True", "input": ["a", "c"]},
        c={"operator": "copy"},
        d={"command": "wc", "input": "c"},
    )
    assert labels(circuit) == ["a->b.loop", "c.copy->b.loop", "b.loop->b", "b->c", "c->c.copy", "c.copy->d"]
    assert [pipe.label for pipe in circuit.feedback()] == ["c.copy->b.loop"]
    assert circuit.order() == ("a", "b.loop", "b", "c", "c.copy", "d")


LOOP = "b = { operator = 'copy', input = ['a', 'c'] }"
WRONG = [
    ("b = { command = 'sort', parallelism = 2, partition = 'kee' }", "b.partition", "'kee'"),
    ("b = { command = 'sort', parallelism = 2, partition_key = 1 }", "b.partition_key", "goes with partition = 'key'"),
    ("b = { command = 'sort', parallelism = 2, merge = 'ordered' }", "b.merge", "one_to_one = true"),
    ("b = { operator = 'sample', every = 2, parallelism = 2, merge = 'ordered' }", "b.merge", "keeps a state"),
    (
        "b = { operator = 'group', key = 1, parallelism = 2, partition = 'round-robin', merge = 'ordered' }",
        "b.merge",
        "before its input ends",
    ),
    (
        "b = { operator = 'copy', parallelism = 2, merge = 'ordered', partition = 'key' }",
        "b.merge",
        "no order to restore",
    ),
    ("b = { operator = 'compress', parallelism = 2 }", "b.parallelism", "writes bytes that are no records"),
    ("b = { operator = 'decompress', parallelism = 2 }", "b.parallelism", "reads bytes that are no records"),
    ("b = { command = 'sort', parallelism = 2, merge = {} }", "b.merge", "names the operator"),
    ("b = { command = 'sort', parallelism = 2, merge = { operator = 'copy' } }", "b.merge.operator", "merges nothing"),
    ("b = { command = 'sort', parallelism = 2, merge = { operator = 'cop' } }", "b.merge.operator", "did you mean"),
    ("b = { command = 'sort', parallelism = 2, partition = { c = 'key' } }", "b.partition.c", "reads no 'c'"),
    ("b = { command = 'sort', parallelism = 2, partition = {} }", "b.partition", "does not say"),
    ("b = { command = 'sort', split_key = 1 }", "b.split_key", "goes with split = 'key'"),
    ("b = { command = 'sort', ports = ['late'] }", "b.ports", "write {late} in it"),
    ("b = { command = 'sort {x.y}', ports = ['x.y'] }", "b.ports", "letters, digits"),
    ("b = { command = 'sort {copy}', ports = ['copy'] }", "b.ports", "is taken"),
    ("b = { operator = 'copy', ports = ['late'] }", "b.ports", "goes with command"),
    ("b = { operator = 'copy', one_to_one = true }", "b.one_to_one", "goes with command"),
    ("b = { command = 'cat', input = 'a.late' }", "b.input", "no station or source 'a.late'"),
    ("b = { command = 'sort', niceness = 20 }", "b.niceness", "<= 19"),
    ("b = { command = 'sort', fuse = true }", "b.fuse", "goes with operator"),
    ("b = { operator = 'copy', on_error = 'skip' }", "b.on_error", "no record that it could not work on"),
    ("b = { operator = 'group', key = 1, on_error = 'dead-letter' }", "b.dead_letter", "needs the file"),
    ("b = { command = 'cat', input = 'b', one_to_one = true }", "b.input", "a cycle with no way out: b -> b"),
    (f"{LOOP}\nc = {{ operator = 'copy' }}", "b.input", "a cycle with no way out: b -> c -> b"),
    (f"{LOOP}\nc.operator = 'count'\nd = {{ command = 'wc', input = 'c' }}", "c", "gives nothing before its input"),
    (f"{LOOP}\nc.command = 'sort'\nd = {{ command = 'wc', input = 'c' }}", "c", "gives nothing before its input"),
    (f"{LOOP}\nc.command = 'sed p'\nd = {{ command = 'wc', input = 'c' }}", "c", "write one_to_one = true"),
    (
        "b = { command = 'cat - {c}', input = ['a', 'c'] }\nc.command = 'cat'\nd = { command = 'wc', input = 'c' }",
        "b.input",
        "by standard input alone",
    ),
]


@pytest.mark.parametrize(("lines", "path", "words"), WRONG, ids=[lines for lines, _, _ in WRONG])
def test_what_cannot_be_is_refused_with_its_place(lines: str, path: str, words: str) -> None:
    error = refused(tomllib.loads(lines))
    assert error.path == f"stations.{path}"
    assert words in str(error)


BACK = {"b": {"operator": "copy", "input": "a2"}, "out": {"command": "cat", "input": "a2"}}


@pytest.mark.parametrize(
    ("stations", "warned"),
    [
        ({"a2": {"operator": "copy", "input": ["a", "b"], "split": "key"}, **BACK}, True),
        ({"a2": {"operator": "copy", "input": ["a", "b"], "split": "round-robin"}, **BACK}, False),
        ({"a2": {"operator": "copy", "input": ["a", "b"]}, **BACK}, True),
        ({"a2": {"operator": "dedup", "input": ["a", "b"], "split": "key"}, **BACK}, False),
        ({"a2": {"operator": "copy", "input": ["a", "b"], "split": "key"}, **BACK,
          "b": {"operator": "map", "to": "record + 'x'", "input": "a2"}}, False),
        ({"a2": {"operator": "copy", "input": ["a", "b"], "split": "key"}, **BACK,
          "b": {"operator": "filter", "where": "len(record) > 1", "parallelism": 2, "input": "a2"}}, True),
        ({"a2": {"operator": "route", "where": "len(record) > 1", "input": ["a", "b"]},
          "b": {"operator": "copy", "input": "a2.rest"}, "out": {"command": "cat", "input": "a2"}}, True),
    ],
    ids=["by key", "in turn", "copies", "remembered", "changed", "servers", "route"],
)  # fmt: skip
def test_a_loop_that_sends_a_record_the_same_way_each_time_is_warned_of(stations: dict[str, Any], warned: bool) -> None:
    assert [text[:9] for text in endless_loops(circuit_of(**stations))] == ["the loop "] * warned


def test_the_pipes_of_a_copy_have_more_room_unless_a_reader_says_how_much() -> None:
    def sizes(readers: int, **first: Any) -> dict[str, int]:
        stations = {f"r{n}": {"command": "wc", "input": "n"} for n in range(readers)}
        stations["r0"] |= first
        circuit = load({"sources": {"n": {"command": "seq 9"}}, "stations": stations}).circuit
        return {pipe.label: pipe.capacity_bytes for pipe in circuit.pipes}

    assert sizes(1) == {"n->r0": 65536}
    assert sizes(2) == {"n->n.copy": 262144, "n.copy->r0": 262144, "n.copy->r1": 262144}
    assert sizes(2, pipe={"capacity": "64 KiB"})["n.copy->r0"] == 65536
    assert set(sizes(20).values()) == {131072}
    assert set(sizes(300).values()) == {65536}


@pytest.mark.parametrize(
    ("station", "warned"),
    [
        ({"operator": "count"}, True),
        (COUNT, False),
        (COUNT | {"partition": "round-robin"}, True),
        ({"operator": "dedup"}, False),
        ({"operator": "dedup", "partition": "round-robin"}, True),
        ({"operator": "quantiles"}, False),
        ({"operator": "distinct", "partition": "least-loaded"}, False),
        ({"operator": "filter", "where": "True"}, False),
        ({"operator": "cascade", "where": ["True"]}, False),
        ({"command": "gzip -1"}, True),
        ({"command": "grep gzip"}, False),
    ],
    ids=str,
)
def test_servers_that_answer_for_their_part_alone_are_warned_of(station: dict[str, Any], warned: bool) -> None:
    found = partial_answers(circuit_of(b=station | {"parallelism": 2}))
    assert [text.partition(":")[0] for text in found] == ["'b'"] * warned
