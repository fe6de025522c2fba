"""One way to ask anything of a run: a server of ours over its socket, a Unix command through the system."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from streamsim.errors import ControlError
from streamsim.real.control.api import Api
from streamsim.real.control.client import Client, refusal
from streamsim.real.control.faculties import AMONG_SERVERS
from streamsim.real.control.recording import note
from streamsim.real.control.rpc import INVALID_PARAMETERS, NO_METHOD, BadParameters
from streamsim.real.control.runs import RunEntry, ServerEntry, alive, directory_of
from streamsim.real.control.tools import SYSTEM, System

_CHANGES = ("pause", "resume", "set")
"""What changes a Unix command, and is written down."""


class Server:
    """A server of a run, to be asked by `call`, whatever it is.

    What only the system can change (niceness, cores, pipe) is changed there, for servers of ours too.
    """

    def __init__(self, run: RunEntry, entry: ServerEntry, *, timeout_s: float = 5.0) -> None:
        self.entry, self._run = entry, run
        self._system = Api(
            entry.name, System(entry, run), lambda: System(entry, run), f"A Unix command: {entry.program}."
        )
        self._client: Client | None = None
        self._prefix = "" if entry.part is None else f"{entry.part}/"
        if entry.socket is not None:
            path = directory_of(run) / entry.socket
            until = time.monotonic() + timeout_s
            while not path.exists() and alive(entry) and time.monotonic() < until:
                time.sleep(0.002)  # it is still starting
            if not path.exists() and not alive(entry):
                raise ControlError(f"station {entry.name!r} has ended")
            self._client = Client(path, timeout_s=timeout_s)

    def ask(self, method: str, parameters: dict[str, Any] | None = None) -> Any:
        """Call a method for somebody outside, who does not get at what servers ask of each other."""
        if method in AMONG_SERVERS:
            raise refusal(f"servers call {method!r} of each other; nobody else does", NO_METHOD)
        return self.call(method, parameters)

    def call(self, method: str, parameters: dict[str, Any] | None = None) -> Any:
        """Call a method; raises ControlError where it cannot be done, with the reason."""
        given = parameters or {}
        if self._client is None:
            if method not in self._system.names() and method != "rpc.discover":
                raise refusal(System(self.entry).refusal(method), NO_METHOD)
            answer = self._by_system(method, given)
            if method in _CHANGES:  # a swap is written down by the server that turns away from the old one
                note(self._run, self.entry.name, method, given)
            return answer
        if method == "set" and (system := {name: given[name] for name in given if name in SYSTEM}):
            self._set(system, {name: value for name, value in given.items() if name not in SYSTEM})
            return self.parameters()
        if method == "set":
            return {**self._client.call(f"{self._prefix}set", given), **self._system.call("parameters", {})}
        if method == "parameters":
            return self.parameters()
        return self._client.call(f"{self._prefix}{method}", given)

    def _set(self, system: dict[str, Any], own: dict[str, Any]) -> None:
        """Let the system change something, and the server ``own`` if it is more than nothing: both or none.

        Only what nobody can know beforehand is an exception (a right that is missing, a pipe that is too full).
        """
        if own and self._client is not None:
            try:
                System(self.entry).verify(**self._system.methods["set"].checked(system))
            except BadParameters as error:
                raise refusal(str(error), INVALID_PARAMETERS) from None
            self._client.call(f"{self._prefix}set", own)
        try:
            self._by_system("set", system)
        except ControlError as error:
            if own:
                raise ControlError(f"{error} ({', '.join(own)}: this has been set)") from None
            raise
        note(self._run, self.entry.name, "set", system)

    def _by_system(self, method: str, given: dict[str, Any]) -> Any:
        try:
            return self._system.call(method, given)
        except BadParameters as error:
            raise refusal(str(error), INVALID_PARAMETERS) from None

    def parameters(self) -> dict[str, Any]:
        """Return the operator's parameters and what the system knows."""
        own = self._client.call(f"{self._prefix}parameters") if self._client is not None else {}
        return {**own, **self._system.call("parameters", {})}

    def document(self) -> dict[str, Any]:
        """Return the OpenRPC document of its API; what the system sets stands among what a server of ours does."""
        system = self._system.document()
        if self._client is None:
            return system
        document: dict[str, Any] = self._client.call(f"{self._prefix}rpc.discover")
        own, other = ({method["name"]: method for method in one["methods"]} for one in (document, system))
        own["set"]["params"] += other["set"]["params"]
        values, others = (one["components"]["schemas"]["Parameters"] for one in (document, system))
        values["properties"] |= others["properties"]
        values["required"] += others["required"]
        return document

    def takes(self, method: str) -> tuple[str, ...]:
        """Return the names of a method's parameters; none where there is no such method."""
        for one in self.document()["methods"]:
            if one["name"] == method:
                return tuple(str(parameter["name"]) for parameter in one["params"])
        return ()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
