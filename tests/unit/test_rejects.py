"""What becomes of records that an operator cannot work on: fail, skip, or the dead-letter file; all are counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from streamsim.errors import RunError, ScenarioError
from streamsim.loading import load
from streamsim.operators import create
from streamsim.operators.base import Operator
from streamsim.real.measure import measure
from streamsim.summary import summarise

DATA = b"a,1\nb,x\nc\nd,4\n"


def made(policy: str, file: int | None = None, format: Any = "lines") -> Operator:
    operator = create("group", {"key": 1, "value": 2, "function": "sum"}, format, on_error=policy, dead_letter=file)
    assert isinstance(operator, Operator)
    return operator


def test_a_failure_says_record_and_byte() -> None:
    with pytest.raises(RunError, match="record 2, byte 4: column 2 is 'x', not a number"):
        made("fail").run(DATA)


def test_skipped_records_are_counted_and_the_first_is_explained() -> None:
    operator = made("skip")
    assert operator.run(DATA) == b"a,1\nd,4\n"
    assert operator.rejects.count == 2
    assert operator.rejects.first == "record 2, byte 4: column 2 is 'x', not a number"
    assert operator.records_in == 4
    assert "2 records were left out; the first: record 2" in operator.rejects.summary


def test_dead_letters_are_the_records_as_they_stood_with_their_heading(tmp_path: Path) -> None:
    file = os.open(tmp_path / "bad.csv", os.O_RDWR | os.O_CREAT)
    operator = made("dead-letter", file, {"name": "csv", "header": True})
    out = operator.feed(b'key,value\na,1\n"b\n') + operator.feed(b'b","x"\nc\n') + operator.finish()
    os.close(file)
    assert out == b"a,1\n"
    assert (tmp_path / "bad.csv").read_bytes() == b'key,value\n"b\nb","x"\nc\n'
    assert operator.rejects.first == "record 2, byte 14: column 2 is 'x', not a number"


@pytest.mark.parametrize(
    ("format", "data", "left"),
    [
        ({"name": "rows", "width": 4}, b"aaaabbbbcc", b"cc"),
        ("frames", b"\0\0\0\1a\0\0\0\5b", b"\0\0\0\5b"),
        ("csv", b'a\n"b', b'"b'),
    ],
)
def test_a_last_record_that_is_not_whole_can_be_left_out(format: Any, data: bytes, left: bytes, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"record [23], byte [0-9]"):
        create("dedup", {}, format).run(data)
    file = os.open(tmp_path / "bad", os.O_RDWR | os.O_CREAT)
    operator = create("dedup", {}, format, on_error="dead-letter", dead_letter=file)
    assert operator.run(data) == data[: -len(left)]
    assert operator.rejects.count == 1
    assert (tmp_path / "bad").read_bytes() == left
    os.close(file)


def test_records_of_several_inputs_say_which_input() -> None:
    operator = made("fail")
    operator.feed(b"a,1\n", 0)
    operator.feed(b"a,1\n", 1)
    with pytest.raises(RunError, match="input 2, record 2, byte 4: has 1 column, not 2"):
        operator.feed(b"b\n", 1)


def test_a_snapshot_keeps_the_count() -> None:
    first, second = made("skip"), made("skip")
    first.feed(DATA)
    second.restore(first.snapshot())
    assert (second.rejects.count, second.rejects.first) == (2, first.rejects.first)


def scenario(directory: Path, **station: Any) -> Any:
    (directory / "data.csv").write_bytes(DATA)
    document = {
        "sources": {"data": {"file": "data.csv"}},
        "stations": {"sums": {"operator": "group", "key": 1, "value": 2, "function": "sum", **station}},
        "sinks": {"out": {"file": "out.csv"}},
        "measure": {"repetitions": 2, "warmup": 0},
        "host": {"cores": 1},
    }
    file = directory / "sums.toml"
    file.write_bytes(tomli_w.dumps(document).encode())
    return load(file)


def test_a_run_counts_them_and_keeps_the_dead_letters(tmp_path: Path) -> None:
    given = scenario(tmp_path, on_error="dead-letter", dead_letter="bad.csv")
    trace = measure(given)
    result = summarise(trace, given.circuit)
    assert (tmp_path / "out.csv").read_bytes() == b"a,1\nd,4\n"
    assert (tmp_path / "bad.csv").read_bytes() == b"b,x\nc\n"  # of the last run, not of both
    rejected = result.stations["sums"].rejected
    assert rejected is not None
    assert rejected.value == 2
    assert any("'sums' left out 2 records; the first: record 2, byte 4" in warning for warning in result.warnings)


def test_a_run_that_fails_names_the_station_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"station 'sums'.*\n.*record 2, byte 4"):
        measure(scenario(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "sums.toml"]


@pytest.mark.parametrize(
    ("station", "path"),
    [
        ({"on_error": "dead-letter"}, "stations.sums.dead_letter"),
        ({"dead_letter": "bad.csv"}, "stations.sums.dead_letter"),
        ({"on_error": "skip", "dead_letter": "bad.csv"}, "stations.sums.dead_letter"),
        ({"on_error": "dead-letter", "dead_letter": "data.csv"}, "stations.sums.dead_letter"),
        ({"on_error": "ignore"}, "stations.sums.on_error"),
    ],
)
def test_what_does_not_go_together_is_refused(station: dict[str, Any], path: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(tmp_path, **station)
    assert caught.value.path == path
