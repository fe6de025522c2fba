"""Converters stand where two ends differ and nowhere else; `check` says so; the output is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from streamsim.circuit import Circuit
from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.real.measure import measure
from streamsim.real.plan import make_plan
from streamsim.real.run import run
from streamsim.scenario import Scenario
from streamsim.summary import summarise

ROWS = {"name": "rows", "columns": ["key:S4", "n:i4", "x:f8"]}
DATA = b"".join(b"k%d,%d,%d.5\n" % (number % 3, number, number) for number in range(300))


def loaded(directory: Path, stations: dict[str, Any], source: dict[str, Any] | None = None, **more: Any) -> Scenario:
    (directory / "data.csv").write_bytes(DATA)
    document = {
        "sources": {"data": source or {"file": "data.csv"}},
        "stations": stations,
        "sinks": {"out": {"file": "out"}},
        "measure": {"repetitions": 1, "warmup": 0},
        "host": {"cores": 1},
        **more,
    }
    file = directory / "scenario.toml"
    file.write_bytes(tomli_w.dumps(document).encode())
    return load(file)


def converters(circuit: Circuit) -> dict[str, tuple[Any, Any]]:
    """Return the names of the formats on both sides of each converter."""

    def name(format: Any) -> str:
        return format if isinstance(format, str) else format["name"]

    return {
        station.name: (name(station.format), name(station.parameters["to"]))
        for station in circuit.stations
        if station.role == "convert"
    }


KEEP = {"operator": "filter", "where": "float(column(3)) >= 200 and column(1) == 'k1'"}


def test_rows_in_the_middle_are_converted_on_both_sides_and_nothing_changes(tmp_path: Path) -> None:
    plain = loaded(tmp_path, {"keep": KEEP, "count": {"operator": "count"}})
    assert converters(plain.circuit) == {}
    run(plain)
    expected = (tmp_path / "out").read_bytes()
    typed = loaded(
        tmp_path,
        {"keep": {**KEEP, "format": ROWS}, "count": {"operator": "count"}},
        {"file": "data.csv", "format": "csv"},
    )
    assert converters(typed.circuit) == {"keep.convert": ("csv", "rows"), "count.convert": ("rows", "lines")}
    run(typed)
    assert (tmp_path / "out").read_bytes() == expected


def test_no_converter_stands_where_the_ends_agree(tmp_path: Path) -> None:
    rows = {"operator": "sample", "every": 2, "format": ROWS}
    stations = {
        "first": {**rows},
        "passed": {"operator": "copy"},  # it passes bytes on, whatever they are
        "second": {**rows},
        "sums": {"operator": "group", "key": 1, "format": ROWS},  # its answer is CSV
        "top": {"operator": "top", "format": "csv"},
        "packed": {"operator": "compress", "method": "gzip"},
        "unpacked": {"operator": "decompress", "method": "gzip", "format": "frames"},
        "sorted": {"command": "sort"},
        "last": {"operator": "dedup", "format": "frames"},
    }
    found = loaded(tmp_path, stations)
    assert converters(found.circuit) == {}  # what a file or a command gives is what its reader takes it for
    assert found.circuit.station("passed").format == ROWS


def test_every_input_has_a_converter_of_its_own(tmp_path: Path) -> None:
    stations = {
        "packed": {"operator": "convert", "to": "msgpack", "input": "data"},
        "framed": {"operator": "dedup", "format": "frames", "input": "data"},
        "joined": {"operator": "interleave", "input": ["packed", "framed", "data"], "format": "csv"},
    }
    found = loaded(tmp_path, stations, {"file": "data.csv", "format": "lines"})
    assert converters(found.circuit) == {
        "framed.convert": ("lines", "frames"),
        "joined.convert.packed": ("msgpack", "csv"),
        "joined.convert.framed": ("frames", "csv"),
    }
    run(found)
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert sorted(lines) == sorted(DATA.splitlines() * 3)


def test_a_generator_writes_lines_and_several_servers_get_rows(tmp_path: Path) -> None:
    stations = {
        "keep": {
            "operator": "filter",
            "where": "int(column(1)) > 500",
            "format": {"name": "rows", "columns": ["i4"]},
            "parallelism": 2,
        },
        "lines": {"operator": "copy", "format": "lines"},
    }
    found = loaded(tmp_path, stations, {"operator": "generate", "count": 1000})
    assert converters(found.circuit) == {"keep.convert": ("lines", "rows"), "lines.convert": ("rows", "lines")}
    run(found)
    assert sorted((tmp_path / "out").read_bytes().split(), key=int) == [b"%d" % number for number in range(501, 1001)]


def test_what_cannot_be_converted_is_a_dead_letter_beside_those_of_its_reader(tmp_path: Path) -> None:
    stations = {
        "keep": {
            "operator": "filter",
            "where": "int(column(1)) / int(column(2)) < 9",
            "format": {"name": "rows", "columns": ["i4", "i4"]},
            "on_error": "dead-letter",
            "dead_letter": "bad",
            "parallelism": 2,
        },
    }
    (tmp_path / "pairs").write_bytes(b"1,1\nx,2\n3,0\n4,0\n5,5\n6\n")
    found = loaded(tmp_path, stations, {"file": "pairs", "format": "lines"})
    trace = measure(found)
    assert (tmp_path / "bad.convert").read_bytes() == b"x,2\n6\n"
    bad = (tmp_path / "bad").read_bytes()  # of both servers
    assert sorted([bad[:8], bad[8:]]) == sorted([b"\3\0\0\0\0\0\0\0", b"\4\0\0\0\0\0\0\0"])
    result = summarise(trace, found.circuit)
    rejected = {name: station.rejected for name, station in result.stations.items()}
    assert rejected["keep"] is not None
    assert rejected["keep.convert"] is not None
    assert (rejected["keep"].value, rejected["keep.convert"].value) == (2, 2)


def test_libraries_of_fused_operators_are_found(tmp_path: Path) -> None:
    stations = {
        "keep": {**KEEP, "format": ROWS, "fuse": True},
        "different": {"operator": "distinct", "column": 1, "format": ROWS, "fuse": True},
    }
    found = loaded(tmp_path, stations, {"file": "data.csv", "format": "lines"})
    run(found)
    assert (tmp_path / "out").read_bytes() == b"1\n"


def test_a_converter_shares_the_process_that_its_reader_shares(tmp_path: Path) -> None:
    stations: dict[str, Any] = {
        "up": {"operator": "copy", "format": "lines"},
        "keep": {**KEEP, "format": ROWS, "fuse": True},
    }
    found = loaded(tmp_path, stations, {"file": "data.csv", "format": "lines"})
    assert [process.parts for process in make_plan(found).processes] == [("up", "keep.convert", "keep")]
    run(found)
    fused = (tmp_path / "out").read_bytes()
    stations["keep"]["fuse"] = False
    run(loaded(tmp_path, stations, {"file": "data.csv", "format": "lines"}))
    assert fused == (tmp_path / "out").read_bytes() != b""


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ({"command": "seq 3", "format": "lines"}, "sources.data.format"),
        ({"file": "data.csv", "format": "lins"}, "sources.data.format"),
        ({"operator": "generate", "count": 3, "format": "msgpack"}, "sources.data.format"),
        ({"file": "data.csv", "format": {"name": "rows"}}, "sources.data.format.width"),
    ],
)
def test_a_wrong_format_of_a_source_is_refused(source: dict[str, Any], path: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, {"keep": KEEP}, source)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("operator", "parameters"),
    [
        ("distinct", {"column": 1}),
        ("top", {"k": 2, "column": 1}),
        ("count-min", {"keys": ["k1"], "column": 1}),
        ("moments", {"column": 2}),
    ],
)
def test_several_servers_that_sketch_answer_as_one(operator: str, parameters: dict[str, Any], tmp_path: Path) -> None:
    answers = []
    for servers in (1, 3):
        run(loaded(tmp_path, {"sketch": {"operator": operator, "parallelism": servers, **parameters}}))
        answers.append((tmp_path / "out").read_bytes())
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("station", "path"),
    [
        ({"operator": "tee", "file": "data.csv"}, "stations.a.file"),
        ({"operator": "tee", "file": "out"}, "sinks.out.file"),
        ({"operator": "tee", "file": "copy", "parallelism": 2}, "stations.a.parallelism"),
    ],
)
def test_a_file_is_not_written_by_two(station: dict[str, Any], path: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, {"a": station})
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("to", "path", "message"),
    [
        ("rowz", "stations.a.to", "did you mean 'rows'"),
        ({"name": "rows", "columns": ["i3"]}, "stations.a.to.columns", "'i3' is no type"),
        ({"name": "csv", "heder": True}, "stations.a.to.heder", "did you mean 'header'"),
        (7, "stations.a.to", "7 is not a format"),
    ],
)
def test_a_wrong_format_to_convert_to_is_refused(to: Any, path: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        loaded(tmp_path, {"a": {"operator": "convert", "to": to}})
    assert caught.value.path == path
