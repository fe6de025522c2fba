"""The command line. Nothing else in streamsim prints or exits.

This module starts in no time and decides how much of the rest is loaded: ``streamsim op``, the Unix filter, goes
past typer, rich and numpy, since a shell pipeline may hold many of them.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # not from typing: a filter starts with this module
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line (default: the process's own) and exit.

    The status is 0 where all went well, 1 where a run failed, 2 where the input was wrong, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(outcome(words))


def outcome(words: Sequence[str]) -> int:
    """Run one command line and return its exit status; what went wrong is one line on standard error."""
    try:
        status = _dispatch(words)
        _flush()
    except BaseException as error:
        from streamsim.cli.failures import report

        return report(error, words)
    return status


def _dispatch(words: Sequence[str]) -> int:
    if words and words[0] == "op" and words[1:] and not words[1].startswith("-"):
        from streamsim.cli.filter import run_operator

        return run_operator(words[1], words[2:])
    from streamsim.cli.app import run

    return run(words)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        from streamsim.cli.failures import ReaderGone

        raise ReaderGone from None
