"""Map a parsed shell line onto a scenario: which command is a source, a station, a copy or a sink."""

from __future__ import annotations

from typing import Any

from streamsim.errors import ScenarioError
from streamsim.shell.circuit import CircuitBuilder, name_from, name_from_file
from streamsim.shell.line import Command, Pipeline, Redirect, Substitution, Word, literals
from streamsim.shell.operands import (
    NOWHERE,
    STANDARD_INPUT,
    cat_source,
    command_text,
    only_redirect,
    plain_text,
    read_file,
    written_file,
)
from streamsim.shell.parse import parse_line
from streamsim.shell.span import Span
from streamsim.shell.standard_input import reads_standard_input


def import_line(line: str, *, name: str = "shell") -> dict[str, Any]:
    """Return the scenario that a line of bash describes, in the shape of a scenario file.

    The first command of a pipeline is a source (a file source where it is ``cat FILE``, or reads ``< FILE``), the
    others are stations, ``> FILE`` and ``tee FILE`` are sinks, and ``<(…)`` is an input that stands in the command
    as ``{name}``. A first command that is known to read standard input (``sort |``) reads the importer's own.
    The line is only read: nothing runs and no file is looked at.

    Parameters
    ----------
    line : the line, with bash's quoting. Its relative paths are kept as they are.
    name : the scenario's name.

    Raises ScenarioError, which names the construct, its column and what to write instead, for everything that a
    scenario cannot express, and for a line that is no bash.

    >>> scenario = import_line("cat words.txt | sort | uniq -c > counts.txt")
    >>> scenario["sources"], scenario["stations"]
    ({'words': {'file': 'words.txt'}}, {'sort': {'command': 'sort'}, 'uniq': {'command': 'uniq -c'}})
    >>> scenario["sinks"]
    {'out': {'file': 'counts.txt'}}
    """
    try:
        sections = _Converter(parse_line(line)).sections()
    except RecursionError:
        raise ScenarioError("the shell line is nested too deeply; write its parts as stations of a file") from None
    return {"name": name, "title": line.strip(), **sections}


