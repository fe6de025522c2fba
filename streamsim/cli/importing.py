"""``import``: a shell line as a scenario file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamsim.cli.failures import UsageError
from streamsim.cli.output import example


@example(
    "streamsim import 'cat access.log | cut -d\" \" -f1 | sort | uniq -c' -o visits.toml",
    "streamsim import 'comm -12 <(sort a) <(sort b) > both.txt'",
)
def import_(
    line: Annotated[str, typer.Argument(metavar="LINE", help="The shell line, quoted.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write.", show_default="standard output"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The scenario's name.", show_default="that of the file"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Turn a shell line into a scenario file; the line is only read, never run."""
    from streamsim.cli.options import shell_name
    from streamsim.cli.output import note, say
    from streamsim.files import write_whole
    from streamsim.loading import load
    from streamsim.shell import import_line, to_toml

    if output is not None:
        _check_place(output, force=force)
    document = import_line(line, name=name or (output.stem if output else shell_name(line)))
    load(document, file=str(output) if output else None)
    text = to_toml(document)
    if output is None:
        say(text, end="")
        return
    try:
        write_whole(output, text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    note(f"wrote {output}; streamsim check {output} shows the circuit")


def _check_place(output: Path, *, force: bool) -> None:
    """Raise UsageError where the file cannot go; no directory is made for it."""
    if output.is_dir():
        raise UsageError(f"{output} is a directory; --output names the file to write")
    if not output.parent.is_dir():
        raise UsageError(f"there is no directory {output.parent} to write {output.name} into")
    if output.exists() and not force:
        raise UsageError(f"{output} is there already; --force writes over it")
