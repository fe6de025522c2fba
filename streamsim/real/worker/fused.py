"""Operators that share one process: what one gives, the next takes at once, with no pipe and no copy between.

Each part keeps visits of its own, as a server does: it has its chunk when the part above has served it, and is blocked
while the parts below it work, as it would be by a pipe that holds nothing.
"""

from __future__ import annotations

from time import monotonic, thread_time

from streamsim.operators import create
from streamsim.operators.base import Operator
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.reports import report_course, report_rejects
from streamsim.real.worker.visits import Visits

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from typing import Any

    from streamsim.real.control.sharing import Share


class Part:
    """An operator that stands where the part above it has its outputs.

    ``above`` are the visits of that part: the CPU time that is used here is not its own.
    """

    open: Sequence[int] = ()
    """It has no descriptors, so nothing can be spliced past it."""

    def __init__(self, spec: Mapping[str, Any], outputs: Outputs | Part, visits: Visits) -> None:
        operator = create(
            spec["operator"],
            spec.get("parameters") or {},
            spec.get("format") or "lines",
            on_error=spec.get("on_error") or "fail",
            dead_letter=spec.get("dead_letter"),
        )
        assert isinstance(operator, Operator), "the plan puts a source first"
        operator.counting = visits.wanted
        self.operator, self.outputs, self.visits, self._spec = operator, outputs, visits, spec
        self.above: Visits | None = None
        self.attention: Share | None = None
        self.written = 0
        self.taken_at = 0.0

    def send(self, data: bytes) -> None:
        """Take what the part above gives, and hand on what comes of it."""
        self.written, self.taken_at = len(data), monotonic()
        attention = self.attention
        if attention is not None:
            attention.bytes_in += len(data)
            if attention.appointments and data:
                from streamsim.real.control.appointments import pieces

                for piece in pieces(attention, self, data, 0):
                    self._feed(piece)
                return
        if data:
            self._feed(data)

    def mark(self, marker: bytes, among: Container[int]) -> None:
        """Take a marker from the part above."""
        if self.attention is not None:
            from streamsim.real.control.markers import come

            come(self.attention, self, marker)

    def _feed(self, data: bytes) -> None:
        self._work(lambda: self.operator.feed(data), len(data))

    def sent(self) -> float:
        """Return when the part above was rid of what it gave (s of CLOCK_MONOTONIC)."""
        return self.taken_at

    def _work(self, step: Callable[[], bytes], taken: int) -> None:
        began, operator, outputs = thread_time(), self.operator, self.outputs
        self.visits.cpu = began
        before = operator.records_in, operator.records_out
        outputs.written = 0
        try:
            data = self._named(step)
            served = monotonic()
            try:
                outputs.send(data)
                if self.attention is not None:
                    self.attention.chunks += 1
                    self.attention.bytes_out += len(data)
            finally:
                records_in, records_out = operator.records_in - before[0], operator.records_out - before[1]
                got, sent = self.taken_at, outputs.sent()
                self.visits.add(got, got, served, sent, taken, outputs.written, records_in, records_out)
        finally:
            if self.above is not None:
                self.above.cpu += thread_time() - began

    def _named(self, step: Callable[[], bytes]) -> bytes:
        try:
            return step()
        except Exception as error:  # whatever it is, it goes on
            error.add_note(str(self._spec.get("name")))  # it is not the server's first operator that failed
            raise

    def chained(self, specs: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], Part]]:
        """Return this part and those below it, each with its specification."""
        rest = self.outputs.chained(specs[1:]) if isinstance(self.outputs, Part) else []
        return [(specs[0], self), *rest]

    def close(self) -> None:
        """Finish: the part above has given all."""
        self.taken_at = monotonic()
        if self.attention is not None and self.attention.appointments:
            from streamsim.real.control.appointments import at_the_end

            at_the_end(self.attention, self)
        self._work(self.operator.finish, 0)
        if self.operator.rejects.count:
            report_rejects(self.operator.rejects, self._spec)
        if self.operator.course and self.visits.wanted:
            report_course(self.operator.course, self._spec)
        self.outputs.close()


def fuse(specs: Sequence[Mapping[str, Any]], outputs: Outputs, visits: Visits, path: str | None) -> Part:
    """Return the first of the parts that these specifications describe, the last of which writes ``outputs``.

    ``visits`` are those of the server that stands above all of them; the parts leave theirs beside its file.
    """
    below: Outputs | Part = outputs
    for number, spec in reversed(list(enumerate(specs, start=1))):
        place = f"{path}.{number}" if path is not None else None
        own = Visits(place)
        visits.parts.append(own)
        part = Part({**spec, "visits": place}, below, own)
        if isinstance(below, Part):
            below.above = own
        below = part
    assert isinstance(below, Part), "there is at least one part"
    below.above = visits
    return below
