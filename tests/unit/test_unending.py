"""What never ends is refused by name before it is measured; what somebody may end is not."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim import verbs
from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.unending import unending_sources


def found(source: dict[str, Any], *stations: dict[str, Any], **sections: Any) -> list[str]:
    rest = {f"s{number}": station for number, station in enumerate(stations)}
    return unending_sources(load({"sources": {"a": source}, "stations": rest, **sections}))


@pytest.mark.parametrize(
    "source",
    [
        {"command": "yes"},
        {"command": "tail -n 3 -f /dev/null"},
        {"command": "cat /dev/zero"},
        {"operator": "generate"},
        {"file": "/dev/urandom"},
        {"files": ["/dev/null", "/dev/zero"]},
        {"operator": "exec", "program": "date", "every": "1 s"},
    ],
    ids=str,
)
def test_a_source_without_end_is_found_unless_it_is_bounded(source: dict[str, Any]) -> None:
    count = {"operator": "count"}
    assert found(source, count) == ["a"]
    assert found(source, {"command": "tr a b"}, count) == ["a"]
    assert found(source, {"command": "head -n 9"}, count) == []
    assert found(source, {"command": "sh -c 'read x'"}) == []
    assert found(source, count, measure={"duration": "1 s"}) == []
    assert found(source, count, measure={"records": 10}) == []


@pytest.mark.parametrize("source", [{"command": "seq 9"}, {"operator": "generate", "count": 9}, {"file": "/dev/null"}])
def test_a_source_with_an_end_is_not(source: dict[str, Any]) -> None:
    assert found(source, {"operator": "count"}) == []


def test_a_measurement_of_what_never_ends_is_refused_and_says_how_to_bound_it() -> None:
    scenario = load({"sources": {"a": {"command": "yes"}}, "stations": {"n": {"command": "wc -l"}}})
    with pytest.raises(ScenarioError, match=r"sources\.a: it never ends.*measure\.duration"):
        verbs.measure(scenario)
