"""Build the :class:`Pipeline` of a shell line from its syntax tree.

The grammar is trusted for operators, nesting and where quotes end. Which characters make one word is settled here
by a rule that the grammar bends (it splits ``--x=<(a)`` and ``a2>f``): what touches belongs together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from streamsim.errors import ScenarioError
from streamsim.shell.grammar import commands_of, only_statement, parse, refuse_expansions, span_of
from streamsim.shell.line import Command, Pipeline, Redirect, Substitution, Word
from streamsim.shell.quoting import Literal, read_literal, unreadable
from streamsim.shell.span import DROP_STDERR, STDERR_STAYS, WITHOUT_A_SHELL, Span

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\+?=|\[[^\]]*\]\+?=)", re.ASCII)
PLAIN_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(?![<>]?\()", re.ASCII)
DESCRIPTOR = re.compile(r"[0-9]+|\{\w+\}")
JOINED = re.compile(rb"(?:\\\n)*")  # an escaped end of line joins what stands on both sides of it

_KEYWORDS = "! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while"
KEYWORDS = frozenset(_KEYWORDS.split())
# Builtins without a program of the same name; echo, printf, test and a few more have one.
_BUILTINS = (
    ". : alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown"
    " enable eval exec exit export fc fg getopts hash help history jobs let local logout mapfile popd pushd read"
    " readarray readonly return set shift shopt source suspend times trap type typeset ulimit umask unalias unset"
    " wait"
)
BUILTINS = frozenset(_BUILTINS.split())


@dataclass
class _Piece:
    """A run of touching nodes: one word, or the operator of a redirection."""

    nodes: list[Node]
    start: int
    end: int
    operator: str = ""
    descriptor: str = ""


def parse_line(text: str) -> Pipeline:
    """Parse a shell line into its pipeline.

    Raises ScenarioError, with the column, for an empty line, a syntax error, and every construct that a scenario
    cannot express.

    >>> [command.program for command in parse_line("zcat 'my log.gz' | /usr/bin/sort -u").commands]
    ['zcat', 'sort']
    """
    try:
        line = text.encode()
    except UnicodeEncodeError:
        raise ScenarioError("the shell line is not UTF-8 text; name its files in UTF-8") from None
    if b"\0" in line:
        where = line.index(b"\0")
        raise unreadable(Span(line, where, where + 1), "a NUL character")
    root = parse(line)
    statement = only_statement(line, root.children)
    if statement is None:
        raise ScenarioError("the shell line is empty; write a pipeline, such as 'sort words.txt | uniq -c'")
    return _pipeline(line, statement)


def _pipeline(line: bytes, statement: Node) -> Pipeline:
    commands = tuple(_command(line, nodes, statement) for nodes in commands_of(line, statement))
    return Pipeline(commands, span_of(line, statement))


def _command(line: bytes, nodes: list[Node], statement: Node) -> Command:
    """Build a command from its nodes: assignments, then words, with redirections anywhere between."""
    for node in nodes:
        refuse_expansions(line, node)
    words: list[Word] = []
    environment: list[tuple[str, str]] = []
    redirects: list[Redirect] = []
    pieces = _pieces(line, nodes)
    for index, piece in enumerate(pieces):
        span = Span(line, piece.start, piece.end)
        if piece.operator:
            target = pieces[index + 1] if index + 1 < len(pieces) else None
            if target is None or target.operator:
                raise unreadable(span, "a redirection without a file")
            redirects.append(_redirect(line, piece, target))
        elif index and pieces[index - 1].operator:
            continue  # the file of the redirection before it
        elif not words and ASSIGNMENT.match(span.text):
            environment.append(_assignment(span))
        else:
            words.append(_word(line, piece))
    span = Span(line, pieces[0].start, pieces[-1].end) if pieces else span_of(line, statement)
    if not words:
        raise span.refuse("no command", "there is nothing to run here", "put a program in front of it")
    _check_program(words[0])
    return Command(tuple(words), tuple(environment), tuple(redirects), span)


def _pieces(line: bytes, nodes: list[Node]) -> list[_Piece]:
    """Split the nodes of a command into words and redirection operators, in the order of the line."""
    atoms: list[Node] = []
    starts: set[int] = set()
    for node in nodes:
        if node.type == "file_redirect":
            atoms += node.children
            starts.add(next(child.start_byte for child in node.children if child.type != "file_descriptor"))
        elif node.type != "comment":
            atoms.append(node)
    pieces: list[_Piece] = []
    for atom in sorted(atoms, key=lambda node: node.start_byte):
        touches = bool(pieces) and JOINED.fullmatch(line, pieces[-1].end, atom.start_byte) is not None
        if atom.start_byte in starts:
            descriptor = line[pieces[-1].start : pieces[-1].end].decode() if touches else ""
            if touches and not pieces[-1].operator and DESCRIPTOR.fullmatch(descriptor):
                start = pieces.pop().start
            else:
                start, descriptor = atom.start_byte, ""
            pieces.append(_Piece([], start, atom.end_byte, atom.type, descriptor))
        elif touches and not pieces[-1].operator:
            pieces[-1].nodes.append(atom)
            pieces[-1].end = atom.end_byte
        else:
            pieces.append(_Piece([atom], atom.start_byte, atom.end_byte))
    return pieces


def _redirect(line: bytes, operator: _Piece, target: _Piece) -> Redirect:
    span = Span(line, operator.start, target.end)
    if operator.operator in (">>", "&>>"):
        raise span.refuse("an appending redirection", "a run writes whole files or nothing", "write '> FILE'")
    if operator.descriptor == "2" or operator.operator == "&>":
        raise span.refuse("a redirection of stderr", STDERR_STAYS, DROP_STDERR)
    reads = operator.operator == "<"
    if operator.operator not in ("<", ">", ">|") or operator.descriptor not in ("", "0" if reads else "1"):
        raise span.refuse("a redirection of a file descriptor", WITHOUT_A_SHELL)
    return Redirect(reads, _word(line, target), span)


def _assignment(span: Span) -> tuple[str, str]:
    match = PLAIN_ASSIGNMENT.match(span.text)
    if match is None:
        raise span.refuse("an assignment of no plain value", "a station's env holds text")
    return match[1], read_literal(span, assignment=True).value[match.end() :]


def _word(line: bytes, piece: _Piece) -> Word:
    """Build a word: the literal text between its process substitutions, and these."""
    parts: list[Literal | Substitution] = []
    position = piece.start
    for hole in _substitutions(piece.nodes):
        if hole.start_byte > position:
            parts.append(read_literal(Span(line, position, hole.start_byte)))
        parts.append(_substitution(line, hole))
        position = hole.end_byte
    if position < piece.end:
        parts.append(read_literal(Span(line, position, piece.end)))
    return Word(tuple(parts), Span(line, piece.start, piece.end))


def _substitutions(nodes: list[Node]) -> list[Node]:
    """Return the process substitutions of a word, in order."""
    found: list[Node] = []
    for node in nodes:
        if node.type == "process_substitution":
            found.append(node)
        else:
            found += _substitutions(node.children)
    return found


def _substitution(line: bytes, node: Node) -> Substitution:
    span = span_of(line, node)
    statement = only_statement(line, node.children)
    if statement is None:
        raise unreadable(span, "an empty process substitution")
    return Substitution(span.text.startswith("<"), _pipeline(line, statement), span)


def _check_program(word: Word) -> None:
    """Refuse what is not a program on the disk."""
    literal = word.literal
    if literal is None or not literal.value:
        raise word.span.refuse("no program", "a command starts with the name of its program", "name one")
    if word.span.text in KEYWORDS:
        raise word.span.refuse("a keyword of the shell", WITHOUT_A_SHELL)
    if literal.value in BUILTINS:
        raise word.span.refuse("a builtin of the shell", WITHOUT_A_SHELL)
