r"""Markers: 32 bytes in the stream that say where a command takes effect, between servers that have been told of them.

A marker is made by chance for one command, as the boundary of a MIME message is (RFC 2046, section 5.1.1). Before it
sets out, every server on its way has been told to look for it, so it stands in pipes between two of those only: who
comes upon it takes it out before any operator or format sees it, and nobody else ever reads one. A server that waits
for none does not look. By chance data look like it with probability :math:`2^{-128}` a byte.

It comes behind all that was made of the records before it. A server with several inputs that it can come by holds each
of them back as soon as it has come there, until it has come by all (aligned barriers: Carbone et al. 2015,
"Lightweight asynchronous snapshots for distributed dataflows", section 4.2; after Chandy and Lamport 1985).

A write of so few bytes is in a pipe whole or not at all (pipe(7)); only the reader's end can cut it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_HEAD = b"\0streamsim mark\0"


def fresh() -> bytes:
    """Return a new marker.

    >>> len(fresh()), fresh() != fresh()
    (32, True)
    """
    return _HEAD + os.urandom(16)


class Awaited:
    """A marker that will come to a server; stands among its appointments.

    Parameters
    ----------
    marker : its bytes.
    start : the server where it sets out.
    ports : the inputs that it comes by; none: from the operator above in the same process.
    outputs : the descriptors that it goes on to.
    method, parameters : what is to be done here; none: it only passes.
    """

    unit, number = "marker", 0

    def __init__(
        self,
        marker: bytes,
        start: str,
        ports: Iterable[int],
        outputs: Iterable[int],
        method: str | None,
        parameters: dict[str, Any],
    ) -> None:
        self.marker, self.start = marker, start
        self.ports, self.outputs = frozenset(ports), frozenset(outputs)
        self.missing = set(self.ports)
        """The inputs by which it has not come yet."""
        self.method, self.parameters = method, parameters

    @property
    def begun(self) -> bool:
        """Whether it has come by one of several inputs, but not by all."""
        return 0 < len(self.missing) < len(self.ports)

    def keep(self, attention: Any, holder: Any) -> None:
        """Do what was to be done, and let it go on."""
        if self.method is not None:
            from streamsim.real.control.appointments import do

            do(attention, self.method, self.parameters, "a marker")
        pass_on(attention, holder, self.marker, self.outputs)


def pass_on(attention: Any, holder: Any, marker: bytes, outputs: frozenset[int]) -> None:
    """Give a marker to what stands below; it is no output and counts as none."""
    process = attention.process
    before = process.bytes_out
    try:
        holder.outputs.mark(marker, outputs)
    finally:
        process.bytes_out = before


def come(attention: Any, holder: Any, marker: bytes) -> None:
    """Take a marker from the operator above in the same process."""
    for one in attention.appointments:
        if one.unit == "marker" and one.marker == marker:
            attention.appointments.remove(one)
            one.keep(attention, holder)
            return


def ended(attention: Any, holder: Any, port: int) -> None:
    """Take note that an input has ended: whatever it had to bring before a marker has come."""
    for one in [one for one in attention.appointments if one.unit == "marker" and port in one.missing]:
        came = one.begun
        one.missing.discard(port)
        if not one.missing:
            attention.appointments.remove(one)
            if came:  # else its start has ended before the place was reached: it will come by no way
                one.keep(attention, holder)
                attention.free(one.ports)


def instead(appointments: Iterable[Any], port: int) -> int:
    """Return which input to read in the place of one that is held back: one by which the marker is still to come."""
    for one in appointments:
        if one.unit == "marker" and port in one.ports and port not in one.missing:
            missing: set[int] = one.missing
            return min(missing)
    raise AssertionError(f"nothing holds input {port} back")


def whole(appointments: Iterable[Any], descriptor: int, chunk: bytes) -> bytes:
    """Return what was read, and the rest of a marker where it ends within one."""
    markers = [one.marker for one in appointments if one.unit == "marker"]
    while any(_cut_by_the_end(marker, chunk) for marker in markers):
        try:
            more = os.read(descriptor, len(markers[0]))
        except BlockingIOError:
            break  # it is data that look like the beginning of one
        if not more:
            break
        chunk += more
    return chunk


def _cut_by_the_end(marker: bytes, chunk: bytes) -> bool:
    """Return whether a chunk ends with a beginning of a marker.

    >>> _cut_by_the_end(b"\\0mark", b"data\\0m"), _cut_by_the_end(b"\\0mark", b"\\0mark")
    (True, False)
    """
    start = max(0, len(chunk) - len(marker) + 1)
    while (start := chunk.find(marker[:1], start)) >= 0:
        if marker.startswith(chunk[start:]):
            return True
        start += 1
    return False
