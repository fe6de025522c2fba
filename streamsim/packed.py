"""Compressed files that reach a tool or an operator for text as they are."""

from __future__ import annotations

from pathlib import Path

from streamsim.circuit import Circuit, Station
from streamsim.commands import tool_of

_UNPACKED = {
    ".zip": "member = 'NAME' of its source reads a file out of it",
    **{
        suffix: f"a station of operator = 'decompress' and method = '{method}' unpacks it"
        for suffix, method in ((".gz", "gzip"), (".bz2", "bz2"), (".xz", "xz"), (".zst", "zstd"))
    },
}

_FOR_TEXT = ("awk", "cut", "egrep", "fgrep", "gawk", "grep", "head", "mawk", "sed", "sort", "tr", "uniq", "wc")
_FOR_ANYTHING = ("compress", "copy", "decompress", "null", "tee", "work")


def packed_files(circuit: Circuit) -> list[str]:
    """Return which files are read as they are though their names say that they are compressed.

    >>> from streamsim.loading import load
    >>> packed_files(load({"sources": {"in": {"file": "/a.gz"}}, "stations": {"n": {"command": "wc -l"}}}).circuit)
    ["/a.gz reaches n compressed, as it is; a station of operator = 'decompress' and method = 'gzip' unpacks it"]
    """
    found = []
    for feed in circuit.feeds:
        hint = _UNPACKED.get(Path(feed.file).suffix)
        readers = [one.name for one in circuit.stations if feed in circuit.feed_of(one.name) and _is_for_text(one)]
        if hint and readers:
            found.append(f"{feed.file} reaches {' and '.join(readers)} compressed, as it is; {hint}")
    return found


def _is_for_text(station: Station) -> bool:
    """Whether nobody would give it compressed bytes on purpose."""
    if station.command is not None:
        return tool_of(station.command) in _FOR_TEXT
    return station.role == "station" and station.operator not in _FOR_ANYTHING
