"""Turn a line of bash into a scenario: :func:`import_line` reads it, :func:`to_toml` writes it.

The line is parsed by tree-sitter's bash grammar, never run. What a scenario cannot express (expansions, control
flow, here-documents, …) is refused by name, with its column and what to write instead.
"""

from __future__ import annotations

from streamsim.shell.convert import import_line
from streamsim.shell.write import to_toml

__all__ = ["import_line", "to_toml"]
