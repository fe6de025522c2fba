"""Numbered batches: how several servers give together, byte for byte, what one would have given.

Between a split, its servers and their merge each block of records travels behind a header. The split numbers the
blocks as it deals them out; a server answers each with what came of it under the same number, be it nothing; the merge
writes the answers in the order of the numbers. So it never has to know how many records a record becomes.

The merge reads ahead of each server to the first answer whose turn has not come, and no further: that one answer and
what one read brought are all that it holds of a server. It cannot stand still. The block whose turn it is was dealt out
before all later ones, so nothing that waits for the merge stands between it and its server, or between that and the
merge, which reads from every server of which it holds nothing.

Headers are framing: no operator sees them, and neither visits nor the counters of the control channel count them.
"""

from __future__ import annotations

from struct import Struct
from time import monotonic

from streamsim.real.worker.loop import Server
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.shapes import RoutingServer, gathered

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from typing import Any

    from streamsim.operators.base import Operator
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.visits import Visits

HEADER = Struct("<QQQQ")
"""Twice the number, plus one where nothing more follows under it; how many bytes follow; of what a split deals out:
how many records of its input come before, and at which byte of it the batch ends."""
_SIZE = HEADER.size
_AFTER_ALL = 1 << 62
"""The number of what a server gives when its input has ended: after everything that has one."""

Batch = tuple[int, bool, bytes, int, int]
"""Its number, whether it is the last piece of that number, its bytes, and the two that say where it stood."""


class Batches:
    """Takes batches out of one stream of them, cut anywhere.

    >>> one = Batches()
    >>> one.take(HEADER.pack(2 * 7 + 1, 3, 40, 99) + b"ab"), one.inside
    ([], True)
    >>> one.take(b"c"), one.inside
    ([(7, True, b'abc', 40, 99)], False)
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._have, self._need = 0, _SIZE

    @property
    def inside(self) -> bool:
        """Whether a part of a batch has come whose rest is still to come."""
        return self._have > 0

    def take(self, chunk: bytes) -> list[Batch]:
        """Return the batches that this chunk completes."""
        self._parts.append(chunk)
        self._have += len(chunk)
        if self._have < self._need:  # join once for a long batch, not once for each of its chunks
            return []
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        place, size = 0, len(data)
        found: list[Batch] = []
        self._need = _SIZE
        while place + _SIZE <= size:
            number, length, records, end = HEADER.unpack_from(data, place)
            if place + _SIZE + length > size:
                self._need = _SIZE + length
                break
            block = data[place + _SIZE : place + _SIZE + length]
            found.append((number >> 1, bool(number & 1), block, records, end))
            place += _SIZE + length
        self._parts = [data[place:]] if place < size else []
        self._have = size - place
        return found


class Answers(Outputs):
    """Writes what is sent as pieces of the batch whose number was given last.

    ``whole``: one `send` is all of it, so that its header can say so; else `end` says it.
    """

    def __init__(self, descriptors: Sequence[int], attention: Attention | Inattention) -> None:
        super().__init__(descriptors, attention)
        self._attention = attention
        self._number, self._ended = _AFTER_ALL, True
        self.whole = False
        self.stood = 0, 0

    def begin(self, number: int, *, whole: bool) -> None:
        """Answer this batch from now on."""
        self._number, self.whole, self._ended = number, whole, False

    def send(self, data: bytes) -> None:
        """Write a piece of the answer."""
        if data:
            self._ended = self.whole
            self._frame(data)
        else:
            self.written = 0

    def mark(self, marker: bytes, among: Container[int]) -> None:
        """Write a marker (control/markers.py) as a piece of the answer, if it goes this way."""
        if any(descriptor in among for descriptor in self.open):
            self._place_marker()
            written = self.written
            self._frame(marker)
            self.written = written

    def _place_marker(self) -> None:
        """Say where a marker stands that is about to be written: within the answer."""

    def end(self) -> None:
        """Say that this was all, where that has not been said yet."""
        if not self._ended:
            self._ended = True
            self._frame(b"")

    def _frame(self, data: bytes) -> None:
        try:
            super().send(HEADER.pack(2 * self._number + self._ended, len(data), *self.stood) + data)
        finally:
            framing = min(_SIZE, self.written)
            self.written -= framing
            self._attention.moved(0, -framing)


class Dealt(Answers):
    """Numbers what it writes; ``numbers`` are common to all outputs of a split."""

    def __init__(self, descriptors: Sequence[int], attention: Attention | Inattention, numbers: Iterator[int]) -> None:
        super().__init__(descriptors, attention)
        self._numbers = numbers

    def send(self, data: bytes) -> None:
        """Write it as a batch of its own."""
        if data:
            self.begin(next(self._numbers), whole=True)
        super().send(data)

    def _place_marker(self) -> None:
        """Make it a batch of its own: the numbers of all outputs' markers follow each other."""
        self.begin(next(self._numbers), whole=True)
        self._ended = True


