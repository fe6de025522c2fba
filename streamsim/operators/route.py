r"""Send the records for which an expression is true on, and the others out by the port ``rest``.

>>> from streamsim.operators import create
>>> route = create("route", {"where": "len(record) > 2"})
>>> route.width = 2
>>> route.feed_each(b"one\nat\ntwo\n")
[b'one\ntwo\n', b'at\n']
>>> create("route", {"where": "len(record) > 2"}).run(b"one\nat\n")
b'one\n'
"""

from __future__ import annotations

from streamsim.formats.base import Codec
from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, shown
from streamsim.operators._expression import block_function
from streamsim.operators._shapes import Routing
from streamsim.operators.base import Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Route(Routing):
    """Send the records for which an expression is true on, and the others out by the port ``rest``.

    The language is that of `filter`. Who reads the others names them ``input = "NAME.rest"``; where nobody does they
    are dropped.
    """

    traits = Traits(ports=("rest",))
    parameters = (
        Parameter("where", "text", None, "such as column(2) == 'JFK' and len(record) > 9", required=True),
        DELIMITER,
    )

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        columns = bytes.split if type(codec).columns is Codec.columns else codec.columns
        self._run = block_function(values["where"], "where", values["delimiter"].encode(), columns)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        block_function(values["where"], "where", b",", bytes.split)

    def route(self, block: bytes) -> list[bytes]:
        records = self.codec.split(block)
        try:
            kept = self._run(records)
        except (ValueError, ArithmeticError) as error:
            raise self._found(records, error) from None
        return [self.codec.join(kept), self.codec.join(_others(records, kept)) if self.width > 1 else b""]

    def _found(self, records: list[bytes], failure: Exception) -> Exception:
        """Run the block again to find the record that failed: cheaper than a guard around each of them."""
        from streamsim.errors import RunError

        for place, record in enumerate(records):
            try:
                self._run([record])
            except (ValueError, ArithmeticError) as error:
                return RunError(f"record {self.records_in + place + 1}: {error}, in {shown(record)}")
        return failure


def _others(records: list[bytes], kept: list[bytes]) -> list[bytes]:
    """Return the records that are not among those kept, which stand in the same order and are the same objects."""
    rest: list[bytes] = []
    following = iter(kept)
    expected = next(following, None)
    for record in records:
        if record is expected:
            expected = next(following, None)
        else:
            rest.append(record)
    return rest
