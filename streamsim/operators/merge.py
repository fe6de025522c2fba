r"""Merge inputs that are sorted into one that is, as ``sort -m`` does; equal records in the order of the inputs.

>>> from streamsim.operators import create
>>> merge = create("merge", {"key": 2, "numeric": True})
>>> merge.width = 2
>>> merge.feed(b"a,1\nb,3\n", 0), merge.feed(b"c,2\nd,4\n", 1), merge.end(0), merge.end(1)
(b'', b'a,1\nc,2\nb,3\n', b'd,4\n', b'')
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, number, shown
from streamsim.operators._shapes import Selective
from streamsim.operators.base import MANY, Traits

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec


class Merge(Selective):
    """Merge inputs that are sorted into one that is, as ``sort -m`` does; equal records in the order of the inputs.

    Texts are compared byte by byte, as ``LC_ALL=C sort`` does. It keeps what one read of each input returned. An input
    that is not sorted fails the run.
    """

    traits = Traits(inputs=MANY, one_to_one=True, state="bounded")
    parameters = (
        Parameter("key", "integer", None, "the column to compare, the first is 1; default: the whole record", least=1),
        Parameter("numeric", "flag", False, "compare numbers, not texts"),
        Parameter("reverse", "flag", False, "largest first"),
        DELIMITER,
    )
    saved = ("_records", "_keys", "_lasts", "_seen", "_ended", "width")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        self._key = -1 if values["key"] is None else values["key"] - 1
        self._numeric, self._reverse = values["numeric"], values["reverse"]
        self._records: dict[int, list[bytes]] = {}
        self._keys: dict[int, list[Any]] = {}
        self._lasts: dict[int, Any] = {}
        """The last key that came from each input: its record may have been given already."""
        self._seen: dict[int, int] = {}

    def wanted(self) -> int | None:
        for port in range(self.width):
            if port not in self._ended and not self._records.get(port):
                return port
        return next((port for port in range(self.width) if port not in self._ended), None)

    def take(self, block: bytes, port: int) -> None:
        records = self.codec.split(block)
        keys = self._keys_of(records, port)
        self._check(keys, records, port)
        self._records.setdefault(port, []).extend(records)
        self._keys.setdefault(port, []).extend(keys)
        self._lasts[port] = keys[-1]
        self._seen[port] = self._seen.get(port, 0) + len(records)

    def ready(self) -> bytes:
        """Return all records up to the smallest last key of the inputs that go on: none smaller can come any more."""
        living = [port for port in range(self.width) if port not in self._ended]
        if any(not self._records.get(port) for port in living):
            return b""
        last, rank = None, self.width
        for port in living:
            key = self._keys[port][-1]
            if last is None or self._before(key, last):
                last, rank = key, port
        runs, keys = [], []
        for port in sorted(self._records):
            count = len(self._records[port]) if last is None else self._count(self._keys[port], last, port <= rank)
            runs += self._records[port][:count]
            keys += self._keys[port][:count]
            del self._records[port][:count], self._keys[port][:count]
        if self.width > 1:
            order = sorted(range(len(keys)), key=keys.__getitem__, reverse=self._reverse)  # stable, also reversed
            runs = [runs[place] for place in order]
        return self.codec.join(runs)

    def _before(self, one: Any, other: Any) -> bool:
        found: bool = one > other if self._reverse else one < other
        return found

    def _count(self, keys: list[Any], last: Any, inclusive: bool) -> int:
        """Return how many of the sorted keys come before ``last``, or are equal to it."""
        low, high = 0, len(keys)
        while low < high:
            middle = (low + high) // 2
            if self._before(keys[middle], last) or (inclusive and keys[middle] == last):
                low = middle + 1
            else:
                high = middle
        return low

    def _keys_of(self, records: list[bytes], port: int) -> list[Any]:
        if self._key < 0:
            texts = records
        else:
            columns, delimiter, key = self.codec.columns, self._delimiter, self._key
            rows = [columns(record, delimiter) for record in records]
            texts = [row[key] if key < len(row) else b"" for row in rows]
        if not self._numeric:
            return texts
        try:
            return [number(text) for text in texts]
        except ValueError:
            keys: list[Any] = []
            for place, text in enumerate(texts):
                try:
                    keys.append(number(text))
                except ValueError:
                    self._check(keys, records, port)  # the first fault is told, wherever the chunk was cut
                    raise self._wrong(port, place, f"{shown(text)} is not a number") from None
            raise

    def _check(self, keys: list[Any], records: list[bytes], port: int) -> None:
        whole = [self._lasts[port], *keys] if port in self._lasts else keys
        if whole == sorted(whole, reverse=self._reverse):  # 20 ns a record: sorting what is sorted is a walk
            return
        for place in range(len(whole) - 1):
            if self._before(whole[place + 1], whole[place]):
                at = place + 1 - (len(whole) - len(keys))
                raise self._wrong(
                    port,
                    at,
                    f"{shown(records[at])} comes before what stands above it (sort it first: {self._sort()})",
                )

    def _sort(self) -> str:
        """Return the command that sorts an input as it is to be."""
        options = ["-n"] * self._numeric + ["-r"] * self._reverse
        if self._key >= 0:
            options += [f"-t '{self._delimiter.decode()}'", f"-k {self._key + 1},{self._key + 1}"]
        return " ".join(["LC_ALL=C sort -s", *options])

    def _wrong(self, port: int, place: int, message: str) -> Exception:
        from streamsim.errors import RunError

        which = f"input {port + 1}, " if self.width > 1 else ""
        return RunError(f"{which}record {self._seen.get(port, 0) + place + 1}: {message}")
