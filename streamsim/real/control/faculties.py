"""What every server of ours can do when it is asked: be looked into, set, paused, drained, saved, changed."""

from __future__ import annotations

import os
import stat
from time import monotonic, thread_time
from typing import Any, Literal

import msgspec

from streamsim import operators
from streamsim.errors import CommandError, ControlError, nearest
from streamsim.operators.base import ByteOperator, PortedOperator, control
from streamsim.real.control.api import Api
from streamsim.real.control.attention import Attention
from streamsim.real.control.basics import Basics, among_servers
from streamsim.real.control.keys import Keys
from streamsim.real.control.own_files import read_own, write_new
from streamsim.real.control.positions import Positions, counts
from streamsim.real.control.sharing import Share

_UNRECORDED = ("state", "metrics", "parameters", "adjustable", "snapshot", "at")
"""Methods that leave a server as it was: what `at` brings about is recorded where it happens."""


class _Snapshot(msgspec.Struct, frozen=True):
    """The first line of a snapshot; the state follows."""

    operator: str
    format: str | dict[str, Any]
    parameters: dict[str, Any]
    schema: Literal["streamsim.snapshot/1"] = "streamsim.snapshot/1"


def make_api(attention: Attention | Share, holder: Any, since: float | None = None) -> Api:
    """Make the API of a server: the common methods, and those of the operator that it has at the moment.

    ``since``: when its thread began to load what that needs (core-seconds): the first command will have cost that too.
    """
    faculties = Faculties(holder, attention)
    faculties.loading_s = 0.0 if since is None else thread_time() - since
    return Api(faculties.station, faculties, lambda: holder.operator, done=faculties.log)


