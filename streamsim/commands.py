"""Command lines of a scenario: split into words as a shell does, and checked for what only a shell could do."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from streamsim.errors import ScenarioError

_OPERATOR = re.compile(r"\|\|?|\|&|&&?|;;?|[0-9]*(?:&?>>?|<<?<?|<>|[<>]&).*|.*[^\\];")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


SEQUENTIAL = {
    *("awk", "cat", "cut", "egrep", "fgrep", "fold", "gawk", "grep", "gzip", "head", "mawk", "md5sum", "nl", "rev"),
    *("sed", "sha1sum", "sha256sum", "sort", "tac", "tail", "tr", "uniq", "wc", "xz", "zcat", "zstd"),
}
"""Tools that read their files one after the other; `sort -m` is none of them."""

_BARRIERS = {
    "b2sum",
    "cksum",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "shuf",
    "sort",
    "sum",
    "tac",
    "tsort",
    "wc",
}


def tool_of(command: str) -> str:
    """Return the name of the program that a command line starts, without its directory.

    >>> tool_of("/usr/bin/sort -n"), tool_of("")
    ('sort', '')
    """
    words = shlex.split(command)
    return PurePath(words[0]).name if words else ""


def merges_sorted(command: str) -> bool:
    """Tell whether a command line is `sort -m`, which reads all its files at once.

    >>> merges_sorted("sort -m a b"), merges_sorted("sort a b")
    (True, False)
    """
    return tool_of(command) == "sort" and any(word in ("-m", "--merge") for word in shlex.split(command))


def is_barrier(command: str) -> bool:
    """Tell whether a command line is a tool that is known to write nothing before its input has ended.

    >>> is_barrier("sort -u"), is_barrier("sort -m a b"), is_barrier("uniq -c")
    (True, False, False)
    """
    return tool_of(command) in _BARRIERS and not merges_sorted(command)


def split_command(command: str, path: str) -> list[str]:
    """Return the words of a command line; quotes and backslashes mean what they mean to a shell.

    Raises ScenarioError where nothing stands there, where a quote stays open, and where a pipe, a redirection, a list
    or a variable before the command would need a shell.

    >>> split_command("tr '|' '\\n'", "stations.a.command")
    ['tr', '|', '\\n']
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ScenarioError(f"cannot be split into words: {error}: {command!r}", path=path) from None
    if not words:
        raise ScenarioError("the command is empty", path=path)
    if "\0" in command:
        raise ScenarioError(f"a command cannot hold a zero byte: {command!r}", path=path)
    assignment = _ASSIGNMENT.fullmatch(words[0])
    if assignment:
        name, value = assignment.groups()
        raise ScenarioError(
            f"a variable before the command is a shell's; write env = {{ {name} = '{value}' }}", path=path
        )
    for word in _as_written(command):
        if _OPERATOR.fullmatch(word):
            raise ScenarioError(
                f"{word!r} is a shell's, and no shell runs here: write one station for each command "
                "(streamsim import does), or bash -c '…'",
                path=path,
            )
    return words


def check_environment(environment: dict[str, str], path: str) -> None:
    """Refuse what no environment can hold.

    >>> check_environment({"LC_ALL": "C", "OPTIONS": "a=b"}, "stations.a.env")

    Raises
    ------
    ScenarioError : names the variable.
    """
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name:
            message = f"{name!r} cannot name a variable: a name is not empty and has no '=' and no zero byte"
            raise ScenarioError(message, path=path)
        if "\0" in value:
            raise ScenarioError(f"the value of {name!r} cannot hold a zero byte: {value!r}", path=path)


def _as_written(command: str) -> list[str]:
    """Return the words with their quotes still on, so that ``'|'`` is told from ``|``."""
    words: list[str] = []
    word, quote, escaped = "", "", False
    for character in command:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character.isspace():
            words.append(word)
            word = ""
            continue
        word += character
    return [part for part in [*words, word] if part]
