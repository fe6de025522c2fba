"""What each operator computes, held against the standard library or a count by hand."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import os
import random
import re
import statistics
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError, ScenarioError
from streamsim.operators import check, create
from streamsim.operators.work import Work

RANDOM = random.Random(3)
ROWS = [(RANDOM.choice("abc") + str(number % 4), (number * 37) % 100 / 4) for number in range(300)]
TABLE = b"".join(f"{key},{value}\n".encode() for key, value in ROWS)


def run(name: str, data: bytes = b"", format: Any = "lines", on_error: str = "fail", **parameters: Any) -> bytes:
    return create(name, parameters, format, on_error=on_error).run(data)


FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "count": len,
    "sum": math.fsum,
    "mean": statistics.fmean,
    "min": min,
    "max": max,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_group_agrees_with_the_statistics_of_each_key(function: str) -> None:
    groups: dict[str, list[float]] = defaultdict(list)
    for key, value in ROWS:
        groups[key].append(value)
    out = run("group", TABLE, key=1, value=2, function=function).decode().splitlines()
    assert [line.split(",")[0] for line in out] == sorted(groups)
    for line in out:
        key, found = line.split(",")
        assert float(found) == pytest.approx(FUNCTIONS[function](groups[key]), rel=1e-12)


def test_sums_of_whole_numbers_are_exact() -> None:
    assert run("group", b"a,9007199254740993\na,-1\na,+2\n", key=1, value=2, function="sum") == b"a,9007199254740994\n"


@pytest.mark.parametrize("bad", [b"NA", b"nan", b"inf", b"", b"1x"])
def test_what_is_no_number_fails_the_run_or_is_skipped(bad: bytes) -> None:
    data = b"a,1\nb," + bad + b"\na,3\n"
    with pytest.raises(RunError, match=r"record 2, byte [0-9]+: column 2 is .*, not a number"):
        run("group", data, key=1, value=2, function="sum")
    assert run("group", data, key=1, value=2, function="sum", on_error="skip") == b"a,4\n"
    with pytest.raises(RunError, match=r"record 2, byte [0-9]+: column 2 is"):
        run("window", data, size=2, column=2, function="sum")
    assert run("window", data, size=2, column=2, function="sum", on_error="skip") == b"1,4\n"


def test_a_missing_column_is_named() -> None:
    with pytest.raises(RunError, match=r"record 2, byte [0-9]+: has 1 column, not 2"):
        run("group", b"a,1\nb\n", key=2)
    with pytest.raises(RunError, match="record 1, byte 0: has 2 columns, not 3"):
        run("window", b"a,1\n", size=1, column=3, function="max")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_window_agrees_with_the_statistics_of_each_slice(function: str) -> None:
    values = [value for _, value in ROWS]
    out = run("window", TABLE, size=70, column=2, function=function).decode().splitlines()
    slices = [values[place : place + 70] for place in range(0, 300, 70)]
    assert [int(line.split(",")[0]) for line in out] == [1, 2, 3, 4, 5]
    for line, part in zip(out, slices, strict=True):
        assert float(line.split(",")[1]) == pytest.approx(FUNCTIONS[function](part), rel=1e-12)


def test_top_agrees_with_a_counter() -> None:
    counts = Counter(key for key, _ in ROWS)
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]
    assert run("top", TABLE, k=5, column=1).decode() == "".join(f"{key},{count}\n" for key, count in expected)
    assert run("top", b"b,x\na\n", column=2) == b",1\nx,1\n"  # a record without the column has it empty


def test_dedup_keeps_the_first_of_each_in_order() -> None:
    assert run("dedup", TABLE) == b"".join(dict.fromkeys(TABLE.splitlines(keepends=True)))
    first: dict[str, bytes] = {}
    for (key, _), line in zip(ROWS, TABLE.splitlines(keepends=True), strict=True):
        first.setdefault(key, line)
    assert run("dedup", TABLE, column=1) == b"".join(first.values())


def test_count_counts_records_and_bytes() -> None:
    assert run("count", TABLE) == b"%d %d\n" % (len(ROWS), len(TABLE))
    assert run("count", b"a\nb") == b"2 3\n"
    assert run("count") == b"0 0\n"
    assert run("count", b"\0\0\0\1x", format="frames", delimiter="/") == b"\0\0\0\x031/5"


def test_sample_keeps_each_with_its_probability_and_the_same_with_the_same_seed() -> None:
    data = b"".join(b"%d\n" % number for number in range(20_000))
    kept = run("sample", data, probability=0.3, seed=5)
    assert kept == run("sample", data, probability=0.3, seed=5)
    assert kept != run("sample", data, probability=0.3, seed=6)
    # five standard deviations of a binomial count
    assert abs(kept.count(b"\n") - 6000) < 5 * math.sqrt(20_000 * 0.3 * 0.7)
    assert run("sample", data, probability=0) == b""
    assert run("sample", data, probability=1) == data
    assert run("sample", data, every=7).split() == [b"%d" % number for number in range(6, 20_000, 7)]


def test_interleave_lets_no_two_records_grow_together_at_the_end() -> None:
    merge: Any = create("interleave")
    merge.feed(b"a1\na2", 0)
    merge.feed(b"b1", 1)
    assert merge.finish() == b"a2\nb1"
    assert merge.records_in == merge.records_out == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\na,7\nb,5\nc,9\n", "record 2: 'b,5' comes before what stands above it"),
        (b"\na,7\nb,5\nc,x\n", "record 2: 'b,5' comes before what stands above it"),
        (b"\na,7\nb,x\nc,5\n", "record 2: 'x' is not a number"),
    ],
)
def test_merge_tells_the_first_fault_wherever_the_input_was_cut(data: bytes, said: str) -> None:
    for place in range(len(data)):
        merge: Any = create("merge", {"key": 2, "numeric": True}, {"name": "csv", "header": True})
        with pytest.raises(RunError, match=said):
            merge.feed(data[:place]), merge.feed(data[place:])


def test_merge_goes_on_behind_what_a_snapshot_had_given() -> None:
    first: Any = create("merge")
    assert first.feed(b"b\n") == b"b\n"
    second: Any = create("merge")
    second.restore(first.snapshot())
    with pytest.raises(RunError, match="record 2: 'a' comes before"):
        second.feed(b"a\n")


def test_regex_extracts_every_match_or_its_groups() -> None:
    data = b"a=1 b=2\nnone\nc=3\n"
    assert run("regex", data, pattern="[a-z]=[0-9]", mode="extract") == b"a=1\nb=2\nc=3\n"
    assert run("regex", data, pattern="([a-z])=[0-9]", mode="extract") == b"a\nb\nc\n"
    assert run("regex", data, pattern="([a-z])=([0-9])", mode="extract", delimiter=";") == b"a;1\nb;2\nc;3\n"
    assert run("regex", data, pattern="=", mode="replace", by=":") == b"a:1 b:2\nnone\nc:3\n"


def test_regex_that_cannot_be_compiled_is_refused() -> None:
    for parameters, path in (({"pattern": "("}, "pattern"), ({"pattern": "a", "by": r"\2"}, "by")):
        with pytest.raises(ScenarioError) as caught:
            check("regex", parameters, path="stations.x")
        assert caught.value.path == f"stations.x.{path}"


def test_a_csv_heading_is_passed_on_where_the_columns_stay_and_left_out_where_not() -> None:
    table, data = {"name": "csv", "header": True}, b"key,value\na,1\nb,2\na,3\n"
    assert run("filter", data, table, where="column(1) == 'a'") == b"key,value\na,1\na,3\n"
    assert run("sample", data, table, every=3) == b"key,value\na,3\n"
    assert run("work", data, table, service=0) == data
    assert run("group", data, table, key=1, value=2, function="sum") == b"a,4\nb,2\n"
    assert run("count", data, table) == b"3 12\n"
    assert run("regex", data, table, pattern="[0-9]", mode="extract") == b"1\n2\n3\n"
    assert run("dedup", b"key,value", table) == b"key,value\n"
    assert create("filter", {"where": "column(1) == 'a'"}, table).snapshot()


def test_quoted_columns_are_understood_and_written() -> None:
    data = b'"Smith, J",1\n"Smith, J",2\nb,3\n'
    assert run("group", data, "csv", key=1, value=2, function="sum") == b'"Smith, J",3\nb,3\n'
    assert run("filter", data, "csv", where="column(1) == 'Smith, J'") == b'"Smith, J",1\n"Smith, J",2\n'


@pytest.mark.parametrize(
    ("parameters", "scv"),
    [({}, 0.0), ({"distribution": "exponential"}, 1.0), ({"distribution": "gamma", "scv": 0.25}, 0.25)],
)
def test_the_demand_of_work_has_the_mean_and_scatter_asked_for(parameters: dict[str, Any], scv: float) -> None:
    work = create("work", {"service": "2 ms", "seed": 11, **parameters})
    assert isinstance(work, Work)
    draws = [work.demand(1) for _ in range(20_000)]
    mean = statistics.fmean(draws)
    assert abs(mean - 2e-3) <= 5 * 2e-3 * math.sqrt(scv / 20_000) + 1e-12  # five standard errors
    found = statistics.pvariance(draws) / mean**2
    # the variance of a sample variance of a gamma: its excess kurtosis is 6·scv
    assert abs(found - scv) <= 5 * scv * math.sqrt((2 + 6 * scv) / 20_000) + 2 * 5 * scv * math.sqrt(scv / 20_000)


def test_the_demand_of_a_chunk_scatters_like_the_sum_of_its_records() -> None:
    work = create("work", {"service": 1, "distribution": "exponential", "seed": 2})
    assert isinstance(work, Work)
    draws = [work.demand(50) for _ in range(4_000)]
    assert abs(statistics.fmean(draws) - 50) <= 5 * math.sqrt(50 / 4_000)
    assert abs(statistics.pvariance(draws) - 50) <= 5 * 50 * math.sqrt((2 + 6 / 50) / 4_000)


def test_work_spends_what_it_drew(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that moves by 3 ms a look, an overshoot is taken off the next chunk."""
    now = [0.0]

    def clock() -> float:
        now[0] += 3e-3
        return now[0]

    monkeypatch.setattr("streamsim.operators.work.thread_time", clock)
    work = create("work", {"service": "10 ms"})
    for _ in range(100):
        work.run(b"x\n")
    # every chunk looks once more than it waits for: to see where it starts
    assert now[0] == pytest.approx(100 * 10e-3 + 100 * 3e-3, abs=3e-3)


