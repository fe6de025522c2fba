"""An operator's process: one server of a station, reading and writing pipes.

Run as ``python -S -E -P streamsim/real/worker/main.py SPEC``, where SPEC is a JSON object, or ``@PATH`` of a file
that holds one (all but ``operator`` optional):

``name``        how messages call it; default: the operator's name
``operator``    a name that `streamsim.operators.find` knows
``parameters``  what `streamsim.operators.normal` returned (texts with units work, but cost 25 ms to read)
``format``      how records are told apart; default ``"lines"``
``inputs``      file descriptors to read, [0]
``outputs``     file descriptors to write, [1]; each gets the same bytes, one whose reader has gone is dropped
``on_error``    what becomes of a record that it cannot work on: ``"fail"``, ``"skip"`` or ``"dead-letter"``
``dead_letter`` the file descriptor that gets those records; at the end their number and the first message go to
                stderr, and to the file of the visits with ``.rejects`` behind its name
``read_bytes``  the most that one read takes, 65536
``visits``      a file for the visits, in the layout of `streamsim.trace.VISIT`; none: no clock is read
``pace``        of a source: ``{"rate", "unit", "arrivals", "scv", "states", "times", "seed"}``, see pacing.py
``batches``     its part in an ordered merge: ``"number"``, ``"answer"`` or ``"collate"``, see batches.py
``until_s``     of a source: end after so many seconds
``records``     of a source: end after so many records
``site``        whether to look for modules in site-packages too, for an operator made of another library
``path``        more directories to look for modules in
``libraries``   what its operator and format will import from there, for who loads them beforehand (parent.py)

It ends as Unix tools do: with 0 when its input has ended; by SIGPIPE when nobody reads it any more; with one line
on stderr and 1 when a record or a parameter is wrong; quietly by SIGINT or SIGTERM. The visits are kept in each case.

This file is compiled anew in every server (Python caches what is imported, not what is run), so it only leads to
loop.py; standard library only, for a server must start in tens of milliseconds.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def run_filter(
    name: str, parameters: Mapping[str, Any], format: str | Mapping[str, Any] = "lines", **rest: Any
) -> None:
    """Run an operator from standard input to standard output, as a Unix filter; a source writes only.

    ``rest`` are further keys of SPEC, such as ``on_error`` or ``inputs``.

    Raises ScenarioError for a wrong operator or parameter and RunError for a record it cannot work on. Where
    nobody reads the output any more, this process ends by SIGPIPE. To be called in the main thread: it takes SIGTERM.
    """
    from streamsim.real.worker.loop import end_tidily, run

    end_tidily()
    run({"operator": name, "parameters": dict(parameters), "format": format, **rest})


def main() -> None:
    """Run the server that the first argument describes, and end the process."""
    die_quietly_by_interrupt()
    from streamsim.real.worker.loop import run_reporting

    status = run_reporting(sys.argv[1] if len(sys.argv) > 1 else "")
    os._exit(status)  # nothing is buffered; taking down a large state object by object could take a second


def die_quietly_by_interrupt() -> None:
    """Let SIGINT end the process without a traceback until the loop is there to catch it."""
    signals: Any = sys.modules.get("_signal") or __import__("signal")
    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)


if __name__ == "__main__":
    sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 4)[0])  # noqa: PTH100
    main()
