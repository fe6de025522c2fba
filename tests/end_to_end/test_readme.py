"""Every command in the README and the documentation runs as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.is_file()]
SET_UP = (
    "pip install -e . && python -m streamsim compare scenarios/top-words.toml",
    'pip install -e ".[test]" && pytest',
)
"""The two commands that set streamsim up. .ci/run runs them as they stand, in a fresh environment, and so this test; it
leaves out what installs, and pytest in pytest."""
FENCE = re.compile(r"^```(bash|sh|console|python)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands_in(text: str) -> list[str]:
    """Return the commands of a page: all of a ``bash`` or ``sh`` block, what follows ``$`` in a ``console`` one.

    A ``python`` block is one command, the interpreter with all of it.
    """
    commands = []
    for language, block in FENCE.findall(text):
        lines = block.splitlines()
        if language == "python":
            commands.append(f"python -c {shlex.quote(block)}")
            continue
        if language == "console":
            lines = [line.removeprefix("$").strip() for line in lines if line.startswith("$ ")]
        pending = ""
        for line in lines:
            pending += line + "\n"
            if line.endswith("\\") or not is_whole(pending):
                continue
            if any(part and not part.startswith("#") for part in map(str.strip, pending.splitlines())):
                commands.append(pending.strip())
            pending = ""
        assert not pending, f"a command that does not end: {pending}"
    return commands


def is_whole(text: str) -> bool:
    """Whether bash takes the text as it is, or waits for more of it (an open quote, a here-document, a loop)."""
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    return checked.returncode == 0 and "here-document" not in checked.stderr


def smaller(scenario: str) -> str:
    """Return a scenario that is measured once and without warm-up, over the files at the top of a tree only.

    The commands are what this test is about; benchmarks/ has the numbers.
    """
    once = re.sub(r"^repetitions *=.*$", "repetitions = 1\nwarmup = 0", scenario, flags=re.MULTILINE)
    return once.replace("/**/", "/")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A directory like a clone, with smaller scenarios, where reports and other files may be left."""
    for folder in ("scenarios", "examples"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (tmp_path / "scenarios").glob("*.toml"):
        file.write_text(smaller(file.read_text()))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_page_runs(page: Path, workplace: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    for command in commands_in(page.read_text()):
        words = ["bash", "-euo", "pipefail", "-c", without_installing(command)]
        done = subprocess.run(
            words, cwd=workplace, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{page.name}: {command}\n{done.stdout}\n{done.stderr}"


def without_installing(command: str) -> str:
    """Return what is left of a set-up command when what it installs is there; all of any other."""
    if command not in SET_UP:
        return command
    rest = command.partition("&&")[2].strip()
    return "true" if rest == "pytest" else rest


def test_commands_are_found_in_their_blocks() -> None:
    page = """
```bash
# a remark
one --set a=b   # another

two \\
  --three
for x in 1 2
do
  echo $x
done
```
```toml
four = 5
```
```console
$ six | seven
what it prints
$ eight
```
```python
print("nine")
```
"""
    found = commands_in(page)
    assert found == [
        "one --set a=b   # another",
        "two \\\n  --three",
        "for x in 1 2\ndo\n  echo $x\ndone",
        "six | seven",
        "eight",
        """python -c 'print("nine")\n'""",
    ]


def test_only_the_set_up_leaves_something_out() -> None:
    assert without_installing(SET_UP[0]) == "python -m streamsim compare scenarios/top-words.toml"
    assert without_installing(SET_UP[1]) == "true"
    assert without_installing("pip install anything") == "pip install anything"


def test_a_smaller_scenario_is_measured_once() -> None:
    text = smaller('[sources.a]\nfiles = "{stdlib}/**/*.py"\n[measure]\nrepetitions = 3\n')
    assert text == '[sources.a]\nfiles = "{stdlib}/*.py"\n[measure]\nrepetitions = 1\nwarmup = 0\n'


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="there is no README yet")
def test_the_readme_has_the_two_set_up_commands_that_the_gate_runs() -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    found = commands_in((ROOT / "README.md").read_text())
    for command in SET_UP:
        assert command in found
        assert f"'{command}'" in gate
