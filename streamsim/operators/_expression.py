"""A small language over one record, compiled to Python code; nothing outside it can be reached.

Values are texts (bytes, as they stand in the stream), numbers and truths. ``record`` is the whole record and
``column(1)`` its first column (empty where there is none, as in awk). ``len`` counts bytes; ``lower``, ``upper``
and ``strip`` know ASCII letters and spaces; texts compare by bytes, which for UTF-8 is the order of code points. A
text is never taken for a number: write ``int(column(2)) > 10``. What has the wrong type is refused before anything
runs.

>>> keep = block_function("column(2) in ('JFK', 'LGA') and float(column(1)) > 2", "filter", b",", bytes.split)
>>> keep([b"3,JFK", b"1,JFK", b"9,EWR"])
[b'3,JFK']
>>> block_function("upper(column(2)) + ' ' + str(len(record))", "map", b",", bytes.split)([b"3,jfk"])
[b'JFK 5']
"""

from __future__ import annotations

from _ast import PyCF_ONLY_AST  # `import ast` costs 10 ms for helpers that are not needed here

from streamsim.operators._columns import text
from streamsim.operators.base import bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    BlockFunction = Callable[[list[bytes]], list[bytes]]
    Term = tuple[str, str]
    """A piece of Python source, and its type."""

TEXT, NUMBER, TRUTH = "text", "number", "truth"

_SIGNATURES = {
    "len": ((TEXT,), NUMBER, "len({})"),
    "startswith": ((TEXT, TEXT), TRUTH, "{}.startswith({})"),
    "endswith": ((TEXT, TEXT), TRUTH, "{}.endswith({})"),
    "contains": ((TEXT, TEXT), TRUTH, "({1} in {0})"),
    "lower": ((TEXT,), TEXT, "{}.lower()"),
    "upper": ((TEXT,), TEXT, "{}.upper()"),
    "strip": ((TEXT,), TEXT, "{}.strip()"),
    "abs": ((NUMBER,), NUMBER, "abs({})"),
    "round": ((NUMBER,), NUMBER, "round({})"),
}
_DEEPEST = 50  # the compiler stops at 200 parentheses, and a part may bring three
_LONGEST = 200
"""Characters of an expression that an error shows."""
_WORDS = ("record", "column", "int", "float", "str", "min", "max", *_SIGNATURES)
_OPERATORS = {"Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//", "Mod": "%"}
_COMPARISONS = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}
_FUNCTIONS = (len, int, float, abs, bool, round, min, max, text)
_NAMES: dict[str, Any] = {function.__name__: function for function in _FUNCTIONS}


class Refused(Exception):
    """The expression says something that the language does not have; the message says what."""


def block_function(
    expression: str, parameter: str, delimiter: bytes, columns: Callable[..., list[bytes]]
) -> BlockFunction:
    """Return a function from the records of a block to those that an expression keeps, or makes.

    ``parameter`` is ``"where"`` or ``"filter"`` to keep the records for which it holds, anything else to make
    one new record of each. ``columns(record, delimiter)`` cuts a record. Raises ScenarioError, its path the
    parameter, for an expression that is not of the language. The function raises ValueError or
    ArithmeticError where a record does not fit the expression.
    """
    keeps = parameter in ("where", "filter")
    try:
        source = _source(_parse(expression), keeps, cuts_itself=columns is bytes.split)
        code = compile(source, parameter, "eval")
    except Refused as error:
        shown = expression if len(expression) <= _LONGEST else f"{expression[:_LONGEST]}…"
        raise bad_value(parameter, f"{shown!r}: {error}") from None
    names = _NAMES | {"columns": columns, "delimiter": delimiter, "__builtins__": {}}
    made: BlockFunction = eval(code, names)
    return made


def _source(tree: Any, keeps: bool, cuts_itself: bool) -> str:
    """Return the Python source of a function from a list of records to a list of records."""
    translator = _Translator()
    source, type = translator.translate(tree)
    if type == TRUTH and not keeps:
        raise Refused("this is a truth; write 'yes' if … else 'no'")
    made = "record" if keeps else source if type == TEXT else f"text({source})"
    condition = f" if {source}" if keeps else ""
    # A loop over one element is how Python binds a name in a comprehension; the compiler makes it an assignment.
    # Cutting no further than the highest column asked for is what bytes.split can do.
    limit = f", {translator.highest}" if cuts_itself else ""
    cut = f" for c in (columns(record, delimiter{limit}),)" if translator.highest else ""
    return f"lambda records: [{made} for record in records{cut}{condition}]"


def _parse(expression: str) -> Any:
    try:
        return compile(expression.strip(), "expression", "eval", PyCF_ONLY_AST).body  # type: ignore[attr-defined]
    except SyntaxError as error:
        raise Refused(f"{error.msg}, at character {error.offset or 1}") from None
    except (ValueError, MemoryError, RecursionError):
        raise Refused("it cannot be read") from None


