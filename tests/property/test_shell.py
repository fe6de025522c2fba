"""What an imported line means is what bash makes of it: its arguments, and what its circuit writes."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import string
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.shell import import_line, to_toml
from tests.patience import PATIENCE_S

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")
bounded = settings(max_examples=120, deadline=None, database=None)

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
BARE = st.text(string.ascii_letters + string.digits + "_-+=:,./%@^", min_size=1, max_size=6)
ESCAPES = r"\n \t \\ \' \" \? \a \e \E \v \q \cA \xg \0 \ug \8 \x7e \x4 \101 \47 \u00e9 \u20ac \U0001F600 \400"
ANSI_ESCAPE = st.sampled_from([*ESCAPES.split(), "\\\n"])
QUOTED = st.one_of(
    BARE,
    PRINTABLE.map(lambda text: "'" + text.replace("'", "") + "'"),
    PRINTABLE.map(lambda text: '"' + "".join("\\" + c if c in '$`"\\' else c for c in text) + '"'),
    st.sampled_from(string.punctuation + " é\n").map(lambda character: "\\" + character),
    st.lists(st.one_of(BARE, ANSI_ESCAPE), max_size=4).map(lambda parts: "$'" + "".join(parts) + "'"),
)
WORD = st.lists(QUOTED, min_size=1, max_size=4).map("".join)
# Everything that could end a word, start an expansion or confuse a grammar; no word of it names a program.
TRAPS = "$' $\" \\' {} {a,1} .. a= <(a) 1> a> && << '' #a ${ $( $a \\\n"
RAW = st.lists(
    st.one_of(
        st.sampled_from(" \t\n\r\f'\"\\$`{}[]()<>|&;~*?!#=,:-/a1é\u00a0\u2003\U0010b4bb"),
        st.sampled_from(TRAPS.split(" ")),
    ),
    max_size=10,
).map("".join)


def bash_arguments(words: str, directory: Path) -> list[bytes]:
    """The arguments that bash passes for ``words`` in an empty directory."""
    script = f'pass() {{ printf \'%s\\0\' "$#" "$@"; }}\npass {words}'
    # Only absolute names could run, and RAW cannot spell one.
    shell = subprocess.run(
        [str(BASH), "-c", script],
        cwd=directory,
        env={"LC_ALL": "C.UTF-8", "PATH": "/nonexistent"},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert not shell.stderr
    count, *arguments = shell.stdout.split(b"\0")[:-1]
    assert int(count) == len(arguments)
    return arguments


def imported_arguments(words: str) -> list[str] | None:
    """The arguments of the imported command, or None where the line is refused or is more than one command."""
    try:
        scenario = import_line(f"pass {words}")
    except ScenarioError:
        return None
    if list(scenario) != ["name", "title", "sources"] or list(scenario["sources"]) != ["pass"]:
        return None
    return shlex.split(scenario["sources"]["pass"]["command"])[1:]


@needs_bash
@bounded
@given(words=st.lists(WORD, min_size=1, max_size=5))
def test_a_quoted_word_is_the_argument_that_bash_passes(words: list[str]) -> None:
    line = " ".join(words)
    arguments = imported_arguments(line)
    assert arguments is not None
    with tempfile.TemporaryDirectory() as directory:
        assert [argument.encode() for argument in arguments] == bash_arguments(line, Path(directory))


@bounded
@given(words=st.lists(WORD, min_size=1, max_size=5))
def test_every_quoted_word_can_stand_in_a_scenario(words: list[str]) -> None:
    (station,) = load(import_line(" ".join(["pass", *words]))).circuit.stations
    assert station.command is not None
    assert shlex.split(station.command)[1:] == imported_arguments(" ".join(words))


@needs_bash
@bounded
@given(words=RAW)
def test_text_that_is_accepted_as_one_command_is_that_command_to_bash(words: str) -> None:
    arguments = imported_arguments(words)
    if arguments is not None:
        with tempfile.TemporaryDirectory() as directory:
            assert [argument.encode() for argument in arguments] == bash_arguments(words, Path(directory))


@settings(max_examples=300, deadline=None, database=None)
@given(line=st.one_of(RAW, st.lists(st.one_of(WORD, RAW), max_size=6).map(" ".join), st.text(max_size=20)))
def test_any_line_is_imported_or_refused_with_a_reason_and_its_toml_reads_back(line: str) -> None:
    scenario, message = {}, ""
    try:
        scenario = import_line(line)
    except ScenarioError as refusal:
        message = str(refusal)
    if scenario:
        assert tomllib.loads(to_toml(scenario)) == scenario
    else:
        assert message.startswith(("column ", "line ", "the shell line is "))
        assert "; " in message


# Circuits: the same small one, run by bash and worked out station by station from the scenario.

FILTER = st.sampled_from(
    ["sort -r", "tr a-m n-z", "sed -e 's/^/> /'", "grep -v 3", "sed -n 1,4p", "LC_ALL=C sort", "tac"]
)


@st.composite
def pipelines(draw: st.DrawFn, depth: int = 2, *, fed: bool = False) -> str:
    """A line of real commands that reads the files ``one`` and ``two``, or its input where it is ``fed``."""
    head = ["cat one", "sort two", "tac < one", "cat one two", "< two sed 2d", "cat on*"]
    if depth:
        inner = [draw(pipelines(depth - 1)) for _ in range(2)]
        head += [f"paste -d '|' <({inner[0]}) <({inner[1]})", f"cat < <({inner[0]})"]
    commands = [draw(FILTER) if fed else draw(st.sampled_from(head))]
    for _ in range(draw(st.integers(0, 2))):
        commands.append(draw(st.one_of(FILTER, *([_branching(depth)] if depth else []))))
    return " | ".join(commands)


def _branching(depth: int) -> st.SearchStrategy[str]:
    return st.one_of(
        st.just("tee NAME"),
        pipelines(depth - 1, fed=True).map(lambda line: f"tee >({line} > NAME)"),
        pipelines(depth - 1).map(lambda line: f"paste - <({line})"),
    )


def numbered(line: str) -> str:
    """Give each file to write a name of its own."""
    numbers = itertools.count(1)
    return re.sub("NAME", lambda _: f"copy{next(numbers)}", line)


def work_out(scenario: dict[str, Any], directory: Path) -> bytes:
    """Run a scenario's commands one after the other, write its sinks and return what no one reads."""
    outputs: dict[str, bytes] = {}
    read: set[str] = set()
    above = None
    for name, table in scenario["sources"].items():
        outputs[name] = read_source(table, directory)
    if len(outputs) == 1:
        (above,) = outputs
    for name, table in scenario.get("stations", {}).items():
        inputs = table.get("input", above)
        inputs = inputs if isinstance(inputs, list) else [inputs]
        command, stdin = table["command"], b""
        for upstream in inputs:
            if f"{{{upstream}}}" in command:
                (directory / f"{name}.{upstream}").write_bytes(outputs[upstream])
                command = command.replace(f"{{{upstream}}}", f"{name}.{upstream}")
            else:
                stdin = outputs[upstream]
        outputs[name] = run(table, command, stdin, directory)
        for upstream in inputs:
            (directory / f"{name}.{upstream}").unlink(missing_ok=True)
        read.update(inputs)
        above = name
    for table in scenario.get("sinks", {}).values():
        (directory / table["file"]).write_bytes(outputs[table.get("input", above)])
        read.add(table.get("input", above))
    return b"".join(output for name, output in outputs.items() if name not in read)


