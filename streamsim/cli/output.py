"""Standard output and standard error, as the verbs use them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from streamsim.cli.failures import ReaderGone, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Verb = TypeVar("Verb", bound=Callable[..., None])

_WIDE = 240
"""Columns where the output is no terminal: nothing is cut there, and tables take what they need."""


def example(*lines: str, **settings: Any) -> Callable[[Verb], Verb]:
    """Give a verb the command lines that its help shows, and typer's settings where it needs some."""

    def decorate(verb: Verb) -> Verb:
        verb.examples, verb.settings = lines, settings  # type: ignore[attr-defined]  # functions take attributes
        return verb

    return decorate


def say(text: str, end: str = "\n") -> None:
    """Write a text to standard output."""
    with _writing():
        sys.stdout.write(f"{text}{end}")
        sys.stdout.flush()


@contextmanager
def _writing() -> Iterator[None]:
    """Tell a reader that has gone from a disk that is full, and say that it was standard output."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def show(*renderables: RenderableType) -> None:
    """Write tables and texts to standard output, as wide as the terminal is."""
    console = _console()
    with _writing(), console.capture() as capture:
        for renderable in renderables:
            console.print(renderable, soft_wrap=isinstance(renderable, str))
    say("\n".join(line.rstrip() for line in capture.get().splitlines()))


def fits(renderable: RenderableType) -> bool:
    """Whether the terminal is wide enough for a table; any other output is."""
    console = _console()
    unbounded = console.options.update(max_width=10 * _WIDE)
    return console.measure(renderable, options=unbounded).maximum <= console.width


def _console() -> Console:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def note(text: str) -> None:
    """Write one line for people to standard error, where it does not get into the answer."""
    sys.stderr.write(f"streamsim: {one_line(text)}\n")


def warn(warnings: Iterable[str]) -> None:
    """Write the warnings to standard error, those that differ in their numbers only once."""
    alike: dict[str, list[str]] = {}
    for warning in dict.fromkeys(warnings):
        alike.setdefault(re.sub(r"[0-9.]+", "#", warning), []).append(warning)
    for first, *others in alike.values():
        note(f"warning: {first}{f' (and {len(others)} more like it)' if others else ''}")
