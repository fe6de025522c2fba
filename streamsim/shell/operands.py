"""What the words of a command stand for: files to read, a file to write, plain text."""

from __future__ import annotations

import glob
import re
from typing import Any

from streamsim.shell.circuit import name_from_file
from streamsim.shell.line import Command, Redirect, Word
from streamsim.shell.quoting import Literal
from streamsim.shell.span import WITHOUT_A_SHELL, Span

NOWHERE = "/dev/null"
STANDARD_INPUT: tuple[str, dict[str, Any]] = ("standard-input", {"file": "-"})
DEVICES = ("/dev/", "/proc/")
PLACE = re.compile(r"\{(?:stdlib|python|package:[A-Za-z0-9_.]+)\}")  # the scenario loader fills these in
# What Python's glob reads differently from bash: negation by ^ and character classes.
BASH_ONLY_PATTERN = re.compile(r"\[(?:\^|[^]]*\[[:.=])")


def cat_source(command: Command, redirect: Redirect | None) -> tuple[str, dict[str, Any]] | None:
    """Return name and table of the source that a ``cat`` of plain files is, or None for any other command."""
    if command.program != "cat" or command.environment:
        return None
    operands = [(word, literal) for word in command.words[1:] if (literal := word.literal)]
    if len(operands) < len(command.words) - 1:
        return None
    values = [literal.value for _, literal in operands]
    if values in ([], ["-"]):
        if redirect is None:
            return STANDARD_INPUT
        return None if redirect.target.substitution else read_file(redirect.target)
    if redirect or any(not value or value.startswith(("-", *DEVICES)) for value in values):
        return None
    if len(operands) == 1 and operands[0][1].pattern is None:
        return read_file(operands[0][0])
    files = [_pattern(word.span, literal) for word, literal in operands]
    return name_from_file(values[0]), {"files": files if len(files) > 1 else files[0]}


def read_file(word: Word) -> tuple[str, dict[str, Any]]:
    """Return name and table of the source that reads one file."""
    literal = plain_file(word)
    if literal.value == "/dev/stdin":
        return STANDARD_INPUT
    if literal.value.startswith(DEVICES):  # it has no size and perhaps no end, so a command reads it
        return name_from_file(literal.value), {"command": f"cat {literal.text}"}
    # A file "-" is standard input to a scenario.
    path = f"./{literal.value}" if literal.value.startswith("-") else literal.value
    return name_from_file(literal.value), {"file": path}


def written_file(word: Word) -> str | None:
    """Return the name of a file to write, or None for /dev/null; refuse other devices."""
    value = plain_file(word).value
    if value == NOWHERE:
        return None
    if value.startswith(DEVICES):
        raise word.span.refuse("a device", "a run writes whole files", "name a file")
    return value


def plain_file(word: Word) -> Literal:
    """Return a word that names one file."""
    literal = plain_text(word)
    if not literal.value:
        raise word.span.refuse("an empty name", "a file is due here", "name one")
    _refuse_place(literal.value, word.span)
    return literal


def plain_text(word: Word) -> Literal:
    """Return a word that is neither a process substitution nor a wildcard."""
    literal = word.literal
    if literal is None:
        raise word.span.refuse("a process substitution", "a file name or an option is due here", "write one")
    refuse_wildcard(literal, word.span)
    return literal


def command_text(literal: Literal, span: Span) -> str:
    """Return how a scenario's command spells a piece of literal text."""
    refuse_wildcard(literal, span)
    _refuse_place(literal.text, span)
    return literal.text


def refuse_wildcard(literal: Literal, span: Span) -> None:
    """Refuse an unquoted wildcard, which only a list of source files can have."""
    if literal.pattern is not None:
        raise span.refuse("a wildcard", WITHOUT_A_SHELL, "write the names out, or quote what is meant literally")


def only_redirect(command: Command, *, reads: bool) -> Redirect | None:
    """Return the redirection of stdin (``reads``) or stdout, refusing a second one."""
    found = [redirect for redirect in command.redirects if redirect.reads == reads]
    if len(found) > 1:
        kind = "input" if reads else "output"
        raise found[1].span.refuse(f"a second {kind} redirection", "only the last would count", "keep one of them")
    return found[0] if found else None


def _pattern(span: Span, literal: Literal) -> str:
    """Return one of several source files as a :mod:`glob` pattern."""
    _refuse_place(literal.value, span)
    if literal.pattern is None:
        return glob.escape(literal.value)
    if BASH_ONLY_PATTERN.search(literal.pattern):
        raise span.refuse("a wildcard", "'[^…]' and '[:…:]' are bash's own", "write '[!…]', or the range")
    return literal.pattern.replace("**", "*")  # without globstar bash takes them alike; a scenario does not


def _refuse_place(text: str, span: Span) -> None:
    if match := PLACE.search(text):
        name = match[0][1:-1]
        raise span.refuse(
            "a place", f"a scenario replaces {match[0]}", f"write {{''{name}}} in an argument; rename a file"
        )
