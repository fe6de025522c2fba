"""From an exception to an exit status and one line on standard error; never a traceback.

``STREAMSIM_DEBUG=1`` in the environment shows the traceback instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from streamsim.errors import CommandError, ControlError, RunError, StreamsimError
from streamsim.room import address_space

FAILED = 1
"""The run, or something that nobody foresaw, failed."""
WRONG = 2
"""The input was wrong: the scenario, the profile, or the command line."""
INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT, as shells say it."""


class ReaderGone(Exception):
    """Who read our standard output has closed it."""


class UsageError(StreamsimError):
    """The command line asks for what no verb can do."""


def report(error: BaseException, words: Sequence[str]) -> int:
    """Say what went wrong and return the exit status."""
    if isinstance(error, ReaderGone) or (
        isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)
    ):
        # Who read our output has what it wanted (`| head`): no failure, as for any writer of a circuit. Typer and
        # rich, where they print, make a SystemExit of it.
        _drop_output()
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0 if error.code is None else FAILED
    if os.environ.get("STREAMSIM_DEBUG") == "1":
        raise error
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        return INTERRUPTED
    message, status = _describe(error, words)
    _say(f"streamsim: {message}")
    return status


def _describe(error: BaseException, words: Sequence[str]) -> tuple[str, int]:
    if isinstance(error, RunError):
        head, newline, tail = str(error).partition("\n")
        return f"{one_line(head)}{newline}{printable(tail)}", FAILED
    if isinstance(error, ControlError) and not isinstance(error, CommandError):
        return one_line(str(error)), FAILED
    if isinstance(error, StreamsimError):
        return one_line(str(error)), WRONG
    if hasattr(error, "format_message"):  # typer's own, which it does not name in public
        return f"{one_line(_usage(error))} ({_help_for(words)} shows how)", WRONG
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename is not None else ""
        return one_line(f"{named}{error.strerror or error}"), FAILED
    if isinstance(error, UnicodeEncodeError):
        character = error.object[error.start]
        return f"{character!a} cannot be written in this locale's {error.encoding}; set LC_ALL=C.UTF-8", WRONG
    if isinstance(error, MemoryError):
        limit = address_space()
        return f"the memory is not enough{f': `ulimit -v` allows {limit >> 10} KiB' if limit else ''}", FAILED
    if isinstance(error, ImportError) and "failed to map segment" in str(error) and (limit := address_space()):
        return f"the memory is not enough to load a library: `ulimit -v` allows {limit >> 10} KiB", FAILED
    kind = type(error).__name__
    return one_line(f"internal error: {kind}: {error} (STREAMSIM_DEBUG=1 shows where; please report it)"), FAILED


def _usage(error: BaseException) -> str:
    from streamsim.errors import nearest

    option, possible = getattr(error, "option_name", None), getattr(error, "possibilities", None)
    if option is not None and not isinstance(error, StreamsimError) and possible is not None:
        return f"there is no option '{option}'{nearest(option, possible)}"
    message: str = error.format_message()  # type: ignore[attr-defined]  # asked for by the caller
    return message[:1].lower() + message[1:].rstrip(".")


def _help_for(words: Sequence[str]) -> str:
    from streamsim.cli.app import verbs

    verb = next((word for word in words if word in verbs()), None)
    return f"streamsim {verb} --help" if verb else "streamsim --help"


def printable(text: str) -> str:
    r"""Return the text with control characters but newlines and tabs written out, as no terminal obeys them.

    >>> printable("a\x1b[31mb\nc")
    'a\\x1b[31mb\nc'
    """
    return "".join(
        character if character in "\n\t" or character.isprintable() else repr(character)[1:-1] for character in text
    )


def one_line(text: str) -> str:
    r"""Return the text on one line, its line breaks written out.

    >>> one_line("tr ' ' '\n'")
    "tr ' ' '\\n'"
    """
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _say(text: str) -> None:
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody listens


def _drop_output() -> None:
    """Let the interpreter's last flush go nowhere, or it would complain."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
