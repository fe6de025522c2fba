r"""Turn one format into another: lines, csv, frames, rows, msgpack, arrow.

>>> from streamsim.operators import create
>>> create("convert", {"to": "lines"}, "csv").run(b'"say hi",2\n')
b'say hi,2\n'
>>> rows = create("convert", {"to": {"name": "rows", "columns": ["S3", "i2"]}}).run(b"JFK,7\nLGA,-1\n")
>>> rows
b'JFK\x07\x00LGA\xff\xff'
>>> create("convert", {"to": "lines"}, {"name": "rows", "columns": ["S3", "i2"]}).run(rows)
b'JFK,7\nLGA,-1\n'
"""

from __future__ import annotations

from streamsim.formats import create as create_codec
from streamsim.formats import libraries as libraries_of
from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, check_row, shown
from streamsim.operators.base import RecordOperator, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from streamsim.formats.base import Codec
    from streamsim.operators.base import Format


class Convert(RecordOperator):
    """Turn one format into another: lines, csv, frames, rows, msgpack, arrow.

    Records are the same, column by column; texts are split at the delimiter, numbers are written with the fewest digits
    that read back as the same. A record that the other format cannot hold (a newline in a line, a text that is no
    number) cannot be worked on. Blocks are converted whole where that gives the same (_converters.py). A scenario needs
    this operator seldom: it is put between two stations of different formats.
    """

    traits = Traits(one_to_one=True, state="bounded", separable=True)
    keeps_columns = False
    parameters = (
        Parameter("to", "format", None, "the format to write", required=True),
        DELIMITER,
    )
    saved = ("_sent",)

    @classmethod
    def writes_format(cls, values: Mapping[str, Any], format: Format) -> Format | None:
        chosen: Format = values["to"]
        return chosen

    @classmethod
    def libraries(cls, values: Mapping[str, Any]) -> tuple[str, ...]:
        return libraries_of(values["to"])

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self.writes = create_codec(values["to"])
        self._sent: tuple[list[str], list[str] | None] | None = None
        """The names and types of the columns that the head of the output has told of."""
        self._convert: Callable[[bytes], bytes | None] | None = None
        self.vector = self._whole

    def _heading(self) -> bytes:
        """Return the head of the output, as soon as the columns are known."""
        if self._sent is None and (names := self.codec.names) is not None:
            return self._begin_output(names)
        return b""

    def _begin_output(self, names: list[str]) -> bytes:
        self._sent = names, self.codec.column_types
        return self.writes.head(*self._sent)

    def _work(self, block: bytes, port: int) -> bytes:
        head = self._heading()
        if block and self._sent is None:
            first = self.codec.fields(self.codec.split(block)[0], self._delimiter)
            head = self._begin_output([f"c{place}" for place in range(1, len(first) + 1)])
        return head + super()._work(block, port)

    def _whole(self, block: bytes) -> tuple[bytes, int] | None:
        """Convert a block at once, where there is a way and nothing in it needs a second look."""
        if self._convert is None:
            from streamsim.operators._converters import converter

            self._convert = converter(self.codec, self.writes, self._delimiter)
        out = self._convert(block)
        return None if out is None else (out, self.codec.count(block))

    def process(self, records: list[bytes]) -> list[bytes]:
        fields, record, delimiter = self.codec.fields, self.writes.record, self._delimiter
        pair = self.codec.name, self.writes.name
        same = set(pair) == {"lines", "frames"} or pair[0] == pair[1] == "lines"
        out = []
        for place, content in enumerate(records):
            try:
                found = [] if same else fields(content, delimiter)
                made = content if same else record(found, delimiter)
                check_row(made, None if same else len(found), delimiter, pair[1])
            except (ValueError, OverflowError) as error:
                self.reject(records, place, f"{error}, in {shown(content)}")
                continue
            out.append(made)
        return out

    def _restore_state(self, state: dict[str, Any]) -> None:
        super()._restore_state(state)
        if self._sent is not None:
            self.writes.head(*self._sent)
