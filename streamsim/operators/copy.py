r"""Pass the bytes on unchanged; each of its outputs gets all of them.

>>> from streamsim.operators import create
>>> create("copy").run(b"one\ntwo\n")
b'one\ntwo\n'
"""

from __future__ import annotations

from streamsim.operators.base import ByteOperator


class Copy(ByteOperator):
    """Pass the bytes on unchanged; each of its outputs gets all of them."""

    passes = True
