r"""Keep, cut out or replace what a regular expression matches in each record.

>>> from streamsim.operators import create
>>> create("regex", {"pattern": "^b"}).run(b"abc\nbcd\n")
b'bcd\n'
>>> create("regex", {"pattern": "[0-9]+", "mode": "extract"}).run(b"a1b22\nc\n")
b'1\n22\n'
>>> create("regex", {"pattern": "([a-z])([0-9])", "mode": "replace", "by": r"\2\1"}).run(b"a1 b2\n")
b'1a 2b\n'
"""

from __future__ import annotations

import re

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from streamsim.formats.base import Codec
    from streamsim.operators.base import Format


class Regex(RecordOperator):
    """Keep, cut out or replace what a regular expression matches in each record.

    The syntax is that of Python's ``re``, over bytes: ``.`` is one byte, ``\\w`` ASCII. ``match`` keeps the
    records in which it is found anywhere; ``extract`` makes a record of every match, as ``grep -o``, or of its
    groups where it has some, joined by the delimiter; ``replace`` puts ``by`` in the place of every match.
    """

    traits = Traits(inputs=MANY)
    parameters = (
        Parameter("pattern", "text", None, "the regular expression", required=True),
        Parameter("mode", "text", "match", "what to do", choices=("match", "extract", "replace")),
        Parameter("by", "text", "", "what replaces a match; \\1 is its first group"),
        DELIMITER,
    )

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._pattern = re.compile(values["pattern"].encode())
        self._by = values["by"].encode()
        self._delimiter = values["delimiter"].encode()
        self._breaks = codec.name == "lines" and (b"\n" in self._by or b"\\n" in self._by)
        """Whether a replacement makes several lines of one."""
        if values["mode"] == "extract":
            self._headed, self._keeps, self.writes = True, False, codec.answers()
        self._work_on = {"match": self._match, "extract": self._extract, "replace": self._replace}[values["mode"]]

    @classmethod
    def writes_format(cls, values: Mapping[str, Any], format: Format) -> Format | None:
        if values["mode"] != "extract":
            return format
        from streamsim.formats import answer_format

        return answer_format(format)

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        try:
            pattern = re.compile(values["pattern"].encode())
        except re.error as error:
            raise bad_value("pattern", f"{values['pattern']!r}: {error}") from None
        try:
            pattern.sub(values["by"].encode(), b"")
        except (re.error, IndexError) as error:
            raise bad_value("by", f"{values['by']!r}: {error}") from None

    def process(self, records: list[bytes]) -> list[bytes]:
        return self._work_on(records)

    def _match(self, records: list[bytes]) -> list[bytes]:
        search = self._pattern.search
        return [record for record in records if search(record)]

    def _extract(self, records: list[bytes]) -> list[bytes]:
        find = self._pattern.findall
        found = [match for record in records for match in find(record)]
        return [self._delimiter.join(match) for match in found] if self._pattern.groups > 1 else found

    def _replace(self, records: list[bytes]) -> list[bytes]:
        replace, by = self._pattern.sub, self._by
        out = [replace(by, record) for record in records]
        return b"\n".join(out).split(b"\n") if self._breaks and out else out
