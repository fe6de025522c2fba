"""What a shell line says once parsed: pipelines of commands, whose words may hold further pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamsim.shell.quoting import Literal
from streamsim.shell.span import Span


@dataclass(frozen=True, slots=True)
class Substitution:
    """``<(…)`` or ``>(…)``: a pipeline that stands where a file name would."""

    reads: bool
    """True for ``<(…)``: the command reads what the pipeline writes."""
    pipeline: Pipeline
    span: Span


@dataclass(frozen=True, slots=True)
class Word:
    """One argument: literal text, a process substitution, or several of both side by side."""

    parts: tuple[Literal | Substitution, ...]
    span: Span

    @property
    def literal(self) -> Literal | None:
        """The word as plain text, or None where a process substitution is part of it."""
        part = self.parts[0]
        return part if len(self.parts) == 1 and isinstance(part, Literal) else None

    @property
    def substitution(self) -> Substitution | None:
        """The process substitution that is the whole word, or None."""
        part = self.parts[0]
        return part if len(self.parts) == 1 and isinstance(part, Substitution) else None


@dataclass(frozen=True, slots=True)
class Redirect:
    """``< word`` or ``> word``; every other redirection has been refused."""

    reads: bool
    target: Word
    span: Span


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its arguments, environment and redirections."""

    words: tuple[Word, ...]
    environment: tuple[tuple[str, str], ...]
    redirects: tuple[Redirect, ...]
    span: Span

    @property
    def program(self) -> str:
        """The last part of the program's path: ``/usr/bin/tee`` is ``tee``."""
        literal = self.words[0].literal
        return literal.value.rstrip("/").rpartition("/")[2] if literal else ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by ``|``."""

    commands: tuple[Command, ...]
    span: Span


def literals(pipeline: Pipeline) -> Iterator[Literal]:
    """Yield every piece of literal text in a pipeline, those inside its process substitutions too."""
    for command in pipeline.commands:
        for word in (*command.words, *(redirect.target for redirect in command.redirects)):
            for part in word.parts:
                if isinstance(part, Substitution):
                    yield from literals(part.pipeline)
                else:
                    yield part
