"""Commands at a position of the input: here, or exactly there in the stream at stations further down."""

from __future__ import annotations

from bisect import insort
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from streamsim.errors import CommandError, ControlError
from streamsim.operators.base import PortedOperator, control
from streamsim.real.control import markers
from streamsim.real.control.appointments import Appointment, Departure
from streamsim.real.control.attention import Attention
from streamsim.real.control.basics import among_servers
from streamsim.real.control.sharing import Share

if TYPE_CHECKING:
    from streamsim.real.control.downstream import Step
    from streamsim.real.control.runs import RunEntry


def counts(operator: Any) -> bool:
    """Whether an operator knows how many records it has taken: who works on records does, others only if told to."""
    return bool(operator.counting) or isinstance(operator, PortedOperator)


class Positions:
    """The methods of a server (see faculties.py) that have to do with places in its stream."""

    station: str
    _spec: dict[str, Any]
    _holder: Any
    _attention: Attention | Share

    @control
    def at(
        self,
        method: str,
        parameters: dict[str, Any] | None = None,
        record: int | None = None,
        byte: int | None = None,
        station: str | None = None,
    ) -> dict[str, int]:
        """Do something exactly when so many records, or bytes, of the input have been taken.

        Exactly one of ``record`` and ``byte`` says when. With ``station``, one further down, that does it, exactly
        before what comes of what this one takes from then on; a marker is sent there. Returns how many have been taken
        by now.
        """
        if (record is None) == (byte is None):
            raise CommandError("say either record or byte")
        operator = self._holder.operator
        if operator.traits.source:
            raise CommandError(f"{self.station!r} reads nothing: name the record at a station behind it")
        if station is None:
            self._check_known(method)
        unit: Literal["record", "byte"] = "record" if record is not None else "byte"
        number = record if record is not None else byte or 0
        operator.counting = operator.counting or self._attention.bytes_in == 0
        if unit == "record" and not counts(operator):
            raise ControlError("this server does not count its records, to save time; name the byte")
        if number < 0:
            raise CommandError(f"{unit}: {number} is not 0 or more")
        here = operator.records_in if unit == "record" else self._attention.bytes_in
        if number < here:
            raise ControlError(f"{unit} {number} has passed: {here} have been taken")
        if station is None:
            appointment = Appointment(unit, number, method, parameters or {})
        else:
            marker, outputs = self._announce(station, method, parameters or {})
            appointment = Departure(unit, number, marker, outputs)
        insort(self._attention.appointments, appointment, key=lambda one: (one.unit, one.number))
        return {f"{unit}s": here}

    def _announce(self, station: str, method: str, parameters: dict[str, Any]) -> tuple[bytes, frozenset[int]]:
        """Tell all servers on the way to a station of a new marker; return it, and the outputs by which it leaves."""
        from pathlib import Path

        from streamsim.real.control.downstream import way
        from streamsim.real.control.runs import find_by_directory

        run = find_by_directory(Path(self._spec["control"]["socket"]).parent)
        first, *steps = way(run, self.station, station)
        self._check_passing()
        marker = markers.fresh()
        told: list[Step] = []
        try:
            for step in reversed(steps):
                told.append(step)
                self._tell(run, step, "expect_marker", {
                    "marker": marker.hex(), "start": self.station, "inputs": step.inputs, "outputs": step.outputs,
                    "method": method if step.last else None, "parameters": parameters if step.last else {},
                })  # fmt: skip
        except ControlError as error:
            for step in told:
                with suppress(ControlError):
                    self._tell(run, step, "forget_marker", {"marker": marker.hex()})
            name, why = repr(told[-1].server.name), str(error)
            kind = CommandError if isinstance(error, CommandError) else ControlError
            raise kind(why if name in why else f"{name}: {why}") from None
        return marker, frozenset(first.outputs)

    def _tell(self, run: RunEntry, step: Step, method: str, parameters: dict[str, Any]) -> None:
        server = step.server
        name = method if server.part is None else f"{server.part}/{method}"
        if server.socket == run.server(self.station).socket:  # it shares this process, which cannot wait for itself
            self._attention.process.endpoint.api.call(name, parameters)
            return
        from pathlib import Path

        from streamsim.real.control.client import Client

        path = Path(self._spec["control"]["socket"]).parent / str(server.socket)
        with Client(path) as client:
            client.call(name, parameters)

    @among_servers
    def expect_marker(
        self,
        marker: str,
        start: str,
        inputs: list[int],
        outputs: list[int],
        method: str | None,
        parameters: dict[str, Any],
    ) -> bool:
        """Look for a marker in these inputs, do something where it stands, and pass it on to these outputs.

        For other servers: `at` with a station calls it. Returns whether there are several inputs to wait for.
        """
        closed = self._attention.process.closed
        ports = [port for port in self._ports(inputs) if port not in closed]
        if method is None:
            self._check_passing()
        else:
            self._check_known(method)
        self._check_several(ports, start)
        self._attention.appointments.append(
            markers.Awaited(bytes.fromhex(marker), start, ports, outputs, method, parameters)
        )
        return len(ports) > 1

    @among_servers
    def forget_marker(self, marker: str) -> bool:
        """Look for a marker no more, which has not set out. Returns whether it was expected."""
        waiting = self._attention.appointments
        found = [one for one in waiting if isinstance(one, markers.Awaited) and one.marker.hex() == marker]
        for one in found:
            waiting.remove(one)
        return bool(found)

    def _check_known(self, method: str) -> None:
        if method == "at" or method not in self._attention.endpoint.api.names():
            raise CommandError(f"{method!r} cannot be done at a position")

    def _ports(self, inputs: list[int]) -> list[int]:
        """Return the places of these descriptors among the inputs."""
        own = list(self._spec.get("inputs") or (0,))
        return [own.index(descriptor) for descriptor in inputs if descriptor in own]

    def _check_passing(self) -> None:
        """Refuse what cannot say which of its output comes of the records before a place."""
        operator, format = self._holder.operator, self._spec.get("format") or "lines"
        if self._spec.get("circle"):
            raise ControlError(f"{self.station!r} stands in a loop: there one record comes by more than once")
        if operator.reads_bytes or operator.writes_format(operator.values, format) is None:
            raise ControlError(
                f"{self.station!r} ({self._spec['operator']}) packs or unpacks bytes and keeps some back: what it "
                "has given is not all that comes of the records before a place; name the place at a station behind it"
            )
        if operator.shape == "selective" and not operator.in_turn:
            raise ControlError(
                f"{self.station!r} ({self._spec['operator']}) puts records of its inputs in order and keeps some back: "
                "no place in its output has all before it that comes of the records before the place"
            )

    def _check_several(self, ports: list[int], start: str) -> None:
        """Refuse what cannot be waited for at a station with several inputs."""
        several = self._spec.get("inputs") or (0,)
        operator = self._holder.operator
        if operator.shape == "selective":
            self._check_passing()
            if len(ports) < len(several):
                raise ControlError(
                    f"{self.station!r} ({self._spec['operator']}) takes its inputs in turn, and not all of them come "
                    f"from {start!r}; name the place at the station behind it, or above all its inputs"
                )
        if len(ports) > 1:
            for one in self._attention.appointments:
                if isinstance(one, markers.Awaited) and one.start != start:
                    raise ControlError(
                        f"{self.station!r} waits for a marker from {one.start!r}; name the place again when it has come"
                    )
