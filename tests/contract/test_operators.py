"""What every operator of the registry must keep to: found by name, described, checked, restorable, light to import."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamsim import operators
from streamsim.errors import ScenarioError
from streamsim.formats import create as create_codec
from streamsim.formats.parameters import TYPES
from streamsim.operators.base import MANY, Base, Operator
from streamsim.operators.source import Source
from streamsim.sections import SourceSection, StationSection
from tests.operator_examples import BYTES_OF_NO_RECORDS, RECORDS, cases, records_for

TRANSFORMS = cases(source=False)
SOURCES = cases(source=True)
EXAMPLES = TRANSFORMS + SOURCES
PACKAGE_PARENT = str(Path(operators.__file__).parents[2])


def transform(name: str, parameters: dict[str, Any]) -> Operator:
    made = operators.create(name, parameters)
    assert isinstance(made, Operator)
    return made


def source(name: str, parameters: dict[str, Any], directory: Path) -> Source:
    if name in ("file", "tail"):
        file = directory / "records"
        file.write_bytes(RECORDS)
        parameters = {"paths": [str(file)]} if name == "file" else {"path": str(file), "idle": 0}
    made = operators.create(name, parameters)
    assert isinstance(made, Source)
    return made


@pytest.mark.parametrize("name", operators.names())
def test_an_operator_is_described_and_has_an_example_that_runs(name: str) -> None:
    description = operators.describe(name)
    assert description.summary.endswith(".")
    module = sys.modules[operators.find(name).__module__]
    tests = doctest.DocTestFinder().find(module)
    assert any(test.examples for test in tests)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", operators.names())
def test_the_parameters_describe_themselves(name: str) -> None:
    for parameter in operators.describe(name).parameters:
        assert parameter.name.isidentifier()
        assert parameter.type in TYPES
        assert parameter.doc
        assert not parameter.doc.endswith(".")
        assert parameter.takes
        if parameter.required:
            assert parameter.default is None
        elif parameter.choices:
            assert parameter.default in parameter.choices


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_all_that_can_be_read_of_an_operator_can_be_told_of(name: str, parameters: dict[str, Any]) -> None:
    made = transform(name, parameters)
    for data in (b"", records_for(name, parameters)):
        made.feed(data)
        read = {
            key: getattr(made, key)() for key in dir(made) if hasattr(getattr(type(made), key, None), "__readable__")
        }
        assert "counted" in msgspec.json.decode(msgspec.json.encode(read))


@pytest.mark.parametrize("name", operators.names())
def test_no_parameter_is_called_like_a_key_of_its_section(name: str) -> None:
    found = operators.describe(name)
    section = SourceSection if found.traits.source else StationSection
    keys = {field.name for field in msgspec.structs.fields(section)}
    if name == "file":  # it is written file = "…", member = "…"
        keys -= {"member"}
    assert not keys & {parameter.name for parameter in found.parameters}


@pytest.mark.parametrize("name", operators.names())
def test_the_traits_fit_the_class(name: str) -> None:
    kind, traits = operators.find(name), operators.describe(name).traits
    assert issubclass(kind, Base)
    assert traits.source == issubclass(kind, Source) == (traits.inputs == 0)
    assert traits.inputs in (0, 1, 2, MANY)
    assert all(port.isidentifier() for port in traits.ports)
    assert traits.state in ("none", "bounded", "keys", "all")
    if traits.state == "none" and not traits.source:
        assert kind.saved == ()
    assert f"source={traits.source}" in repr(traits)


@pytest.mark.parametrize("name", operators.names())
def test_an_unknown_parameter_is_refused_with_its_place_and_the_nearest_name(name: str) -> None:
    known = [parameter.name for parameter in operators.describe(name).parameters]
    wrong = f"{known[0]}x" if known else "x"
    with pytest.raises(ScenarioError) as caught:
        operators.check(name, {wrong: 1}, path="stations.one")
    assert caught.value.path == f"stations.one.{wrong}"
    assert f"'{wrong}'" in caught.value.message
    if known:
        assert f"did you mean '{known[0]}'" in caught.value.message


@pytest.mark.parametrize(("name", "parameters"), EXAMPLES)
def test_checked_parameters_are_complete_plain_and_stay_the_same(name: str, parameters: dict[str, Any]) -> None:
    operators.check(name, parameters)
    values = operators.normal(name, parameters)
    assert list(values) == [parameter.name for parameter in operators.describe(name).parameters]
    assert operators.normal(name, json.loads(json.dumps(values))) == values


@pytest.mark.parametrize(("name", "parameters"), EXAMPLES)
def test_parameters_written_as_texts_mean_the_same(name: str, parameters: dict[str, Any]) -> None:
    def written(value: Any) -> str:
        return ",".join(value) if isinstance(value, list) else str(value).lower() if value is True else str(value)

    texts = {}
    for key, value in parameters.items():
        options = value if isinstance(value, dict) else {"name": value}
        texts |= {key if option == "name" else f"{key}.{option}": written(one) for option, one in options.items()}
    assert operators.normal(name, operators.from_text(name, texts)) == operators.normal(name, parameters)


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_empty_input_is_input(name: str, parameters: dict[str, Any]) -> None:
    operator = transform(name, parameters)
    out = operator.finish()
    assert operator.records_in == 0
    assert operator.records_out == out.count(b"\n")


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_a_restored_operator_goes_on_as_if_nothing_had_happened(name: str, parameters: dict[str, Any]) -> None:
    records = records_for(name, parameters)
    expected = transform(name, parameters).run(records)
    for cut in (0, 1, 777 % len(records), len(records)):
        first, second = transform(name, parameters), transform(name, parameters)
        before = first.feed(records[:cut])
        snapshot = first.snapshot()
        first.feed(records[cut : cut + 50])  # what comes after the snapshot does not count
        second.restore(snapshot)
        assert before + second.feed(records[cut:]) + second.finish() == expected
        if name not in BYTES_OF_NO_RECORDS:
            assert second.records_in == 200
            assert second.records_out == expected.count(b"\n")


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_an_operator_that_takes_the_place_of_its_like_goes_on_from_its_state(
    name: str, parameters: dict[str, Any]
) -> None:
    records = records_for(name, parameters)
    expected = transform(name, parameters).run(records)
    for cut in (0, 777 % len(records), len(records)):
        first, second = transform(name, parameters), transform(name, parameters)
        before = first.feed(records[:cut])
        assert second.can_go_on_from(first)
        second.succeed(first)
        assert before + second.feed(records[cut:]) + second.finish() == expected


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_the_traits_tell_the_truth_about_barriers_and_counts(name: str, parameters: dict[str, Any]) -> None:
    operator = transform(name, parameters)
    traits = operators.describe(name).traits
    streamed = operator.feed(records_for(name, parameters))
    last = operator.finish()
    if traits.barrier:
        assert streamed == b""
        assert last != b""
    if traits.one_to_one:
        assert operator.records_in == operator.records_out == 200
    assert operators.takes_inputs(name, 2) == (traits.inputs in (2, MANY))


@pytest.mark.parametrize(
    ("name", "parameters"), [case for case in TRANSFORMS if operators.takes_inputs(str(case.values[0]), 2)]
)
def test_records_of_several_inputs_stay_whole(name: str, parameters: dict[str, Any]) -> None:
    operator = transform(name, parameters)
    records = records_for(name, parameters)
    operator.feed(records[:5], 0)
    operator.feed(records[:9], 1)
    operator.feed(records[5:], 0)
    operator.feed(records[9:-1], 1)
    out = operator.finish()
    assert operator.records_in == 400
    assert not out or out.endswith((b"\n", b"JFK"))


@pytest.mark.parametrize(("name", "parameters"), SOURCES)
def test_a_source_gives_the_same_bytes_in_every_way(name: str, parameters: dict[str, Any], tmp_path: Path) -> None:
    expected = source(name, parameters, tmp_path).run()
    whole = list(source(name, parameters, tmp_path).chunks())
    assert b"".join(whole) == expected
    assert all(block.endswith(b"\n") for block in whole[:-1])
    records = expected.splitlines(keepends=True)
    for limit in (0, 1, len(records), len(records) + 5):
        limited = source(name, parameters, tmp_path)
        assert b"".join(limited.records(limit)) == b"".join(records[:limit])
        assert limited.records_out == len(records[:limit])


@pytest.mark.parametrize("way", ["stream", "chunks"])
@pytest.mark.parametrize("name", ["file", "generate", "tail"])
def test_a_restored_source_goes_on_where_it_was(name: str, way: str, tmp_path: Path) -> None:
    parameters = {"count": 40_000} if name == "generate" else {}
    expected = source(name, parameters, tmp_path).run()
    first, second = source(name, parameters, tmp_path), source(name, parameters, tmp_path)
    pieces = getattr(first, way)()
    before = b"".join(next(pieces, b"") for _ in range(3))
    second.restore(first.snapshot())
    assert before + b"".join(getattr(second, way)()) == expected
    assert second.records_out == expected.count(b"\n")


@pytest.mark.parametrize(("name", "parameters"), EXAMPLES)
def test_an_operator_is_made_without_anything_heavy(name: str, parameters: dict[str, Any]) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path += sys.argv[4:]\n"
        "from streamsim import operators\n"
        "operators.create(sys.argv[2], eval(sys.argv[3]))\n"
        "print(*sys.modules)"
    )
    values = operators.normal(name, parameters)
    found = subprocess.run(
        [sys.executable, "-S", "-E", "-P", "-c", code, PACKAGE_PARENT, name, repr(values),
         *(sysconfig.get_path("platlib") for _ in operators.libraries(name, parameters))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(found.stdout.split())
    heavy = {"typing", "dataclasses", "inspect", "pathlib", "json", "logging", "numpy", "msgspec", "typer"}
    if operators.libraries(name, parameters):
        assert not loaded & {"msgspec", "typer", "rich", "scipy", "site"}
        return
    patterns = {"re", "enum"}  # 5 ms, for those that work with regular expressions or JSON alone
    if name == "parse":
        heavy -= {"json"}
    assert not loaded & heavy
    if name not in ("regex", "parse", "exec"):
        assert not loaded & patterns


BARE = """
import sys
sys.path += sys.argv[1:3]
from streamsim import operators
from streamsim.operators._sketch_library import load
if sys.argv[6]:  # as the warm parent does
    load()
