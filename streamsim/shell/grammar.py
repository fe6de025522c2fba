"""Ask tree-sitter's bash grammar for the commands of a line, and refuse the constructs that are not commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from streamsim.errors import ScenarioError
from streamsim.shell.quoting import unreadable
from streamsim.shell.span import STDERR_STAYS, WITHOUT_A_SHELL, WRAP, Span

CONSTRUCTS = {
    "list": "a list of commands",
    "subshell": "a subshell",
    "compound_statement": "a group of commands",
    "for_statement": "a loop",
    "c_style_for_statement": "a loop",
    "while_statement": "a loop",
    "if_statement": "an if statement",
    "case_statement": "a case statement",
    "function_definition": "a function",
    "negated_command": "a negation",
    "test_command": "a test",
    "variable_assignment": "a variable assignment",
    "variable_assignments": "a variable assignment",
    "declaration_command": "a declaration",
    "unset_command": "a builtin of the shell",
}
EXPANSIONS = {
    "simple_expansion": "a variable",
    "expansion": "a parameter expansion",
    "command_substitution": "a command substitution",
    "arithmetic_expansion": "an arithmetic expansion",
    "brace_expression": "a brace expansion",
}
DOCUMENTS = {"heredoc_redirect": "a here-document", "herestring_redirect": "a here-string"}
SEPARATORS = {";": "a separator of commands", ";;": "a separator of commands", "&": "a background command"}
# Nodes between whose children bash allows only blanks, though the grammar skips any white space: those that must
# stay on their line, and those that may go on after an operator.
ONE_LINE = {"command", "redirected_statement", "file_redirect"}
MANY_LINES = {"program", "pipeline", "process_substitution"}
BLANKS = re.compile(rb"(?:[ \t]|\\\n)*")
BLANKS_AND_LINES = re.compile(rb"(?:[ \t\n]|\\\n)*")
ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
BEFORE_COMMENT = re.compile(rb"(?:\A|[ \t|&;()]|(?<!\\)\n)(?:\\\n)*\Z")


def parse(line: bytes) -> Node:
    """Return the syntax tree of a line, or raise the ScenarioError for its first syntax error."""
    root = Parser(Language(tree_sitter_bash.language())).parse(_for_the_grammar(line)).root_node
    for node in walk(root):
        if node.is_error or node.is_missing:
            raise _syntax_error(line, node)
    for node in walk(root):
        if node.type in ONE_LINE or node.type in MANY_LINES:
            _check_gaps(line, node)
    return root


def _for_the_grammar(line: bytes) -> bytes:
    """Return the line, of the same length, without what the grammar misreads.

    Characters beyond ASCII are parts of words to bash, but the grammar's scanner hands them to C's isalpha(), which
    is undefined for them and crashes on some; so it is shown another character of words. It takes an escaped blank
    for a blank and the end of ``$'\\\\'`` for an escaped quote, which get the same treatment, and it stumbles over
    an escaped end of line with nothing behind it.
    """

    def show(pair: re.Match[bytes]) -> bytes:
        if pair[1] in b"\\ \t\v\f\r":
            return b"\\x"
        nothing_follows = pair[1] == b"\n" and BLANKS_AND_LINES.fullmatch(line, pair.end())
        return b"  " if nothing_follows else pair[0]

    return BEYOND_ASCII.sub(b"%", ESCAPED.sub(show, line))


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the line."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


def span_of(line: bytes, node: Node) -> Span:
    """Return where a node stands."""
    return Span(line, node.start_byte, node.end_byte)


def only_statement(line: bytes, children: list[Node]) -> Node | None:
    """Return the one statement among the children of a program or substitution, refusing a second one."""
    statements = [child for child in children if child.is_named and child.type != "comment"]
    for child in children:
        if what := SEPARATORS.get(child.type):
            raise span_of(line, child).refuse(what, "a circuit is one pipeline")
    if len(statements) > 1:
        raise span_of(line, statements[1]).refuse("a second command", "a circuit is one pipeline")
    return statements[0] if statements else None


def commands_of(line: bytes, node: Node) -> list[list[Node]]:
    """Return the commands of a statement, each as the nodes that it is made of, its redirections last.

    The grammar hangs the redirections at the end of a pipeline on the whole pipeline; they belong to its last
    command.
    """
    if node.type == "command":
        return [list(node.children)]
    if node.type == "pipeline":
        commands = []
        for child in node.children:
            if child.type == "|&":
                raise span_of(line, child).refuse(
                    "a pipe of stderr", STDERR_STAYS, "write '|', or bash -c '… 2>&1' where stderr is data"
                )
            if child.type not in ("|", "comment"):
                commands += commands_of(line, child)
        return commands
    if node.type == "redirected_statement":
        body = node.child_by_field_name("body")
        commands = commands_of(line, body) if body else [[]]
        commands[-1] += [child for child in node.children if body is None or child.id != body.id]
        return commands
    raise _not_a_command(line, node)


def refuse_expansions(line: bytes, node: Node) -> None:
    """Raise the ScenarioError for an expansion, here-document or here-string in ``node``, if it has one.

    What stands in a process substitution is a pipeline of its own and is looked at in its turn.
    """
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if what := DOCUMENTS.get(node.type):
            raise span_of(line, node).refuse(what, WITHOUT_A_SHELL, "put the text in a file and read that")
        if what := EXPANSIONS.get(node.type):
            raise span_of(line, node).refuse(what, WITHOUT_A_SHELL, "write its value, or " + WRAP)
        if node.type != "process_substitution":
            waiting.extend(reversed(node.children))


def _not_a_command(line: bytes, node: Node) -> ScenarioError:
    what = CONSTRUCTS.get(node.type, node.type.replace("_", " "))
    operators = [child for child in node.children if child.type in ("&&", "||")]
    place = operators[0] if operators else node
    return span_of(line, place).refuse(what, "a circuit is one pipeline of programs")


def _check_gaps(line: bytes, node: Node) -> None:
    """Refuse characters that the grammar skipped and bash would read as part of a word or as the line's end."""
    whole = node.type == "program"
    position, last = (0, len(line)) if whole else (node.start_byte, node.end_byte)
    for child in node.children:
        bound = node.type in ONE_LINE or child.type == "|"
        _check_gap(line, position, child.start_byte, BLANKS if bound else BLANKS_AND_LINES)
        if child.type == "comment" and not BEFORE_COMMENT.search(line[: child.start_byte]):
            raise unreadable(span_of(line, child), "a '#' inside a word")
        position = child.end_byte
    _check_gap(line, position, last, BLANKS_AND_LINES)


def _check_gap(line: bytes, start: int, end: int, allowed: re.Pattern[bytes]) -> None:
    match = allowed.match(line, start, end)
    if match and match.end() < end:
        raise Span(line, match.end(), end).refuse(
            "white space", "bash takes a word or the end of the line here", "use a plain space, or quote it"
        )


def _syntax_error(line: bytes, node: Node) -> ScenarioError:
    span = span_of(line, node)
    if node.is_missing:
        what = "a missing command" if node.type == "word" else f"a missing {node.type}"
        ahead = Span(line, span.start, len(line.rstrip()))
        return unreadable(ahead if ahead.text.strip() else span, what)
    if span.text.startswith("<<"):
        return span.refuse(DOCUMENTS["heredoc_redirect"], WITHOUT_A_SHELL, "put the text in a file and read that")
    if span.text.startswith(">") and line[: span.start].endswith(b"<"):
        return Span(line, span.start - 1, span.end).refuse(
            "a redirection that reads and writes", "a pipe carries bytes one way", "read one file, write another"
        )
    return unreadable(span)
