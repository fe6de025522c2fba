"""Files in which servers leave their state: written for nobody else, read from nobody else."""

from __future__ import annotations

import errno
import os
import stat

from streamsim.errors import CommandError, ControlError


def write_new(file: str, data: bytes) -> None:
    """Write a file that does not exist yet, at an absolute path; nobody else may read it."""
    if not os.path.isabs(file):  # noqa: PTH117  # a text from outside
        raise CommandError(f"{file!r} is not an absolute path")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except (OSError, ValueError) as error:
        raise _wrong(file, error) from None
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
    except OSError as error:
        os.unlink(file)  # noqa: PTH108
        raise ControlError(f"{file}: {error.strerror}") from None


def read_own(file: str) -> bytes:
    """Return what a file holds that nobody else can have written: snapshots are pickles, which can run anything.

    What is looked at is the file that has been opened, no link: nobody can put another in its place meanwhile.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _wrong(file, error) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ControlError(f"{file}: is no regular file")
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise ControlError(f"{file}: others can write it; a snapshot is read from a file of your own only")
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)


def _wrong(file: str, error: OSError | ValueError) -> ControlError:
    """Return the error for a file that cannot be opened; a ValueError: its name has a character that no file can."""
    if isinstance(error, OSError):
        why = "is a link, and none is followed" if error.errno == errno.ELOOP else error.strerror
        return ControlError(f"{file}: {why}")
    return CommandError(f"{file!r} can be no file: {error}")
