r"""The socket of a server: many clients, none of whom can slow the data, fill the memory or keep another out.

JSON-RPC lines, or a little HTTP/1.1 on the same socket (``GET /openrpc.json``, ``POST /rpc``; over_http.py). It has no
thread: `serve` is called when `descriptor` is readable, and returns at once.

Bounds: `MOST_CLIENTS` connections, of which the one that was silent longest makes room for a new one; a request of
at most `MOST_BYTES` and an answer of at most `MOST_REPLY`; a client that does not take its answers is dropped when its
own socket is full; one `serve` takes about a millisecond at most.

It is asked to look by who waits for `descriptor` too, or by a signal of the kernel (`call_by_signal`).

Loaded by every server: nothing but four C modules at import, the rest with the first request.
"""

from __future__ import annotations

import os
from errno import EMFILE
from fcntl import F_SETFL, F_SETSIG, FASYNC, fcntl
from select import EPOLLIN, epoll
from struct import Struct
from time import monotonic

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Answering(Protocol):
        """What answers requests."""

        def call(self, name: str, given: dict[str, Any] | list[Any]) -> Any:
            """Call a method."""

        def names(self) -> tuple[str, ...]:
            """Return which methods there are."""

        def document(self) -> dict[str, Any]:
            """Return the OpenRPC document."""


_socket: Any = __import__("_socket")  # the C half: the module around it costs a server 2 ms

MOST_CLIENTS = 64
MOST_BYTES = 1 << 16
MOST_REPLY = 1 << 17
_FEW_BYTES = 2048
"""Nearly every request is shorter: the room for a longest one need not be found for it."""
_AT_ONCE = 8
"""So many requests of one client are answered, and new clients let in, before the others have their turn."""
_SLICE_S = 1e-3
"""After so long the data has its turn."""
_F_SETOWN_EX, _F_OWNER_TID, _SIGURG = 15, 0, 23
"""fcntl.h, signal.h: SIGURG harms nobody who does not wait for it, where SIGIO would end the process."""


_OWNER = Struct("ii")


class _Client:
    """One connection; `since` is when it last did something useful."""

    __slots__ = ("buffer", "since", "socket")

    def __init__(self, socket: Any) -> None:
        self.socket, self.buffer, self.since = socket, b"", monotonic()


class _Hang(Exception):
    """This client is to be let go, after these last bytes."""

    def __init__(self, last: bytes = b"") -> None:
        self.last = last


