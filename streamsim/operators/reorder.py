r"""Restore the order of records that were shared out in batches: so many of each input in turn.

>>> from streamsim.operators import create
>>> order = create("reorder", {"batch": 2})
>>> order.width = 2
>>> order.feed(b"3\n4\n", 1), order.feed(b"1\n2\n5\n", 0), order.end(0), order.end(1)
(b'', b'1\n2\n3\n4\n5\n', b'', b'')
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._shapes import Selective
from streamsim.operators.base import MANY, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Reorder(Selective):
    """Restore the order of records that were shared out in batches: so many of each input in turn.

    The other half of ``partition`` with the same ``batch``, where each record between them gives exactly one. Where an
    input ends before its turn is over, the others must have ended with the turn before, or the run fails.
    """

    traits = Traits(inputs=MANY, one_to_one=True, state="bounded")
    parameters = (Parameter("batch", "integer", 512, "how many records of one input in turn", least=1),)
    in_turn = True
    saved = ("_records", "_turn", "_left", "_over", "_ended", "width")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._records: dict[int, list[bytes]] = {}
        self._turn, self._left = 0, values["batch"]
        self._over = False

    def wanted(self) -> int | None:
        if self._turn not in self._ended:
            return self._turn
        return next((port for port in range(self.width) if port not in self._ended), None)

    def take(self, block: bytes, port: int) -> None:
        self._records.setdefault(port, []).extend(self.codec.split(block))

    def ready(self) -> bytes:
        out: list[bytes] = []
        while not self._over:
            waiting = self._records.get(self._turn)
            if not waiting:
                self._over = self._turn in self._ended
                break
            taken = waiting[: self._left]
            del waiting[: self._left]
            out += taken
            self._left -= len(taken)
            if not self._left:
                self._turn, self._left = (self._turn + 1) % self.width, self.values["batch"]
        if self._over and (lost := [port for port, waiting in self._records.items() if waiting]):
            self._fail(lost[0])
        return self.codec.join(out)

    def _fail(self, port: int) -> None:
        from streamsim.errors import RunError

        raise RunError(
            f"input {self._turn + 1} ended while input {port + 1} had records left: between a split and an ordered "
            "merge each record must give exactly one; where it does not, merge = 'unordered'"
        )
