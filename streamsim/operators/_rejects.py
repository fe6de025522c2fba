"""What becomes of a record that an operator cannot work on: it fails the run, is left out, or goes to a file.

>>> rejects = Rejects("skip")
>>> rejects.take(b"x\\n", "record 1, byte 0: no number")
>>> rejects.count, rejects.first
(1, 'record 1, byte 0: no number')
"""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Iterable

POLICIES = ("fail", "skip", "dead-letter")
"""What ``on_error`` may say."""


class Rejects:
    """Takes the records that would not do; ``count`` of them so far, ``first`` is the message of the first.

    ``dead_letter`` is the descriptor of the file that gets them as they stood in the stream, after the heading where
    the stream has one.
    """

    def __init__(self, policy: str = "fail", dead_letter: int = -1) -> None:
        self.policy, self.count = policy, 0
        self.first: str | None = None
        self._file = dead_letter

    def take(self, framed: bytes, message: str, heading: bytes = b"") -> None:
        """Take one record, framed as in the stream; raises RunError where the policy is to fail."""
        if self.policy == "fail":
            from streamsim.errors import RunError  # here only: it costs a server 15 ms

            raise RunError(message)
        if self.first is None:
            self.first = message
        if self._file >= 0:
            self._write(framed if self.count else heading + framed)
        self.count += 1

    def _write(self, data: bytes) -> None:
        from os import write

        while data:  # a disk that is full raises OSError, which fails the run
            data = data[write(self._file, data) :]

    @property
    def summary(self) -> str:
        """What happened, in a line; empty where nothing did."""
        if not self.count:
            return ""
        done = "put into the dead-letter file" if self._file >= 0 else "left out"
        records = "1 record was" if self.count == 1 else f"{self.count} records were"
        return f"{records} {done}; the first: {self.first}"


def check_policy(policy: str, dead_letter: object) -> None:
    """Raise ScenarioError, its path the key, where ``on_error`` and ``dead_letter`` do not go together."""
    from streamsim.errors import ScenarioError, nearest

    if policy not in POLICIES:
        shown = _listed(repr(name) for name in POLICIES)
        raise ScenarioError(f"{policy!r} is not {shown}{nearest(str(policy), POLICIES)}", path="on_error")
    if policy == "dead-letter" and dead_letter is None:
        raise ScenarioError("on_error = 'dead-letter' needs the file: dead_letter = \"FILE\"", path="dead_letter")
    if policy != "dead-letter" and dead_letter is not None:
        raise ScenarioError("goes with on_error = 'dead-letter'", path="dead_letter")


def _listed(words: Iterable[str]) -> str:
    return " or ".join(words)
