"""Files that appear whole or not at all, written aside, then renamed; and others' files, read within bounds."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Write a file so that no reader ever sees half of it, making its directory where needed.

    A device or a named pipe is written as it is.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "deep" / "note.txt"
    >>> write_whole(target, "all of it").read_text()
    'all of it'
    """
    given, path = Path(path), Path(os.path.realpath(path))  # a link stays one
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or a named pipe: to rename would replace it
        else:
            _write_aside(path, data)
    except OSError as error:
        error.filename = str(given)  # not that of the file aside, nor none at all, as of a full disk
        raise
    return given


def _write_aside(path: Path, data: bytes) -> None:
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mask = os.umask(0)
        os.umask(mask)
        Path(aside).chmod(0o666 & ~mask)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def write_pictures(directory: Path, pictures: Mapping[str, bytes], among: Iterable[str]) -> list[Path]:
    """Write SVG files by their names; of those ``among`` which one may be drawn, the others are taken away.

    So no picture of an earlier answer stands beside a later one.
    """
    for name in among:
        if name not in pictures:
            (directory / f"{name}.svg").unlink(missing_ok=True)
    return [write_whole(directory / f"{name}.svg", picture) for name, picture in pictures.items()]


def why_unwritable(path: str | Path) -> str | None:
    """Return why a file could not be written, as far as that is known beforehand; None where it could.

    >>> why_unwritable("/dev/null"), why_unwritable("/no/such/file"), why_unwritable("/")
    (None, "there is no directory '/no/such'", 'Is a directory')
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return os.strerror(errno.EISDIR)
    if target.exists() and not target.is_file():
        return None if os.access(target, os.W_OK) else os.strerror(errno.EACCES)
    if not target.parent.is_dir():
        return f"there is no directory {str(target.parent)!r}"
    return None if os.access(target.parent, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def read_within(path: str | Path, most: int) -> bytes:
    """Return what stands in a file of at most so many bytes; from a pipe too, where somebody writes into it.

    Raises
    ------
    OSError : says why in its ``strerror``: also where the file has more bytes, perhaps without an end as /dev/zero, and
        where it is a named pipe that nobody writes into, whose opening would take for ever.

    >>> read_within("/dev/null", 16)
    b''
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        os.set_blocking(file.fileno(), True)
        content = file.read(most + 1)
        if not content and stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EPIPE, "it is a pipe, and nothing came out of it", str(path))
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most >> 20} MiB", str(path))
    return content


def from_json(text: str | bytes, kind: Any = Any) -> Any:
    r"""Decode JSON to a type.

    Raises msgspec.DecodeError for whatever is wrong, also where msgspec lets other errors through: a text that is no
    UTF-8, or nested too deeply.

    >>> from_json(b'["\xff"]')
    Traceback (most recent call last):
    ...
    msgspec.DecodeError: it is not UTF-8: invalid start byte
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeError as error:
        raise msgspec.DecodeError(f"it is not UTF-8: {getattr(error, 'reason', error)}") from None
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


def to_json(value: Any) -> bytes:
    """Encode to JSON, indented, one newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
