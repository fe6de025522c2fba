"""The sketches against exact answers, within the bounds that they promise; merged they are the whole."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from streamsim.errors import RunError, ScenarioError
from streamsim.operators import check, create

RANDOM = random.Random(5)
WORDS = [f"word{int(RANDOM.paretovariate(1.1))}" for _ in range(20_000)]
NUMBERS = [RANDOM.gauss(50, 12) for _ in range(20_000)]
TEXT = "".join(f"{word}\n" for word in WORDS).encode()
COLUMN = "".join(f"{number!r}\n" for number in NUMBERS).encode()
SKETCHES: dict[str, dict[str, Any]] = {
    "distinct": {"precision": 12},
    "top": {"k": 20},
    "count-min": {"keys": ["word1", "word2", "absent"]},
    "moments": {},
    "quantiles": {},
}


def run(name: str, data: bytes, **parameters: Any) -> bytes:
    return create(name, parameters).run(data)


def merged(name: str, data: bytes, servers: int, **parameters: Any) -> bytes:
    """Deal the records out to several servers and merge what they saw."""
    records = data.splitlines(keepends=True)
    parts = [run(name, b"".join(records[place::servers]), **parameters, writes="sketch") for place in range(servers)]
    return run(name, b"".join(parts), **parameters, reads="sketches")


@pytest.mark.parametrize("precision", [10, 14])
def test_distinct_is_right_within_three_standard_errors(precision: int) -> None:
    true = len(set(WORDS))
    found = int(run("distinct", TEXT, precision=precision))
    assert abs(found / true - 1) < 3 * 1.04 / 2 ** (precision / 2)
    estimate, low, high = map(int, run("distinct", TEXT, precision=precision, bounds=True).split(b","))
    assert estimate == found
    assert low <= true <= high


@pytest.mark.parametrize("name", ["distinct", "top", "count-min"])
def test_a_merged_sketch_answers_as_one_server_would(name: str) -> None:
    whole = run(name, TEXT, **SKETCHES[name])
    for servers in (2, 7):
        assert merged(name, TEXT, servers, **SKETCHES[name]) == whole


def test_merged_moments_are_those_of_the_whole_but_for_rounding() -> None:
    whole = np.array(run("moments", COLUMN).split(b","), dtype=float)
    assert np.array(merged("moments", COLUMN, 3).split(b","), dtype=float) == pytest.approx(whole, rel=1e-9)


def test_moments_agree_with_scipy() -> None:
    count, mean, variance, skewness, kurtosis, least, greatest = map(float, run("moments", COLUMN).split(b","))
    assert count == len(NUMBERS)
    assert mean == pytest.approx(np.mean(NUMBERS), rel=1e-12)
    assert variance == pytest.approx(np.var(NUMBERS, ddof=1), rel=1e-11)
    assert skewness == pytest.approx(stats.skew(NUMBERS), rel=1e-8)
    assert kurtosis == pytest.approx(stats.kurtosis(NUMBERS), rel=1e-8)
    assert (least, greatest) == (min(NUMBERS), max(NUMBERS))
    assert run("moments", b"") == b"0,,,,,,\n"
    assert run("moments", b"7\n") == b"1,7.0,,,,7.0,7.0\n"


@pytest.mark.parametrize("servers", [1, 4])
def test_quantiles_keep_their_rank_error(servers: int) -> None:
    levels = ["0.01", "0.25", "0.5", "0.75", "0.99"]
    rows = (
        merged("quantiles", COLUMN, servers, levels=levels) if servers > 1 else run("quantiles", COLUMN, levels=levels)
    )
    ordered = np.sort(NUMBERS)
    for row in rows.decode().split():
        level, found = map(float, row.split(","))
        # 1.33 % holds with 99 % for one level: three times that fails once in millions of runs
        assert abs(np.searchsorted(ordered, found) / len(ordered) - level) < 3 * 0.0133
    assert run("quantiles", b"") == b""


def test_top_with_a_capacity_finds_what_is_frequent_and_never_counts_too_low() -> None:
    true = Counter(WORDS)
    rows = [row.split(",") for row in run("top", TEXT, k=5, capacity=256).decode().split()]
    assert [key for key, _ in rows] == [key for key, _ in true.most_common(5)]
    for key, count in rows:
        assert true[key] <= int(count) <= true[key] + 3.5 / 256 * len(WORDS)


def test_count_min_is_never_too_low_and_seldom_too_high() -> None:
    true = Counter(WORDS)
    keys = [f"word{number}" for number in range(1, 200)]
    rows = dict(row.split(",") for row in run("count-min", TEXT, keys=keys, error=0.002).decode().split())
    assert all(int(rows[key]) >= true[key] for key in keys)
    assert sum(int(rows[key]) > true[key] + 0.002 * len(WORDS) for key in keys) <= 0.01 * len(keys) + 3


def test_dedup_with_a_capacity_forgets_only_what_is_old_and_is_seldom_wrong() -> None:
    fresh = b"".join(b"key%d\n" % number for number in range(5000))
    out = run("dedup", fresh + fresh, capacity=10_000, false_positives=0.01).splitlines()
    assert len(out) == len(set(out))
    assert 5000 * (1 - 0.02) < len(out) <= 5000
    endless = create("dedup", {"capacity": 100})
    for _ in range(50):
        assert endless.feed(b"again\n" + b"".join(b"%d\n" % RANDOM.getrandbits(60) for _ in range(30))) != b""  # type: ignore[union-attr]
    assert endless.records_out <= 50 * 31
    assert endless.records_out >= 50 * 30 * 0.97


@pytest.mark.parametrize("parameters", [{"capacity": 50}, {}])
def test_dedup_remembers_the_latest_keys(parameters: dict[str, Any]) -> None:
    latest = [b"%d\n" % number for number in range(1000)]
    repeated = b"".join(latest[place] + latest[max(0, place - 20)] for place in range(1000))
    assert set(run("dedup", repeated, **parameters).splitlines(keepends=True)) == set(latest)


def test_what_is_no_sketch_is_refused_with_its_place() -> None:
    part = run("distinct", b"a\n", writes="sketch")
    with pytest.raises(RunError, match=r"record 2, byte 2[0-9]: no sketch of 'distinct': 'hello'"):
        run("distinct", part + b"hello\n", reads="sketches")
    with pytest.raises(
        RunError, match=r"record 1, byte 0: a sketch of 'distinct' that does not fit: .*precision is 14"
    ):
        run("distinct", part, reads="sketches", precision=12)
    for name in SKETCHES:
        damaged = f"{name}:AAAA\n".encode()
        with pytest.raises(RunError, match=f"record 1, byte 0: a sketch of '{name}' that does not fit"):
            run(name, damaged, **SKETCHES[name], reads="sketches")
        skipped = create(name, {**SKETCHES[name], "reads": "sketches"}, on_error="skip")
        skipped.run(damaged)
        assert skipped.rejects.count == 1


def test_drift_is_seen_where_the_mean_changes_and_hardly_anywhere_else() -> None:
    steady = b"".join(b"%f\n" % RANDOM.random() for _ in range(20_000))
    assert run("drift", steady) == b""
    step = [RANDOM.random() + (1 if number >= 3000 else 0) for number in range(6000)]
    rows = run("drift", b"".join(b"%f\n" % number for number in step), low=0, high=2).decode().split()
    found, before, after = map(float, rows[0].split(","))
    assert 3000 < found < 3200
    assert before == pytest.approx(0.5, abs=5 * math.sqrt(1 / 12 / 3000))
    assert after == pytest.approx(1.5, abs=0.25)


def test_wrong_parameters_are_refused_with_their_place() -> None:
    for name, parameters, path in (
        ("quantiles", {"levels": ["1.5"]}, "levels"),
        ("quantiles", {"levels": ["p99"]}, "levels"),
        ("count-min", {}, "keys"),
        ("drift", {"low": 2, "high": 1}, "high"),
        ("distinct", {"precision": 30}, "precision"),
    ):
        with pytest.raises(ScenarioError) as caught:
            check(name, parameters, path="stations.a")
        assert caught.value.path == f"stations.a.{path}"
