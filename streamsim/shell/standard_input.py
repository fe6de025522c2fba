"""Which commands of a line read standard input, because none of their words is a file."""

from __future__ import annotations

from pathlib import PurePath

_VALUED = {
    "cut": "bcdf", "egrep": "efmABC", "expand": "t", "fgrep": "efmABC", "fold": "w", "grep": "efmABC",
    "head": "cn", "nl": "bdfhilnsvw", "sed": "efl", "sort": "koStT", "tail": "cns", "unexpand": "t", "uniq": "fsw",
    "rev": "", "tac": "s", "tr": "", "wc": "", "md5sum": "", "sha1sum": "", "sha256sum": "", "sha512sum": "",
    "awk": "Fvf", "gawk": "Fvf", "mawk": "Fvf", "cat": "", "gzip": "S", "gunzip": "S", "zcat": "S", "base64": "w",
    "shuf": "no", "tsort": "", "cksum": "", "sum": "",
}  # fmt: skip
"""What reads the files that it is given, else standard input, with those of its short options that take a value."""

_PROGRAM = {"grep": "ef", "egrep": "ef", "fgrep": "ef", "sed": "ef", "awk": "", "gawk": "", "mawk": ""}
"""Whose first operand is no file, unless one of these options has brought what it stands for."""

_OTHERWISE = ("--files0-from", "--recursive", "--help", "--version", "--input-range", "--echo")
"""Who is told this reads something else, or nothing."""


def reads_standard_input(words: list[str]) -> bool:
    """Return whether a command is known to read standard input: a filter that no file is named to.

    What is not sure is left: a tool that is not known, a long option that may take the next word, an awk with BEGIN.

    >>> [reads_standard_input(line.split()) for line in ("sort -k 2 -t :", "sort a", "grep -v x", "grep -ex", "tr a b")]
    [True, False, True, True, True]
    >>> [reads_standard_input(line.split()) for line in ("seq 3", "grep -r x", "sort --key 2", "wc -", "shuf -i 1-9")]
    [False, False, False, True, False]
    """
    tool = PurePath(words[0]).name
    valued = _VALUED.get(tool)
    if valued is None:
        return False
    told, operands = _parsed(words[1:], valued)
    if any(word.startswith(_OTHERWISE) for word in words):
        return False
    if (tool.endswith("grep") and {"r", "R"} & told) or (tool == "shuf" and {"i", "e"} & told):
        return False
    if tool.endswith("awk"):
        if "f" in told or not operands or "BEGIN" in operands[0]:
            return False
        operands = [operands[0], *(word for word in operands[1:] if "=" not in word)]
    given = operands[0 if set(_PROGRAM.get(tool, "")) & told else tool in _PROGRAM :]
    return tool == "tr" or not given or "-" in given


def _parsed(words: list[str], valued: str) -> tuple[set[str], list[str]]:
    """Return the letters of the short options, and the operands."""
    told, operands, rest = set[str](), list[str](), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return told, operands + rest
        if len(word) < 2 or word[0] != "-":
            operands.append(word)
        elif word[1] != "-":
            place = next((place for place, letter in enumerate(word) if place and letter in valued), len(word))
            told |= set(word[1 : place + 1])
            if place == len(word) - 1:
                del rest[:1]
    return told, operands
