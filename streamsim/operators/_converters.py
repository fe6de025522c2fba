"""Blocks of one format turned into another at once. Each gives what `convert` makes record by record, or None.

None says that something in the block needs a second look: a quote, a number that does not fit, a missing value.
"""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from streamsim.formats.base import Codec

    Converter = Callable[[bytes], bytes | None]

_TEXT = ("lines", "csv")


def converter(source: Codec, target: Codec, delimiter: bytes) -> Converter:
    """Return the fastest way from blocks of one codec to blocks of the other."""
    origin: Any = source
    goal: Any = target
    if source.name in _TEXT and target.name in _TEXT:
        return _same_text
    if {source.name, target.name} == {"lines", "frames"}:
        return _reframed(source, target)
    if source.name in _TEXT and target.name == "rows" and goal.types:
        return lambda block: _rows_of_text(block, goal, delimiter)
    if source.name == "rows" and target.name in _TEXT and origin.types:
        return lambda block: _text_of_rows(block, origin, delimiter)
    if source.name in _TEXT and target.name == "arrow":
        return lambda block: _arrow_of_text(block, goal, delimiter)
    if source.name == "rows" and target.name == "arrow" and origin.types:
        return lambda block: _arrow_of_rows(block, origin, goal)
    if source.name == "arrow" and target.name in _TEXT and delimiter == b",":
        return lambda block: _text_of_arrow(block, origin)
    if source.name == "arrow" and target.name == "rows" and goal.types:
        return lambda block: _rows_of_arrow(block, origin, goal)
    if source.name == target.name == "arrow" and not goal.values.get("columns"):
        return lambda block: block
    if source.name == target.name == "rows" and origin.column_types == goal.column_types and origin.types:
        return lambda block: block
    return lambda block: None


def _same_text(block: bytes) -> bytes | None:
    """Lines without quotes are CSV, and the other way round; a carriage return belongs to a line, not to a column."""
    if b'"' in block or b"\r" in block:
        return None
    return block if block.endswith(b"\n") else block + b"\n"


def _reframed(source: Codec, target: Codec) -> Converter:
    def convert(block: bytes) -> bytes | None:
        records = source.split(block)
        if target.name == "lines" and block.count(b"\n") and any(b"\n" in record for record in records):
            return None
        return target.join(records)

    return convert


def _tokens(block: bytes, columns: int, delimiter: bytes) -> list[bytes] | None:
    """Return the columns of all records, one record after the other, where each has so many."""
    if b'"' in block or b"\r" in block or (columns > 1 and b"\n" in delimiter):
        return None
    lines = block.removesuffix(b"\n")
    records = lines.count(b"\n") + 1
    if columns == 1:
        return lines.split(b"\n") if delimiter not in block else None
    if block.count(delimiter) != records * (columns - 1):
        return None
    # As many delimiters in all do not mean as many in each record.
    if any(line.count(delimiter) != columns - 1 for line in lines.split(b"\n")):
        return None
    return lines.replace(b"\n", delimiter).split(delimiter)


def _rows_of_text(block: bytes, target: Any, delimiter: bytes) -> bytes | None:
    import numpy

    types = target.types
    tokens = _tokens(block, len(types), delimiter)
    if tokens is None:
        return None
    rows = numpy.empty(len(tokens) // len(types), target.dtype)
    for place, column in enumerate(types):
        texts = tokens[place :: len(types)]
        if column.type[0] == "S":
            if max(map(len, texts)) > column.size or b"\0" in block:
                return None
            rows[f"f{place}"] = texts
            continue
        try:
            # int() and float() are what numbers mean to us; numpy's own parser takes other texts for numbers.
            values = numpy.array(list(map(int if column.whole else float, texts)), "i8" if column.whole else "f8")
        except (ValueError, OverflowError):
            return None
        if column.whole:
            low, high = numpy.iinfo(column.type).min, numpy.iinfo(column.type).max
            if column.type == "u8" or values.min() < low or values.max() > high:
                return None
        with numpy.errstate(over="ignore"):
            rows[f"f{place}"] = values
    return rows.tobytes()


def _text_of_rows(block: bytes, source: Any, delimiter: bytes) -> bytes | None:
    import numpy

    rows = numpy.frombuffer(block, source.dtype)
    columns = []
    for place, column in enumerate(source.types):
        values = rows[f"f{place}"]
        if column.type[0] == "S":
            texts = values.tolist()
            joined = b"".join(texts)
            if any(sign in joined for sign in (b'"', b"\r", b"\n", delimiter)):
                return None
            columns.append([text.decode("latin-1") for text in texts])
        else:
            columns.append(values.tolist())
    form = delimiter.decode("latin-1").replace("%", "%%").join("%s" for _ in columns) + "\n"
    flat = [value for row in zip(*columns, strict=True) for value in row]
    return ((form * len(rows)) % tuple(flat)).encode("latin-1")


def _arrow_of_text(block: bytes, target: Any, delimiter: bytes) -> bytes | None:
    if delimiter != b"," or _tokens(block, len(target.schema), delimiter) is None or b"\n\n" in b"\n" + block:
        return None  # an empty line is a record to us, nothing to Arrow
    if b"0x" in block or b"0X" in block:
        return None  # a whole number to Arrow
    try:
        made: bytes = target.block_of(target.table_of(block))
    except ValueError:  # pyarrow's ArrowInvalid
        return None
    return made


def _text_of_arrow(block: bytes, source: Any) -> bytes | None:
    try:
        made: bytes = source.csv_of(source.batches(block), "none")
    except ValueError:
        return None
    return made


def _arrow_of_rows(block: bytes, source: Any, target: Any) -> bytes | None:
    import numpy
    import pyarrow

    rows = numpy.frombuffer(block, source.dtype)
    columns = []
    try:
        for place, kind in enumerate(target.schema.types):
            values = numpy.ascontiguousarray(rows[f"f{place}"])
            if source.types[place].type[0] == "S":
                found = pyarrow.array(values.tolist(), pyarrow.binary())
                if kind != pyarrow.utf8() or b"" in values:
                    return None
                columns.append(found.cast(kind))
            elif pyarrow.from_numpy_dtype(values.dtype) != kind:
                return None
            else:
                columns.append(pyarrow.array(values, kind))
        made: bytes = target.block_of(pyarrow.Table.from_arrays(columns, schema=target.schema))
    except (ValueError, IndexError):
        return None
    return made


def _rows_of_arrow(block: bytes, source: Any, target: Any) -> bytes | None:
    import numpy

    table = source.batches(block)
    if table.num_columns != len(target.types) or any(column.null_count for column in table.columns):
        return None
    rows = numpy.empty(table.num_rows, target.dtype)
    for place, column in enumerate(target.types):
        values = table.column(place)
        if column.type[0] == "S":
            if str(values.type) != "string":
                return None
            texts = [text.encode() for text in values.to_pylist()]
            if max(map(len, texts), default=0) > column.size or any(b"\0" in text for text in texts):
                return None
            rows[f"f{place}"] = texts
        else:
            found = values.to_numpy()
            if found.dtype != numpy.dtype(column.type):
                return None
            rows[f"f{place}"] = found
    return rows.tobytes()
