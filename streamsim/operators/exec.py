r"""Run a command and pass its output on: once, or again and again.

>>> from streamsim.operators import create
>>> create("exec", {"program": "echo one"}).run()
b'one\n'
>>> create("exec", {"program": "echo one", "runs": 2, "every": "1 ms"}).run()
b'one\none\n'
"""

from __future__ import annotations

import os
from time import monotonic, sleep

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import bad_value
from streamsim.operators.source import Source

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


class Exec(Source):
    """Run a command and pass its output on: once, or again and again.

    The command is split into words as a shell would, but no shell runs it. ``every`` starts it that often, so that the
    state of something becomes a stream (``exec`` of ``cat /proc/loadavg`` every second); a run that takes longer is
    followed by the next at once. Its standard input is empty, its standard error that of the server. A command that
    fails, fails the run.
    """

    any_format = True
    parameters = (
        Parameter("program", "text", None, "the program and its arguments", required=True),
        Parameter("every", "seconds", None, "from one start to the next; default: once", least=0),
        Parameter("runs", "integer", None, "how often in all, with every; default: without end", least=1),
    )

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        from shlex import split

        try:
            words = split(values["program"])
        except ValueError as error:
            raise bad_value("program", f"{values['program']!r}: {error}") from None
        if not words:
            raise bad_value("program", "is empty")
        if values["runs"] is not None and values["every"] is None:
            raise bad_value("runs", "goes with every")

    def blocks(self) -> Iterator[bytes]:
        every, times = self.values["every"], self.values["runs"] or (1 if self.values["every"] is None else None)
        began, done = monotonic(), 0
        while times is None or done < times:
            yield from self._once()
            done += 1
            if every is not None and done != times:
                due = began + every * done
                if self.deadline is not None and due >= self.deadline:
                    sleep(max(0.0, self.deadline - monotonic()))
                    return
                sleep(max(0.0, due - monotonic()))

    def _once(self) -> Iterator[bytes]:
        from shlex import split

        words = split(self.values["program"])
        read, write = os.pipe()
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, write, 1)]
        try:
            child = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
        except OSError as error:
            from streamsim.errors import RunError

            os.close(read)
            raise RunError(f"{words[0]!r} cannot be started: {error.strerror}") from None
        finally:
            os.close(write)
        status = None
        try:
            while chunk := os.read(read, self.block_bytes):
                yield chunk
            status = os.waitpid(child, 0)[1]
        finally:
            os.close(read)  # where nobody wants more, the command ends by SIGPIPE
            if status is None:
                _end(child)
        if status:
            from streamsim.errors import RunError

            code = os.waitstatus_to_exitcode(status)
            how = f"exited with status {code}" if code > 0 else f"was killed by signal {-code}"
            raise RunError(f"the command {how}: {self.values['program']}")


def _end(child: int) -> None:
    """End a command that nobody waits for, and reap it."""
    import signal

    os.kill(child, signal.SIGTERM)
    until = monotonic() + 0.3
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        sleep(0.005)