class _Converter:
    """Walks a line once, handing each command what stands before it and asking which ends stay open.

    An open end is the name of a source or station whose output may still be read. For a ``tee`` that is the name
    of what it copies: two readers of one station are a copy.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._main = pipeline
        taken = [text for literal in literals(pipeline) for text in (literal.text, literal.value)]
        if "<(" in pipeline.span.text:
            taken += ["{python}", "{stdlib}"]  # in a command these are not inputs but places
        self._builder = CircuitBuilder(taken)

    def sections(self) -> dict[str, Any]:
        """Convert the line and return the sections of its scenario."""
        for end in self._pipeline(self._main, None):
            if self._builder.is_read(end):
                # A `tee` that ends the line also writes to stdout, which takes a station that nothing reads.
                self._builder.add_station("tee", "cat", stdin=end)
            else:
                self._builder.as_process(end)
        return self._builder.sections()

    def _pipeline(self, pipeline: Pipeline, stdin: str | None) -> list[str]:
        """Convert a pipeline that reads ``stdin`` and return its open ends."""
        ends = [stdin] if stdin else []
        for index, command in enumerate(pipeline.commands):
            if index:
                ends = [_only_end(ends, pipeline.commands[index - 1].span, "the next command")]
            ends = self._command(command, ends[0] if ends else None, main=pipeline is self._main)
        return ends

    def _command(self, command: Command, stdin: str | None, *, main: bool) -> list[str]:
        """Convert a command with its redirections and return its open ends."""
        redirected_in, redirected_out = (only_redirect(command, reads=reads) for reads in (True, False))
        if redirected_in and stdin:
            raise redirected_in.span.refuse(
                "an input redirection", "this command already reads from a pipe", "drop one of the two"
            )
        branches: list[str] = []
        if command.program == "tee":
            end, branches = self._tee(command, self._stdin(redirected_in, stdin))
        else:
            end = self._place(command, redirected_in, stdin, main=main)
        return self._output(redirected_out, end, main=main) + branches

    def _place(self, command: Command, redirected_in: Redirect | None, stdin: str | None, *, main: bool) -> str:
        """Add the source or station of a command that is no ``tee`` and return its name."""
        if not stdin and (source := cat_source(command, redirected_in)):
            return self._builder.add_source(*source)
        stdin = self._stdin(redirected_in, stdin)
        named: list[str] = []
        text = " ".join(self._spell(word, named) for word in command.words)
        wish = name_from(command.program, default="command")
        environment = dict(command.environment)
        if not (stdin or named or redirected_in) and main and reads_standard_input(_written(command)):
            stdin = self._builder.add_source(*STANDARD_INPUT)
        if stdin or named:
            return self._builder.add_station(wish, text, stdin=stdin, named=named, environment=environment)
        return self._builder.add_source(wish, {"command": text} | ({"env": environment} if environment else {}))

    def _stdin(self, redirect: Redirect | None, stdin: str | None) -> str | None:
        """Return what a command reads on its standard input, as the name of a source or station."""
        if redirect is None:
            return stdin
        if substitution := redirect.target.substitution:
            return self._substituted(substitution)
        name, table = read_file(redirect.target)
        return None if table.get("command") == f"cat {NOWHERE}" else self._builder.add_source(name, table)

    def _tee(self, command: Command, stdin: str | None) -> tuple[str, list[str]]:
        """Convert ``tee``: each operand reads what it copies. Return that, and the open ends of its branches."""
        if stdin is None:
            raise command.span.refuse("a tee", "it has nothing to copy", "pipe something into it")
        end = self._builder.as_process(stdin)
        branches: list[str] = []
        options = True
        for word in command.words[1:]:
            if substitution := word.substitution:
                if substitution.reads:
                    raise word.span.refuse("an operand of tee", "tee writes to its operands", "write '>(…)'")
                branches += self._pipeline(substitution.pipeline, end)
                continue
            value = plain_text(word).value
            if options and value.startswith("-") and value != "-":
                options = value != "--"
                if options:
                    why = "a run writes whole files or nothing" if "a" in value else "a copy has no options"
                    raise word.span.refuse("an option of tee", why, "drop it")
            elif file := written_file(word):
                self._builder.add_sink(name_from_file(file), file, source=end)
        return end, branches

    def _output(self, redirect: Redirect | None, end: str, *, main: bool) -> list[str]:
        """Send what ``end`` writes where the redirection says and return what is still open."""
        if redirect is None:
            return [end]
        if substitution := redirect.target.substitution:
            if substitution.reads:
                raise redirect.span.refuse("an output redirection", "'<(…)' can only be read", "write '| command'")
            return self._pipeline(substitution.pipeline, end)
        file = written_file(redirect.target)
        # Output that others read as well needs no sink to be thrown away: it has one reader less.
        if file or not self._builder.is_read(end):
            wish = "out" if main or not file else name_from_file(file)
            self._builder.add_sink(wish, file, source=self._builder.as_process(end))
        return []

    def _substituted(self, substitution: Substitution) -> str:
        """Convert ``<(…)`` and return the name of what it writes."""
        if not substitution.reads:
            raise substitution.span.refuse(
                "a process substitution", "only tee can write to '>(…)'", "write '| tee >(…)' after the command"
            )
        return _only_end(self._pipeline(substitution.pipeline, None), substitution.span, "the command that reads it")

    def _spell(self, word: Word, named: list[str]) -> str:
        """Return a word as a scenario's command has it, and add the inputs that stand in it to ``named``."""
        text = ""
        for part in word.parts:
            if isinstance(part, Substitution):
                named.append(self._substituted(part))
                text += f"{{{named[-1]}}}"
            else:
                text += command_text(part, word.span)
        return text


def _written(command: Command) -> list[str]:
    """Return the words of a command; a word with a process substitution in it stands for a file."""
    return [word.literal.value if word.literal else "/dev/fd" for word in command.words]


def _only_end(ends: list[str], span: Span, reader: str) -> str:
    """Return the one open end that ``reader`` takes, or refuse a place where there are none or several."""
    if not ends:
        raise span.refuse(
            "an output that goes elsewhere", f"nothing is left for {reader}", "write '| tee FILE' to do both"
        )
    if len(ends) > 1:
        raise span.refuse(
            "a branch without an end", f"its output would mix with what {reader} gets", "end it in '> FILE'"
        )
    return ends[0]
