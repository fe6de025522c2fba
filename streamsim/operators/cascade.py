r"""Keep the records that pass several filters, run one after the other in an order that can be changed.

>>> from streamsim.operators import create
>>> create("cascade", {"where": ["len(record) > 1", "record != 'a' and record != 'cc'"]}).run(b"a\nbb\ncc\nbcd\n")
b'bb\nbcd\n'

What comes out does not depend on the order, what it costs does: a controller with the policy `order-filters` finds
the order that suits the stream.
"""

from __future__ import annotations

from time import thread_time

from streamsim.formats.base import Codec
from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER
from streamsim.operators._expression import block_function
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value, readable

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


_MOST_NOTES = 256


class Cascade(RecordOperator):
    """Keep the records that pass several filters, run one after the other in an order that can be changed.

    A record on which an expression fails, fails the run: whether it is reached depends on the order.
    """

    traits = Traits(inputs=MANY, state="bounded", separable=True)
    parameters = (
        Parameter("where", "texts", None, "the expressions, as of filter", required=True),
        Parameter("order", "text", None, "their numbers in the order in which to run them, such as 2,1,3"),
        DELIMITER,
    )
    saved = ("_seen", "_kept", "_cost_s", "course", "_step")
    adjustable = ("order",)

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        columns = bytes.split if type(codec).columns is Codec.columns else codec.columns
        delimiter = values["delimiter"].encode()
        self._filters = [block_function(text, "where", delimiter, columns) for text in values["where"]]
        self._sequence = _order(values)
        count = len(self._filters)
        self._seen, self._kept, self._cost_s = [0] * count, [0] * count, [0.0] * count
        self.course: list[tuple[float, ...]] = [(0.0,) * (1 + 3 * count)]
        self._step = 1

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if not values["where"]:
            raise bad_value("where", "give at least one expression")
        for text in values["where"]:
            block_function(text, "where", b",", bytes.split)
        _order(values)

    @readable
    def order(self) -> list[int]:
        """The filters in the order in which they run, counted from 0."""
        return list(self._sequence)

    @readable
    def seen(self) -> list[int]:
        """How many records each filter has been given."""
        return list(self._seen)

    @readable
    def passed(self) -> list[int]:
        """How many each has let through."""
        return list(self._kept)

    @readable
    def cost_s(self) -> list[float]:
        """How much CPU time each has used (s)."""
        return list(self._cost_s)

    def process(self, records: list[bytes]) -> list[bytes]:
        if self.records_in >= self.course[-1][0] + self._step:
            self._note()
        before = thread_time()
        for place in self._sequence:
            if not records:
                break
            self._seen[place] += len(records)
            try:
                records = self._filters[place](records)
            except (ValueError, ArithmeticError) as error:
                from streamsim.errors import RunError

                text = self.values["where"][place]
                raise RunError(f"record after {self.records_in}: {error}, in {text!r}") from None
            now = thread_time()
            self._kept[place] += len(records)
            self._cost_s[place] += now - before
            before = now
        return records

    def flush(self) -> list[bytes]:
        if self.records_in > self.course[-1][0]:
            self._note()
        return []

    def _note(self) -> None:
        """Keep what the filters have done until now; of a long stream ever fewer, evenly."""
        self.course.append((self.records_in, *self._seen, *self._kept, *self._cost_s))
        if len(self.course) > _MOST_NOTES:
            del self.course[1::2]
            self._step = 2 * self.records_in // _MOST_NOTES


def _order(values: Mapping[str, Any]) -> tuple[int, ...]:
    count, text = len(values["where"]), values["order"]
    if text is None:
        return tuple(range(count))
    try:
        order = tuple(int(word) - 1 for word in text.split(","))
    except ValueError:
        order = ()
    if sorted(order) != list(range(count)):
        raise bad_value("order", f"{text!r} does not name each of 1 to {count} once")
    return order
