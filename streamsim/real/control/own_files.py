"""Files in which servers leave their state: written for nobody else, read from nobody else."""

from __future__ import annotations

import os

from streamsim.errors import CommandError, ControlError


def write_new(file: str, data: bytes) -> None:
    """Write a file that does not exist yet, at an absolute path; nobody else may read it."""
    if not os.path.isabs(file):  # noqa: PTH117  # a text from outside
        raise CommandError(f"{file!r} is not an absolute path")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ControlError(f"{file}: {error.strerror}") from None
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as error:
        os.unlink(file)  # noqa: PTH108
        raise ControlError(f"{file}: {error.strerror}") from None


def bytes_of(file: str) -> bytes:
    """Return what a file holds."""
    with open(file, "rb") as stream:
        return stream.read()


def stat_own(file: str) -> int:
    """Return the size of a file that nobody else can have written: snapshots are pickles, which can run anything."""
    try:
        found = os.lstat(file)
    except OSError as error:
        raise ControlError(f"{file}: {error.strerror}") from None
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ControlError(f"{file}: others can write it; a snapshot is read from a file of your own only")
    return found.st_size
