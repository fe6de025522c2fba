"""How far a process has read in the file on its standard input."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from streamsim.real.observation.proc import opened, read
from streamsim.real.observation.tree import Tree


class Feed:
    """Tells what a process reads of the file on its standard input from what else it reads.

    The count of the kernel holds both; the offset of the open file, which the runner shares with the process, is of
    that file alone and stays readable when the process has ended. The two are never read at one instant, so their
    difference (the libraries) is known from above only; the offset at the end is exact.

    Parameters
    ----------
    path : the file; None where there is none.
    descriptor : the runner's own to the same open file, which stays open as long as this is used; -1: none.
    """

    def __init__(self, path: str | None = None, descriptor: int = -1) -> None:
        self.size = _size(path) if path is not None else None
        self._info = opened(f"/proc/self/fdinfo/{descriptor}") if self.size not in (None, _ENDLESS) else -1
        self._before, self._furthest, self._goes_back = _ENDLESS, 0, False

    @property
    def before(self) -> float:
        """Bytes that it had read of other files before, at most."""
        return self._before if self._before < _ENDLESS else 0.0

    @property
    def end(self) -> float | None:
        """Where it stopped reading (bytes), once it has ended; None where it did not read from the start onwards.

        Of one that nobody saw reading this is not known (`tac` begins at the end), unless it ended where the file does.
        """
        if self._info < 0 or self._goes_back or (self._before == _ENDLESS and self._furthest != self.size):
            return None
        return float(self._furthest)

    def look(self, tree: Tree, *, ended: bool = False) -> None:
        """Read the offset, then the count: what was read in between can only make their difference larger."""
        if self._info < 0:
            return
        words = read(self._info).split()
        tree.root.look_at_io()
        if len(words) < 2:
            return
        offset = int(words[1])
        self._goes_back = self._goes_back or offset < self._furthest
        self._furthest = max(self._furthest, offset)
        if self.end is not None if ended else 0 < offset < (self.size or 0.0):
            self._before = min(self._before, max(0.0, float(tree.root.rchar - offset)))

    def close(self) -> None:
        """Let go of the descriptor."""
        if self._info >= 0:
            os.close(self._info)
        self._info = -1


_ENDLESS = float("inf")


def _size(path: str) -> float:
    """Return how many bytes a file can give; a device or a named pipe has no end."""
    found = Path(path).stat()
    return float(found.st_size) if stat.S_ISREG(found.st_mode) else _ENDLESS
