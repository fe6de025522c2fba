"""What every operator has: traits, parameters, counters, a snapshot; bytes in and bytes out.

Three kinds to build on. `ByteOperator` takes chunks cut anywhere. `BlockOperator` gets blocks of whole records, for
work done on a block at once. `RecordOperator` gets a list of records and returns one. (`Source`, in source.py, makes
bytes.) What an operator writes never depends on where its input was cut into chunks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from streamsim.operators._marks import control as control
from streamsim.operators._marks import readable as readable
from streamsim.operators._rejects import Rejects
from streamsim.operators._traits import MANY as MANY
from streamsim.operators._traits import Traits as Traits

TYPE_CHECKING = False  # not from typing: importing that would double the time a server takes to start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, ClassVar

    from streamsim.formats.base import Codec
    from streamsim.formats.parameters import Parameter

    Format = str | Mapping[str, Any]


class Base(ABC):
    """What operators and sources share.

    ``values`` holds a value for every parameter, as `streamsim.operators.normal` returns them. ``saved`` names
    the attributes that are the state. Counting records where nothing else needs them costs 0.4 ns a byte, so
    ``counting`` (set before the first byte) turns it off. ``rejects`` takes the records that cannot be worked on.
    """

    traits: ClassVar[Traits] = Traits()
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    saved: ClassVar[tuple[str, ...]] = ()
    any_format: ClassVar[bool] = False
    """Of a source: whether what it passes on may be in any format."""
    reads_bytes: ClassVar[bool] = False
    """Whether what it reads are no records of its format."""
    can_reject: ClassVar[bool] = False
    """Whether there can be records that it cannot work on."""
    shape: ClassVar[str] = ""
    """How a server has to treat it: ``routing``, ``selective`` (see _shapes.py), ``loop``; empty: as a plain chain."""
    passes: ClassVar[bool] = False
    """Whether the output is the input byte for byte, so that full chunks may bypass `feed` uncounted."""
    adjustable: ClassVar[tuple[str, ...] | None] = None
    """The parameters that may change while it runs; None: all of them where it has no state, else none."""
    tied: str = ""
    """Why its parameters cannot change unless other servers change too; empty where they can."""
    course: Sequence[tuple[float, ...]] = ()
    """What it noted along the stream for who measures it: rows of numbers, the first its records so far."""

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        self.values, self.codec = values, codec
        self.records_in = self.records_out = 0
        self.counting = True
        self.rejects = Rejects()

    @classmethod
    def writes_format(cls, values: Mapping[str, Any], format: Format) -> Format | None:
        """Return the format of what it writes when it works in this one; None where that are no records."""
        return format

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the modules outside the standard library that these values need; they are imported when made."""
        return ()

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        """Raise ScenarioError, its path the parameter, where values of the right types are wrong together."""
        return

    @abstractmethod
    def run(self, data: bytes = b"") -> bytes:
        """Return all that comes out when this is all that goes in."""

    def snapshot(self) -> bytes:
        """Return the state between two chunks, for `restore` of an operator with the same parameters."""
        from pickle import dumps

        counts = self.records_in, self.records_out, self.rejects.count, self.rejects.first
        return dumps((counts, self._codec_states(), self._state()))

    def restore(self, snapshot: bytes) -> None:
        """Go on from where `snapshot` was called. Give it only your own snapshots: they are pickles."""
        from pickle import loads

        counts, codecs, state = loads(snapshot)
        self.records_in, self.records_out, self.rejects.count, self.rejects.first = counts
        self._restore_codecs(codecs)
        self._restore_state(state)

    def succeed(self, predecessor: Base, *, keep: bool = True) -> None:
        """Go on in the place of another operator of the same format: its counters, its half-read records, its state."""
        self.records_in, self.records_out = predecessor.records_in, predecessor.records_out
        self.rejects = predecessor.rejects
        self._restore_codecs(predecessor._codec_states())
        if keep:
            self._restore_state(predecessor._state())

    def can_go_on_from(self, predecessor: Base) -> bool:
        """Whether the state of another operator has the shape of this one's."""
        if Base._state in (type(self)._state, type(predecessor)._state):
            return type(self)._state is type(predecessor)._state and set(self.saved) == set(predecessor.saved)
        return type(self) is type(predecessor)

    def by_key(self) -> dict[bytes, Any] | None:
        """Return the state of each key by itself, which can so move to another server; None where it is not kept so.

        It is empty where any server may get any record, as none depends on those before.
        """
        undeclared = bool(self.saved) and self.traits.state == "none"
        return {} if self.traits.separable and not undeclared else None

    def exchange_keys(self, gone: Iterable[bytes], come: Mapping[bytes, Any]) -> None:
        """Give up the state of some keys and take that of others, where it is kept `by_key`."""
        keys = self.by_key()
        if keys is not None:
            for key in gone:
                del keys[key]
            keys.update(come)
            self._restore_state(self._state())

    def stand(self, records: int, offset: int) -> None:
        """Take note where the next block stands in a stream of which others work on parts too: for messages."""
        return

    def abandon(self) -> None:
        """Take away what would be left half done: the input will not come to its end."""
        return

    def give_way(self, successor: Base) -> None:
        """Bring to its end what the operator that goes on in this one's place did not take over."""
        return

    def between_records(self) -> bool:
        """Return whether all that was taken were whole records."""
        return not any(codec.inside() for codec in self._all_codecs())

    def _all_codecs(self) -> tuple[Codec, ...]:
        return (self.codec,)

    @readable
    def counted(self) -> dict[str, int]:
        """How many records it has taken and given."""
        return {"in": self.records_in, "out": self.records_out}

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.saved}

    def _restore_state(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _codec_states(self) -> dict[int, Any]:
        return {0: self.codec.snapshot()}

    def _restore_codecs(self, states: Mapping[int, Any]) -> None:
        self.codec.restore(states[0])


class Operator(Base):
    """A transformation of byte streams: `feed` it chunks, then `finish` it, once."""

    @abstractmethod
    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        """Take the bytes that one read of an input returned; return what can be written now."""

    def finish(self) -> bytes:
        """Return what remains to be written when all inputs have ended."""
        return b""

    def run(self, data: bytes = b"") -> bytes:
        return self.feed(data) + self.finish()


class ByteOperator(Operator):
    """Works on chunks cut anywhere; records are only counted, and as many go out as came in."""

    traits = Traits(one_to_one=True)

    def process(self, chunk: bytes) -> bytes:
        """Return the output for this chunk."""
        return chunk

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        if self.counting:
            self.records_in = self.records_out = self.records_in + self.codec.tally(chunk)
        return self.process(chunk)

    def finish(self) -> bytes:
        if self.counting:
            self.records_in = self.records_out = self.records_in + self.codec.tally_rest()
        return b""


class PortedOperator(Operator):
    """Has a codec for each input, so that records of several inputs stay whole."""

    can_reject = True
    keeps_columns: ClassVar[bool] = True
    """Whether the columns of the output are those of the input: then a heading is passed on, and the format kept."""

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._codecs = {0: codec}
        self.writes = codec if self.keeps_columns else codec.answers()
        self._headed = not self.keeps_columns
        self._place = 0, 0
        """The input of the block at work, and how many records of it came before."""
        self._mark = 0, 0
        """A place in the block at work, and its byte offset in the input."""
        self._passed: dict[int, int] = {}
        self._keeps = self.keeps_columns

    @classmethod
    def writes_format(cls, values: Mapping[str, Any], format: Format) -> Format | None:
        if cls.keeps_columns:
            return format
        from streamsim.formats import answer_format

        return answer_format(format)

    def _take(self, chunk: bytes, port: int) -> bytes:
        codec = self._codecs.get(port)
        if codec is None:
            codec = self._codecs[port] = self.codec.fresh()
        return codec.take(chunk)

    def _rest(self) -> list[tuple[int, bytes]]:
        """Return what the inputs kept to the end, by port; what is no whole record is rejected."""
        rests = []
        for port, codec in self._codecs.items():
            if self.rejects.policy == "fail":
                rest = codec.rest()
            else:
                tail = codec.tail()
                try:
                    rest = codec.rest()
                except Exception as error:  # told by its class below, which a server has not loaded
                    from streamsim.errors import RunError

                    if not isinstance(error, RunError):
                        raise
                    self.rejects.take(tail, str(error), codec.heading)
                    continue
            if rest:
                rests.append((port, rest))
        return rests

    def _begin(self, port: int, block: bytes, records: int) -> None:
        """Note where in its input the block stands that is about to be worked on."""
        codec = self._codecs[port]
        if self._keeps:
            self.writes = codec
            if codec.one_heading:
                self._check_headings(codec)
        before = self._passed.get(port, 0)
        self._passed[port] = before + records
        self._place = port, before
        self._mark = 0, codec.offset - len(block)

    def _check_headings(self, codec: Codec) -> None:
        for port, other in self._codecs.items():
            if other.heading and other.heading != codec.heading:
                from streamsim.errors import RunError

                raise RunError(f"input {port + 1} has other columns: one stream of this format cannot hold both")

    @property
    def port(self) -> int:
        """The input whose block is at work."""
        return self._place[0]

    def reject(self, records: list[bytes], place: int, message: str) -> None:
        """Take the record at ``place`` of the block at work out, which cannot be worked on.

        Raises RunError with its number and byte offset (in its input) where ``on_error`` is to fail; otherwise the
        caller goes on with the next record. Places go upwards.
        """
        (port, before), (marked, at) = self._place, self._mark
        codec = self._codecs[port]
        at += codec.size(records[marked:place])
        self._mark = place, at
        where = f"input {port + 1}, " if len(self._codecs) > 1 else ""
        where += f"record {before + place + 1}, byte {at}"
        self.rejects.take(codec.join(records[place : place + 1]), f"{where}: {message}", codec.heading)

    def stand(self, records: int, offset: int) -> None:
        self._passed[0], self.codec.offset = records, offset

    def _all_codecs(self) -> tuple[Codec, ...]:
        return tuple(self._codecs.values())

    def _heading(self) -> bytes:
        """Return the heading, once, as soon as an input has brought it."""
        if not self._headed:
            for codec in self._codecs.values():
                if codec.heading:
                    self._headed = True
                    return codec.heading
        return b""

    def _codec_states(self) -> dict[int, Any]:
        return {port: codec.snapshot() for port, codec in self._codecs.items()} | {-1: (self._headed, self._passed)}

    def _restore_codecs(self, states: Mapping[int, Any]) -> None:
        for port, state in states.items():
            if port < 0:
                self._headed, self._passed = state
            else:
                self._codecs.setdefault(port, self.codec.fresh()).restore(state)


class BlockOperator(PortedOperator):
    """Works on blocks of whole records: one C-level operation on 64 KiB costs what 100 records in Python do."""

    traits = Traits(inputs=MANY)

    @abstractmethod
    def process(self, block: bytes, records: int) -> bytes:
        """Return the output for this block of so many records (at least one)."""

    def flush(self) -> bytes:
        """Return what is left to write at the end."""
        return b""

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        return self._work(self._take(chunk, port), port)

    def finish(self) -> bytes:
        rests = self._rest()
        # Only the very last record of all may stay unterminated; the others would grow together.
        rests[:-1] = [(port, self.codec.join(self.codec.split(rest))) for port, rest in rests[:-1]]
        out = [self._work(rest, port) for port, rest in rests]
        last = self.flush()
        self.records_out += self.writes.count(last)
        return b"".join([*out, self._heading(), last])

    def _work(self, block: bytes, port: int) -> bytes:
        heading = self._heading()
        if not block:
            return heading
        records = self.codec.count(block)
        self.records_in += records
        out = self.process(block, records)
        self.records_out += records if out is block else self.writes.count(out)
        return heading + out if heading else out


class RecordOperator(PortedOperator):
    """Works on records: their contents in a list, without newline or length. The output is framed anew."""

    traits = Traits(inputs=MANY)
    vector: Callable[[bytes], tuple[bytes, int] | None] | None = None
    """How a block is worked on at once, if it can be: what is written, the number of records; None: one by one."""

    @abstractmethod
    def process(self, records: list[bytes]) -> list[bytes]:
        """Return the records to write for these; ``records_in`` counts those before them."""

    def flush(self) -> list[bytes]:
        """Return the records that are left to write at the end."""
        return []

    def feed(self, chunk: bytes, port: int = 0) -> bytes:
        return self._work(self._take(chunk, port), port)

    def finish(self) -> bytes:
        out = [self._work(rest, port) for port, rest in self._rest()]
        last = self.flush()
        self.records_out += len(last)
        return b"".join([*out, self._heading(), self.writes.join(last)])

    def _work(self, block: bytes, port: int) -> bytes:
        heading = self._heading()
        if not block:
            return heading
        if self.vector is not None and (made := self.vector(block)) is not None:
            self._begin(port, block, count := self.codec.count(block))
            self.records_in += count
            self.records_out += made[1]
            return heading + made[0] if heading else made[0]
        records = self.codec.split(block)
        self._begin(port, block, len(records))
        out = self.process(records)
        self.records_in += len(records)
        self.records_out += len(out)
        return heading + self.writes.join(out)


def bad_value(name: str, message: str) -> Exception:
    """Return the error for a parameter whose value will not do."""
    from streamsim.errors import ScenarioError

    return ScenarioError(message, path=name)