made = operators.create(sys.argv[3], eval(sys.argv[4]), eval(sys.argv[5]))
out = made.run(sys.stdin.buffer.read())
sys.stdout.buffer.write(b"%d " % ("numpy" in sys.modules) + out)
"""
"""An operator without the site's modules, as in a server; tells whether it has loaded numpy, and what came out."""


def in_a_bare_process(
    name: str, parameters: dict[str, Any], format: Any, data: bytes, *, warm: bool = False
) -> tuple[bool, bytes]:
    words = [name, repr(parameters), repr(format), "warm" if warm else ""]
    found = subprocess.run(
        [sys.executable, "-S", "-E", "-P", "-c", BARE, PACKAGE_PARENT, sysconfig.get_path("platlib"), *words],
        input=data, capture_output=True, check=True,
    )  # fmt: skip
    assert found.stderr == b""
    loaded, _, out = found.stdout.partition(b" ")
    return loaded == b"1", out


@pytest.mark.parametrize(("name", "parameters"), TRANSFORMS)
def test_only_rows_with_types_load_numpy_in_a_server(name: str, parameters: dict[str, Any]) -> None:
    data = records_for(name, parameters)
    loaded, out = in_a_bare_process(name, parameters, "lines", data)
    assert loaded == ("numpy" in operators.libraries(name, parameters))  # to convert into such rows
    assert out == transform(name, parameters).run(data)