def read_source(table: dict[str, Any], directory: Path) -> bytes:
    """Return what a source gives."""
    if "command" in table:
        return run(table, table["command"], b"", directory)
    patterns = table.get("files", table.get("file"))
    patterns = patterns if isinstance(patterns, list) else [patterns]
    files = [file for pattern in patterns for file in sorted(directory.glob(pattern))]
    return b"".join(file.read_bytes() for file in files)


def run(table: dict[str, Any], command: str, stdin: bytes, directory: Path) -> bytes:
    """Run one command without a shell."""
    environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"], **table.get("env", {})}
    return subprocess.run(
        shlex.split(command),
        input=stdin,
        cwd=directory,
        env=environment,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    ).stdout


@needs_bash
@settings(max_examples=40, deadline=None, database=None)
@given(line=pipelines().map(numbered), sink=st.sampled_from(["", " > final"]))
def test_a_circuit_writes_what_the_line_writes(line: str, sink: str) -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        written = []
        for directory in (Path(first), Path(second)):
            (directory / "one").write_text("".join(f"{letter}{number % 5}\n" for number, letter in enumerate("kabzc")))
            (directory / "two").write_text("3 x\n1 y\n2 z\n")
        # Standard error is a pipe too, so that this waits for the commands that bash leaves behind in >(…).
        by_bash = run({}, shlex.join([str(BASH), "-c", line + sink]), b"", Path(first))
        scenario = import_line(line + sink)
        load(scenario, file=str(Path(second) / "line.toml"))
        by_scenario = work_out(scenario, Path(second))
        for directory in (Path(first), Path(second)):
            written.append({path.name: path.read_bytes() for path in directory.iterdir()})
        assert by_scenario == by_bash
        assert written[0] == written[1]
