r"""Make records: whole numbers, words, or the same record again and again.

>>> from streamsim.operators import create
>>> create("generate", {"count": 3}).run()
b'1\n2\n3\n'
>>> create("generate", {"count": 2, "kind": "fixed", "size": 5}).run()
b'xxxx\nxxxx\n'
>>> create("generate", {"count": 4, "kind": "words", "keys": 50, "seed": 7}).run()
b'be\nba\ndu\nba\n'
"""

from __future__ import annotations

from itertools import accumulate, islice, product

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import Traits, bad_value
from streamsim.operators.source import Source

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Generate(Source):
    """Make records: whole numbers, words, or the same record again and again.

    ``numbers`` counts from 1, with leading zeros up to ``size``; ``words`` draws words so that the nth word is n
    times rarer than the first (Zipf), one or as many whole ones as fit ``size``; ``fixed`` fills ``size`` (100 by
    default) with the letter x. ``size`` is the record with its newline or length. The same parameters give the same
    bytes.
    """

    traits = Traits(inputs=0, source=True, state="bounded")
    parameters = (
        Parameter("count", "integer", None, "how many records; default: without end", least=0),
        Parameter("kind", "text", "numbers", "what they are", choices=("numbers", "words", "fixed")),
        Parameter("size", "bytes", None, "bytes of each record, framing included", least=1),
        Parameter("keys", "integer", 1000, "how many different words there are", least=1),
        Parameter("seed", "integer", 1, "where the random choices start"),
    )

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        if not codec.is_text(codec.values):
            raise bad_value("format", f"it makes texts, no records of '{codec.name}': put 'convert' behind it")

    def blocks(self) -> Iterator[bytes]:
        kind, size = self.values["kind"], self.values["size"]
        make: Callable[[int, int], list[bytes]] = getattr(self, f"_{kind}")()
        step = max(1, self.block_bytes // (size or {"numbers": 8, "words": 6, "fixed": 100}[kind]))
        count = self.values["count"]
        done = 0
        while count is None or done < count:
            records = step if count is None else min(step, count - done)
            yield self.codec.join(make(done, records))
            done += records

    def _content(self, default: int) -> int:
        """Return how many bytes of a record are not framing."""
        size = self.values["size"]
        return max(0, (default if size is None else size) - self.codec.overhead)

    def _numbers(self) -> Callable[[int, int], list[bytes]]:
        form = b"%%0%dd" % self._content(0) if self._content(0) else b"%d"
        return lambda done, records: list(map(form.__mod__, range(done + 1, done + records + 1)))

    def _fixed(self) -> Callable[[int, int], list[bytes]]:
        record = b"x" * self._content(100)
        return lambda done, records: [record] * records

    def _words(self) -> Callable[[int, int], list[bytes]]:
        from random import Random

        words = _vocabulary(self.values["keys"])
        weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
        choices: Any = Random(self.values["seed"]).choices
        each = max(1, (self._content(0) + 1) // (len(words[0]) + 1))
        if each == 1:
            return lambda done, records: choices(words, cum_weights=weights, k=records)

        def lines(done: int, records: int) -> list[bytes]:
            drawn = choices(words, cum_weights=weights, k=records * each)
            return [b" ".join(drawn[start : start + each]) for start in range(0, records * each, each)]

        return lines


def _vocabulary(keys: int) -> list[bytes]:
    """Return so many different words, all of one length.

    >>> _vocabulary(3)
    [b'ba', b'be', b'bi']
    """
    syllables = [consonant + vowel for consonant, vowel in product("bdfgklmnprstvz", "aeiou")]
    length = 1
    while len(syllables) ** length < keys:
        length += 1
    return ["".join(parts).encode() for parts in islice(product(syllables, repeat=length), keys)]
