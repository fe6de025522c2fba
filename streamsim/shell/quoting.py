"""Read bash quoting: from a word as it was written to the argument that the program gets.

The grammar tells where words are; what their quotes mean is worked out here, since a scenario's ``command`` is
split by :func:`shlex.split`, whose rules differ from bash's in ``$'…'``, in ``"\\$"`` and at the end of a line.
"""

from __future__ import annotations

import glob
import re
import shlex
from dataclasses import dataclass

from streamsim.errors import ScenarioError
from streamsim.shell.ansi import decode_ansi_c
from streamsim.shell.span import WITHOUT_A_SHELL, Span

# One stretch of a word under one kind of quoting. The order matters: $' and $" before a bare $.
STRETCH = re.compile(
    r"""\\\n
      | \\(?P<escaped>.)
      | '(?P<single>[^']*)'
      | \$'(?P<ansi>(?:\\.|[^'\\])*)'
      | "(?P<double>(?:\\.|[^"\\])*)"
      | (?P<dollar>\$(?!'))
      | (?P<bare>[^\\'"`$]+)
      | (?P<wrong>.)""",
    re.VERBOSE | re.DOTALL,
)
EXPANSION = re.compile(r"\$[A-Za-z_0-9@*#?$!({\[-]|`")
WILDCARD = re.compile(r"[*?]|\[.+\]", re.DOTALL)
QUOTE_IN_BRACKETS = re.compile(r"\[[^\]]*\0")
TILDE = re.compile(r"~|[A-Za-z_]\w*\+?=(?:~|.*:~)", re.DOTALL)
OPERATOR = re.compile(r"[|&;()<>\s]|\A#")
QUOTED = "\0"  # stands for a quoted stretch where only unquoted characters count; no argument can hold a NUL


@dataclass(frozen=True, slots=True)
class Literal:
    """Text of a word without anything that needs a shell.

    ``text`` is how a scenario's command spells it: as written where :func:`shlex.split` agrees with bash, quoted
    anew where not. ``value`` is what the program gets. ``pattern`` is the word as a :mod:`glob` pattern, or None
    where it has no unquoted wildcard.
    """

    text: str
    value: str
    pattern: str | None = None


def read_literal(span: Span, *, assignment: bool = False) -> Literal:
    """Decode one word as bash would, with everything that needs a shell refused.

    Parameters
    ----------
    span : the word, or a part of one between two process substitutions.
    assignment : it is ``NAME=value`` before a command, where bash expands neither wildcards nor braces.

    Raises ScenarioError for expansions of any kind and for quotes that do not close. A wildcard is not refused
    here, since a list of source files may use it.

    Source: Bash Reference Manual, 3.1.2 "Quoting" and 3.5 "Shell Expansions".

    >>> read_literal(Span(b'"a "b', 0, 5))
    Literal(text='"a "b', value='a b', pattern=None)
    >>> read_literal(Span(b"$'a\\\\tb'", 0, 7)).value
    'a\\tb'
    >>> read_literal(Span(b"'[x]'*.log", 0, 10)).pattern
    '[[]x]*.log'
    """
    value, bare, pattern = bytearray(), "", bytearray()
    for match in STRETCH.finditer(span.text):
        kind = match.lastgroup
        if kind is None:  # a backslash at the end of a line: both vanish
            continue
        stretch = _decode(span, match)
        unquoted = kind in ("bare", "dollar")
        value += stretch
        bare += match[0] if unquoted else QUOTED
        pattern += stretch if unquoted else glob.escape(stretch)
    _refuse_expansions(span, bare, assignment)
    decoded = _as_text(span, bytes(value))
    wild = not assignment and WILDCARD.search(bare) is not None
    if wild and QUOTE_IN_BRACKETS.search(bare):
        raise span.refuse("a wildcard", "a quote inside '[…]' has no counterpart here", "write the names out")
    return Literal(_spell(span.text, decoded), decoded, _as_text(span, bytes(pattern)) if wild else None)


def has_braces_to_expand(bare: str) -> bool:
    """Tell whether bash would expand braces in a word, given with its quoted stretches blanked.

    >>> [has_braces_to_expand(word) for word in ("a{b,c}", "{1..3}", "{}", "{},{}", "{a")]
    [True, True, False, False, False]
    """
    starts = (index for index, character in enumerate(bare) if character == "{")
    # To bash the } of {} may close the brace or be text: it expands {},} to two words.
    return any(
        _braces_expand(bare[start + 1 :]) or _braces_expand(bare[start + 1 :].removeprefix("}")) for start in starts
    )


def _braces_expand(text: str) -> bool:
    """Tell whether the brace that ``text`` closes holds alternatives or a sequence."""
    depth, alternatives = 1, False
    for position, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        alternatives |= character == "," and depth == 1
        if depth == 0:
            return alternatives or ".." in text[:position]
    return False


def _decode(span: Span, match: re.Match[str]) -> bytes:
    """Return the bytes that one stretch of a word stands for."""
    kind, text = match.lastgroup, match[0]
    if kind == "ansi":
        return decode_ansi_c(match["ansi"], span)
    if kind == "double":
        return _inside_double_quotes(match["double"], span).encode()
    if kind == "dollar":
        rest = match.string[match.start() :]
        if rest.startswith('$"'):
            raise span.refuse("a translated string", WITHOUT_A_SHELL, "drop the '$' before the quote")
        if EXPANSION.match(rest):
            raise span.refuse("an expansion", WITHOUT_A_SHELL)
    if kind == "wrong":
        if text == "`":
            raise span.refuse("a command substitution", WITHOUT_A_SHELL)
        raise unreadable(span, "a quote that is never closed")
    return match[kind or 0].encode()


def _inside_double_quotes(text: str, span: Span) -> str:
    """Undo the only four escapes that double quotes have, and the escaped end of a line."""
    unescaped = re.sub(r"\\.", "", text, flags=re.DOTALL)
    if EXPANSION.search(unescaped):
        raise span.refuse("an expansion inside double quotes", WITHOUT_A_SHELL)
    return re.sub(r'\\([$`"\\\n])', lambda escape: escape[1].replace("\n", ""), text)


def _refuse_expansions(span: Span, bare: str, assignment: bool) -> None:
    """Refuse what bash would expand, or never count as part of a word, among the unquoted characters."""
    if TILDE.match(bare):
        raise span.refuse("a home directory", WITHOUT_A_SHELL, "write the path out, or quote the '~'")
    if not assignment and has_braces_to_expand(bare):
        raise span.refuse("a brace expansion", WITHOUT_A_SHELL, "write the words out, or quote the braces")
    if OPERATOR.search(bare):
        raise unreadable(span, "an operator inside a word")


def _as_text(span: Span, value: bytes) -> str:
    """Return the argument as text, which is all that a scenario file can hold."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise span.refuse("bytes that are not UTF-8", "a scenario file holds text alone") from None


def _spell(written: str, value: str) -> str:
    """Return the word as it was written where shlex reads it as bash does, and quoted anew where not."""
    if not written:
        return ""
    try:
        same = shlex.split(written) == [value]
    except ValueError:
        same = False
    return written if same else shlex.quote(value)


def unreadable(span: Span, what: str = "a syntax error") -> ScenarioError:
    """Return the error for text that cannot be read as bash."""
    return span.refuse(what, "this cannot be read as a line of bash", "check the quotes and operators around it")
