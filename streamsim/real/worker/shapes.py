"""Servers of the shapes that are no plain chain: outputs that differ, inputs that are waited for, places in a loop."""

from __future__ import annotations

from time import monotonic

from streamsim.real.worker.loop import Server, groups_of
from streamsim.real.worker.outputs import Outputs

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence
    from typing import Any

    from streamsim.operators._shapes import Routing, Selective
    from streamsim.operators.base import Operator
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.visits import Visits

_FIONREAD = 0x541B
"""ioctl(2): how many bytes wait in a pipe; it answers at either end."""


class Routes(Outputs):
    """Where the parts go: one set of outputs each. When nobody reads any of them any more, BrokenPipeError.

    ``open`` are the places of those that somebody reads, ``written`` is what came through of the last `send` to all of
    them together. ``file`` is where it says at its end how many bytes went to each, one number a line.
    """

    def __init__(self, outputs: Sequence[Outputs], file: str | None) -> None:
        super().__init__(place for place, group in enumerate(outputs) if group.open)
        self._outputs, self._file = outputs, file
        self.width, self._totals = len(outputs), [0] * len(outputs)

    def send(self, parts: Sequence[bytes]) -> None:  # type: ignore[override]  # a part for each, not the same for all
        """Write each part to its output; what goes to one that nobody reads is dropped."""
        self.written = 0
        for place, (outputs, part) in enumerate(zip(self._outputs, parts, strict=True)):
            if not part or not outputs.open:
                continue
            try:
                outputs.send(part)
            except BrokenPipeError:
                self._leave(outputs)
            finally:
                self.written += outputs.written
                self._totals[place] += outputs.written

    def mark(self, marker: bytes, among: Container[int]) -> None:
        """Write a marker to the outputs that lead to where it goes."""
        for outputs in self._outputs:
            try:
                outputs.mark(marker, among)
            except BrokenPipeError:
                self._leave(outputs)

    def _leave(self, outputs: Outputs) -> None:
        """Write no more to an output that nobody reads; BrokenPipeError when none is left."""
        outputs.open = []
        self.open = [place for place, group in enumerate(self._outputs) if group.open]
        if not self.open:
            raise BrokenPipeError

    def levels(self) -> list[int]:
        """Return how many bytes wait in each output."""
        from fcntl import ioctl

        levels = []
        for outputs in self._outputs:
            held = bytearray(4)
            for descriptor in outputs.open[:1]:
                try:
                    ioctl(descriptor, _FIONREAD, held)
                except OSError:  # no pipe: a file never keeps anybody waiting
                    break
            levels.append(int.from_bytes(held, "little"))
        return levels

    def close(self) -> None:
        """Tell the readers that this was all."""
        if self._file is not None:
            with open(self._file, "wb") as file:
                file.write(b"".join(b"%d\n" % total for total in self._totals))
        for outputs in self._outputs:
            outputs.close()


class RoutingServer(Server):
    """Gives each output its part."""

    def _work(self, chunk: bytes, port: int, asked: float, got: float) -> None:
        operator = self._told()
        before = operator.records_in, operator.records_out
        self._give(operator.feed_each(chunk, port), asked, got, len(chunk), before)

    def _finish(self, asked: float, got: float) -> None:
        self._keep_last()
        operator = self._told()
        before = operator.records_in, operator.records_out
        self._give(operator.finish_each(), asked, got, 0, before)

    def _told(self) -> Routing:
        """Return the operator, which knows of its outputs; a command may have put a new one there."""
        operator: Any = self.operator
        routes = self.outputs
        assert isinstance(routes, Routes)
        operator.width, operator.levels, operator.open = routes.width, routes.levels, routes.open
        told: Routing = operator
        return told


class SelectiveServer(Server):
    """Reads only the input that its operator cannot do without."""

    operator: Selective

    def serve(self, inputs: Sequence[int], read_bytes: int) -> None:
        """Read until all inputs have ended, then finish."""
        operator, attention = self.operator, self.attention
        operator.width = len(inputs)
        asked = got = monotonic()
        while (port := operator.wanted()) is not None:
            if port in attention.held:
                port = attention.instead(port)
            asked = monotonic()
            chunk = attention.read(inputs[port], read_bytes)
            got = monotonic()
            if chunk:
                self.visits.tally(port, len(chunk))
                self._take(chunk, port, asked, got)
                attention.between()
            else:
                before = operator.records_in, operator.records_out
                self._give(operator.end(port), asked, got, 0, before)
                attention.ended(self, port)
            if attention.freed:
                self._take_freed(asked, got)
            operator = self.operator
        self._finish(asked, got)


def shaped(operator: Operator, spec: Mapping[str, Any], visits: Visits, attention: Attention | Inattention) -> Server:
    """Return the server of an operator whose shape or place is special; its outputs are those of the specification.

    ``routes`` in the specification are the descriptors of each of its outputs, ``circle`` its place in a loop.
    """
    groups = groups_of(spec)
    if spec.get("circle"):
        from streamsim.real.worker.circle import circling

        return circling(operator, groups, spec, visits, attention)
    made = [Outputs(group, attention) for group in groups]
    kind = SERVERS.get(operator.shape, Server)
    return kind(operator, gathered(operator, made, visits), visits, attention)


SERVERS: dict[str, type[Server]] = {"routing": RoutingServer, "selective": SelectiveServer}


def gathered(operator: Operator, outputs: Sequence[Outputs], visits: Visits) -> Outputs:
    """Return what an operator of this shape writes into."""
    return Routes(outputs, visits.file_of("routes")) if operator.shape == "routing" else outputs[0]
