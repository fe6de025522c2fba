"""The plan of a run: argv, descriptors and pipes, without running anything."""

from __future__ import annotations

import sys

import pytest

from streamsim.circuit import Circuit, Sink, Station
from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.real.plan import WORKER, Plan, Process, Wire, make_plan
from streamsim.scenario import Scenario


def plan_of(**document: object) -> Plan:
    return make_plan(load(dict(document)))


def one(plan: Plan, name: str) -> Process:
    return next(process for process in plan.processes if process.name == name)


def test_a_chain_joins_each_output_to_the_next_input() -> None:
    plan = plan_of(
        sources={"a": {"command": "seq 9"}},
        stations={"b": {"command": "grep 1"}, "c": {"command": "wc -l", "pipe": {"capacity": "128 KiB"}}},
    )
    assert [process.name for process in plan.processes] == ["a", "b", "c"]
    assert one(plan, "a").writes == {1: Wire("pipe", "a->b")} and one(plan, "b").reads == {0: Wire("pipe", "a->b")}
    assert plan.pipes == {"a->b": 65536, "b->c": 131072}
    assert plan.writer_of("b->c")[0].name == "b" and plan.reader_of("b->c") == (one(plan, "c"), 0)


def test_a_command_is_split_as_a_shell_splits_it() -> None:
    plan = plan_of(sources={"a": {"command": """awk '{ print $1, "x" }' "a b" c\\ d"""}})
    assert one(plan, "a").arguments == ("awk", '{ print $1, "x" }', "a b", "c d")


def test_a_source_reads_nothing_and_an_open_end_writes_the_standard_output() -> None:
    source = one(plan_of(sources={"a": {"command": "seq 9"}}), "a")
    assert source.reads == {0: Wire("null")} and source.writes == {1: Wire("standard")}


def test_a_station_without_a_source_reads_the_standard_input() -> None:
    plan = plan_of(stations={"b": {"command": "sort"}})
    assert one(plan, "b").reads == {0: Wire("standard")}


def test_named_inputs_become_descriptors_and_the_other_is_standard_input() -> None:
    plan = plan_of(
        sources={"a": {"command": "seq 9"}, "b": {"command": "seq 8"}, "c": {"command": "seq 7"}},
        stations={"j": {"command": "paste {b} - {c}", "input": ["a", "b", "c"]}},
    )
    joined = one(plan, "j")
    assert joined.arguments == ("paste", "/dev/fd/3", "-", "/dev/fd/4")
    assert joined.reads == {0: Wire("pipe", "a->j"), 3: Wire("pipe", "b->j"), 4: Wire("pipe", "c->j")}
    assert plan.floor == 5


def test_a_command_that_names_all_its_inputs_has_an_empty_standard_input() -> None:
    plan = plan_of(
        sources={"a": {"command": "seq 9"}, "b": {"command": "seq 8"}},
        stations={"j": {"command": "comm {a} {b}", "input": ["a", "b"]}},
    )
    assert one(plan, "j").reads[0] == Wire("null")


def test_a_file_is_opened_as_standard_input_or_passed_by_its_name(tmp_path) -> None:
    (tmp_path / "words").write_text("x\n")
    where = str(tmp_path / "words")
    sources = {"w": {"file": where}, "a": {"command": "seq 9"}}
    stations = {
        "plain": {"command": "sort", "input": "w"},
        "named": {"command": "join {a} {w}", "input": ["a", "w"]},
    }
    plan = plan_of(sources=sources, stations=stations)
    assert one(plan, "plain").reads == {0: Wire("file", where)}
    assert one(plan, "named").arguments == ("join", "/dev/fd/3", where)


def test_a_copy_is_inserted_and_knows_its_outputs() -> None:
    plan = plan_of(
        sources={"a": {"command": "seq 9"}},
        stations={"b": {"command": "sort", "input": "a"}, "c": {"command": "tac", "input": "a"}},
        sinks={"kept": {"file": "kept.txt", "input": "a"}, "gone": {"input": "c"}},
    )
    copy = one(plan, "a.copy")
    assert copy.spec is not None
    assert copy.spec["operator"] == "copy" and copy.spec["inputs"] == [0] and copy.spec["outputs"] == [1, 3, 4]
    assert copy.writes == {1: Wire("pipe", "a.copy->b"), 3: Wire("pipe", "a.copy->c"), 4: Wire("sink", "kept")}
    assert one(plan, "c").writes == {1: Wire("null")}
    assert list(plan.sinks) == ["kept"]


def test_an_operator_runs_in_a_bare_interpreter_and_is_told_everything_in_its_spec() -> None:
    plan = plan_of(
        sources={"g": {"operator": "generate", "count": 5, "rate": "100 records/s", "arrivals": "poisson"}},
        stations={"w": {"operator": "work", "service": "2 ms", "format": "lines"}},
        measure={"records": 3, "duration": "2 s"},
        simulate={"seed": 7},
    )
    source, station = one(plan, "g"), one(plan, "w")
    assert source.arguments == (sys.executable, "-S", "-E", "-P", WORKER)
    assert source.spec is not None
    assert station.spec is not None
    assert source.spec["pace"] == {
        "rate": 100.0,
        "unit": "records",
        "arrivals": "poisson",
        "scv": 1.0,
        "states": [],
        "times": None,
        "seed": 7,
    }
    assert (source.spec["records"], source.spec["until_s"]) == (3, 2.0)
    assert (station.spec["pace"], station.spec["records"], station.spec["until_s"]) == (None, None, None)
    assert station.spec["parameters"]["service"] == 0.002


def test_somebodys_own_operator_may_look_for_its_modules(tmp_path, monkeypatch) -> None:
    (tmp_path / "owned.py").write_text(
        "from streamsim.operators.base import ByteOperator\n\nclass Own(ByteOperator):\n    'Own.'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    process = one(plan_of(sources={"a": {"command": "seq 9"}}, stations={"o": {"operator": "owned:Own"}}), "o")
    assert process.spec is not None
    assert process.spec["site"] and str(tmp_path) in process.spec["path"]
    assert "-S" not in process.arguments and "-E" not in process.arguments


def test_a_paced_command_is_read_by_a_source_that_keeps_the_times() -> None:
    plan = plan_of(sources={"a": {"command": "seq 9", "rate": 10}}, stations={"b": {"command": "cat"}})
    assert [process.name for process in plan.processes] == ["a.command", "a", "b"]
    assert one(plan, "a.command").spec is None
    spec = one(plan, "a").spec
    assert spec is not None
    assert spec["pace"]["rate"] == 10.0 and spec["inputs"] == [0]


def test_only_a_copy_may_have_several_outputs() -> None:
    circuit = Circuit(
        stations=(Station(name="a", command="seq 9", role="source"),),
        sinks=(Sink("x", "a", "x.txt"), Sink("y", "a", "y.txt")),
    )
    with pytest.raises(ScenarioError, match=r"stations\.a: a command has one output.*operator = 'copy'"):
        make_plan(Scenario(name="s", circuit=circuit))


@pytest.mark.parametrize(("command", "answers"), [("grep x", (1,)), ("/usr/bin/diff a b", (1,)), ("sort", ())])
def test_exit_status_one_is_an_answer_of_grep_and_its_like(command: str, answers: tuple[int, ...]) -> None:
    assert one(plan_of(stations={"b": {"command": command}}), "b").answers == answers