class _Numbering(RoutingServer):
    """A split that numbers what it deals out, and says where in its input it stood."""

    dealt: Sequence[Dealt]

    def _give(self, data: Any, asked: float, got: float, taken: int, before: tuple[int, int]) -> None:
        for one in self.dealt:
            one.stood = before[0], self.operator.codec.offset
        super()._give(data, asked, got, taken, before)


class _Answering(Server):
    """A server that answers batches."""

    answers: Sequence[Answers]

    def _one(self, descriptor: int, read_bytes: int) -> tuple[float, float]:
        attention, batches = self.attention, Batches()
        asked = monotonic()
        while chunk := attention.read(descriptor, read_bytes):
            got = monotonic()
            attention.moved(-len(chunk), 0)
            for number, _, block, records, end in batches.take(chunk):
                attention.moved(len(block), 0)
                self.operator.stand(records, end - len(block))
                self._answer(number, block, asked, got)
                attention.between()
                attention.rest()
                asked = got = monotonic()
        if batches.inside:
            _torn("the split")
        for one in self.answers:
            one.begin(_AFTER_ALL, whole=False)
        return asked, monotonic()

    def _answer(self, number: int, block: bytes, asked: float, got: float) -> None:
        whole = not (self.attention.appointments or self.attention.alert)
        for one in self.answers:
            one.begin(number, whole=whole)
        self._take(block, 0, asked, got)
        for one in self.answers:
            one.end()


class _AnsweringRouting(_Answering, RoutingServer):
    """A server that answers batches on several outputs, each with its part."""


class Collating(Server):
    """The merge: it writes answers in the order of their numbers."""

    def serve(self, inputs: Sequence[int], read_bytes: int) -> None:
        """Read until all inputs have ended, then finish.

        Raises RunError where an answer is missing: a server ended before it had given it.
        """
        attention = self.attention
        self._next = 0
        self._held: dict[int, list[Batch]] = {port: [] for port in range(len(inputs))}
        streams = [Batches() for _ in inputs]
        living = dict(enumerate(inputs))
        self._asked = monotonic()
        while wanted := {descriptor: port for port, descriptor in living.items() if self._wants(port)}:
            for descriptor in attention.ready(wanted) if len(wanted) > 1 else list(wanted):
                port = wanted[descriptor]
                chunk = attention.read(descriptor, read_bytes)
                attention.moved(-len(chunk), 0)
                if chunk:
                    self._held[port] += streams[port].take(chunk)
                else:
                    del living[port]
                    if streams[port].inside:
                        _torn(f"server {port + 1}")
            self._write_due(settled=False)
        self._write_due(settled=True)
        self._finish(self._asked, monotonic())

    def _wants(self, port: int) -> bool:
        """Whether nothing is held of an input that waits for its turn."""
        batches = self._held[port]
        return not batches or batches[0][0] == _AFTER_ALL

    def _write_due(self, *, settled: bool) -> None:
        """Write all whose turn it is; ``settled``: every input has ended, or something of it is held."""
        while due := [(batches[0][0], port) for port, batches in self._held.items() if batches]:
            number, port = min(due)
            if number != self._next and not (settled and number == _AFTER_ALL):
                if settled:
                    _missing(self._next)
                return
            _, last, data, *_ = self._held[port].pop(0)
            if last and number != _AFTER_ALL:
                self._next += 1
            if data:
                self._write(data, port)

    def _write(self, data: bytes, port: int) -> None:
        attention = self.attention
        attention.moved(len(data), 0)
        self.visits.tally(port, len(data))
        self._take(data, port, self._asked, monotonic())
        if attention.freed:  # a marker has come by all servers, whose answers to it follow each other
            self._take_freed(self._asked, monotonic())
        self._asked = monotonic()
        attention.between()
        attention.rest()


def _torn(who: str) -> None:
    from streamsim.errors import RunError

    raise RunError(f"{who} ended in the middle of a batch")


def _missing(number: int) -> None:
    from streamsim.errors import RunError

    raise RunError(f"a server ended before it had answered batch {number + 1}")


def batched(
    part: str,
    operator: Operator,
    groups: Sequence[Sequence[int]],
    visits: Visits,
    attention: Attention | Inattention,
    outputs: Any,
) -> Server:
    """Return the server of an operator that numbers batches, answers them or collates the answers (``part``).

    ``groups`` are the descriptors of each of its outputs; ``outputs`` is what a merge writes into.
    """
    if part == "collate":
        return Collating(operator, outputs, visits, attention)
    if part == "number":
        from itertools import count

        numbers = count()
        dealt = [Dealt(group, attention, numbers) for group in groups]
        split = _Numbering(operator, gathered(operator, dealt, visits), visits, attention)
        split.dealt = dealt
        return split
    answers = [Answers(group, attention) for group in groups]
    kind = _AnsweringRouting if operator.shape == "routing" else _Answering
    server = kind(operator, gathered(operator, answers, visits), visits, attention)
    server.answers, server.in_pieces = answers, operator.shape != "routing"
    return server
