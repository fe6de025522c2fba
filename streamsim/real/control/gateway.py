"""One web gateway for a run: HTTP on loopback outside, the servers' own sockets inside.

Off unless somebody starts it. Everything needs the bearer token; a request whose ``Host`` is not the address that it
listens on is refused (a page in a browser must not reach it by a name that it resolves itself: DNS rebinding), as is
one that comes from a page (``Origin``). Needs the extra ``web``: starlette, uvicorn, prometheus-client.

===========================================  ====================================================
``GET /openapi.json``                        what there is, as OpenAPI 3.1
``GET /stations``                            the stations with their counters
``GET /stations/NAME``                       state, metrics and parameters of one
``POST /stations/NAME/METHOD``               calls a method, its parameters as a JSON object
``GET /metrics``                             all counters for Prometheus
===========================================  ====================================================
"""

from __future__ import annotations

import hmac
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from streamsim.errors import ControlError
from streamsim.files import from_json
from streamsim.real.control.client import Refusal
from streamsim.real.control.openapi import openapi
from streamsim.real.control.overview import counters
from streamsim.real.control.reach import Server
from streamsim.real.control.rpc import INVALID_PARAMETERS, NO_METHOD
from streamsim.real.control.runs import RunEntry, alive

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

MOST_BYTES = 1 << 16
"""The largest body of a request."""


def gateway(run: RunEntry, *, token: str, hosts: frozenset[str]) -> Starlette:
    """Return the web application of a run.

    Parameters
    ----------
    token : what ``Authorization: Bearer …`` must say.
    hosts : what ``Host`` may say, such as ``127.0.0.1:8080``.

    Raises
    ------
    ControlError : the extra ``web`` is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.middleware import Middleware
        from starlette.routing import Route
    except ImportError:
        raise ControlError('the gateway needs the extra: pip install "streamsim[web]"') from None
    site = _Site(run)
    routes = [
        Route("/openapi.json", site.document),
        Route("/stations", site.stations),
        Route("/stations/{name}", site.station),
        Route("/stations/{name}/{method}", site.call, methods=["POST"]),
        Route("/metrics", site.metrics),
    ]
    guard = Middleware(_Guard, token=token, hosts=hosts)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={HTTPException: _explained})


def serve(site: Starlette, listening: socket.socket, run: RunEntry) -> None:
    """Serve until the run ends, or SIGINT or SIGTERM comes."""
    import uvicorn

    from streamsim.real.control.doorkeeper import doorkeeper

    config = uvicorn.Config(
        site, log_level="error", access_log=False, lifespan="off", http=doorkeeper(), ws="none", proxy_headers=False,
        server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def watch() -> None:
        while not server.should_exit and any(alive(entry) for entry in run.servers):
            time.sleep(0.2)
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listening])


class _Guard:
    """Lets in who has the token and asks for this address; looks before anything else does."""

    def __init__(self, app: Callable[..., Awaitable[None]], *, token: str, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, reason = self._verdict(dict(scope["headers"]))
        if status == 200:
            await self._app(scope, receive, send)
            return
        body = msgspec.json.encode({"error": reason})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _verdict(self, headers: dict[bytes, bytes]) -> tuple[int, str]:
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            return 421, "this is not the host that you ask for"
        if b"origin" in headers:
            return 403, "no web page has any business here"
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return 401, "say Authorization: Bearer TOKEN; streamsim gateway printed the token"
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit() or int(length) > MOST_BYTES:
            return 413, f"a body has a Content-Length of at most {MOST_BYTES}"
        return 200, ""


class _Site:
    """The answers; none of them blocks the event loop (starlette runs plain functions in threads)."""

    def __init__(self, run: RunEntry) -> None:
        self._run = run

    def document(self, request: Request) -> Response:
        """Describe the whole circuit."""
        documents = {}
        for entry in self._run.servers:
            try:
                with Server(self._run, entry, timeout_s=2.0) as server:
                    documents[entry.name] = server.document()
            except ControlError:
                continue  # it has ended, or is inside a long chunk: what it can do cannot be known now
        return _json(openapi(self._run.name, documents))

    def stations(self, request: Request) -> Response:
        """List the stations with their counters."""
        return _json([counters(self._run, entry) for entry in self._run.servers])

    def station(self, request: Request) -> Response:
        """Show one station."""
        return self._ask(request, lambda server: {
            "state": server.call("state"), "metrics": server.call("metrics"), "parameters": server.parameters()
        })  # fmt: skip

    async def call(self, request: Request) -> Response:
        """Call a method."""
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect

        try:
            body = await request.body()
        except ClientDisconnect:
            return _json({"error": "the body did not come whole"}, 400)  # for nobody: it has hung up
        try:
            parameters = from_json(body, dict[str, Any]) if body else {}
        except msgspec.DecodeError as error:
            return _json({"error": f"the body is no JSON object: {error}"}, 400)
        method = request.path_params["method"]
        return await run_in_threadpool(self._ask, request, lambda server: server.ask(method, parameters))

    def metrics(self, request: Request) -> Response:
        """Return all counters for Prometheus."""
        from prometheus_client import CollectorRegistry, generate_latest
        from starlette.responses import Response

        registry = CollectorRegistry()
        registry.register(_Counters(self._run))
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _ask(self, request: Request, question: Callable[[Server], Any]) -> Response:
        try:
            entry = self._run.server(request.path_params["name"])
        except ControlError as error:
            return _json({"error": str(error)}, 404)
        try:
            with Server(self._run, entry, timeout_s=2.0) as server:
                return _json(question(server))
        except Refusal as error:
            status = {NO_METHOD: 404, INVALID_PARAMETERS: 422}.get(error.code, 409)
            return _json({"error": str(error)}, status)
        except ControlError as error:
            return _json({"error": str(error)}, 503)


class _Counters:
    """What prometheus_client calls a collector."""

    def __init__(self, run: RunEntry) -> None:
        self._run = run

    def collect(self) -> Iterator[Any]:
        """Yield one family for each counter."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        rows = [counters(self._run, entry) for entry in self._run.servers]
        for key, text in _COUNTED.items():
            family = CounterMetricFamily(f"streamsim_{key}", text, labels=_LABELS)
            for row in rows:
                if key in row:
                    family.add_metric(self._labels(row), row[key])
            yield family
        up = GaugeMetricFamily("streamsim_up", "Whether the station still runs.", labels=_LABELS)
        for row in rows:
            up.add_metric(self._labels(row), float(row["does"] != "ended"))
        yield up

    def _labels(self, row: dict[str, Any]) -> list[str]:
        return [self._run.id, self._run.name, row["station"]]


_LABELS = ("run", "scenario", "station")
"""Of one scenario there can be several runs: it is the run's id that tells them apart."""


_COUNTED = {
    "bytes_in": "Bytes that the station has read.",
    "bytes_out": "Bytes that the station has written.",
    "records_in": "Records that the station has taken.",
    "records_out": "Records that the station has given.",
    "chunks": "Chunks that the station has worked on.",
}


def _explained(request: Request, error: Any) -> Response:
    """Answer a path that is not there, or not for this method."""
    reason = f"{request.method} {request.url.path}: {str(error.detail).lower()} (GET /openapi.json says what there is)"
    return _json({"error": reason}, error.status_code, dict(error.headers or {}))


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    from starlette.responses import Response

    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