def test_work_that_waits_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("streamsim.operators.work.sleep", slept.append)
    run("work", b"a\nb\n", service="1 ms", wait=True)
    assert slept == [pytest.approx(2e-3)]


@pytest.mark.parametrize(
    ("name", "parameters", "path"),
    [
        ("work", {"service": 1, "distribution": "gamma"}, "scv"),
        ("work", {"service": 1, "scv": 2}, "scv"),
        ("work", {"service": "1 parsec"}, "service"),
        ("work", {"service": -1}, "service"),
        ("work", {}, "service"),
        ("sample", {}, "every"),
        ("sample", {"every": 2, "probability": 0.5}, "every"),
        ("sample", {"probability": 1.5}, "probability"),
        ("sample", {"every": True}, "every"),
        ("group", {"key": 1, "function": "mean"}, "value"),
        ("group", {"key": 0}, "key"),
        ("group", {"key": 1, "function": "average"}, "function"),
        ("group", {"key": 1, "delimiter": ""}, "delimiter"),
        ("window", {"size": 2, "function": "sum"}, "column"),
        ("file", {"member": "a"}, "paths"),
        ("file", {"paths": [1]}, "paths"),
        ("generate", {"size": "1 mile"}, "size"),
        ("top", {"k": 2.5}, "k"),
    ],
)
def test_wrong_parameters_are_refused_by_name(name: str, parameters: dict[str, Any], path: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        check(name, parameters, path="stations.here")
    assert caught.value.path == f"stations.here.{path}"


def test_a_choice_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ScenarioError, match=r"'means' is not 'count' or .*did you mean 'mean'"):
        check("group", {"key": 1, "value": 1, "function": "means"})


