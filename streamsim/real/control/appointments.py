"""Commands at a position of the input: a chunk is cut exactly there, and the command done between the two parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from streamsim.errors import StreamsimError
from streamsim.operators.base import Operator


def pieces(attention: Any, holder: Any, chunk: bytes, port: int) -> Iterator[bytes]:
    """Yield the chunk in pieces, doing what is due between them; the holder's operator must take each before the next.

    What is due may put another operator in its place.
    """
    start = attention.bytes_in - len(chunk)
    done = 0
    while attention.appointments:
        cuts = [(_cut(one, holder.operator, chunk[done:], port, start + done), one) for one in attention.appointments]
        place, appointment = min(((cut, one) for cut, one in cuts if cut is not None), key=_first, default=(None, None))
        if place is None or appointment is None:
            break
        if place:
            yield chunk[done : done + place]
            done += place
        attention.appointments.remove(appointment)
        attention.ahead = len(chunk) - done
        _keep(attention, appointment)
        attention.rest()
        attention.ahead = 0
    if done < len(chunk):
        yield chunk[done:]


def _first(found: tuple[int, Any]) -> int:
    return found[0]


def expect(attention: Any, commands: list[dict[str, Any]]) -> None:
    """Make an appointment for each command of a recorded run, at the byte where it took effect then."""
    from streamsim.real.control.faculties import Appointment

    attention.appointments += [
        Appointment("byte", command["byte"], command["method"], command["parameters"]) for command in commands
    ]
    attention.appointments.sort(key=_position)


def _position(appointment: Any) -> int:
    return int(appointment.number)


def _keep(attention: Any, appointment: Any) -> None:
    """Do what was to be done; where it fails, say so on standard error: nobody waits for the answer."""
    try:
        attention.endpoint.api.call(appointment.method, appointment.parameters)
    except Exception as error:  # a command's own fault must not end the server
        why = str(error) if isinstance(error, StreamsimError) else f"{type(error).__name__}: {error}"
        text = f"{appointment.method} at {appointment.unit} {appointment.number}: {' '.join(why.split())}\n"
        os.write(2, text.encode())


def _cut(appointment: Any, operator: Operator, chunk: bytes, port: int, start: int) -> int | None:
    """Return after how many bytes of this chunk the appointment is due; None: not in it."""
    if appointment.unit == "byte":
        place = appointment.number - start
        return place if place < len(chunk) else None
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
