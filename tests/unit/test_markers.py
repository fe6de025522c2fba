"""Markers that a read cuts, and data that only begin like one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streamsim.errors import ControlError
from streamsim.real.control.downstream import way
from streamsim.real.control.markers import Awaited, fresh, instead, whole
from streamsim.real.control.runs import RunEntry, ServerEntry


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


def test_a_marker_that_a_read_has_cut_comes_whole(pipe: tuple[int, int]) -> None:
    marker = fresh()
    awaited = Awaited(marker, "first", (0,), (), None, {})
    for size in range(1, 60):
        os.write(pipe[1], b"some data\0" + marker + b"\0" + b"more data" * 9)
        chunk = whole([awaited], pipe[0], os.read(pipe[0], size))
        assert not any(chunk.endswith(marker[:length]) for length in range(2, len(marker)))
        assert chunk + os.read(pipe[0], 200) == b"some data\0" + marker + b"\0" + b"more data" * 9


def test_data_that_begin_like_a_marker_are_not_waited_for(pipe: tuple[int, int]) -> None:
    marker = fresh()
    awaited = Awaited(marker, "first", (0,), (), None, {})
    for length in range(1, len(marker)):
        assert whole([awaited], pipe[0], b"data" + marker[:length]) == b"data" + marker[:length]
    assert whole([], pipe[0], marker[:5]) == marker[:5]


def test_while_an_input_is_held_back_one_is_read_by_which_the_marker_is_to_come() -> None:
    awaited: Any = Awaited(fresh(), "first", (0, 1, 2), (), None, {})
    awaited.missing -= {0, 1}
    assert awaited.begun
    assert instead([SimpleNamespace(unit="byte"), awaited], 1) == 2


def run_of(*servers: tuple[str, str, dict[int, str], dict[int, str]]) -> RunEntry:
    entries = tuple(
        ServerEntry(
            name=name, kind="command" if kind == "tool" else "operator", program=kind, pid=pid, started="1",
            inputs=inputs, outputs=outputs,
        )
        for pid, (name, kind, inputs, outputs) in enumerate(servers, start=1)
    )  # fmt: skip
    return RunEntry(id="1", name="run", pid=1, since=0.0, servers=entries)


def test_the_way_has_only_what_leads_from_the_start_to_the_target() -> None:
    run = run_of(
        ("a", "copy", {}, {1: "a->b", 3: "a->c", 4: "a->aside"}),
        ("aside", "tool", {0: "a->aside"}, {}),
        ("b", "copy", {0: "a->b"}, {1: "b->d"}),
        ("c", "copy", {0: "a->c"}, {1: "c->d"}),
        ("other", "copy", {}, {1: "other->d"}),
        ("d", "interleave", {0: "b->d", 3: "other->d", 4: "c->d"}, {1: "d->e"}),
        ("e", "copy", {0: "d->e"}, {}),
    )
    found = [(step.server.name, set(step.inputs), set(step.outputs), step.last) for step in way(run, "a", "d")]
    assert found == [
        ("a", set(), {1, 3}, False),
        ("b", {0}, {1}, False),
        ("c", {0}, {1}, False),
        ("d", {0, 4}, set(), True),
    ]


def test_a_way_that_goes_in_a_circle_is_refused() -> None:
    run = run_of(
        ("a", "copy", {}, {1: "a->b"}),
        ("b", "loop", {0: "a->b", 3: "c->b"}, {1: "b->c"}),
        ("c", "route", {0: "b->c"}, {1: "c->b", 3: "c->d"}),
        ("d", "copy", {0: "c->d"}, {}),
    )
    with pytest.raises(ControlError, match=r"it goes in a circle \(b, c\)"):
        way(run, "a", "d")
