"""Several servers with an ordered merge write byte for byte what one would, however many records a record gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamsim.errors import RunError, ScenarioError
from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.run import run
from streamsim.real.worker.batches import HEADER, Batches

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observing needs Linux's /proc")

OPERATOR = """
from streamsim.operators.base import RecordOperator, Traits
from streamsim.formats.parameters import Parameter

class Times(RecordOperator):
    '''Give each record as often as the remainder of its length says.'''
    parameters = (Parameter("most", "integer", 3, "how often at most"),)
    def process(self, records):
        most = self.values["most"] + 1
        return [record + b"." for record in records for _ in range(len(record) % most)]

class Slow(Times):
    '''The same, with a pause for some.'''
    def process(self, records):
        from time import sleep
        sleep(0.002 * (b"7" in records[0]))
        return super().process(records)

class Told(RecordOperator):
    '''Keeps a state, and says so.'''
    traits = Traits(state="bounded", one_to_one=True)
    def process(self, records):
        return records

class Untold(RecordOperator):
    '''Keeps a state, and says so only to who saves it.'''
    saved = ("last",)
    def process(self, records):
        return records
"""


@pytest.fixture(scope="module", autouse=True)
def repeating(tmp_path_factory: Any) -> Any:
    where = tmp_path_factory.mktemp("operators")
    (where / "shapes_repeating.py").write_text(OPERATOR)
    sys.path.insert(0, str(where))
    yield
    sys.path.remove(str(where))


def written(scenario: dict[str, Any], content: bytes, tmp_path: Path) -> bytes:
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        run(load(scenario), stdin=source.fileno(), stdout=target.fileno())
    return (tmp_path / "out").read_bytes()


STATIONS: list[dict[str, Any]] = [
    {"operator": "filter", "where": "len(record) % 3 != 1"},
    {"operator": "filter", "where": "record == 'never'"},
    {"operator": "regex", "pattern": "[0-9]7"},
    {"operator": "map", "to": "record + ',' + record"},
    {"operator": "cascade", "where": ["len(record) > 2", "contains(record, '1')"]},
    {"operator": "shapes_repeating:Times", "most": 3},
    {"operator": "shapes_repeating:Slow", "most": 2},
]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    station=st.sampled_from(STATIONS),
    servers=st.integers(2, 5),
    partition=st.sampled_from(["round-robin", "least-loaded"]),
    chunk=st.sampled_from([1, 13, 4096, 61440, 61441, 1 << 20]),
    capacity=st.sampled_from(["4 KiB", "64 KiB", "256 KiB"]),
    lengths=st.lists(st.sampled_from([0, 1, 2, 3, 77, 5000, 70_000]), max_size=300),
    ended=st.booleans(),
)
def test_an_ordered_merge_gives_the_bytes_of_one_server(
    station: dict[str, Any], servers: int, partition: str, chunk: int, capacity: str, lengths: list[int], ended: bool,
    tmp_path: Path,
) -> None:  # fmt: skip
    content = b"\n".join((b"%d" % place * length)[:length] for place, length in enumerate(lengths)) + b"\n" * ended
    cut = {"command": f"dd bs={chunk} status=none"} if chunk > 1 else {"command": "cat"}
    if chunk == 1:
        content = content[:3000]
        cut = {"command": "dd bs=1 status=none"}
    found = []
    for count in (1, servers):
        shape = {"parallelism": count, "partition": partition, "merge": "ordered"} if count > 1 else {}
        found.append(
            written(
                {"stations": {"cut": cut, "x": station | shape | {"pipe": {"capacity": capacity}}}}, content, tmp_path
            )
        )
    assert found[0] == found[1]


@settings(max_examples=200, deadline=None)
@given(blocks=st.lists(st.binary(max_size=50), max_size=30), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_batches_come_out_whole_wherever_their_stream_is_cut(blocks: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(HEADER.pack(2 * number + 1, len(block), number, 9) + block for number, block in enumerate(blocks))
    one, found, place = Batches(), [], 0
    while place < len(stream):
        size = cuts[place % len(cuts)]
        found += one.take(stream[place : place + size])
        place += size
    assert found == [(number, True, block, number, 9) for number, block in enumerate(blocks)]
    assert not one.inside


FORMATS: list[str | dict[str, Any]] = [
    "frames", "msgpack", {"name": "csv", "header": True}, "csv", {"name": "rows", "columns": ["i8", "f8"]}, "arrow",
]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_an_ordered_merge_keeps_the_order_of_every_format(format: Any, tmp_path: Path) -> None:
    table = b"a,b\n" + b"".join(b"%d,%d.5\n" % (number, number % 977) for number in range(60_000))
    head = {"name": "csv", "header": True}
    made = {"operator": "convert", "to": format, "format": head}
    if isinstance(format, dict) and format["name"] == "rows":
        table = table[4:]
        made = {"operator": "convert", "to": format, "format": "csv"}
    found = []
    for shape in ({}, {"parallelism": 3, "merge": "ordered"}):
        kept = {"operator": "filter", "where": "endswith(column(1), '7') or int(column(1)) % 5 == 1"} | shape
        if format in ("frames", "msgpack"):
            kept["where"] = "endswith(record, '7.5')"
        shown = {
            "operator": "convert",
            "to": "csv",
            "format": format,
        }  # Arrow's batches are as they were read: rows count
        more = {"shown": shown} if format == "arrow" else {}
        found.append(written({"stations": {"made": made, "kept": kept | {"format": format}, **more}}, table, tmp_path))
    assert found[0]
    assert found[1] == found[0]


def test_the_ports_of_a_route_are_merged_in_order_too(tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number for number in range(100_000))
    route = {"operator": "route", "where": "endswith(record, '7')", "parallelism": 3, "merge": "ordered"}
    sinks = {"rest": {"input": "b.rest", "file": str(tmp_path / "rest")}}
    found = written({"stations": {"b": route}, "sinks": sinks}, content, tmp_path)
    lines = content.splitlines(keepends=True)
    assert found == b"".join(line for line in lines if line[-2:-1] == b"7")
    assert (tmp_path / "rest").read_bytes() == b"".join(line for line in lines if line[-2:-1] != b"7")


def test_records_that_cannot_be_worked_on_leave_no_gap(tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % number if number % 10 else b"bad%d\n" % number for number in range(50_000))
    station = {
        "operator": "map", "to": "str(int(record) + 1)", "parallelism": 3, "merge": "ordered",
        "on_error": "dead-letter", "dead_letter": str(tmp_path / "dead"),
    }  # fmt: skip
    found = written({"stations": {"b": station}}, content, tmp_path)
    assert found == b"".join(b"%d\n" % (number + 1) for number in range(50_000) if number % 10)
    dead = (tmp_path / "dead").read_bytes().splitlines()
    assert sorted(dead) == sorted(b"bad%d" % number for number in range(0, 50_000, 10))


@pytest.mark.parametrize("operator", ["Told", "Untold"])
def test_an_operator_of_one_s_own_that_keeps_a_state_is_refused(operator: str) -> None:
    station = {"operator": f"shapes_repeating:{operator}", "parallelism": 2, "merge": "ordered"}
    with pytest.raises(ScenarioError, match="keeps a state from record to record"):
        load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": station}})


@pytest.mark.parametrize("partition", ["round-robin", "least-loaded"])
@pytest.mark.parametrize("header", [False, True])
def test_a_bad_record_is_named_by_its_place_in_the_input_of_the_station(
    header: bool, partition: str, tmp_path: Path
) -> None:
    lines = [b"%d\n" % number for number in range(90_000)]
    lines[70_000] = b"bad\n"
    content = b"name\n" * header + b"".join(lines)
    station = {
        "operator": "filter", "where": "int(column(1)) > 5", "parallelism": 3, "merge": "ordered",
        "partition": partition, "format": {"name": "csv", "header": header},
    }  # fmt: skip
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(RunError, match=r"station 'b\.[123]'") as raised:
        run_once(load({"sources": {"f": {"file": str(tmp_path / "in")}}, "stations": {"b": station}}))
    number, byte = 70_001, content.index(b"bad\n")
    assert f"record {number}, byte {byte}: " in str(raised.value)


def test_a_run_counts_the_payload_and_no_headers() -> None:
    kept = {"operator": "filter", "where": "endswith(record, '7')", "parallelism": 2, "merge": "ordered"}
    trace = run_once(load({"sources": {"a": {"command": "seq 200000"}}, "stations": {"b": kept}}))
    whole = sum(len(b"%d\n" % number) for number in range(1, 200_001))
    part = sum(len(b"%d\n" % number) for number in range(7, 200_001, 10))
    stations = trace.stations
    assert stations["b.split"].bytes_out[-1] == whole
    assert stations["b.merge"].bytes_in[-1] == stations["b.merge"].bytes_out[-1] == part
