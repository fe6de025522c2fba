"""From one process an operator to one process for several that share one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from streamsim.real.plan import Process, Wire


def fuse_processes(processes: Sequence[Process], groups: Mapping[str, tuple[str, ...]]) -> tuple[Process, ...]:
    """Return the processes, each group as one; ``groups`` as `streamsim.fusion.fused_groups` returns them."""
    by_name = {process.name: process for process in processes}
    inner = {name for names in groups.values() for name in names[1:]}
    return tuple(
        _fused([by_name[name] for name in groups[process.name]]) if process.name in groups else process
        for process in processes
        if process.name not in inner
    )


def _fused(parts: Sequence[Process]) -> Process:
    """Return the process that does the work of all: it reads what the first reads and writes what the last writes."""
    writes: dict[int, Wire] = {}
    specs = [_moved(part, parts, writes) for part in parts]
    head, last = parts[0], parts[-1]
    own = any(spec["site"] for spec in specs)
    spec = {
        **specs[0],
        "outputs": specs[-1]["outputs"],
        "fused": specs[1:],
        "site": own,
        "path": list(dict.fromkeys(directory for spec in specs for directory in spec["path"])),
    }
    return msgspec.structs.replace(
        head,
        program=" | ".join(part.program for part in parts),
        # What starts with the modules of the site must be started so.
        arguments=next((part.arguments for part, one in zip(parts, specs, strict=True) if one["site"]), last.arguments),
        writes=writes,
        spec=spec,
        parts=tuple(part.name for part in parts),
    )


def _moved(part: Process, parts: Sequence[Process], writes: dict[int, Wire]) -> dict[str, Any]:
    """Give the descriptors that a part writes their places in the common process; return its specification with them.

    A pipe between two parts is none any more.
    """
    assert part.spec is not None, "only operators are fused"
    places: dict[int, int] = {}
    for descriptor, wire in part.writes.items():
        if part is not parts[-1] and descriptor in part.spec["outputs"]:
            continue
        taken = {*parts[0].reads, *writes, 0, 2}
        place = 1 if descriptor == 1 else next(n for n in range(3, 4 + len(taken)) if n not in taken)
        writes[place], places[descriptor] = wire, place
    spec = dict(part.spec)
    spec["outputs"] = [places[descriptor] for descriptor in spec["outputs"] if descriptor in places]
    if "dead_letter" in spec:
        spec["dead_letter"] = places[spec["dead_letter"]]
    if spec["operator"] == "tee":  # see plan.py
        at = int(spec["parameters"]["file"].rpartition("/")[2])
        spec["parameters"] = {**spec["parameters"], "file": f"/dev/fd/{places[at]}"}
    return spec
