"""A long chunk worked on in pieces while somebody may want something, who is answered between two of them.

What comes out is written at once when the chunk is done, so that pipes move what they moved before, and nobody who is
alone pays for it. How large a piece is follows from how long the last ones took. Nobody looks behind the last piece:
that is done between two chunks, where the page of counters is brought up to date too.
"""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any

_PIECE_S = 0.8e-3
_LEAST, _MOST = 1024, 1 << 16


def work(server: Any, chunk: bytes, port: int, asked: float, got: float) -> None:
    """Work on one chunk of an input, looking for commands between pieces of it."""
    attention, made, written, done = server.attention, [], 0, 0
    before = server.operator.records_in, server.operator.records_out
    while done < len(chunk) and not attention.appointments:
        left = len(chunk) - done  # no last piece is so short that between two chunks it would not be time to look
        piece = chunk[done:] if left < 2 * server.piece_bytes else chunk[done : done + server.piece_bytes]
        began = monotonic()
        made.append(server.operator.feed(piece, port))
        took = monotonic() - began
        done, written = done + len(piece), written + len(made[-1])
        wanted = int(len(piece) * _PIECE_S / max(took, 1e-6))
        server.piece_bytes = min(_MOST, max(_LEAST, (server.piece_bytes + wanted) // 2))
        if done < len(chunk):
            attention.look(len(chunk) - done, written)
    attention.ahead = attention.unwritten = 0
    server._give(b"".join(made), asked, got, done, before)
    if done < len(chunk):  # somebody has just named a place in this chunk
        from streamsim.real.control.appointments import pieces  # with what it needs it takes 10 ms to load

        for piece in pieces(attention, server, chunk[done:], port):
            server._work(piece, port, asked, got)
