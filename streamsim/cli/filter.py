"""``op``: an operator as a Unix filter, from standard input to standard output.

No typer, no rich, no numpy: it has to start as fast as the tools that it stands between.
"""

from __future__ import annotations

import sys

from streamsim import formats, operators
from streamsim.formats.parameters import FLAGS

TYPE_CHECKING = False  # see streamsim/cli/__init__.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn


def run_operator(name: str, words: Sequence[str]) -> int:
    """Run an operator with parameters as options (``--precision 14``, ``--precision=14``, ``--flag``).

    Words that are no options are files to read instead of standard input, ``-`` that itself.
    """
    texts, files = options(name, words)
    if "help" in texts:
        sys.stdout.write(help_text(name))
        return 0
    if sys.stdin is None and not files and not operators.find(name).traits.source:
        _refuse(name, "standard input is closed, and it reads that")
    rest = _inputs(name, files) | _on_error(name, texts)
    format = _format(texts)
    from streamsim.real.worker.main import run_filter

    run_filter(name, operators.from_text(name, texts), format, **rest)
    return 0


def _inputs(name: str, files: Sequence[str]) -> dict[str, Any]:
    traits = operators.find(name).traits
    if traits.source and files:
        _refuse(name, f"{files[0]!r} is no option, and a source reads no input")
    if not traits.source and not operators.takes_inputs(name, len(files) or 1):
        many = f"{traits.inputs} inputs" if traits.inputs > 1 else "one input"
        _refuse(name, f"it reads {many}: name the files to read (- is standard input)")
    try:
        opened = [0 if file == "-" else _opened(file) for file in files]
    except OSError as error:
        reason = f"{error.filename!r} cannot be read: {error.strerror}; parameters are written --name value"
        _refuse(name, reason)
    return {"inputs": opened} if files else {}


def _opened(file: str) -> int:
    import os
    from errno import EISDIR

    if os.path.isdir(file):  # noqa: PTH112  # pathlib costs 5 ms; reading it would fail without its name
        raise OSError(EISDIR, os.strerror(EISDIR), file)
    return os.open(file, os.O_RDONLY)


def _on_error(name: str, texts: dict[str, str]) -> dict[str, Any]:
    """Take ``--on-error POLICY`` and ``--dead-letter FILE`` out of the options."""
    import os

    if "on_error" not in texts and "dead_letter" not in texts:
        return {}
    if not operators.find(name).can_reject:
        _refuse(name, "there is no record that it could not work on: leave --on-error and --dead-letter out")
    policy, file = texts.pop("on_error", "fail"), texts.pop("dead_letter", None)
    operators.check_policy(policy, file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    return {"on_error": policy} | ({} if file is None else {"dead_letter": os.open(file, flags, 0o666)})


def options(name: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options as written, by name, and the other words; dashes and underscores are the same.

    A flag needs no value, and takes the next word only where that is one.

    >>> options("sample", ["--every", "3", "--seed=1", "a.txt"])
    ({'every': '3', 'seed': '1'}, ['a.txt'])
    >>> options("merge", ["--numeric", "a.txt", "--reverse", "no", "b.txt"])
    ({'numeric': 'true', 'reverse': 'no'}, ['a.txt', 'b.txt'])
    """
    flags = {parameter.name for parameter in operators.describe(name).parameters if parameter.type == "flag"}
    texts: dict[str, str] = {}
    files: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("--help", "-h"):
            return {"help": ""}, []
        if word == "--":
            return texts, files + left
        if not word.startswith("--"):
            if word.startswith("-") and word != "-":
                _refuse(name, f"{word!r} is no option; parameters are written --name value")
            files.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        key = key.replace("-", "_")
        if not equals and key in flags and (not left or left[0].lower() not in FLAGS):
            value = "true"
        elif not equals:
            if not left:
                _refuse(name, f"--{key} needs a value")
            value = left.pop(0)
        if key in texts:
            _refuse(name, f"--{key} is given twice")
        texts[key] = value
    return texts, files


def _format(texts: dict[str, str]) -> str | dict[str, Any]:
    """Take ``--format NAME`` and ``--format.OPTION value`` out of the options."""
    from streamsim.formats.parameters import format_from_text

    found = format_from_text("format", texts)
    for key in [key for key in texts if key.partition(".")[0] == "format"]:
        del texts[key]
    return found


def help_text(name: str) -> str:
    """Return what an operator does, its parameters and an example, for people."""
    from inspect import cleandoc

    found = operators.describe(name)
    rows = [(f"--{parameter.name.replace('_', '-')}", describe_parameter(parameter)) for parameter in found.parameters]
    formats_known = ", ".join(formats.names())
    rows += [
        ("--format", f"how records are told apart: lines (default); {formats_known}; --format.OPTION sets its options")
    ]
    if operators.find(name).can_reject:
        rows += [
            ("--on-error", "a record that cannot be worked on: fail (default), skip, dead-letter"),
            ("--dead-letter", "the file that gets those records"),
        ]
    width = max(len(option) for option, _ in rows)
    listed = "\n".join(f"  {option:{width}}  {text}" for option, text in rows)
    return f"streamsim op {name}: {cleandoc(found.doc)}\n\nOptions:\n{listed}\n"


def describe_parameter(parameter: Any) -> str:
    """Return what a parameter means, what it takes and its default, on one line."""
    default = parameter.shown_default
    default = "required" if parameter.required else f"default {default}" if default else "optional"
    return f"{parameter.doc}: {parameter.takes} ({default})"


def _refuse(name: str, message: str) -> NoReturn:
    from streamsim.cli.failures import UsageError

    raise UsageError(f"op {name}: {message} (streamsim operators {name} says more)")