TYPED = {"name": "rows", "columns": ["f8", "i8"]}


@pytest.mark.parametrize(
    ("format", "warm", "numpy"), [("lines", False, False), ("lines", True, False), (TYPED, True, True)]
)
def test_quantiles_are_the_same_with_numpy_and_without(format: Any, warm: bool, numpy: bool) -> None:
    rows = [(number * 0.37 % 5, number) for number in range(150)]
    codec = create_codec(format)
    data = codec.join([codec.row([b"%r" % value, b"%d" % number], b",") for value, number in rows])
    loaded, out = in_a_bare_process("quantiles", {}, format, data, warm=warm)
    assert loaded == numpy
    assert out == operators.create("quantiles", {}, format).run(data)


@pytest.mark.parametrize(
    ("name", "parameters", "format", "library"),
    [
        ("distinct", {}, "lines", "datasketches"),
        ("copy", {}, "arrow", "pyarrow"),
        ("convert", {"to": "msgpack"}, "lines", "msgpack"),
    ],
)
def test_a_library_that_is_missing_is_named(
    name: str, parameters: dict[str, Any], format: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ScenarioError, match=f"needs the library '{library}', which is not installed: pip install"):
        operators.create(name, parameters, format)
    if format == "lines":
        with pytest.raises(ScenarioError, match=library):
            operators.check(name, parameters, path="stations.a")