def test_generate_makes_what_was_asked_for() -> None:
    assert run("generate", count=70_000).split() == [b"%d" % number for number in range(1, 70_001)]
    assert run("generate", count=3, size=6) == b"00001\n00002\n00003\n"
    assert run("generate", count=2, kind="fixed") == (b"x" * 99 + b"\n") * 2
    assert run("generate", count=2, kind="fixed", size=10, format="frames") == (b"\0\0\0\6xxxxxx") * 2
    assert run("generate", count=0) == b""


def test_generated_words_are_as_frequent_as_zipf_says() -> None:
    counts = Counter(run("generate", count=50_000, kind="words", keys=20, seed=3).split())
    harmonic = sum(1 / rank for rank in range(1, 21))
    for rank, (_, count) in enumerate(counts.most_common(3), start=1):
        chance = 1 / (rank * harmonic)
        assert abs(count - 50_000 * chance) < 5 * math.sqrt(50_000 * chance * (1 - chance))
    assert len(counts) == 20
    lines = run("generate", count=1000, kind="words", keys=200, size=30).splitlines()
    assert {len(line) for line in lines} == {29}  # six words of four letters
    assert len({word for line in lines for word in line.split()}) <= 200
    assert len(set(run("generate", count=1, kind="words", keys=5000, size=100_000).split())) > 70


