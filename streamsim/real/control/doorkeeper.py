"""Connections to the gateway: so many at once; a new one takes the place of that which has asked nothing for longest.

Anybody on the machine can open connections to loopback and say nothing, or half a request: with a mere limit, who has
no token could keep out who has one.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 64
"""Connections at once."""


def doorkeeper() -> type[H11Protocol]:
    """Return HTTP as uvicorn speaks it, for one gateway."""
    there: dict[Doorkeeper, None] = {}  # in the order in which they came

    class Doorkeeper(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            there[self] = None
            if len(there) > MOST:
                idle = next((one for one in there if one.silent), self)
                del there[idle]
                idle.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            there.pop(self, None)
            super().connection_lost(exc)

        @property
        def silent(self) -> bool:
            """Whether nothing is being answered there."""
            return self.cycle is None or self.cycle.response_complete

    return Doorkeeper