def test_an_unknown_operator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ScenarioError, match="did you mean 'distinct'") as caught:
        operators.check("distint", {}, path="stations.one")
    assert caught.value.path == "stations.one.operator"
    for helper in ("base", "source", "_columns", "no such", ""):
        with pytest.raises(ScenarioError, match="unknown operator"):
            operators.find(helper)


def test_a_source_is_refused_where_a_station_stands_and_the_other_way_round() -> None:
    operators.check("generate", {}, source=True)
    with pytest.raises(ScenarioError, match=r"\[sources.NAME\]"):
        operators.check("generate", {}, source=False)
    with pytest.raises(ScenarioError, match="needs an input"):
        operators.check("copy", {}, source=True)


def test_your_own_operator_is_found_by_module_and_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_operator.py").write_text(
        "from streamsim.operators.base import RecordOperator\n"
        "class Mirror(RecordOperator):\n"
        '    """Turn each record round."""\n'
        "    def process(self, records):\n"
        "        return [record[::-1] for record in records]\n"
        "thing = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert operators.create("own_operator:Mirror").run(b"abc\n") == b"cba\n"
    assert operators.describe("own_operator:Mirror").summary == "Turn each record round."
    for wrong in ("own_operator:Absent", "absent_module:Mirror", ":Mirror", "own_operator:thing", "json:loads"):
        with pytest.raises(ScenarioError):
            operators.find(wrong)
    with pytest.raises(ScenarioError, match=r"PYTHONPATH has to name the directory of absent_module\.py"):
        operators.find("absent_module:Mirror")


def test_an_operator_of_yours_that_could_not_be_made_is_refused_by_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unmade.py").write_text(
        "from streamsim.operators.base import RecordOperator\n"
        "class Bare(RecordOperator):\n"
        "    def __init__(self):\n"
        "        self.sums = {}\n"
        "    def process(self, records):\n"
        "        return records\n"
        "class Idle(RecordOperator):\n"
        "    pass\n"
        "class Whole(Bare):\n"
        "    def __init__(self, values, codec):\n"
        "        RecordOperator.__init__(self, values, codec)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    operators.check("unmade:Whole", {})
    with pytest.raises(ScenarioError, match=r"its __init__ takes \(self, values, codec\)"):
        operators.check("unmade:Bare", {})
    with pytest.raises(ScenarioError, match="it has no process"):
        operators.check("unmade:Idle", {})
