"""The expressions of `filter` and `map`: what they mean, and that nothing else can be said in them."""

from __future__ import annotations

import pytest

from streamsim.errors import RunError, ScenarioError
from streamsim.operators import check, create

RECORD = b"12,JFK, 3.5 ,Zo\xc3\xab\n"

MAPPED = {
    "0" + " + len(column(2))" * 45: "135",
    "record": "12,JFK, 3.5 ,Zoë",
    "column(2)": "JFK",
    "column(9)": "",
    "column(2) + column(4) + column(1)": "JFKZoë12",
    "'a' + column(1) + 'ë'": "a12ë",
    "int(column(1)) * 2 + 1": "25",
    "int(column(1)) / 5": "2.4",
    "int(column(1)) // 5 % 2 - -1": "1",
    "float(column(3)) + 0.25": "3.75",
    "int(float(column(3)))": "3",
    "round(float(column(3)) * 3)": "10",
    "abs(3 - int(column(1)))": "9",
    "min(3, int(column(1)), 7) + max(1, 2)": "5",
    "len(column(4))": "4",
    "lower(column(2)) + upper('a') + strip(column(3))": "jfkA3.5",
    "column(2).lower() + column(3).strip()": "jfk3.5",
    "str(int(column(1)))": "12",
    "str(column(2))": "JFK",
    "'yes' if column(2) == 'JFK' else 'no'": "yes",
    "1 if not (1 < 2 <= 3 != 4) else 2": "2",
    "'x' if column(2) in ('JFK', 'LGA') and 3 not in (1, 2) else 'y'": "x",
    "'x' if 'F' in column(2) and 'Q' not in column(2) or False else 'y'": "x",
    "'x' if startswith(record, '12') and column(2).endswith('K') else 'y'": "x",
    "'x' if contains(column(4), 'ë') and record else 'y'": "x",
    "'x' if 5 and '' else 'y'": "y",
}

REFUSED = {
    "column(1) > 5": "text is compared with a number",
    "column(1) == 5": "text is compared with a number",
    "column(1) + 1": "takes a text, not a number",
    "1 + column(1)": r"takes a number, not a text: write int\(…\)",
    "column(1) * 1000000": r"\* takes a number, not a text",
    "'%99999999d' % 3": "% takes a number, not a text",
    "2 ** 99": "no pow",
    "colum(1)": r"unknown name 'colum'; did you mean 'column'",
    "records": "did you mean 'record'",
    "column(0)": "the first is column",
    "column(True)": "the first is column",
    "column('a')": "the first is column",
    "column()": "the first is column",
    "len()": "takes 1 arguments, not 0",
    "int(1, 2)": "takes one argument",
    "int(1 < 2)": "not a truth",
    "len(3)": "takes a text, not a number",
    "lower(record, key=1)": "plain arguments",
    "len(*record)": "plain arguments",
    "record.__class__": "no attribute",
    "record.decode()": "unknown name 'decode'",
    "().__class__.__base__.__subclasses__()": "unknown name '__subclasses__'",
    "__import__('os')": "unknown name '__import__'",
    "open('x')": "unknown name 'open'",
    "(lambda: 1)()": "unknown name ''",
    "[x for x in record]": "no list comp",
    "f'{record}'": "no joined str",
    "record[0]": "no subscript",
    "(y := 3)": "no named expr",
    "~3": "no invert",
    "1 & 3": "no bit and",
    "record is None": "no is",
    "None": "neither a text, a number, nor",
    "1e999": "neither a text, a number, nor",
    "b'x'": "neither a text, a number, nor",
    "3 in 5": "can be in a list",
    "1 in ('a',)": "takes a number, not a text",
    "'a' if record else 3": "takes a text, not a number",
    "record ==": "invalid syntax",
    "": "invalid syntax",
    "record; record": "invalid syntax",
    "\0": "cannot be read|null bytes",
    "1" + "+1" * 100_000: "cannot be read|nested",
    "1" + "+1" * 250: "nested more than 50 deep",
}


@pytest.mark.parametrize(("expression", "expected"), MAPPED.items())
def test_an_expression_means_what_it_says(expression: str, expected: str) -> None:
    assert create("map", {"to": expression}).run(RECORD).decode() == expected + "\n"


@pytest.mark.parametrize(("expression", "message"), REFUSED.items(), ids=[text[:30] for text in REFUSED])
def test_what_is_not_of_the_language_is_refused_before_anything_runs(expression: str, message: str) -> None:
    for name, parameter in (("filter", "where"), ("map", "to")):
        with pytest.raises(ScenarioError, match=message) as caught:
            check(name, {parameter: expression}, path="stations.x")
        assert caught.value.path == f"stations.x.{parameter}"


def test_a_truth_is_no_record() -> None:
    check("filter", {"where": "1 < 2"})
    with pytest.raises(ScenarioError, match="this is a truth; write 'yes' if"):
        check("map", {"to": "1 < 2"})


def test_any_value_can_be_a_condition() -> None:
    assert create("filter", {"where": "column(2)"}).run(b"a,\nb,1\n") == b"b,1\n"
    assert create("filter", {"where": "int(column(1))"}).run(b"0\n1\n") == b"1\n"


def test_a_record_that_does_not_fit_is_named_or_skipped() -> None:
    data = b"1\n0\nx\n4\n"
    with pytest.raises(RunError, match=r"record 2, byte 2: .*division.* in '0'"):
        create("map", {"to": "4 / int(column(1))"}).run(data)
    with pytest.raises(RunError, match=r"record 3, byte 4: invalid literal .* in 'x'"):
        create("filter", {"where": "int(column(1)) >= 0"}).run(data)
    assert create("map", {"to": "4 // int(column(1))"}, on_error="skip").run(data) == b"4\n1\n"
    late = create("filter", {"where": "int(column(1)) >= 0"})
    assert late.run(b"1\n" * 1000) == b"1\n" * 1000
    with pytest.raises(RunError, match="record 1002, byte 2002: "):
        late.run(b"1\ny\n")


def test_columns_are_cut_at_any_delimiter() -> None:
    assert create("map", {"to": "column(2)", "delimiter": "\t"}).run(b"a\tb\tc\n") == b"b\n"
    assert create("map", {"to": "column(2)", "delimiter": "\\t"}).run(b"a\tb\tc\n") == b"b\n"
    assert create("map", {"to": "column(2)", "delimiter": "::"}).run(b"a::b::c\n") == b"b\n"
