r"""Make columns out of text: JSON, key=value pairs, or what the groups of a regular expression match.

>>> from streamsim.operators import create
>>> create("parse", {"from": "json", "fields": ["user.name", "bytes"]}).run(b'{"user": {"name": "ann"}, "bytes": 7}\n')
b'ann,7\n'
>>> create("parse", {"from": "pairs", "fields": ["level", "msg"]}).run(b'time=9 level=info msg="all well"\n')
b'info,all well\n'
>>> create("parse", {"from": "pattern", "pattern": r'^(\S+) .* "(\w+) '}).run(b'::1 - - "GET / HTTP/1.1"\n')
b'::1,GET\n'
"""

from __future__ import annotations

from streamsim.formats.parameters import Parameter
from streamsim.operators._columns import DELIMITER, check_row, shown
from streamsim.operators.base import MANY, RecordOperator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from streamsim.formats.base import Codec

    Parser = Callable[[bytes], Sequence[bytes]]
    """From a record to its columns; raises ValueError where it cannot be read."""


class Parse(RecordOperator):
    """Make columns out of text: JSON, key=value pairs, or what the groups of a regular expression match.

    ``fields`` are the keys whose values become the columns, in that order; ``a.b`` is the key b inside a. A field that
    is missing, or null, is an empty column; a list or an object stays JSON. A record that is no JSON object, or that
    the pattern does not match, cannot be worked on; nor, where lines come out, one whose columns hold the delimiter or
    a newline: choose a delimiter that does not occur.
    """

    traits = Traits(inputs=MANY, one_to_one=True)
    keeps_columns = False
    parameters = (
        Parameter("from", "text", None, "what the records are", required=True, choices=("json", "pairs", "pattern")),
        Parameter("fields", "texts", (), "of json and pairs: the keys to keep"),
        Parameter("pattern", "text", None, "a regular expression (Python's) with a group for each column"),
        DELIMITER,
    )

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["from"] != "pattern":
            if not values["fields"]:
                raise bad_value("fields", f"name the keys of the {values['from']} that become columns")
            if values["pattern"] is not None:
                raise bad_value("pattern", "goes with from = 'pattern'")
            return
        if values["fields"]:
            raise bad_value("fields", "a pattern has its groups instead")
        if values["pattern"] is None:
            raise bad_value("pattern", "give the regular expression")
        import re

        try:
            groups = re.compile(values["pattern"].encode()).groups
        except re.error as error:
            raise bad_value("pattern", f"{values['pattern']!r}: {error}") from None
        if not groups:
            raise bad_value("pattern", f"{values['pattern']!r} has no group; put one in (…) for each column")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._delimiter = values["delimiter"].encode()
        made = {"json": _json_parser, "pairs": _pairs_parser, "pattern": _pattern_parser}[values["from"]]
        self._parse: Parser = made(values)

    def process(self, records: list[bytes]) -> list[bytes]:
        parse, row, delimiter, format = self._parse, self.writes.row, self._delimiter, self.writes.name
        out = []
        for place, record in enumerate(records):
            try:
                found = parse(record)
                made = row(found, delimiter)
                check_row(made, len(found), delimiter, format)
                out.append(made)
            except ValueError as error:
                self.reject(records, place, f"{error}, in {shown(record)}")
        return out


def _json_parser(values: Mapping[str, Any]) -> Parser:
    from json import dumps, loads

    paths = [field.split(".") for field in values["fields"]]

    def text(value: object) -> bytes:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        return b"" if value is None else dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def parse(record: bytes) -> list[bytes]:
        found = loads(record)
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        columns = []
        for path in paths:
            value: Any = found
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            columns.append(text(value))
        return columns

    return parse


def _pairs_parser(values: Mapping[str, Any]) -> Parser:
    import re

    find = re.compile(rb'([^\s=]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))').findall
    unescape = re.compile(rb"\\(.)").sub
    fields = [field.encode() for field in values["fields"]]

    def parse(record: bytes) -> list[bytes]:
        pairs = {key: unescape(rb"\1", quoted) if quoted else plain for key, quoted, plain in find(record)}
        if not pairs:
            raise ValueError("no key=value pair")
        return [pairs.get(field, b"") for field in fields]

    return parse


def _pattern_parser(values: Mapping[str, Any]) -> Parser:
    import re

    search = re.compile(values["pattern"].encode()).search

    def parse(record: bytes) -> Sequence[bytes]:
        match = search(record)
        if match is None:
            raise ValueError("the pattern does not match")
        return match.groups(b"")

    return parse
