"""The command line. Nothing else in streamsim prints or exits.

This module starts in no time and decides how much of the rest is loaded: ``streamsim op``, the Unix filter, goes
past typer, rich and numpy, since a shell pipeline may hold many of them.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager

TYPE_CHECKING = False  # not from typing: a filter starts with this module
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command line (default: the process's own) and exit.

    The status is 0 where all went well, 1 where a run failed, 2 where the input was wrong, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _fill_closed_streams()
    sys.exit(outcome(words))


def outcome(words: Sequence[str]) -> int:
    """Run one command line and return its exit status; what went wrong is one line on standard error."""
    try:
        if sys.stdout is None:
            from streamsim.cli.failures import UsageError

            raise UsageError("standard output is closed; '> /dev/null' throws it away")
        from streamsim.room import watch_room

        watch_room()
        status = _dispatch(words)
        _flush()
    except BaseException as error:
        try:
            from streamsim.cli.failures import report
        except MemoryError:
            sys.stderr.write("streamsim: the memory is not enough\n")
            return 1
        return report(error, words)
    return status


def _fill_closed_streams() -> None:
    """Keep the numbers 0 to 2 from files that are opened later, which would be taken for the streams of these numbers.

    What is put there fails like a closed one: it cannot be read at 0, nor written at 1. Complaints go nowhere.
    """
    import os

    for stream, mode in ((sys.stdin, os.O_WRONLY), (sys.stdout, os.O_RDONLY), (sys.stderr, os.O_WRONLY)):
        if stream is None:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")


def _dispatch(words: Sequence[str]) -> int:
    if words and words[0] == "op" and words[1:] and not words[1].startswith("-"):
        from streamsim.cli.filter import run_operator

        return run_operator(words[1], words[2:])
    from streamsim.cli.app import run

    with _orderly_end():
        return run(words)


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does: stations stopped, temporary files gone; the status is 128 + 15."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        from streamsim.cli.failures import ReaderGone

        raise ReaderGone from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None
