"""The errors that streamsim raises; each message says where, what stood there, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StreamsimError(Exception):
    """The parent of every error that streamsim raises on purpose."""


class ScenarioError(StreamsimError):
    """The scenario is wrong.

    Parameters
    ----------
    message : what stood there and what would be right.
    file : the scenario file, where there is one.
    path : the dotted path inside it, such as ``stations.rank.operator``.

    >>> str(ScenarioError("unknown key 'x'", file="a.toml", path="host"))
    "a.toml: host: unknown key 'x'"
    """

    def __init__(self, message: str, *, file: str | None = None, path: str | None = None) -> None:
        self.message, self.file, self.path = message, file, path
        super().__init__(": ".join(part for part in (file, path, message) if part))


class RunError(StreamsimError):
    """A real run failed: names the station, how it ended, and the tail of what it wrote to stderr."""

    def __init__(self, message: str, *, station: str | None = None, stderr: str = "") -> None:
        self.message, self.station, self.stderr = message, station, stderr
        text = f"station '{station}': {message}" if station else message
        tail = stderr.rstrip()
        super().__init__(f"{text}\n{tail}" if tail else text)


class ProfileError(StreamsimError):
    """A profile is missing, is not a profile, or lacks what the scenario needs."""


class ModelError(StreamsimError):
    """A model was asked something that it cannot answer: a parameter out of range, a discipline it lacks."""


class ControlError(StreamsimError):
    """A command to a running server failed."""


class CommandError(ControlError):
    """A command names what there is not, or gives what does not fit: the command is wrong, whatever the run does."""


def nearest(word: str, known: Iterable[str], *, ending: str = "") -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word (and this ending), or an empty string.

    >>> nearest("srot", ["sort", "uniq"]), nearest("Sort", ["cat", "sort"])
    ("; did you mean 'sort'?", "; did you mean 'sort'?")
    >>> nearest("zzz", ["sort"])
    ''
    """
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean '{folded[close[0]]}{ending}'?" if close else ""
