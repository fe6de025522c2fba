r"""Begin a loop: what comes from outside and what comes back become one stream of whole records.

>>> from streamsim.operators import create
>>> entry = create("loop")
>>> entry.feed(b"seed\nhal", 0), entry.feed(b"found\n", 1), entry.feed(b"f\n", 0), entry.finish()
(b'seed\n', b'found\n', b'half\n', b'')
"""

from __future__ import annotations

from streamsim.operators.base import MANY, BlockOperator, Traits


class Loop(BlockOperator):
    """Begin a loop: what comes from outside and what comes back become one stream of whole records.

    It stands where an input of a station leads back. It never keeps anybody waiting who brings records back, and ends
    when nothing comes from outside any more and nothing is on its way round (see real/worker/circle.py).
    """

    traits = Traits(inputs=MANY, one_to_one=True)
    shape = "loop"

    def end(self, port: int) -> bytes:
        """Return the last record of an input that has ended, where nothing terminated it."""
        rest = self._codecs[port].rest() if port in self._codecs else b""
        return self._work(self.codec.join(self.codec.split(rest)), port)

    def process(self, block: bytes, records: int) -> bytes:
        return block
