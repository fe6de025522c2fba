"""``op``: an operator as a Unix filter, from standard input to standard output.

No typer, no rich, no numpy: it has to start as fast as the tools that it stands between.
"""

from __future__ import annotations

import sys

from streamsim import formats, operators

TYPE_CHECKING = False  # see streamsim/cli/__init__.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def run_operator(name: str, words: Sequence[str]) -> int:
    """Run an operator with parameters as options (``--precision 14``, ``--precision=14``, ``--flag``)."""
    texts = options(name, words)
    if "help" in texts:
        sys.stdout.write(help_text(name))
        return 0
    if sys.stdin is None and not operators.describe(name).traits.source:
        _refuse(name, "standard input is closed, and it reads that")
    format = _format(texts)
    from streamsim.real.worker import run_filter

    run_filter(name, operators.from_text(name, texts), format)
    return 0


def options(name: str, words: Sequence[str]) -> dict[str, str]:
    """Return the options as written, by name; dashes and underscores are the same.

    >>> options("sample", ["--every", "3", "--seed=1"])
    {'every': '3', 'seed': '1'}
    """
    flags = {parameter.name for parameter in operators.describe(name).parameters if parameter.type == "flag"}
    texts: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if word in ("--help", "-h"):
            return {"help": ""}
        if not word.startswith("--") or word == "--":
            _refuse(name, f"{word!r} is no option; parameters are written --name value")
        key, equals, value = word[2:].partition("=")
        key = key.replace("-", "_")
        if not equals and key in flags and (not left or left[0].startswith("--")):
            value = "true"
        elif not equals:
            if not left:
                _refuse(name, f"--{key} needs a value")
            value = left.pop(0)
        if key in texts:
            _refuse(name, f"--{key} is given twice")
        texts[key] = value
    return texts


def _format(texts: dict[str, str]) -> str | dict[str, Any]:
    """Take ``--format NAME`` and ``--format.OPTION value`` out of the options."""
    name = texts.pop("format", "lines")
    given = {key.partition(".")[2]: texts.pop(key) for key in list(texts) if key.startswith("format.")}
    if not given:
        return name
    from streamsim.formats.parameters import from_text

    return {"name": name, **from_text(f"format '{name}'", formats.find(name).parameters, given)}


def help_text(name: str) -> str:
    """Return what an operator does, its parameters and an example, for people."""
    from inspect import cleandoc

    found = operators.describe(name)
    rows = [(f"--{parameter.name}", describe_parameter(parameter)) for parameter in found.parameters]
    rows.append(
        ("--format", "how records are told apart: lines (default), csv, frames, rows; --format.OPTION sets its options")
    )
    width = max(len(option) for option, _ in rows)
    listed = "\n".join(f"  {option:{width}}  {text}" for option, text in rows)
    return f"streamsim op {name}: {cleandoc(found.doc)}\n\nOptions:\n{listed}\n"


def describe_parameter(parameter: Any) -> str:
    """Return what a parameter means, what it takes and its default, on one line."""
    default = (
        "required"
        if parameter.required
        else f"default {parameter.default!r}"
        if parameter.default not in (None, "", ())
        else "optional"
    )
    return f"{parameter.doc}: {parameter.takes} ({default})"


def _refuse(name: str, message: str) -> None:
    from streamsim.cli.failures import UsageError

    raise UsageError(f"op {name}: {message} (streamsim operators {name} says more)")