def test_file_reads_archives_and_decompresses_on_demand(tmp_path: Path) -> None:
    data = TABLE * 500
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.csv", data)
    assert run("file", paths=str(tmp_path / "a.zip"), member="inside.csv") == data
    for ending, compress in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        path = tmp_path / f"a{ending}"
        path.write_bytes(compress(data))
        assert run("file", paths=[str(path)], decompress=True) == data
        assert run("file", paths=[str(path)]) == path.read_bytes()
    with pytest.raises(ScenarioError, match=r"holds no 'insid.csv'; did you mean 'inside.csv'"):
        run("file", paths=[str(tmp_path / "a.zip")], member="insid.csv")


def test_file_says_which_path_it_could_not_read(tmp_path: Path) -> None:
    for name in ("a.zip", "a.gz", "a.bz2", "a.xz"):
        (tmp_path / name).write_bytes(b"something else")
    wrong: list[tuple[str, dict[str, Any]]] = [("a.zip", {"member": "x"}), ("absent", {}), (".", {})]
    wrong += [(name, {"decompress": True}) for name in ("a.gz", "a.bz2", "a.xz")]
    for name, parameters in wrong:
        path = str(tmp_path / name)
        with pytest.raises(RunError, match=f"^{re.escape(path)}: ."):
            run("file", paths=[path], **parameters)


def test_file_without_paths_reads_its_input_until_the_deadline() -> None:
    source: Any = create("file")
    reader, writer = os.pipe()
    try:
        os.write(writer, b"one\ntwo")
        source.input = reader
        source.deadline = math.inf
        pieces = source.stream()
        assert next(pieces) == b"one\ntwo"
        source.deadline = 0.0  # too late for the generator that runs, not for the next
        late: Any = create("file")
        late.input, late.deadline = reader, 0.0
        assert list(late.stream()) == []
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("written", [b"7", b"7\r", b" 7", b"+7", b"07"])
def test_a_whole_number_stays_whole_with_what_windows_and_people_put_around_it(written: bytes) -> None:
    total = create("group", {"key": 1, "value": 2, "function": "sum"})
    assert total.run(b"a," + written + b"\na,-5 \n") == b"a,2\n"


@pytest.mark.parametrize("written", [b"1_000", b"0x10", b"", b"-", b"1 2", b"nan", b"\xd9\xa3"])
def test_what_only_a_programmer_takes_for_a_number_is_none(written: bytes) -> None:
    with pytest.raises(RunError, match="not a number"):
        create("group", {"key": 1, "value": 2, "function": "sum"}).run(b"a," + written + b"\n")


def test_an_empty_record_is_one_to_a_sketch_too() -> None:
    data = b"\n\n\0\n\nab\n"
    assert create("distinct").run(data) == b"3\n"
    assert create("count-min", {"keys": ["", "ab", "c"]}).run(data) == b",3\nab,1\nc,0\n"
    assert create("top", {"capacity": 8, "k": 1}).run(data) == b",3\n"
    parts = [create("distinct", {"writes": "sketch"}).run(part) for part in (b"\n", b"\na\n")]
    assert create("distinct", {"reads": "sketches"}).run(b"".join(parts)) == b"2\n"


def test_columns_that_a_line_cannot_tell_apart_are_rejected() -> None:
    data = b'{"a": "1", "b": "x, y"}\n{"a": "2", "b": "x\\ny"}\n{"a": "3", "b": "z"}\n'
    given = {"from": "json", "fields": ["a", "b"]}
    with pytest.raises(RunError, match=r"record 1, byte 0: a column holds the delimiter ','.*choose another"):
        create("parse", given).run(data)
    assert create("parse", given, on_error="skip").run(data) == b"3,z\n"
    assert create("parse", {**given, "delimiter": ";"}, on_error="skip").run(data) == b"1;x, y\n3;z\n"


def test_a_replacement_with_a_newline_makes_records() -> None:
    for by in (r"\n", "\n"):
        regex: Any = create("regex", {"pattern": " ", "mode": "replace", "by": by})
        assert regex.run(b"a b\n\nc d e\n") == b"a\nb\n\nc\nd\ne\n"
        assert regex.records_out == 6


@pytest.mark.parametrize("capacity", [8, 12, 13, 48, 100])
def test_top_is_exact_for_as_many_keys_as_it_may_keep(capacity: int) -> None:
    generator = random.Random(capacity)
    keys = [b"%d" % generator.randrange(capacity) for _ in range(5000)]
    found = create("top", {"capacity": capacity, "k": capacity}).run(b"".join(key + b"\n" for key in keys))
    expected = sorted(Counter(keys).items(), key=lambda item: (-item[1], item[0]))
    assert found == b"".join(b"%s,%d\n" % item for item in expected)
