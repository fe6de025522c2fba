"""What stands in the place of an `Attention` (control/attention.py) in a server that has no control channel."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any


class Inattention:
    """What a server without a control channel does in the place of an `Attention`: read and write, nothing else."""

    read = staticmethod(os.read)
    write = staticmethod(os.write)
    appointments: Sequence[Any] = ()
    held: Sequence[int] = ()
    freed: Any = ()
    listens = alert = False
    chunks = 0

    @staticmethod
    def ready(descriptors: Iterable[int]) -> list[int]:
        """Wait until one of several inputs has bytes or has ended; return all that have."""
        from select import POLLIN, poll

        waiting = poll()
        for descriptor in descriptors:
            waiting.register(descriptor, POLLIN)
        return [descriptor for descriptor, _ in waiting.poll()]

    def wait(self, descriptor: int) -> None:
        """Nothing returns unless it is ready."""

    @staticmethod
    def wait_for_room(descriptor: int) -> None:
        """Wait until an output has room, or nobody reads it any more."""
        from select import POLLOUT, poll

        waiting = poll()
        waiting.register(descriptor, POLLOUT)
        waiting.poll()

    def moved(self, taken: int, given: int, chunks: int = 0) -> None:
        """Nobody counts."""

    def taken(self, descriptor: int, chunk: bytes) -> bytes:
        """Nobody counts, and no marker is cut."""
        return chunk

    def ended(self, holder: object, port: int) -> None:
        """No marker is waited for."""

    def instead(self, port: int) -> int:
        """Nothing is held back."""
        return port

    def between(self) -> None:
        """Nobody asks."""

    def rest(self) -> None:
        """Nobody can pause it."""

    def serve_for(self, holder: object) -> None:
        """Nobody can change its operator."""

    def share(self, parts: object) -> None:
        """Nobody can change the operators below it."""

    def close(self) -> None:
        """Nobody listens."""
