"""The options that several verbs share, and what they add up to."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.failures import UsageError

if TYPE_CHECKING:
    from streamsim.scenario import Scenario
    from streamsim.service import Profile

ScenarioPath = Annotated[
    Path | None, typer.Argument(metavar="SCENARIO", help="The scenario, a TOML file.", show_default=False)
]
Shell = Annotated[
    str | None,
    typer.Option("--shell", metavar="LINE", help="A shell line in place of a scenario file.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the scenario, such as host.cores=1; may be repeated.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write the answer as JSON, and nothing else.")]
ProfilePath = Annotated[
    Path | None,
    typer.Option("--profile", metavar="FILE", help="The service models to use.", show_default="the scenario's own"),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that share the work.", show_default="one for each core"),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Where the files go.", show_default="reports/NAME"),
]
Repetitions = Annotated[
    int | None,
    typer.Option("--repetitions", "-n", min=1, help="How many runs count.", show_default="the scenario's own"),
]


def worker_count(asked: int | None) -> int:
    """Return how many processes share the work: those asked for, or one for each core that there is."""
    return asked if asked is not None else len(os.sched_getaffinity(0))


def one_scenario(path: Path | None, shell: str | None, overrides: list[str] | None) -> Scenario:
    """Load the scenario that the command line names, with what ``--set`` changes."""
    return _load(path, shell, _parsed(overrides))


def scenario_and_variant(
    path: Path | None, shell: str | None, overrides: list[str] | None
) -> tuple[Scenario, Scenario | None]:
    """Load the scenario as written, and again with what ``--set`` changes where it changes something."""
    changes = _parsed(overrides)
    return _load(path, shell, {}), _load(path, shell, changes) if changes else None


def _parsed(overrides: list[str] | None) -> dict[str, Any]:
    from streamsim.loading import parse_override

    return dict(parse_override(text) for text in overrides or ())


def _load(path: Path | None, shell: str | None, changes: dict[str, Any]) -> Scenario:
    from streamsim.loading import load

    return load(source_of(path, shell, "streamsim check scenarios/top-words.toml"), overrides=changes)


def source_of(path: Path | None, shell: str | None, such_as: str) -> Path | dict[str, Any]:
    """Return what a scenario is loaded from: the file that the command line names, or what its shell line says."""
    if (path is None) == (shell is None):
        both = "not both" if path is not None else f"such as {such_as}"
        raise UsageError(f"give a scenario file or --shell 'LINE', {both}")
    if path is not None:
        return path
    from streamsim.shell import import_line

    assert shell is not None, "one of the two is there"
    return import_line(shell, name=shell_name(shell))


def shell_name(line: str) -> str:
    """Return the name of the scenario of a shell line: other lines have other names, and so other reports.

    >>> shell_name("sort a | uniq")
    'shell-bb53c845'
    """
    import hashlib

    return f"shell-{hashlib.sha256(line.strip().encode(errors='surrogateescape')).hexdigest()[:8]}"


def directory_of(scenario: Scenario, output: Path | None) -> Path:
    """Make the directory where the files of a scenario go; before a long run, so that it was not in vain."""
    return writable(output if output is not None else Path("reports") / scenario.name)


def reported(directory: Path) -> bool:
    """Whether a report stands there: then its pictures are the report's."""
    return (directory / "report.html").exists()


def writable(directory: Path) -> Path:
    """Make a directory where there is none.

    Raises UsageError where it cannot be made or written into.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        what = "is a file" if directory.is_file() else (error.strerror or str(error))
        raise UsageError(f"{directory}: {what}; --output names the directory where the files go") from None
    return directory


def profile_for(scenario: Scenario, file: Path | None, output: Path | None) -> Profile:
    """Return the profile that the command line names, that a measurement left in ``--output``, or the scenario's own.

    Says so where it was fitted on another scenario, or on another version of this one.
    """
    from streamsim import verbs
    from streamsim.assumed import complete
    from streamsim.cli.output import note
    from streamsim.service import read_profile

    if file is None and output is not None and (output / "profile.json").is_file():
        file = output / "profile.json"
    profile = read_profile(file) if file is not None else verbs.find_profile(scenario)
    if profile.stations and (inserted := complete(profile, scenario)[1]):
        note(f"assumed, not measured: what {', '.join(inserted)} need{'s' if len(inserted) == 1 else ''}")
    if profile.scenario and profile.scenario != scenario.name:
        note(
            f"warning: the profile was fitted on {profile.scenario!r}, not on {scenario.name!r}: "
            "stations of the same name are taken to be the same; streamsim measure fits one of its own"
        )
    elif profile.digest and profile.digest != scenario.digest:
        note(f"warning: the profile was fitted on another version of {scenario.name!r}; streamsim measure fits it anew")
    return profile
