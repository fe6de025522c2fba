"""Expressions over whole blocks of rows, by numpy: what `filter` does where the columns have types.

The language is that of _expression.py, and so is what comes out: a part of it that numpy would answer differently
(text functions, whole numbers that might overflow, the columns of a number as text) is not translated, and the
expression is then run record by record. So is a block in which something cannot be computed, to name the record.

>>> from streamsim.formats._types import parse_columns
>>> keep = vector_function("float(column(2)) > 1.5 and column(1) != 'AA'", parse_columns(("S2", "f8")))
>>> import numpy
>>> rows = numpy.array([(b"UA", 2.0), (b"AA", 9.0), (b"UA", 1.0)], dtype="S2,f8")
>>> keep(rows).tolist()
[True, False, False]
>>> vector_function("len(record) > 3", parse_columns(("S2", "f8"))) is None
True
"""

from __future__ import annotations

from _ast import PyCF_ONLY_AST

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from streamsim.formats._types import Column

    Term = tuple[str, str, int]
    """A piece of Python source over arrays, its type, and the bits that its whole numbers need (0: fractions)."""

TEXT, NUMBER, TRUTH = "text", "number", "truth"
_EXACT = 53
"""Whole numbers of so many bits are exact as fractions."""
_LONGEST = 63
_SIGNS = {"Add": "+", "Sub": "-", "Mult": "*"}
_COMPARISONS = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}


class _Unlike(Exception):
    """There is no array expression that would give the same."""


def vector_function(expression: str, types: Sequence[Column]) -> Callable[[Any], Any] | None:
    """Return a function from an array of rows to a mask of those to keep; None where there is none that is the same.

    The expression has been checked by `block_function`.
    """
    tree: Any = compile(expression.strip(), "expression", "eval", PyCF_ONLY_AST)
    try:
        source = _Translator(types).truth(tree.body)
    except _Unlike:
        return None
    import numpy

    names = {"full": numpy.full, "where": numpy.where, "absolute": numpy.absolute, "__builtins__": {"len": len}}
    made: Callable[[Any], Any] = eval(compile(f"lambda rows: {source}", "where", "eval"), names)

    def keep(rows: Any) -> Any:
        with numpy.errstate(all="raise"):  # a division by zero is no infinity, but a record that cannot be worked on
            return made(rows)

    return keep


class _Translator:
    def __init__(self, types: Sequence[Column]) -> None:
        self._types = types

    def translate(self, node: Any) -> Term:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise _Unlike
        term: Term = method(node)
        return term

    def truth(self, node: Any) -> str:
        """Return the source of an array of truths."""
        source, kind, _ = self.translate(node)
        if kind == TRUTH:
            return source
        if "rows" not in source:
            raise _Unlike
        return f"({source} != {0 if kind == NUMBER else repr(b'')})"

    def _constant(self, node: Any) -> Term:
        value = node.value
        if isinstance(value, bool):
            return f"full(len(rows), {value})", TRUTH, 0
        if isinstance(value, str):
            encoded = value.encode("utf-8", "surrogateescape")
            if encoded.endswith(b"\0"):  # numpy drops these
                raise _Unlike
            return repr(encoded), TEXT, 0
        if isinstance(value, int) and value.bit_length() > _LONGEST:
            raise _Unlike
        return repr(value), NUMBER, max(1, value.bit_length()) if isinstance(value, int) else 0

    def _boolop(self, node: Any) -> Term:
        sign = " & " if type(node.op).__name__ == "And" else " | "
        return f"({sign.join(map(self.truth, node.values))})", TRUTH, 0

    def _unaryop(self, node: Any) -> Term:
        if type(node.op).__name__ == "Not":
            return f"(~{self.truth(node.operand)})", TRUTH, 0
        source, _, bits = self.translate(node.operand)
        if bits > _LONGEST:  # the least number of 64 bits has no opposite
            raise _Unlike
        return f"(-{source})", NUMBER, bits

    def _binop(self, node: Any) -> Term:
        (left, kind, a), (right, _, b) = self.translate(node.left), self.translate(node.right)
        if kind != NUMBER:
            raise _Unlike
        name = type(node.op).__name__
        whole = a > 0 and b > 0
        if name == "Mod" and whole:
            return f"({left} % {right})", NUMBER, b
        if name == "FloorDiv" and whole and a <= _LONGEST:
            return f"({left} // {right})", NUMBER, a
        if name == "Div" and max(a, b) <= _EXACT:
            return f"({left} / {right})", NUMBER, 0
        if name not in ("Add", "Sub", "Mult") or (not whole and max(a, b) > _EXACT):
            raise _Unlike
        bits = 0 if not whole else a + b if name == "Mult" else max(a, b) + 1
        if bits > _LONGEST:
            raise _Unlike
        return f"({left} {_SIGNS[name]} {right})", NUMBER, bits

    def _compare(self, node: Any) -> Term:
        terms = [self.translate(node.left)]
        parts = []
        for operator, right in zip(node.ops, node.comparators, strict=True):
            name = type(operator).__name__
            if name in ("In", "NotIn"):
                if type(right).__name__ not in ("Tuple", "List", "Set") or len(node.ops) > 1:
                    raise _Unlike
                each = [f"({self._pair(terms[-1], '==', self.translate(item))})" for item in right.elts]
                found = f"({' | '.join(each)})" if each else "full(len(rows), False)"
                return (found if name == "In" else f"(~{found})"), TRUTH, 0
            terms.append(self.translate(right))
            parts.append(f"({self._pair(terms[-2], _COMPARISONS[name], terms[-1])})")
        return f"({' & '.join(parts)})", TRUTH, 0

    def _pair(self, left: Term, sign: str, right: Term) -> str:
        if TRUTH in (left[1], right[1]):
            raise _Unlike
        # numpy compares a whole number with a fraction as fractions, Python exactly.
        if left[1] == NUMBER and (left[2] > 0) != (right[2] > 0) and max(left[2], right[2]) > _EXACT:
            raise _Unlike
        if "rows" not in left[0] and "rows" not in right[0]:
            raise _Unlike
        return f"{left[0]} {sign} {right[0]}"

    def _call(self, node: Any) -> Term:
        name = getattr(node.func, "id", "")
        if name == "column":
            return self._column(node.args[0].value)
        if name in ("int", "float") and type(node.args[0]).__name__ == "Call":
            return self._number(name, node.args[0])
        if name == "abs":
            source, _, bits = self.translate(node.args[0])
            if bits > _LONGEST - 1 or "rows" not in source:
                raise _Unlike
            return f"absolute({source})", NUMBER, bits
        raise _Unlike

    def _column(self, place: int) -> Term:
        """Return a column as text: a column of numbers has none here."""
        if place > len(self._types) or self._types[place - 1].type[0] != "S":
            raise _Unlike
        return f"rows['f{place - 1}']", TEXT, 0

    def _number(self, name: str, call: Any) -> Term:
        """Return ``int(column(n))`` or ``float(column(n))`` of a column of numbers."""
        place = call.args[0].value if getattr(call.func, "id", "") == "column" else 0
        if not 0 < place <= len(self._types):
            raise _Unlike
        column, array = self._types[place - 1], f"rows['f{place - 1}']"
        if name == "float" and column.type[0] != "S":
            if column.type == "f4":
                raise _Unlike  # its shortest text is another number
            return f"{array}.astype('f8')" if column.type != "f8" else array, NUMBER, 0
        if name == "int" and column.whole and column.type != "u8":
            return f"{array}.astype('i8')" if column.type != "i8" else array, NUMBER, 8 * column.size
        raise _Unlike