class Endpoint:
    """Listens on a Unix socket (mode 0600) and answers with an API that is made when the first request comes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     endpoint = Endpoint(f"{directory}/s", lambda: None)
    ...     print(oct(os.stat(f"{directory}/s").st_mode & 0o777))
    ...     endpoint.close()
    0o600
    """

    def __init__(self, path: str, make: Callable[[], Answering], quick: Callable[[], Any] | None = None) -> None:
        self.path, self._make, self._make_quick = path, make, quick
        self._quick: Any = None
        self._api: Answering | None = None
        self._reply: Callable[[bytes, Callable[[str, dict[str, Any] | list[Any]], Any]], bytes] | None = None
        self._clients: dict[int, _Client] = {}
        self._listening = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK)
        mask = os.umask(0o177)
        try:
            _bind(self._listening, path)
        finally:
            os.umask(mask)
        self._listening.listen(128)
        self._epoll = epoll()
        self._epoll.register(self._listening.fileno(), EPOLLIN)
        self.descriptor = self._epoll.fileno()
        """Readable when there is something to do."""
        self.requests = 0
        """How many have been answered."""
        self.heard = monotonic()
        """When somebody last wanted something (s of CLOCK_MONOTONIC)."""
        self.plain = True
        """Whether the last `serve` has answered plain questions (quick.py) and done nothing else."""
        self._owned: set[int] = set()
        self.pending: dict[int, _Client] = {}
        """Clients whose last requests wait for their turn, although nothing new can be read."""

    @property
    def visited(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._clients)

    def call_by_signal(self, *, wanted: bool) -> None:
        """Let the kernel send SIGURG to the main thread when somebody connects or says something, or no longer.

        To that thread alone: a signal to the process could go to one that a library has started, and then nothing
        would wake a call of ours.
        """
        flags = os.O_RDWR | os.O_NONBLOCK | (FASYNC if wanted else 0)
        for descriptor in (self._listening.fileno(), *self._clients):
            if wanted and descriptor not in self._owned:
                fcntl(descriptor, _F_SETOWN_EX, _OWNER.pack(_F_OWNER_TID, os.getpid()))
                fcntl(descriptor, F_SETSIG, _SIGURG)
                self._owned.add(descriptor)
            fcntl(descriptor, F_SETFL, flags)

    def wanted(self) -> bool:
        """Return whether there is something to do."""
        return bool(self.pending or self._epoll.poll(0.0))

    def serve(self, timeout_s: float = 0.0) -> bool:
        """Do what there is to do, for a millisecond at most; return whether there was any."""
        ready = self._epoll.poll(0.0 if self.pending else timeout_s)
        if not ready and not self.pending:
            return False
        self.plain = True
        self.heard = now = monotonic()
        until = now + _SLICE_S
        waiting, self.pending = self.pending, {}
        work = [(client, False) for client in waiting.values()]
        for descriptor, _ in ready:
            if descriptor == self._listening.fileno():
                self._accept()
            elif descriptor in self._clients and descriptor not in waiting:
                work.append((self._clients[descriptor], True))
        for client, fresh in work:
            if client.socket.fileno() not in self._clients:
                continue  # it had to make room for another
            if monotonic() < until:
                self._hear(client, fresh)
            elif not fresh:
                self.pending[client.socket.fileno()] = client
        return True

    def close(self) -> None:
        """Let everybody go and take the socket away."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._epoll.close()
        self._listening.close()
        try:
            os.unlink(self.path)  # noqa: PTH108  # pathlib costs a server 10 ms
        except OSError:
            return

    def _accept(self) -> None:
        """Let those in who knock, a few at once; who was silent longest makes room."""
        self.plain = False
        for _ in range(_AT_ONCE):
            try:
                descriptor, _ = self._listening._accept()
            except OSError as error:
                if error.errno == EMFILE and self._clients:
                    self._drop_longest_silent()  # who knocks is let in at the next look
                return  # there are no more
            if len(self._clients) >= MOST_CLIENTS:
                self._drop_longest_silent()
            socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor)
            socket.setblocking(False)
            self._clients[descriptor] = _Client(socket)
            self._epoll.register(descriptor, EPOLLIN)

    def _drop_longest_silent(self) -> None:
        self._drop(min(self._clients.values(), key=lambda client: client.since))

    def _drop(self, client: _Client) -> None:
        self.plain = False
        descriptor = client.socket.fileno()
        del self._clients[descriptor]
        self.pending.pop(descriptor, None)
        self._owned.discard(descriptor)
        self._epoll.unregister(descriptor)
        client.socket.close()

    def _hear(self, client: _Client, fresh: bool) -> None:
        """Take what one client has sent, once, and answer the next whole requests in it."""
        if fresh:
            data = b""
            try:
                data = client.socket.recv(_FEW_BYTES)
                if len(data) == _FEW_BYTES:
                    self.plain = False
                    data += client.socket.recv(MOST_BYTES)
            except BlockingIOError:
                if not data:
                    return
            except OSError:
                data = b""
            if not data:
                self._bid_farewell(client)
                return
            client.buffer += data
        try:
            reply = self._lines(client) if client.buffer[:1] in (b"{", b"[", b"\n", b" ") else self._http(client)
            if reply:
                client.since = monotonic()
                self._say(client, reply)
        except _Hang as hang:
            self._say(client, hang.last)
            if client.socket.fileno() >= 0:
                self._drop(client)

    def _bid_farewell(self, client: _Client) -> None:
        """Let a client go that says no more; its last line may have no end."""
        if client.buffer[:1] in (b"{", b"[") and (answer := self._answer(client.buffer)):
            self._say(client, answer + b"\n")
        if client.socket.fileno() >= 0:
            self._drop(client)

    def _say(self, client: _Client, reply: bytes) -> None:
        if not reply:
            return
        try:
            whole = client.socket.send(reply) == len(reply)
        except OSError:
            whole = False
        if not whole:  # it does not read: nothing is kept for it
            self._drop(client)

    def _lines(self, client: _Client) -> bytes:
        if client.buffer.find(b"\n") == len(client.buffer) - 1:  # a request: what nearly everybody sends at a time
            line, client.buffer = client.buffer, b""
            answer = self._answer(line[:-1]) if line.strip() else b""
            return answer and answer + b"\n"
        *lines, rest = client.buffer.split(b"\n", _AT_ONCE)
        reply = b"".join([answer + b"\n" for line in lines if line.strip() and (answer := self._answer(line))])
        client.buffer = rest
        if len(rest) > MOST_BYTES and b"\n" not in rest:
            raise _Hang(reply + self._too_long() + b"\n")
        if b"\n" in rest:
            self.pending[client.socket.fileno()] = client
        return reply

    def _answer(self, line: bytes) -> bytes:
        if len(line) > MOST_BYTES:
            self.plain = False
            return self._too_long()
        self.requests += 1
        if self._make_quick is not None:
            self._quick = self._quick or self._make_quick()
            if (found := self._quick.answer(line)) is not None:
                return bytes(found)
        self.plain = False
        api = self.api  # first: it sees to it that the libraries are found
        if self._reply is None:
            from streamsim.real.control.rpc import answer

            self._reply = answer
        reply = self._reply(line, api.call)
        if len(reply) <= MOST_REPLY:
            return reply
        from streamsim.real.control.rpc import too_large

        return too_large(line, len(reply), MOST_REPLY)

    @staticmethod
    def _too_long() -> bytes:
        return (
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"a request has at most %d bytes"}}'
            % MOST_BYTES
        )

    @property
    def api(self) -> Answering:
        """What answers; made when it is first wanted."""
        if self._api is None:
            self._api = self._make()
        return self._api

    def _http(self, client: _Client) -> bytes:
        """Answer one HTTP request; empty where it has not come whole."""
        from streamsim.real.control import over_http

        try:
            request = over_http.taken(client.buffer)
        except over_http.Refused as refused:
            self.plain = False
            raise _Hang(over_http.written(refused.status)) from None
        if request is None:
            return b""
        client.buffer = request.rest
        reply = over_http.written(*self._respond(request.method, request.path, request.body))
        if not request.keep:
            raise _Hang(reply)
        if client.buffer:  # it has said more than this already
            self.pending[client.socket.fileno()] = client
        return reply

    def _respond(self, method: bytes, path: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Return status and body of an answer."""
        if method == b"POST" and path == b"/rpc":
            return b"200 OK", self._answer(body)
        if method == b"GET" and path == b"/openrpc.json":
            document = self.api.document()
            from msgspec.json import encode

            self.requests += 1
            return b"200 OK", encode(document)
        known = {b"/rpc": b"POST", b"/openrpc.json": b"GET"}.get(path)
        return (b"405 Method Not Allowed" if known else b"404 Not Found"), b""


def _bind(socket: Any, path: str) -> None:
    """Bind to a path of any length: an address may have 107 bytes (unix(7)), a path through /proc is shorter."""
    if len(os.fsencode(path)) <= 107:
        socket.bind(path)
        return
    directory, _, name = path.rpartition("/")
    held = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        socket.bind(f"/proc/self/fd/{held}/{name}")
    finally:
        os.close(held)
