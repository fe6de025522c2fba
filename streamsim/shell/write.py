"""Write an imported scenario as TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import tomli_w

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # TOML allows none of them in a comment


def to_toml(mapping: Mapping[str, Any]) -> str:
    """Return a scenario as the text of a TOML file, under a comment that shows the shell line it came from.

    Parameters
    ----------
    mapping : what :func:`streamsim.shell.import_line` returned; its ``title`` is the line.

    >>> print(to_toml({"name": "shell", "title": "zcat a | wc", "sources": {"zcat": {"command": "zcat a"}}}))
    # Imported from the shell line
    #   zcat a | wc
    <BLANKLINE>
    name = "shell"
    title = "zcat a | wc"
    <BLANKLINE>
    [sources.zcat]
    command = "zcat a"
    <BLANKLINE>
    """
    shown = CONTROL.sub(lambda character: f"\\x{ord(character[0]):02x}", str(mapping["title"]))
    comment = "".join(f"#   {row}\n" for row in shown.split("\n"))
    return f"# Imported from the shell line\n{comment}\n{tomli_w.dumps(mapping, multiline_strings=False)}"
