"""A stretch of the shell line: what stood there, in which column, and the error that refuses it."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamsim.errors import ScenarioError

SHOWN_CHARACTERS = 60

WITHOUT_A_SHELL = "a scenario runs programs without a shell"
STDERR_STAYS = "streamsim keeps stderr and shows its tail when a command fails"
DROP_STDERR = "drop it, or write bash -c '… 2>&1' where stderr is data"
WRAP = "wrap what needs a shell in bash -c '…'"


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``start`` to ``end`` of a shell line, which the grammar counts in UTF-8 bytes.

    >>> span = Span("é | b &".encode(), 7, 8)
    >>> span.text, span.column
    ('&', 7)
    """

    line: bytes = field(repr=False)
    start: int
    end: int

    @property
    def text(self) -> str:
        """What stands there."""
        return self.line[self.start : self.end].decode(errors="replace")

    @property
    def column(self) -> int:
        """The column of its first character, counted in characters from 1 within its own line."""
        line_start = self.line.rfind(b"\n", 0, self.start) + 1
        return len(self.line[line_start : self.start].decode(errors="replace")) + 1

    @property
    def place(self) -> str:
        """The column, with the row in front where the line has several.

        >>> Span(b"a |\\n  b &", 8, 9).place
        'line 2, column 5'
        """
        row = self.line.count(b"\n", 0, self.start) + 1
        return f"line {row}, column {self.column}" if row > 1 else f"column {self.column}"

    def upto(self, other: Span) -> Span:
        """Return the span from the start of this one to the end of ``other``."""
        return Span(self.line, self.start, other.end)

    def refuse(self, what: str, why: str, instead: str = WRAP) -> ScenarioError:
        """Return the error that refuses what stands here, for the caller to raise.

        >>> print(Span(b"a && b", 2, 4).refuse("a list of commands", "a circuit is one pipeline"))
        column 3: a list of commands '&&': a circuit is one pipeline; wrap what needs a shell in bash -c '…'
        """
        text = self.text.lstrip()
        start = self.end - len(text.encode()) if text else self.start
        place, text = Span(self.line, start, self.end).place, text.rstrip()
        if len(text) > SHOWN_CHARACTERS:
            text = text[: SHOWN_CHARACTERS - 1] + "…"
        shown = f" '{text}'" if text else f" {self.text!r}" if self.text else " at the end of the line"
        return ScenarioError(f"{place}: {what}{shown}: {why}; {instead}")
