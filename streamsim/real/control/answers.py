"""What every server of ours answers, with its types: loaded by who describes that, not by who answers."""

from __future__ import annotations

from typing import TypedDict


class Metrics(TypedDict):
    """What has moved through a server, and what it is doing: times in seconds, the rest in bytes, records, chunks."""

    station: str
    operator: str
    pid: int
    uptime_s: float
    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int
    chunks: int
    unwritten_bytes: int
    paused: bool
    requests: int
