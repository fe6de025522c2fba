"""Servers of a simulation that are told something: how many of a keyed station work, and what being asked takes."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.adjustable import Change, Replay, Timed
from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.service import HostProfile
from streamsim.trace import RunTrace

KEYED = 16 << 20
"""Much more than the pipes hold."""


def host(cores: int) -> HostProfile:
    return HostProfile(cores=cores, available_cores=float(cores), wake_near_s=0.0, wake_far_s=0.0)


def keyed(*timed: Timed, servers: int = 4) -> RunTrace:
    """So many servers that need 1 us a byte, with a core each, behind a split by key."""
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {"add": {"operator": "group", "key": 1, "parallelism": servers, "partition": "key"}},
        "service": {
            "make": {"bytes": KEYED, "record_bytes": 16},
            "add": {"per_byte": "1 us", "selectivity": 1.0, "record_bytes": 16},
        },
    }
    return simulate(load(document), host=host(servers + 4), replay=Replay({}, timed)).runs[0]


BUFFERED_S = 9 * 65536e-6
"""What four servers have taken, what their pipes hold, and what the split holds: worked on by one."""


def test_after_a_scale_so_many_servers_do_the_work_and_none_is_lost() -> None:
    one = KEYED * 1e-6
    assert keyed().makespan_s == pytest.approx(one / 4, abs=BUFFERED_S)
    run = keyed(Timed(1.0, "add", "scale", 1))
    assert run.makespan_s == pytest.approx(1.0 + (one - 4 * 1.0), abs=BUFFERED_S)
    back = keyed(Timed(1.0, "add", "scale", 1), Timed(3.0, "add", "scale", 4))
    assert back.makespan_s == pytest.approx(3.0 + (one - 4 * 1.0 - 2.0) / 4, abs=BUFFERED_S)
    for each in (run, back):
        assert each.stations["add"].bytes_in[-1] == KEYED


def test_while_keys_change_hands_nothing_moves_and_what_was_on_its_way_is_worked_on_first() -> None:
    quick, slow = (keyed(Timed(1.0, "add", "scale", 2, moving_s=moving)) for moving in (0.0, 3.0))
    assert slow.makespan_s - quick.makespan_s == pytest.approx(3.0, abs=1e-9)
    add = slow.stations["add"]
    work = np.interp([1.0, 1.0 + BUFFERED_S, 3.9], add.time_s, add.cpu_s)
    assert work[0] < work[1] == work[2]


def test_servers_get_ready_for_a_scale_while_data_flows() -> None:
    plain = keyed(Timed(1.0, "add", "scale", 2))
    later = keyed(Timed(0.5, "add", "scale", 2, ready_s=0.5))
    assert later.makespan_s == pytest.approx(plain.makespan_s, abs=1e-9)
    # A fifth of 0.5 s for the split and each of the servers, which had no time left.
    busy = keyed(Timed(0.5, "add", "scale", 2, work_s=0.5, ready_s=0.5))
    assert busy.stations["add"].cpu_s[-1] == pytest.approx(KEYED * 1e-6 + 4 * 0.1, rel=1e-9)
    assert busy.makespan_s - plain.makespan_s == pytest.approx(4 * 0.1 / 2, abs=BUFFERED_S)


def test_who_is_told_something_while_it_waits_has_time_for_it() -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {"keep": {"operator": "copy"}, "last": {"operator": "copy"}},
        "service": {"make": {"bytes": 1 << 20, "per_byte": "1 us"}, "keep": {"per_byte": "0.1 us"}, "last": {}},
    }

    def told(*timed: Timed) -> RunTrace:
        return simulate(load(document), host=host(4), replay=Replay({}, timed)).runs[0]

    free, asked = told(), told(Timed(0.5, "keep", "resume", work_s=0.01), Timed(0.6, "keep", "resume", work_s=0.01))
    assert asked.stations["keep"].cpu_s[-1] == pytest.approx(free.stations["keep"].cpu_s[-1] + 0.02, rel=1e-9)
    assert asked.makespan_s == pytest.approx(free.makespan_s, abs=1e-6)
    paused = Timed(0.5, "keep", "pause"), Timed(2.5, "keep", "resume")
    held, both = told(*paused), told(paused[0], Timed(1.0, "keep", "pause", work_s=0.01), paused[1])
    assert both.stations["keep"].cpu_s[-1] == pytest.approx(held.stations["keep"].cpu_s[-1] + 0.01, rel=1e-9)
    assert both.makespan_s == pytest.approx(held.makespan_s, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("add", 5, "scale of 'add': it has 4 servers here, not 5"),
        ("make", 1, "scale of 'make' cannot be simulated: it has not several servers and a split by key"),
        ("ad", 1, "scale of 'ad' cannot be simulated"),
    ],
)
def test_a_scale_of_what_has_no_keys_is_refused(name: str, size: int, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        keyed(Timed(0.1, name, "scale", size))


def test_keys_change_hands_when_who_reads_as_it_comes_has_taken_what_was_given() -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {
            "same": {"operator": "copy", "parallelism": 4, "partition": "key", "merge": "unordered"},
            "last": {"operator": "copy"},
        },
        "service": {"make": {"bytes": 4 << 20}, "same": {}, "last": {"per_byte": "1 us"}},
    }
    run = simulate(load(document), host=host(8), replay=Replay({}, (Timed(1.0, "same", "scale", 2),))).runs[0]
    split, last = run.stations["same.split"], run.stations["last"]
    assert last.bytes_in[-1] == 4 << 20
    before = np.interp(1.001, split.time_s, split.bytes_in)
    again = split.time_s[np.searchsorted(split.bytes_in, before, side="right")]
    taken = np.interp([1.0, again], last.time_s, last.bytes_in)
    assert taken[1] - taken[0] > 0.9 * 8 * 65536  # what the pipes before and behind the servers held


def test_a_split_gives_to_so_many_servers_from_a_byte_on() -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {"same": {"operator": "copy", "parallelism": 4, "merge": "unordered"}},
        "service": {"make": {"bytes": 4 << 20}, "same": {"per_byte": "1 us"}},
    }

    def told(*changes: Change) -> RunTrace:
        return simulate(load(document), host=host(8), replay=Replay({"same.split": changes}, ())).runs[0]

    work, alone = (4 << 20) * 1e-6, Change(0, {"active": 1})
    assert told(alone).makespan_s == pytest.approx(work, rel=0.05)
    assert told(alone, Change(2 << 20, {"active": 0})).makespan_s == pytest.approx(work / 2 + work / 8, rel=0.1)
    assert told().makespan_s == pytest.approx(work / 4, rel=0.05)
    with pytest.raises(ModelError, match=r"'same\.split' cannot be simulated: of a split only 'active' can"):
        told(Change(0, {"by": "copy"}))
