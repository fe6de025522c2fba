"""Where things are: ``{stdlib}``, ``{package:NAME}`` and ``{python}`` in a scenario, globs, files, programs."""

from __future__ import annotations

import fnmatch
import glob as globbing
import re
import shlex
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from streamsim.circuit import Circuit
from streamsim.errors import ScenarioError, nearest
from streamsim.files import why_unwritable

_PLACE = re.compile(r"\{(stdlib|python|package:[A-Za-z0-9_.]+)\}")


def fill_in(text: str, path: str) -> str:
    """Replace ``{stdlib}``, ``{python}`` and ``{package:NAME}``; other braces stay as they are.

    >>> fill_in("awk '{print $1}'", "stations.a.command")
    "awk '{print $1}'"

    Raises ScenarioError for a NUL, which no path and no argument of a program can hold.
    """
    if "\0" in text:
        raise ScenarioError("there is a NUL in it, which no path and no argument can hold", path=path)

    def place(match: re.Match[str]) -> str:
        word = match[1]
        if word == "stdlib":
            return sysconfig.get_paths()["stdlib"]
        if word == "python":
            return sys.executable
        return package_directory(word.partition(":")[2], path)

    return _PLACE.sub(place, text)


def package_directory(name: str, path: str) -> str:
    """Return the directory of an installed package without importing it.

    A package that is absent leaves a path that does not exist, so that a committed profile can still be
    simulated; `check_runnable` then says what to install.
    """
    from importlib.util import find_spec

    top, *below = name.split(".")  # to ask for a.b would import a
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        return f"/the Python package {top} is not installed"
    return str(Path(next(iter(spec.submodule_search_locations)), *below))


def expand_files(patterns: str | list[str], exclude: list[str], directory: Path, path: str, *, glob: bool) -> list[str]:
    """Return the absolute paths that the patterns name, sorted within each pattern.

    Raises ScenarioError where a glob matches nothing.
    """
    found: list[str] = []
    excluded = re.compile("|".join(map(fnmatch.translate, exclude)) or "(?!)")
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        filled = fill_in(pattern, path)
        if not glob or not globbing.has_magic(filled):
            found.append(str(directory / filled) if pattern != "-" else pattern)
            continue
        whole = str(Path(globbing.escape(str(directory))) / filled)  # the directory's own brackets mean themselves
        matches = [match for match in _files(whole) if not excluded.match(match)]
        if not matches:
            raise ScenarioError(f"{pattern!r} matches no file (looked for {whole})", path=path)
        found += matches
    if not found:
        raise ScenarioError("names no file", path=path)
    return found


_LOOKED: ContextVar[dict[str, list[str]] | None] = ContextVar("looked", default=None)


@contextmanager
def looking_once() -> Iterator[None]:
    """Look only once where each pattern leads, while many variants of one scenario are loaded.

    A large tree takes most of a second to walk, and a search loads dozens of variants.
    """
    token = _LOOKED.set({})
    try:
        yield
    finally:
        _LOOKED.reset(token)


def _files(pattern: str) -> list[str]:
    looked = _LOOKED.get()
    if looked is not None and pattern in looked:
        return looked[pattern]
    names = globbing.glob(pattern, recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
    found = sorted(name for name in names if Path(name).is_file())
    if looked is not None:
        looked[pattern] = found
    return found


def check_runnable(circuit: Circuit, *, standard_input: bool, file: str | None = None) -> None:
    """Check what only a real run needs: that input files, programs and the sinks' directories exist.

    Raises ScenarioError naming the first that does not.
    """
    directory = Path(file).resolve().parent if file else Path.cwd()
    for feed in circuit.feeds:
        if feed.file == "-":
            if not standard_input:
                raise ScenarioError(
                    "nothing stands above the first station, and standard input cannot be read twice: add a source",
                    file=file,
                    path="sources",
                )
            continue
        _readable(feed.file, f"sources.{feed.name}.file", file)
    for station in circuit.stations:
        section = "sources" if station.role == "source" else "stations"
        path = f"{section}.{station.name.removesuffix('.command')}"
        if station.command is not None:
            program = shlex.split(station.command)[0]
            place = str(directory / program) if "/" in program else program  # it runs where the scenario is
            if shutil.which(place, path=station.environment.get("PATH")) is None:
                raise ScenarioError(f"there is no program {program!r} on the PATH", file=file, path=f"{path}.command")
        for name in station.parameters.get("paths", ()) if station.operator == "file" else ():
            _readable(str(directory / name), f"{path}.file", file)  # it runs where the scenario is
            if member := station.parameters.get("member"):
                _holds(directory / name, member, path, file)
    for sink in circuit.sinks:
        if sink.file is not None and (why := why_unwritable(sink.file)):
            said = why if why.startswith("there") else f"{sink.file!r} cannot be written: {why}"
            raise ScenarioError(said, file=file, path=f"sinks.{sink.name}.file")


def _readable(name: str, path: str, file: str | None) -> None:
    if name.startswith("/the Python package "):
        missing = name.split("/")[1]
        raise ScenarioError(f"{missing}: pip install {missing.split()[3]}", file=file, path=path)
    try:
        if stat.S_ISFIFO(Path(name).stat().st_mode):
            return  # to open it would wait for its writer
        with open(name, "rb"):
            pass
    except OSError as error:
        raise ScenarioError(f"{name!r} cannot be read: {error.strerror}", file=file, path=path) from None


def _holds(archive: Path, member: str, path: str, file: str | None) -> None:
    try:
        with ZipFile(archive) as opened:
            known = opened.namelist()
    except (BadZipFile, OSError) as error:
        raise ScenarioError(f"{str(archive)!r}: {error}; member is for zip archives", file=file, path=path) from None
    if member not in known:
        message = f"{str(archive)!r} holds no {member!r}{nearest(member, known)}"
        raise ScenarioError(message, file=file, path=f"{path}.member")
