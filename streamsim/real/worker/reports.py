"""What a server leaves behind beside its visits: what it could not work on, and what its operator noted on the way."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.operators._rejects import Rejects


def report_rejects(rejects: Rejects, spec: Mapping[str, Any]) -> None:
    """Say how many records were left out: to people, and to who measures."""
    if spec.get("visits") is not None:
        with open(f"{spec['visits']}.rejects", "wb") as file:
            file.write(b"%d\n%b\n" % (rejects.count, (rejects.first or "").encode()))
    name = spec.get("name") or spec["operator"]
    os.write(2, f"{name}: {' '.join(rejects.summary.split())}\n".encode())


def report_course(course: Sequence[tuple[float, ...]], spec: Mapping[str, Any]) -> None:
    """Leave what an operator noted along the stream beside its visits, for who measures."""
    with open(f"{spec['visits']}.course", "w") as file:
        file.write("".join(f"{' '.join(map(repr, row))}\n" for row in course))
