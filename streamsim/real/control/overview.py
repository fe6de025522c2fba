"""What every process of a run has moved, from shared memory and /proc: nobody is asked, so nobody is waited for."""

from __future__ import annotations

from typing import Any

from streamsim.errors import ControlError
from streamsim.real.control.page import STATES, Reader
from streamsim.real.control.runs import RunEntry, ServerEntry, directory_of
from streamsim.real.control.tools import System


def counters(run: RunEntry, server: ServerEntry) -> dict[str, Any]:
    """Return ``station``, ``runs``, ``does`` and, unless it has ended, its counters (bytes, records, chunks)."""
    row: dict[str, Any] = {"station": server.name, "runs": server.program}
    try:
        if server.page is None:
            system = System(server)
            metrics = system.metrics()
            return {**row, "does": system.process(), "bytes_in": metrics["bytes_in"], "bytes_out": metrics["bytes_out"]}
        page = Reader(str(directory_of(run) / server.page)).read()
    except (ControlError, OSError, ValueError):
        return {**row, "does": "ended"}
    del page["time_ns"]
    return {**row, "does": STATES[page.pop("state")], **page}
