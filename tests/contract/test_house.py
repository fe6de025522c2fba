"""The rules of the house that no type checker sees: what is loaded when, who prints, how long files are."""

from __future__ import annotations

import ast
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import typer

from streamsim.cli import app, outcome
from streamsim.loading import load
from streamsim.sections import json_schema

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "streamsim"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCENARIOS = sorted((ROOT / "scenarios").glob("*.toml"))
VERBS = {app._name(verb): verb for group in app._GROUPS.values() for verb in group}
HEAVY = {
    "jinja2",
    "matplotlib",
    "msgspec",
    "networkx",
    "numpy",
    "rich",
    "scipy",
    "simpy",
    "tomli_w",
    "tree_sitter",
    "typer",
}


def loaded_by(code: str, *, stdin: str = "") -> set[str]:
    """Return the names of the modules that a new interpreter has loaded after some code."""
    listing = "import sys; sys.stderr.write('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{listing}"], input=stdin, capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines())


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_importing_streamsim_loads_nothing_heavy() -> None:
    assert not loaded_by("import streamsim") & HEAVY


def test_every_public_name_is_there_and_only_then_loaded() -> None:
    import streamsim

    assert set(streamsim.__all__) <= set(dir(streamsim))
    for name in streamsim.__all__:
        assert getattr(streamsim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'measrue'"):
        streamsim.measrue  # noqa: B018


def test_a_filter_starts_without_typer_rich_or_numpy() -> None:
    loaded = loaded_by("from streamsim.cli import outcome; outcome(['op', 'sample', '--every', '2'])", stdin="1\n2\n")
    assert "streamsim.operators.sample" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("words", [["measure", "--help"], ["run", "--shell", "cat | sort"], ["check", "--shell", "ls"]])
def test_what_computes_nothing_loads_no_numbers(words: list[str]) -> None:
    loaded = loaded_by(f"from streamsim.cli import outcome; assert outcome({words}) == 0")
    assert not loaded & {"jinja2", "matplotlib", "networkx", "numpy", "scipy", "simpy"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_shows_its_examples(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert outcome([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = VERBS[verb].examples  # type: ignore[attr-defined]
    assert examples
    assert [line for line in examples if line not in shown] == []


@pytest.mark.parametrize("line", [line for verb in VERBS.values() for line in verb.examples])  # type: ignore[attr-defined]
def test_an_example_in_the_help_is_a_command_line_that_its_verb_takes(line: str) -> None:
    calls = [part for part in split_pipeline(shlex.split(line)) if part[0] == "streamsim"]
    assert len(calls) == 1
    verb, *words = calls[0][1:]
    if verb == "op":  # its options are the operator's, which test_cli runs
        return
    command = typer.main.get_command(app._build()).commands[verb]  # type: ignore[attr-defined]  # it is a group
    assert command.make_context(verb, words).info_name == verb


def split_pipeline(words: list[str]) -> list[list[str]]:
    """Return the commands of a pipeline without their redirections to and from files."""
    calls: list[list[str]] = [[]]
    for number, word in enumerate(words):
        if word == "|":
            calls.append([])
        elif word not in ("<", ">") and (number == 0 or words[number - 1] not in ("<", ">")):
            calls[-1].append(word)
    return calls


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert outcome([]) == 0
    shown = capsys.readouterr().out
    assert [verb for verb in VERBS if f" {verb} " not in shown] == []


def prints_or_exits(tree: ast.AST) -> list[int]:
    """Return the lines that print, use the standard streams of Python, or end the process."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "exit" | "quit")):
                lines.append(node.lineno)
            case ast.Attribute(value=ast.Name(id="sys"), attr="exit" | "stdout" | "stderr"):
                lines.append(node.lineno)
            case ast.Name(id="SystemExit"):
                lines.append(node.lineno)
    return lines


def test_the_check_for_printing_sees_it() -> None:
    code = "print(1)\nsys.exit(2)\nraise SystemExit\nsys.stdout.write('')\n"
    assert sorted(prints_or_exits(ast.parse(code))) == [1, 2, 3, 4]


def test_only_the_command_line_prints_or_exits() -> None:
    found = {
        relative(path): lines
        for path in SOURCES
        if "cli" not in path.parts and (lines := prints_or_exits(ast.parse(path.read_text())))
    }
    assert found == {}


def imports_of(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module)):
                names.append(module)
    return names


MADE_OF = {
    "_columns.py": {"numpy"},
    "_converters.py": {"numpy", "pyarrow"},
    "_expressive.py": {"numpy"},
    "_sketch_library.py": {"datasketches", "_datasketches"},
    "_vector.py": {"numpy"},
    "arrow.py": {"pyarrow"},
    "compress.py": {"zstandard"},
    "decompress.py": {"zstandard"},
    "dedup.py": {"rbloom", "xxhash"},
    "group.py": {"numpy"},
    "msgpack.py": {"msgpack"},
    "rows.py": {"numpy"},
    "sample.py": {"numpy"},
}
"""The libraries that operators and formats are made of, each imported by its owner alone, and when it is made."""


def test_a_server_loads_the_standard_library_and_itself() -> None:
    own = ("streamsim.operators", "streamsim.formats", "streamsim.real.worker", "streamsim.errors", "streamsim.units")
    own = (*own, "streamsim.real.control")  # what of it may load more, and when, an import contract says
    servers = [path for path in SOURCES if path.parent.name in ("operators", "formats")]
    servers += sorted((PACKAGE / "real/worker").glob("*.py"))
    assert len(servers) > 20
    foreign: dict[str, set[str]] = {}
    for path in servers:
        tree = ast.parse(path.read_text())
        at_import = ast.Module([node for node in tree.body if not isinstance(node, ast.ClassDef | ast.FunctionDef)], [])
        for name in imports_of(tree):
            module = name.partition(".")[0]
            if module in sys.stdlib_module_names or f"{name}.".startswith(own) or name == "streamsim":
                continue
            foreign.setdefault(path.name, set()).add(module)
            assert name not in imports_of(at_import), f"{path.name} imports {name} before anybody asks for it"
    assert foreign == MADE_OF


LONG_FOR_A_REASON = {"streamsim/models/records/kernel.py"}
"""The kernel is one file because a C compiler only inlines what it sees (docs/decisions/0017)."""


def test_no_file_is_longer_than_400_lines() -> None:
    files = [path for folder in ("streamsim", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    lengths = {relative(path): len(path.read_text().splitlines()) for path in files}
    assert {name for name, length in lengths.items() if length > 400} == LONG_FOR_A_REASON


def test_the_schema_of_scenarios_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", SCENARIOS, ids=relative)
def test_a_scenario_of_ours_fits_the_schema_and_loads(path: Path) -> None:
    scenario = load(path)
    jsonschema.validate(json.loads(json.dumps(scenario.document)), json_schema())
    assert scenario.name == path.stem
    assert scenario.title


@pytest.mark.parametrize(
    "document",
    [
        {"station": {}},
        {"host": {"cores": 0}},
        {"host": {"coers": 1}},
        {"measure": {"warmup": -1}},
        {"sources": {"a": {"arrivals": "sometimes"}}},
        {"service": {"a": {"per_bytes": 1}}},
    ],
)
def test_the_schema_refuses_what_loading_refuses(document: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())


def test_the_gate_can_be_run() -> None:
    gate = ROOT / ".ci" / "run"
    assert os.access(gate, os.X_OK)
    subprocess.run(["bash", "-n", str(gate)], check=True)
