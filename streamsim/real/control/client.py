"""Asking a server: JSON-RPC over its Unix socket."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from streamsim.errors import CommandError, ControlError
from streamsim.real.control.rpc import INVALID_PARAMETERS, NO_METHOD

_encode, _decode = msgspec.json.encode, msgspec.json.decode


class Refusal(ControlError):
    """The server said no; ``code`` is that of JSON-RPC (see rpc.py)."""

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


class WrongRequest(Refusal, CommandError):
    """The server has no such method, or the parameters do not fit it."""


def refusal(message: str, code: int) -> Refusal:
    """Return the error for what a server, or the system in its place, answered."""
    kind = WrongRequest if code in (NO_METHOD, INVALID_PARAMETERS) else Refusal
    return kind(message, code)


class Silence(ControlError):
    """The server has not answered in time: it is inside a long chunk, or stopped."""


class Client:
    """A connection to one server.

    Parameters
    ----------
    path : its socket. A link, or what belongs to another user, is refused.
    timeout_s : how long to wait for an answer: a server answers between two chunks.

    Raises
    ------
    ControlError : nobody listens there, or what is there is no socket of ours.
    """

    def __init__(self, path: str | Path, *, timeout_s: float = 5.0) -> None:
        self.path, self._number, self._buffer = Path(path), 0, b""
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        try:
            _connect(self._socket, self.path, timeout_s)
        except OSError as error:
            self._socket.close()
            raise ControlError(f"{self.path}: nobody answers there: {error.strerror or error}") from None

    def call(self, method: str, parameters: dict[str, Any] | list[Any] | None = None) -> Any:
        """Call a method and return its result; raises `Refusal` where the server says no, else ControlError."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": parameters or {}}
        try:
            self._socket.sendall(_encode(request) + b"\n")
            while (reply := _decode(self._line())).get("id") not in (self._number, None):
                pass  # the answer to what was asked before, and not waited for any longer
        except TimeoutError:
            raise Silence(
                f"no answer to {method} within {self._timeout_s:g} s: the server is inside a long chunk, or stopped"
            ) from None
        except OSError as error:
            raise ControlError(f"the server has gone: {error.strerror or error}") from None
        if "error" in reply:
            raise refusal(str(reply["error"]["message"]), int(reply["error"]["code"]))
        return reply["result"]

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                raise ControlError("the server has ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(connection: socket.socket, path: Path, timeout_s: float) -> None:
    """Connect to a path of any length, through its directory, which must be ours and no link.

    Where too many knock at once (EAGAIN, unix(7)) it knocks again.
    """
    held = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    until = time.monotonic() + timeout_s
    try:
        found = os.stat(path.name, dir_fd=held, follow_symlinks=False)
        if found.st_uid != os.geteuid():
            raise ControlError(f"{path}: belongs to another user")
        while True:
            try:
                connection.connect(f"/proc/self/fd/{held}/{path.name}")
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)
    finally:
        os.close(held)
