"""``gateway``: a run on the web, for whoever has the token."""

from __future__ import annotations

from typing import Annotated

import typer

from streamsim.cli.completing import named
from streamsim.cli.controlling import RunName
from streamsim.cli.output import example


@example(
    "streamsim gateway top-words --port 8080",
    "streamsim gateway .",
)
def gateway(
    run: RunName = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="STREAMSIM_TOKEN",
            help="What clients must say; other users can read a command line, but not the environment.",
            show_default="a new one",
        ),
    ] = None,
) -> None:
    """Serve a run over HTTP on 127.0.0.1 until it, or you, end: its API as OpenAPI, its counters for Prometheus.

    Ask it with curl -H 'Authorization: Bearer TOKEN' http://127.0.0.1:PORT/stations.
    """
    import secrets
    import socket

    from streamsim.cli.failures import UsageError
    from streamsim.cli.output import say
    from streamsim.real.control.gateway import gateway as application
    from streamsim.real.control.gateway import serve
    from streamsim.real.control.runs import find

    found = find(named(run))
    secret = token or secrets.token_urlsafe(24)
    if len(secret) < 8 or not secret.isascii() or not secret.isprintable():
        raise UsageError("a token has at least 8 printable ASCII characters")
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(f"port {port}: {error.strerror}; --port 0 takes any that is free") from None
        listening.listen(64)  # who reads the address below may come at once
        here = listening.getsockname()[1]
        hosts = frozenset(f"{name}:{here}" for name in ("127.0.0.1", "localhost"))
        site = application(found, token=secret, hosts=hosts)
        say(f"http://127.0.0.1:{here}/openapi.json\ntoken: {secret}")
        serve(site, listening, found)
