"""Sinks that are files: written aside, and put in place when the run has succeeded."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType

from streamsim.errors import RunError
from streamsim.real.pipes import Descriptors


class Sinks:
    """The files that a run writes. `commit` puts them in place; leaving the block without it leaves no trace.

    A target that is no regular file (a device, a named pipe) is written directly: renaming would replace it.
    """

    def __init__(self, targets: dict[str, str], descriptors: Descriptors) -> None:
        self._targets, self._descriptors = targets, descriptors
        self._aside: dict[str, tuple[Path, Path]] = {}
        self.descriptors: dict[str, int] = {}

    def __enter__(self) -> Sinks:
        try:
            for name, target in self._targets.items():
                self.descriptors[name] = self._open(name, Path(os.path.realpath(target)))
        except OSError as error:
            self._discard()
            if error.errno in (errno.EMFILE, errno.ENFILE):  # nothing is wrong with the file
                raise
            raise RunError(f"sink {name!r}: {target!r} cannot be written: {error.strerror}") from None
        return self

    def _open(self, name: str, target: Path) -> int:
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = stat.S_IFREG | (0o666 & ~mask)
        if not stat.S_ISREG(mode):
            return self._descriptors.open(str(target), os.O_WRONLY)
        handle, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        self._aside[name] = Path(aside), target
        handle = self._descriptors.keep(handle)
        os.fchmod(handle, stat.S_IMODE(mode))
        return handle

    @property
    def unfinished(self) -> list[str]:
        """The files that must go if the runner is killed."""
        return [str(aside) for aside, _ in self._aside.values()]

    def size(self, name: str) -> int | None:
        """Return how much was written to a sink (bytes); None for a device and after `commit`."""
        return self._aside[name][0].stat().st_size if name in self._aside else None

    def commit(self) -> None:
        """Put every file in its place."""
        while self._aside:
            name, (aside, target) = next(iter(self._aside.items()))
            aside.replace(target)
            del self._aside[name]

    def _discard(self) -> None:
        for aside, _ in self._aside.values():
            aside.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()