class Faculties(Basics, Positions, Keys):
    """The common methods of a server; `api` has these and the operator's own."""

    loading_s = 0.0

    def log(self, method: str, parameters: dict[str, Any], work_s: float) -> None:
        """Write down a command that has taken effect, where in the input it did, and what it took (core-seconds)."""
        if method not in _UNRECORDED:
            self._write_down({"station": self.station, "method": method, "parameters": parameters}, work_s)

    def _write_down(self, what: dict[str, Any], work_s: float) -> None:
        path = self._spec.get("control", {}).get("log")
        if path is None:
            return
        work_s += self._loaded()
        entry = {"time_s": monotonic(), **what, "byte": self._attention.position, "work_s": work_s}
        line = msgspec.json.encode(entry) + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(descriptor, line)  # appended in one piece: servers share the file
        finally:
            os.close(descriptor)

    @control
    def adjustable(self) -> list[str]:
        """Return the parameters that `set` can change while the server runs."""
        return list(operators.adjustable(self._spec["operator"]))

    @control
    def set(self, **parameters: Any) -> dict[str, Any]:
        """Change parameters from the next chunk on; all or none of them. Returns all parameters."""
        operator = self._holder.operator
        free = operators.adjustable(self._spec["operator"])
        for name in parameters:
            if name not in free:
                raise CommandError(
                    f"parameter {name!r} of operator '{self._spec['operator']}' cannot be changed while it runs"
                    f"{nearest(name, free)} (those that can: {', '.join(free) or 'none'})"
                )
        self._exchange(self._spec["operator"], {**operator.values, **parameters})
        return dict(self._holder.operator.values)

    @control
    def pause(self) -> bool:
        """Read no more input; what was read is still worked on and written. Returns whether it was running."""
        before, self._attention.paused = self._attention.paused, True
        return not before

    @control
    def resume(self) -> bool:
        """Go on reading. Returns whether it was paused."""
        self._stay()
        before, self._attention.paused = self._attention.paused, False
        return before

    @control
    def drain(self) -> int:
        """Pause, and return how many bytes of output have not been written yet: at 0 it is drained."""
        self._attention.paused = True
        return self._attention.unwritten

    @control
    def snapshot(self, file: str) -> int:
        """Write the operator's state to a file that does not exist yet; returns its size in bytes."""
        operator = self._holder.operator
        head = _Snapshot(self._spec["operator"], self._spec.get("format") or "lines", operator.values)
        data = msgspec.json.encode(head) + b"\n" + operator.snapshot()
        write_new(file, data)
        return len(data)

    @control
    def restore(self, file: str) -> dict[str, int]:
        """Take the state from a file that `snapshot` of a server with the same operator wrote.

        Its parameters may differ in those only that can be set while it runs.
        """
        head, _, state = read_own(file).partition(b"\n")
        operator, name = self._holder.operator, self._spec["operator"]
        self._check_snapshot(file, head)
        fresh = operators.create(name, operator.values, self._spec.get("format") or "lines")
        try:
            fresh.restore(state)
        except Exception as error:  # a pickle that is cut off, or of another version, can raise anything
            raise ControlError(f"{file}: the snapshot of operator '{name}' cannot be read: {error}") from None
        fresh.counting, fresh.rejects = operator.counting, operator.rejects
        self._place(fresh)
        return {"records_in": fresh.records_in, "records_out": fresh.records_out}

    def _check_snapshot(self, file: str, head: bytes) -> None:
        """Raise ControlError where a file is no snapshot of an operator as the one that is here."""
        name, format = self._spec["operator"], self._spec.get("format") or "lines"
        try:
            found = msgspec.json.decode(head, type=_Snapshot)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ControlError(f"{file} is no snapshot") from None
        if (found.operator, found.format) != (name, format):
            raise ControlError(
                f"{file} is a snapshot of operator '{found.operator}' on {found.format}, not of '{name}' on {format}"
            )
        values, free = operators.normal(name, found.parameters), operators.adjustable(name)
        for parameter, value in self._holder.operator.values.items():
            if parameter not in free and values[parameter] != value:
                raise ControlError(
                    f"{file} is a snapshot with {parameter} = {values[parameter]!r}, and here it is {value!r}"
                )

    @control
    def swap(
        self, operator: str, parameters: dict[str, Any] | None = None, state: Literal["keep", "new"] = "keep"
    ) -> dict[str, Any]:
        """Replace the program from the next chunk on; what is half read stays.

        With ``state = "keep"`` the new operator goes on from the state of the old one, which must have the same
        shape; with ``"new"`` it starts with an empty one.
        """
        self._exchange(operator, parameters or {}, keep=state == "keep")
        self._spec["operator"] = operator
        return dict(self._holder.operator.values)

    @among_servers
    def turn(self, descriptor: int, file: str, station: str, parameters: dict[str, Any]) -> bool:
        """Write into another pipe from the next record on, so that who reads the one there is comes to its end.

        Only for operators that write whole records into one pipe. Returns whether it has been done; if not, it will be
        when what it writes at the moment is written. Then it is written down as what it is for: a swap of a station.
        """
        outputs = getattr(self._holder, "outputs", None)
        if list(getattr(outputs, "open", ())) != [descriptor] or not isinstance(self._holder.operator, PortedOperator):
            raise ControlError(
                f"{self.station!r} ({self._spec['operator']}) does not write whole records into one pipe: it cannot "
                "turn to another between two of them"
            )
        try:
            fresh = os.open(file, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ControlError(f"{file}: {error.strerror}") from None
        if not stat.S_ISFIFO(os.fstat(fresh).st_mode):
            os.close(fresh)
            raise ControlError(f"{file}: is no pipe")
        swap = {"station": station, "method": "swap", "parameters": parameters, "behind": self.station}
        return self._attention.turn(descriptor, fresh, lambda: self._write_down(swap, 0.0))

    def _exchange(self, name: str, parameters: dict[str, Any], *, keep: bool = True, alone: bool = True) -> None:
        """Put another operator in the place of the one that is there; nothing has changed where this raises.

        ``alone``: no other server changes with it.
        """
        old = self._holder.operator
        values = operators.normal(name, parameters)
        if alone and old.tied and values != old.values:
            raise ControlError(old.tied)
        fresh = operators.create(name, values, self._spec.get("format") or "lines")
        if type(fresh).traits.source != type(old).traits.source:
            raise CommandError(f"operator {name!r} cannot stand where '{self._spec['operator']}' does")
        if keep and not fresh.can_go_on_from(old):
            raise ControlError(
                f"the state of '{self._spec['operator']}' is not that of {name!r}; state = 'new' starts without it"
            )
        if isinstance(fresh, ByteOperator) != isinstance(old, ByteOperator) and self._inside_a_record(old):
            raise ControlError(
                f"one of '{self._spec['operator']}' and {name!r} passes bytes on, the other works on whole records: "
                "they change places between two records only; use at with a record"
            )
        fresh.counting = old.counting
        try:
            fresh.succeed(old, keep=keep)
        except OSError as error:
            raise ControlError(f"{error.filename}: {error.strerror}") from None
        except Exception as error:  # a library's sketch can raise anything
            why = f"{type(error).__name__}: {error}"
            raise ControlError(f"{name!r} cannot go on with these parameters: {why}; state = 'new' can") from None
        try:
            old.give_way(fresh)
        except OSError as error:
            fresh.abandon()
            raise ControlError(f"{error.filename}: {error.strerror}") from None
        self._place(fresh)

    def _inside_a_record(self, operator: Any) -> bool:
        """Whether the input stands inside a record, as far as that is known: who does not count cannot say."""
        return bool(self._attention.bytes_in) and not (counts(operator) and operator.between_records())

    def _place(self, operator: Any) -> None:
        self._stay()
        self._holder.operator = operator


AMONG_SERVERS = frozenset(
    name for name in dir(Faculties) if getattr(getattr(Faculties, name), "__among_servers__", False)
)
"""What servers, and the runner, call of each other to do what somebody asked for; nobody else does."""
