"""Commands at a position of the input: a chunk is cut exactly there, and the command done between the two parts.

Loaded by every server that does a recording again, before its first byte: no library, nothing that a server has not.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Literal

    from streamsim.operators.base import Operator


class Appointment:
    """A command that takes effect at a position of the input: before the record, or byte, after so many."""

    __slots__ = ("method", "number", "parameters", "unit")

    def __init__(self, unit: Literal["record", "byte"], number: int, method: str, parameters: dict[str, Any]) -> None:
        self.unit, self.number, self.method, self.parameters = unit, number, method, parameters

    @property
    def what(self) -> str:
        """What is to be done, for people."""
        if self.method == "turn":
            return f"swap of {self.parameters.get('station')!r}"
        return self.method

    def keep(self, attention: Any, holder: Any) -> None:
        """Do what was to be done."""
        do(attention, self.method, self.parameters, f"{self.unit} {self.number}")


class Departure(Appointment):
    """A position at which a marker (markers.py) sets out to the stations below."""

    __slots__ = ("marker", "outputs")

    def __init__(self, unit: Literal["record", "byte"], number: int, marker: bytes, outputs: frozenset[int]) -> None:
        super().__init__(unit, number, "what is to happen further down", {})
        self.marker, self.outputs = marker, outputs

    def keep(self, attention: Any, holder: Any) -> None:
        """Let it go."""
        from streamsim.real.control.markers import pass_on

        pass_on(attention, holder, self.marker, self.outputs)


def pieces(attention: Any, holder: Any, chunk: bytes, port: int) -> Iterator[bytes]:
    """Yield the chunk in pieces, doing what is due between them; the holder's operator must take each before the next.

    What is due may put another operator in its place. Where a marker has come that is still to come by other inputs,
    what is behind it is held back by ``attention``.
    """
    start = attention.bytes_in - len(chunk)
    done = 0
    while attention.appointments:
        place, due = _next(attention.appointments, holder.operator, chunk, done, port, start)
        if due is None:
            break
        if place > done:
            yield chunk[done:place]
            done = place
        if due.unit == "marker":
            chunk = chunk[:done] + chunk[done + len(due.marker) :]
            attention.bytes_in -= len(due.marker)
            if len(attention.spec.get("inputs") or ()) > 1:
                holder.visits.tally(port, -len(due.marker))
            due.missing.discard(port)
            if due.missing:
                attention.hold(port, chunk[done:])
                return
        attention.appointments.remove(due)
        attention.ahead, attention.unwritten = len(chunk) - done, 0
        due.keep(attention, holder)
        attention.rest()
        attention.ahead = 0
        if due.unit == "marker":
            attention.free(due.ports)
    if done < len(chunk):
        yield chunk[done:]


def at_the_end(attention: Any, holder: Any) -> None:
    """Do what is due behind the last byte of the input, before the operator finishes; say what never will be."""
    for due in [one for one in attention.appointments if one.unit != "marker"]:
        attention.appointments.remove(due)
        here = attention.bytes_in if due.unit == "byte" else holder.operator.records_in
        if due.number <= here:
            due.keep(attention, holder)
        else:
            said = f"{due.what} at {due.unit} {due.number} was not done: the input ended after {here}\n"
            os.write(2, said.encode())


def expect(attention: Any, commands: list[dict[str, Any]]) -> None:
    """Make an appointment for each command of a recorded run, at the byte where it took effect then."""
    attention.appointments += [
        Appointment("byte", command["byte"], command["method"], command["parameters"]) for command in commands
    ]
    attention.appointments.sort(key=_position)


def _position(appointment: Any) -> int:
    return int(appointment.number)


def do(attention: Any, method: str, parameters: dict[str, Any], where: str) -> None:
    """Do what was to be done; where it fails, say so on standard error: nobody waits for the answer."""
    try:
        attention.endpoint.api.call(method, parameters)
    except Exception as error:  # a command's own fault must not end the server
        from streamsim.errors import StreamsimError

        why = str(error) if isinstance(error, StreamsimError) else f"{type(error).__name__}: {error}"
        os.write(2, f"{method} at {where}: {' '.join(why.split())}\n".encode())


def _next(
    appointments: list[Any], operator: Operator, chunk: bytes, done: int, port: int, start: int
) -> tuple[int, Any]:
    """Return where in the chunk, of which so much is done, the next appointment is due, and which; None: not in it."""
    first, due = len(chunk), None
    for one in appointments:
        if one.unit == "marker" and (place := chunk.find(one.marker, done)) >= 0 and (due is None or place < first):
            first, due = place, one
    data = chunk[done:first]  # what stands before the next marker: positions count no marker
    for one in appointments:
        if one.unit == "marker":
            continue
        cut = _cut(one, operator, data, port, start + done)
        if cut is not None and (due is None or done + cut < first):
            first, due = done + cut, one
    return first, due


def _cut(appointment: Any, operator: Operator, chunk: bytes, port: int, start: int) -> int | None:
    """Return after how many bytes of this chunk the appointment is due; None: not in it."""
    if appointment.unit == "byte":
        place = appointment.number - start
        return max(0, place) if place < len(chunk) else None
    left = appointment.number - operator.records_in
    if left <= 0:
        return 0
    return _after_records(operator, chunk, port, left)


def _after_records(operator: Operator, chunk: bytes, port: int, records: int) -> int | None:
    """Return how many bytes of the chunk complete so many records; None where it has fewer (or just as many)."""

    def complete(size: int) -> int:
        codec = operator.codec.fresh()
        states = operator._codec_states()
        if port in states:
            codec.restore(states[port])
        return codec.tally(chunk[:size])

    if complete(len(chunk)) <= records:
        return None
    low, high = 0, len(chunk)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if complete(middle) >= records else (middle, high)
    return high
