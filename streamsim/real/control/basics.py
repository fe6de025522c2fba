"""What any server of ours tells of itself, without a library: a server that is only looked at never loads one."""

from __future__ import annotations

import os
from time import monotonic

from streamsim.operators.base import control

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from streamsim.real.control.answers import Metrics
    from streamsim.real.control.attention import Attention
    from streamsim.real.control.sharing import Share

    Marked = TypeVar("Marked", bound=Callable[..., Any])


class Basics:
    """The common methods that read only.

    Parameters
    ----------
    holder : what holds the operator as its attribute ``operator``: after `swap` another one.
    attention : what the server reads and writes with.
    """

    station: str
    _spec: dict[str, Any]
    _holder: Any
    _attention: Attention | Share

    def __init__(self, holder: Any, attention: Attention | Share) -> None:
        self._spec, self._holder, self._attention = attention.spec, holder, attention
        self.station = str(self._spec.get("name") or self._spec["operator"])

    @control
    def state(self) -> dict[str, Any]:
        """Return what the operator lets be read of its state."""
        return {name: read() for name, read in readings(self._holder.operator).items()}

    @control
    def metrics(self) -> Metrics:
        """Return what has moved, and what the server is doing: counters, times (s), sizes (bytes)."""
        attention, operator = self._attention, self._holder.operator
        return {
            "station": self.station,
            "operator": self._spec["operator"],
            "pid": os.getpid(),
            "uptime_s": monotonic() - attention.started,
            "records_in": operator.records_in,
            "records_out": operator.records_out,
            "bytes_in": attention.bytes_in,
            "bytes_out": attention.bytes_out,
            "chunks": attention.chunks,
            "unwritten_bytes": attention.unwritten,
            "paused": attention.paused,
            "requests": attention.endpoint.requests,
        }

    @control
    def parameters(self) -> dict[str, Any]:
        """Return the operator's parameters, durations in seconds and sizes in bytes."""
        return dict(self._holder.operator.values)


def among_servers(method: Marked) -> Marked:
    """Mark a method that servers, and the runner, call of each other to do what somebody asked for."""
    method.__among_servers__ = True  # type: ignore[attr-defined]  # functions take attributes
    return control(method)


def marked(owner: object, mark: str) -> dict[str, Callable[..., Any]]:
    """Return the bound methods of an object that carry a mark, in the order in which they were written."""
    found: dict[str, Callable[..., Any]] = {}
    for kind in reversed(type(owner).__mro__):
        for name, attribute in vars(kind).items():
            if getattr(attribute, mark, False):
                found[name] = getattr(owner, name)
    return found


def readings(owner: object) -> dict[str, Callable[[], Any]]:
    """Return the readable state of an object: a method for every field."""
    return marked(owner, "__readable__")