class _Translator:
    """Writes the Python source of an expression, part by part, from what the language knows and nothing else."""

    def __init__(self) -> None:
        self.highest = 0
        """The highest column that is asked for."""
        self._depth = 0

    def translate(self, node: Any) -> Term:
        name = type(node).__name__
        method = getattr(self, f"_{name.lower()}", None)
        if method is None:
            raise Refused(f"the language has no {_plain(name)}")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Refused(f"it is nested more than {_DEEPEST} deep; use several stations")
        result: Term = method(node)
        self._depth -= 1
        return result

    def _of(self, wanted: str, node: Any, where: str) -> str:
        source, type = self.translate(node)
        if type != wanted:
            raise Refused(_mismatch(where, wanted, type))
        return source

    def _constant(self, node: Any) -> Term:
        value = node.value
        if isinstance(value, bool):
            return repr(value), TRUTH
        if isinstance(value, str):
            return repr(value.encode("utf-8", "surrogateescape")), TEXT
        if isinstance(value, int | float) and value - value == 0:
            return repr(value), NUMBER
        raise Refused(f"{value!r} is neither a text, a number, nor True or False")

    def _name(self, node: Any) -> Term:
        if node.id == "record":
            return "record", TEXT
        raise Refused(_unknown(node.id))

    def _boolop(self, node: Any) -> Term:
        terms = [self.translate(value) for value in node.values]
        word = " and " if type(node.op).__name__ == "And" else " or "
        return f"({word.join(f'bool({s})' if t != TRUTH else s for s, t in terms)})", TRUTH

    def _unaryop(self, node: Any) -> Term:
        kind = type(node.op).__name__
        if kind == "Not":
            return f"(not {self.translate(node.operand)[0]})", TRUTH
        if kind == "USub":
            return f"(-{self._of(NUMBER, node.operand, '-')})", NUMBER
        raise Refused(f"the language has no {_plain(kind)}")

    def _binop(self, node: Any) -> Term:
        kind = type(node.op).__name__
        sign = _OPERATORS.get(kind)
        if sign is None:
            raise Refused(f"the language has no {_plain(kind)}")
        left, type_of_left = self.translate(node.left)
        if kind == "Add" and type_of_left == TEXT:
            return f"({left} + {self._of(TEXT, node.right, 'a text + …')})", TEXT
        if type_of_left != NUMBER:
            raise Refused(_mismatch(sign, NUMBER, type_of_left))
        return f"({left} {sign} {self._of(NUMBER, node.right, sign)})", NUMBER

    def _ifexp(self, node: Any) -> Term:
        source, type = self.translate(node.body)
        other = self._of(type, node.orelse, "else, as what stands before if,")
        return f"({source} if {self.translate(node.test)[0]} else {other})", type

    def _compare(self, node: Any) -> Term:
        source, left = self.translate(node.left)
        parts = [source]
        for operator, right in zip(node.ops, node.comparators, strict=True):
            kind = type(operator).__name__
            if kind in ("In", "NotIn"):
                parts += ["in" if kind == "In" else "not in", self._container(right, left)]
                left = TRUTH
            elif kind in _COMPARISONS:
                source, found = self.translate(right)
                if found != left:
                    raise Refused(f"a {left} is compared with a {found}: write int(…) or float(…) of the text")
                parts += [_COMPARISONS[kind], source]
            else:
                raise Refused(f"the language has no {_plain(kind)}")
        return f"({' '.join(parts)})", TRUTH

    def _container(self, node: Any, wanted: str) -> str:
        if type(node).__name__ in ("Tuple", "List", "Set"):
            items = [self._of(wanted, item, f"a {wanted} in (…)") for item in node.elts]
            return f"({''.join(item + ', ' for item in items)})"
        if wanted != TEXT:
            raise Refused(f"a {wanted} can be in a list such as (1, 2), or a text in a text")
        return self._of(TEXT, node, "in")

    def _call(self, node: Any) -> Term:
        arguments = list(node.args)
        if type(node.func).__name__ == "Attribute":  # record.lower() is lower(record)
            name = node.func.attr
            arguments.insert(0, node.func.value)
        else:
            name = getattr(node.func, "id", "")
        if node.keywords or any(type(argument).__name__ == "Starred" for argument in arguments):
            raise Refused(f"{name}() takes plain arguments only")
        if name == "column":
            return self._column(arguments)
        if name in ("int", "float", "str"):
            return self._conversion(name, arguments)
        if name in ("min", "max") and len(arguments) > 1:
            return f"{name}({', '.join(self._of(NUMBER, a, name) for a in arguments)})", NUMBER
        if name not in _SIGNATURES:
            raise Refused(_unknown(name))
        types, result, pattern = _SIGNATURES[name]
        if len(arguments) != len(types):
            raise Refused(f"{name}() takes {len(types)} arguments, not {len(arguments)}")
        return pattern.format(*map(self._of, types, arguments, [f"{name}()"] * len(types))), result

    def _column(self, arguments: list[Any]) -> Term:
        place = getattr(arguments[0], "value", None) if len(arguments) == 1 else None
        if isinstance(place, bool) or not isinstance(place, int) or place < 1:
            raise Refused("column() takes the number of a column, the first is column(1)")
        self.highest = max(self.highest, place)
        return f"(c[{place - 1}] if len(c) > {place - 1} else b'')", TEXT

    def _conversion(self, name: str, arguments: list[Any]) -> Term:
        if len(arguments) != 1:
            raise Refused(f"{name}() takes one argument")
        source, type = self.translate(arguments[0])
        if type == TRUTH:
            raise Refused(f"{name}() takes a text or a number, not a truth")
        if name == "str":
            return (source, TEXT) if type == TEXT else (f"text({source})", TEXT)
        return f"{name}({source})", NUMBER


def _mismatch(where: str, wanted: str, found: str) -> str:
    hint = {NUMBER: ": write int(…) or float(…)", TEXT: ": write str(…)"}.get(wanted, "")
    return f"{where} takes a {wanted}, not a {found}{hint if found != TRUTH else ''}"


def _unknown(name: str) -> str:
    from streamsim.errors import nearest

    return f"unknown name '{name}'{nearest(name, _WORDS)} (there are {', '.join(_WORDS)})"


def _plain(name: str) -> str:
    """Return the name of a Python construct in small words: ``ListComp`` → ``list comp``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
