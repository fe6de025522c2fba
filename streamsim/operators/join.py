r"""Join two inputs on a column: all of it, or what comes close in time.

>>> from streamsim.operators import create
>>> join = create("join", {"left": 1, "right": 2})
>>> join.feed(b"JFK,a\nLGA,b\n", 0), join.feed(b"1,LGA\n2,JFK\n3,LGA\n", 1), join.finish()
(b'', b'LGA,b,1\nJFK,a,2\nLGA,b,3\n', b'')
>>> near = create("join", {"left": 2, "right": 2, "within": 5, "left_time": 1, "right_time": 1})
>>> near.feed(b"0,x,a\n20,x,b\n", 0), near.feed(b"4,x,c\n11,x,d\n22,x,e\n", 1)
(b'', b'0,x,a,4,c\n20,x,b,22,e\n')
"""

from __future__ import annotations

from collections import deque

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, column_error, number
from streamsim.operators.base import RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Join(RecordOperator):
    """Join two inputs on a column: all of it, or what comes close in time.

    Each record meets the records of the other input with the same key, as soon as the later of the two is there
    (symmetric hash join; Wilschut and Apers 1991). A row is the left record, then the right one without its key. With
    ``within`` only those meet whose times differ by no more, and what is too old for the other input is forgotten; each
    input must then be in the order of its time, give or take ``lateness`` (what comes later still cannot be worked on).
    Without it everything is kept. Which rows come does not depend on which input is faster, only their order does.
    """

    traits = Traits(inputs=2, state="all")
    keeps_columns = False
    parameters = (
        Parameter("left", "integer", None, "the key's column in the first input", required=True, least=1),
        Parameter("right", "integer", None, "the key's column in the second input", required=True, least=1),
        Parameter("within", "number", None, "the most that times may differ; default: join all", least=0),
        Parameter("left_time", "integer", None, "the column of the time in the first input", least=1),
        Parameter("right_time", "integer", None, "the column of the time in the second input", least=1),
        Parameter("lateness", "number", 0, "by how much the times of an input may be out of order", least=0),
        DELIMITER,
    )
    saved = ("_sides",)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        for name in ("left_time", "right_time"):
            if values["within"] is not None and values[name] is None:
                raise bad_value(name, "within needs the columns of both times")
            if values["within"] is None and values[name] is not None:
                raise bad_value(name, "goes with within")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._places = values["left"] - 1, values["right"] - 1
        self._times = (values["left_time"] or 0) - 1, (values["right_time"] or 0) - 1
        self._within: float = float("inf") if values["within"] is None else values["within"]
        self._sides = _Side(), _Side()

    @readable
    def kept(self) -> list[int]:
        """How many records of the first and of the second input it keeps, for partners that may come."""
        return [sum(map(len, side.rows.values())) for side in self._sides]

    def process(self, records: list[bytes]) -> list[bytes]:
        port = self.port
        mine, other = self._sides[port], self._sides[1 - port]
        place_of_key, place_of_time = self._places[port], self._times[port]
        within, lateness = self._within, self.values["lateness"]
        out: list[bytes] = []
        for place, record in enumerate(records):
            row = self.codec.columns(record, self._delimiter)
            time: float = 0
            try:
                key = row[place_of_key]
                if place_of_time >= 0:
                    time = number(row[place_of_time])
            except (IndexError, ValueError):
                self.reject(records, place, column_error(row, place_of_key, place_of_time))
                continue
            if time < mine.latest - lateness:
                self.reject(records, place, f"time {time:.15g} comes too late, {mine.latest:.15g} has been")
                continue
            mine.latest = max(mine.latest, time)
            for met, their_row in other.rows.get(key, ()):
                if abs(time - met) <= within:
                    out.append(self._joined(row, their_row) if port == 0 else self._joined(their_row, row))
            mine.add(time, key, row)
            if place_of_time >= 0:
                mine.order.append((time, key))
                other.forget(mine.latest - lateness - within)
        return out

    def _joined(self, left: list[bytes], right: list[bytes]) -> bytes:
        place = self._places[1]
        return self.writes.row([*left, *right[:place], *right[place + 1 :]], self._delimiter)


class _Side:
    """What is kept of one input: rows by key, and where they have times the order in which they came."""

    __slots__ = ("latest", "order", "rows")

    def __init__(self) -> None:
        self.latest = float("-inf")
        self.rows: dict[bytes, deque[tuple[float, list[bytes]]]] = {}
        self.order: deque[tuple[float, bytes]] = deque()

    def add(self, time: float, key: bytes, row: list[bytes]) -> None:
        kept = self.rows.get(key)
        if kept is None:
            kept = self.rows[key] = deque()
        kept.append((time, row))

    def forget(self, before: float) -> None:
        """Drop what is older, from the front; what stands behind something younger goes with that."""
        order = self.order
        while order and order[0][0] < before:
            _, key = order.popleft()
            kept = self.rows[key]
            kept.popleft()
            if not kept:
                del self.rows[key]
