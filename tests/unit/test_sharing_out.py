"""The shares that a measurement finds: how much goes to which reader, and by which port."""

from __future__ import annotations

import pytest

from streamsim.loading import load
from streamsim.verbs import fit, measure

ROUTE = {"operator": "route", "where": "endswith(record, '7')"}
COUNTS = {"c": {"command": "wc -l", "input": "b"}, "d": {"command": "wc -l", "input": "b.rest"}}


def test_a_fitted_profile_knows_what_leaves_by_a_port() -> None:
    scenario = load(
        {
            "sources": {"a": {"command": "seq 10000 19999"}},
            "stations": {"b": ROUTE, **COUNTS},
            "measure": {"repetitions": 1, "warmup": 0},
        }
    )
    assert fit(measure(scenario), scenario).stations["b"].shares == {"rest": pytest.approx(0.9)}


def test_a_fitted_profile_knows_what_each_reader_of_a_split_got() -> None:
    readers = {name: {"command": "wc -l", "input": "b"} for name in ("c", "d")}
    scenario = load(
        {
            "sources": {"a": {"command": "bash -c 'yes a | head -n 3000; yes d | head -n 1000'"}},
            "stations": {"b": {"command": "cat", "split": "key"}, **readers},
            "measure": {"repetitions": 1, "warmup": 0},
        }
    )
    shares = fit(measure(scenario), scenario).stations["b.route"].shares
    assert sorted(shares.values()) == pytest.approx([0.25, 0.75])
    assert set(shares) == {"c", "d"}
