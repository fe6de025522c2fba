r"""Share records out: each output in turn, the one of the record's key, the one with least to do, or all of them.

>>> from streamsim.operators import create
>>> split = create("partition", {"by": "key", "key": 1})
>>> split.width = 2
>>> split.feed_each(b"a,1\nd,2\na,3\n")
[b'd,2\n', b'a,1\na,3\n']
>>> create("partition").run(b"one\ntwo\n")
b'one\ntwo\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER
from streamsim.operators._shapes import Routing
from streamsim.operators.base import Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Partition(Routing):
    """Share records out: each output in turn, the one of the record's key, the one with least to do, or all of them.

    In turn, and by least to do, go the blocks of whole records that one read returned; in turn also exactly ``batch``
    records at a time. A key's output is its CRC-32 modulo the number of outputs, so that it is the same in every run; a
    record that lacks the column has the empty key.
    """

    traits = Traits(one_to_one=True, state="bounded")
    parameters = (
        Parameter(
            "by", "text", "round-robin", "who gets a record", choices=("round-robin", "key", "least-loaded", "copy")
        ),
        Parameter("key", "integer", None, "the column of the key, the first is 1; default: the whole record", least=1),
        DELIMITER,
        Parameter("active", "integer", 0, "share them out among the first so many outputs only; 0: all", least=0),
        Parameter("batch", "integer", 0, "how many records go to one output in turn; 0: what one read gave", least=0),
    )
    saved = ("_turn", "_left")
    adjustable = ("active",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._key = -1 if values["key"] is None else values["key"] - 1
        self._batch, self._active = values["batch"], values["active"]
        self._turn, self._left = 0, self._batch
        if values["by"] == "key":
            self.tied = "records of a key would go to another server than what is known of it; scale moves both"
        elif self._batch:
            self.tied = (
                f"records go to each server {self._batch} at a time in turn, and an ordered merge would wait for ever "
                "for those of one that gets none"
            )
        ways = {"key": self._by_key, "least-loaded": self._to_least, "copy": self._to_all}
        self._way = ways.get(values["by"], self._in_batches if self._batch else self._in_turn)

    def route(self, block: bytes) -> list[bytes]:
        return [block] if self.width == 1 else self._way(block)

    @property
    def _among(self) -> int:
        """How many outputs share what comes."""
        return min(self._active, self.width) if self._active else self.width

    def _in_use(self) -> list[int]:
        """Return the outputs that share what comes and that somebody reads; all that are read, if none of those is."""
        return [output for output in self.open if output < self._among] or list(self.open)

    def _to_all(self, block: bytes) -> list[bytes]:
        return [block] * self.width

    def _to(self, output: int, block: bytes) -> list[bytes]:
        parts = [b""] * self.width
        parts[output] = block
        return parts

    def _in_turn(self, block: bytes) -> list[bytes]:
        outputs = self._in_use()
        output = outputs[self._turn % len(outputs)]
        self._turn = (self._turn + 1) % len(outputs)
        return self._to(output, block)

    def _to_least(self, block: bytes) -> list[bytes]:
        levels = self.levels()
        self._turn = (self._turn + 1) % self.width
        among = sorted(self._in_use(), key=lambda output: (levels[output], (output - self._turn) % self.width))
        return self._to(among[0], block)

    def _in_batches(self, block: bytes) -> list[bytes]:
        records, codec = self.codec.split(block), self.codec
        parts: list[list[bytes]] = [[] for _ in range(self.width)]
        done = 0
        while done < len(records):
            taken = records[done : done + self._left]
            parts[self._turn] += taken
            done += len(taken)
            self._left -= len(taken)
            if not self._left:
                self._turn, self._left = (self._turn + 1) % self._among, self._batch
        return [codec.join(part) for part in parts]

    def _by_key(self, block: bytes) -> list[bytes]:
        from zlib import crc32

        codec, width, key, delimiter = self.codec, self._among, self._key, self._delimiter
        parts: list[list[bytes]] = [[] for _ in range(self.width)]
        if key < 0:
            for record in codec.split(block):
                parts[crc32(record) % width].append(record)
        else:
            columns = codec.columns
            for record in codec.split(block):
                row = columns(record, delimiter)
                parts[crc32(row[key] if key < len(row) else b"") % width].append(record)
        return [codec.join(part) for part in parts]
