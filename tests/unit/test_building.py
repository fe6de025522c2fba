"""From tables to a circuit: what reads what, where copies go, and what is refused before anything could start."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.circuit import DEFAULT_PIPE_BYTES, Circuit, Sink
from streamsim.commands import split_command
from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.places import check_runnable, fill_in, package_directory


def circuit_of(**tables: Any) -> Circuit:
    return load(tables).circuit


def refused(**tables: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(tables)
    return caught.value


def labels(circuit: Circuit) -> set[str]:
    return {pipe.label for pipe in circuit.pipes}


SEQ = {"a": {"command": "seq 9"}}


def test_a_station_reads_what_stands_above_it() -> None:
    circuit = circuit_of(sources=SEQ, stations={"b": {"command": "sort"}, "c": {"command": "uniq"}})
    assert labels(circuit) == {"a->b", "b->c"}
    assert circuit.ends() == ("c",)


def test_an_output_with_several_readers_gets_a_copy() -> None:
    circuit = circuit_of(
        sources=SEQ,
        stations={
            "b": {"command": "sort"},
            "c": {"command": "wc", "input": "b"},
            "d": {"command": "tac", "input": "b"},
        },
        sinks={"kept": {"input": "b"}},
    )
    assert labels(circuit) == {"a->b", "b->b.copy", "b.copy->c", "b.copy->d"}
    assert circuit.station("b.copy").operator == "copy"
    assert circuit.station("c").labels == ("b",)
    assert circuit.sinks == (Sink("kept", "b.copy"),)


def test_a_source_that_is_one_file_is_opened_by_its_readers(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.touch()
    circuit = circuit_of(
        sources={"x": {"file": str(file)}},
        stations={"b": {"command": "sort"}, "c": {"command": "comm - {x}", "input": ["b", "x"]}},
    )
    assert [feed.file for feed in circuit.feeds] == [str(file)]
    assert labels(circuit) == {"b->c"}
    assert circuit.feed_of("c")[0].name == "x"


@pytest.mark.parametrize("extra", [{"rate": 3}, {"member": "m.csv"}])
def test_a_file_that_needs_a_reader_of_ours_gets_one(tmp_path: Path, extra: dict[str, Any]) -> None:
    circuit = circuit_of(sources={"x": {"file": str(tmp_path / "x")} | extra}, stations={"b": {"command": "sort"}})
    assert circuit.feeds == ()
    assert circuit.station("x").operator == "file"
    assert circuit.station("x").role == "source"


def test_a_paced_command_gets_a_reader_of_ours_behind_it() -> None:
    circuit = circuit_of(sources={"a": {"command": "seq 9", "rate": 3}}, stations={"b": {"command": "sort"}})
    assert labels(circuit) == {"a.command->a", "a->b"}


def test_files_are_found_by_pattern_and_left_out_by_pattern(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.log", "old/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("12345")
    sources = {"x": {"files": str(tmp_path / "**" / "*.txt"), "exclude": ["*/old/*"]}}
    scenario = load({"sources": sources, "stations": {"b": {"command": "sort"}}})
    assert scenario.circuit.station("x").parameters["paths"] == [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert scenario.source_bytes == {"x": 10}


def test_brackets_in_the_name_of_a_directory_are_no_pattern(tmp_path: Path) -> None:
    directory = tmp_path / "a[bc]*"
    directory.mkdir()
    (directory / "x.txt").touch()
    file = directory / "chain.toml"
    file.write_text("sources.x.files = '*.txt'\nstations.b.command = 'sort'\n")
    assert load(file).circuit.feeds[0].file == str(directory / "x.txt")


def test_a_first_station_without_sources_reads_standard_input() -> None:
    circuit = circuit_of(stations={"b": {"command": "sort"}})
    assert circuit.feed_of("b")[0].file == "-"


@pytest.mark.parametrize(
    ("capacity", "bytes_"),
    [(None, DEFAULT_PIPE_BYTES), (1, 4096), (4096, 4096), (4097, 8192), ("256 KiB", 262144), ("1 MB", 1048576)],
)
def test_a_pipe_has_the_capacity_that_the_kernel_gives(capacity: int | str | None, bytes_: int) -> None:
    pipe = {"capacity": capacity} if capacity is not None else {}
    circuit = circuit_of(sources=SEQ, stations={"b": {"command": "sort", "pipe": pipe}})
    assert circuit.pipes[0].capacity_bytes == bytes_


@given(st.integers(1, 1 << 20))
def test_the_capacity_is_what_a_real_pipe_reports(size: int) -> None:
    import fcntl

    circuit = circuit_of(sources=SEQ, stations={"b": {"command": "sort", "pipe": {"capacity": size}}})
    reader, writer = os.pipe()
    try:
        real = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, size)
    finally:
        os.close(reader)
        os.close(writer)
    assert circuit.pipes[0].capacity_bytes == real


B = {"b": {"command": "sort"}}
WRONG = [
    # what stands in the file, where the fault is, what is said
    ("sources.x = {}", "sources.x", "none of them"),
    ("sources.x = { command = 'yes', file = 'y' }", "sources.x", "file and command"),
    ("sources.x = { command = 'yes', kind = 3 }", "sources.x.kind", "unknown key"),
    ("sources.x = { command = 'yes', member = 'y' }", "sources.x.member", "goes with file"),
    ("sources.x = { command = 'yes', exclude = ['y'] }", "sources.x.exclude", "goes with files"),
    ("sources.x = { file = 'y', env = {} }", "sources.x.env", "goes with command"),
    ("sources.x = { files = [] }", "sources.x.files", "names no file"),
    ("sources.x = { files = 'nowhere/*.txt' }", "sources.x.files", "matches no file"),
    ("sources.x = { command = 'yes', arrivals = 'poisson' }", "sources.x.rate", "needs a rate"),
    ("sources.x = { command = 'yes', arrivals = 'posson' }", "sources.x.arrivals", "'posson'"),
    ("sources.x = { command = 'yes', arrivals = 'trace' }", "sources.x.times", "go together"),
    ("sources.x = { command = 'yes', times = 'y' }", "sources.x.times", "go together"),
    ("sources.x = { command = 'yes', arrivals = 'trace', times = 'y' }", "sources.x.times", "no such file"),
    (
        "sources.x = { command = 'yes', arrivals = 'trace', times = 'y', rate = 1 }",
        "sources.x.rate",
        "leave the rate out",
    ),
    ("sources.x = { command = 'yes', rate = '3 s' }", "sources.x.rate", "unknown unit"),
    ("sources.x = { command = 'yes', arrivals = 'bursty', rate = 1, scv = 0.5 }", "sources.x.scv", ">= 1"),
    ("sources.x = { operator = 'filter', where = 'True' }", "sources.x.operator", "put it under [stations]"),
    ("sources.x = { operator = 'generat' }", "sources.x.operator", "did you mean 'generate'?"),
    ("stations.x = { operator = 'generate', count = 1 }", "stations.x.operator", "put it under [sources]"),
    ("stations.x = {}", "stations.x", "neither"),
    ("stations.x = { command = 'sort', operator = 'filter' }", "stations.x", "both"),
    ("stations.x = { command = 'sort', key = 1 }", "stations.x.key", "unknown key"),
    ("stations.x = { command = 'sort | uniq' }", "stations.x.command", "'|' is a shell's"),
    ("stations.x = { command = 'sort', format = 'csv' }", "stations.x.format", "goes with operator"),
    ("stations.x = { operator = 'srot' }", "stations.x.operator", "unknown operator 'srot'"),
    ("stations.x = { operator = 'filter', were = '1' }", "stations.x.were", "did you mean 'where'?"),
    ("stations.x = { operator = 'filter' }", "stations.x.where", "needs 'where'"),
    ("stations.x = { operator = 'count', format = 'cvs' }", "stations.x.format", "did you mean 'csv'?"),
    ("stations.x = { command = 'sort', parallelism = 0 }", "stations.x.parallelism", ">= 1"),
    ("stations.x = { command = 'sort', input = 'c' }", "stations.x.input", "no station or source 'c'"),
    ("stations.x = { command = 'sort', input = [] }", "stations.x.input", "names nothing"),
    ("stations.x = { command = 'sort', input = ['a', 'a'] }", "stations.x.input", "named twice"),
    ("stations.x = { command = 'comm', input = ['a', 'b'] }", "stations.x.input", "write {b} in it"),
    ("stations.x = { operator = 'copy', input = ['a', 'b'] }", "stations.x.input", "has one input, 2 are given"),
    ("stations.x = { command = 'sort', pipe = { size = 1 } }", "stations.x.pipe.size", "unknown key"),
    ("stations.x = { command = 'sort', pipe = { capacity = 0 } }", "stations.x.pipe.capacity", "not a size"),
    ("stations.x = { command = 'sort', pipe = { capacity = '3 GiB' } }", "stations.x.pipe.capacity", "not a size"),
    ("stations.x = { command = 'sort', pipe = 65536 }", "stations.x.pipe", "not a table"),
    ("stations.x = { command = 'cat', input = 'x' }", "stations.x.input", "a cycle with no way out: x -> x"),
    ("stations.a = { command = 'sort' }", "stations.a", "taken by sources.a"),
    ("stations.'x y' = { command = 'sort' }", "stations.x y", "letters, digits"),
    ("stations.'' = { command = 'sort' }", "stations.", "letters, digits"),
    ("stations.'é' = { command = 'sort' }", "stations.é", "letters, digits"),
    ("stations.host = { command = 'sort' }", "stations.host", "choose another name"),
    ("stations.circuit = { command = 'sort' }", "stations.circuit", "choose another name"),
    ("stations.stdin = { command = 'sort' }", "stations.stdin", "choose another name"),
    ("sinks.x = { input = 'c' }", "sinks.x.input", "there is no station 'c'"),
    ("sinks.x = { fiel = 'c' }", "sinks.x.fiel", "did you mean 'file'?"),
    ("sources.x = { file = 'y' }", "sources.x", "no station reads it"),
]


@pytest.mark.parametrize(("line", "path", "words"), WRONG, ids=[line for line, _, _ in WRONG])
def test_what_is_wrong_is_refused_with_its_place(line: str, path: str, words: str) -> None:
    document = tomllib.loads(f"stations.b = {{ command = 'sort', input = 'a' }}\nsources.a.command = 'seq 9'\n{line}\n")
    error = refused(**document)
    assert error.path == path
    assert words in str(error)


def test_an_operator_of_many_inputs_takes_several() -> None:
    stations = B | {"x": {"operator": "count", "input": ["a", "b"]}}
    assert len(circuit_of(sources=SEQ, stations=stations).inputs_of("x")) == 2


def test_a_station_under_two_sources_must_say_which_it_reads() -> None:
    error = refused(sources=SEQ | {"z": {"command": "seq 3"}}, stations=B)
    assert error.path == "stations.b.input"
    assert "several sources stand above; say which: a, z" in str(error)


def test_a_circuit_of_files_alone_has_nothing_to_run() -> None:
    assert "nothing to run" in str(refused(sources={"x": {"file": "x"}}))
    assert refused(sources={"x": {"file": "x"}}, sinks={"o": {}}).path == "sinks.o.input"


def test_standard_input_has_one_reader() -> None:
    stations = {"b": {"command": "cat"}, "c": {"command": "cat - {stdin}", "input": ["b", "stdin"]}}
    error = refused(stations=stations)
    assert error.path == "stations.c.input"
    assert "b reads standard input already" in str(error)


def test_a_sink_may_not_write_what_is_being_read(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("keep me")
    stations = {"b": {"command": "sort"}}
    for source in ({"file": str(file)}, {"files": [str(file), str(file)]}):
        sinks = {"o": {"file": str(tmp_path / "." / "x")}}
        error = refused(sources={"x": source}, stations=stations, sinks=sinks)
        assert error.path == "sinks.o.file"
        assert "sources.x reads that file too" in str(error)


def test_two_sinks_may_not_write_one_file_but_may_both_write_into_nothing(tmp_path: Path) -> None:
    same = {"p": {"file": str(tmp_path / "o")}, "q": {"file": f"{tmp_path}/../{tmp_path.name}/o"}}
    assert refused(sources=SEQ, stations=B, sinks=same).path == "sinks.q.file"
    nothing = {"p": {"file": "/dev/null"}, "q": {"file": "/dev/null"}}
    assert len(circuit_of(sources=SEQ, stations=B, sinks=nothing).sinks) == 2


@pytest.mark.parametrize(
    "command",
    [
        "a | b", "a|| b || c", "a && b", "a ; b", "a; b", "a > o", "a >o", "a >> o", "a 2> o", "a 2>&1", "a < i",
        "a <i", "a << x", "a &", "a |& b", "LC_ALL=C sort", "", "  ", "a 'b", 'a "b',
    ],
)  # fmt: skip
def test_what_needs_a_shell_is_refused(command: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        split_command(command, "stations.x.command")
    assert caught.value.path == "stations.x.command"


@pytest.mark.parametrize(
    "command",
    [
        "tr '|' ' '", "grep '>'", 'grep "<"', r"grep \>", r"find . -exec wc {} \;", "awk '$1 > 2 { print }'",
        "sed 's/a/b/;s/c/d/'", "sort -t';'", "sort -t \\| -k2", "grep -e '&&'", "cut -d';' -f1", "env A=b c",
        "awk -F: '$1 ~ /x|y/'", "grep 'a b' -",
    ],
)  # fmt: skip
def test_what_is_quoted_is_the_commands_own(command: str) -> None:
    assert split_command(command, "stations.x.command") == shlex.split(command)


@given(st.lists(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=4))
def test_any_words_that_are_quoted_come_through(words: list[str]) -> None:
    command = shlex.join(["echo", *words])
    assert split_command(command, "x") == ["echo", *words]


@settings(max_examples=50)
@given(st.text(st.sampled_from("ab '\"\\"), min_size=1, max_size=8))
def test_words_are_those_that_a_shell_makes(text: str) -> None:
    try:
        words = split_command(f"echo {text}", "x")
    except ScenarioError:
        shell = subprocess.run(["bash", "-n", "-c", f"echo {text}"], capture_output=True, check=False)
        assert shell.returncode != 0 or text.endswith("\\")  # bash takes a last backslash as it stands
        return
    shell = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True)
    assert shell.stdout.decode().split("\0")[:-1] == (words[1:] or [""])


def test_places_are_filled_in() -> None:
    stdlib = sysconfig.get_paths()["stdlib"]
    assert fill_in("cat {stdlib}/os.py {x} {}", "p") == f"cat {stdlib}/os.py {{x}} {{}}"
    assert Path(fill_in("{package:hypothesis}/core.py", "p")).is_file()
    assert Path(package_directory("hypothesis.strategies", "p")).is_dir()


def test_an_absent_package_is_named_when_the_file_is_needed() -> None:
    circuit = circuit_of(sources={"x": {"file": "{package:no_such_thing}/x.csv"}}, stations=B)
    with pytest.raises(ScenarioError, match="pip install no_such_thing"):
        check_runnable(circuit, standard_input=False)


def test_an_absent_file_program_or_directory_is_named_before_a_run(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    cases = [
        ({"sources": {"x": {"file": missing}}, "stations": B}, "sources.x.file"),
        ({"sources": {"x": {"file": missing, "rate": 1}}, "stations": B}, "sources.x.file"),
        ({"sources": {"x": {"file": str(tmp_path)}}, "stations": B}, "sources.x.file"),
        ({"sources": SEQ, "stations": {"b": {"command": "no-such-program -x"}}}, "stations.b.command"),
        ({"sources": {"a": {"command": "no-such-program", "rate": 1}}, "stations": B}, "sources.a.command"),
        ({"sources": SEQ, "stations": B, "sinks": {"o": {"file": f"{missing}/o"}}}, "sinks.o.file"),
    ]
    for tables, path in cases:
        with pytest.raises(ScenarioError) as caught:
            check_runnable(circuit_of(**tables), standard_input=False, file="x.toml")
        assert (caught.value.file, caught.value.path) == ("x.toml", path)


def test_a_program_is_looked_for_on_the_path_that_the_station_has() -> None:
    lost = circuit_of(sources=SEQ, stations={"b": {"command": "sort", "env": {"PATH": "/nowhere"}}})
    with pytest.raises(ScenarioError, match="no program 'sort'"):
        check_runnable(lost, standard_input=False)


def test_standard_input_will_do_for_a_run_but_not_for_a_measurement() -> None:
    circuit = circuit_of(stations=B)
    check_runnable(circuit, standard_input=True)
    with pytest.raises(ScenarioError, match="add a source"):
        check_runnable(circuit, standard_input=False)


def test_a_named_pipe_is_not_opened_to_see_whether_it_is_there(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    check_runnable(circuit_of(sources={"x": {"file": str(fifo)}}, stations=B), standard_input=False)


@pytest.mark.parametrize("variable", [{"": "a"}, {"A=B": "a"}, {"A\0": "a"}, {"A": "a\0"}])
def test_what_no_environment_can_hold_is_refused(variable: dict[str, str]) -> None:
    assert refused(stations={"a": {"command": "env", "env": variable}}).path == "stations.a.env"
    assert refused(sources={"s": {"command": "env", "env": variable}}).path == "sources.s.env"


def test_braces_around_a_station_that_is_no_input_are_refused() -> None:
    sources = {"s": {"command": "seq 3"}, "t": {"command": "seq 4"}}
    error = refused(sources=sources, stations={"a": {"command": "comm - {t}", "input": "s"}})
    assert error.path == "stations.a.input"
    assert "add 't' to its input" in str(error)
    stations = {"a": {"command": "awk '{print}' {t}", "input": ["s", "t"]}}
    assert circuit_of(sources=sources, stations=stations).station("a").inputs == ("s", "t")
