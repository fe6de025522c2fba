"""The schedule of a paced source, on clocks that the test moves."""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError
from streamsim.operators import create
from streamsim.real.worker import pacing as worker_pacing
from streamsim.real.worker.alone import Inattention
from streamsim.real.worker.pacing import Alarm, Pace, pour_paced


class Clock:
    """Moves by a microsecond a look, and by what is slept and a little more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, oversleep_s: float = 30e-6) -> None:
        self.now, self.oversleep_s, self.looks, self.sleeps = 100.0, oversleep_s, 0, 0
        monkeypatch.setattr(worker_pacing, "monotonic", self)
        monkeypatch.setattr(worker_pacing, "sleep", self.sleep)

    def __call__(self) -> float:
        self.looks += 1
        self.now += 1e-6
        return self.now

    def sleep(self, duration_s: float) -> None:
        assert duration_s > 0
        self.sleeps += 1
        self.now += duration_s + self.oversleep_s


class Sent:
    """Stands for the outputs and the visits: keeps what is sent, and holds some of it up."""

    def __init__(self, clock: Clock, held_s: dict[int, float] | None = None) -> None:
        self.clock, self.held_s = clock, held_s or {}
        self.chunks: list[bytes] = []
        self.rows: list[tuple[Any, ...]] = []
        self.written = 0

    def send(self, data: bytes) -> None:
        self.clock.now += self.held_s.get(len(self.chunks), 0.0)
        self.chunks.append(data)
        self.written = len(data)

    def sent(self) -> float:
        return self.clock.now

    def add(self, *row: Any) -> None:
        self.rows.append(row)


def pour(clock: Clock, sent: Sent, rate: float, count: int, until: float | None = None) -> None:
    source: Any = create("generate", {"count": count})
    pour_paced(source, Pace({"rate": rate}), sent, sent, until, None, Inattention())  # type: ignore[arg-type]


def test_a_load_that_changes_its_rate_keeps_its_mean_and_bursts() -> None:
    # Gaps are correlated (MMPP); the lag-1 correlation of rates 1.6 and 0.2, each left at 0.1 a second, is 0.212.
    pace = Pace({"rate": 0.9, "arrivals": "mmpp", "states": [(16 / 9, 10.0), (2 / 9, 10.0)], "seed": 4})
    dues = pace.due([1] * 40_001)
    gaps = [later - earlier for earlier, later in pairwise(dues)]
    batches = [statistics.mean(gaps[start : start + 1000]) for start in range(0, 40_000, 1000)]
    half = 4 * statistics.stdev(batches) / 40**0.5
    assert abs(statistics.mean(batches) - 1 / 0.9) < half
    assert statistics.correlation(gaps[:-1], gaps[1:]) > 0.1


def test_a_source_that_was_held_up_releases_what_came_due_together_and_is_on_time_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    sent = Sent(clock, held_s={2: 1.0})  # the third write blocks for a second
    pour(clock, sent, rate=10.0, count=20)
    assert [chunk.count(b"\n") for chunk in sent.chunks] == [1, 1, 1, 10] + [1] * 7
    start = sent.rows[0][0]
    due = [row[0] - start for row in sent.rows]
    assert due == pytest.approx([0.0, 0.1, 0.2, 0.3, *(1.3 + 0.1 * step for step in range(7))])
    assert sent.rows[3][1] - sent.rows[3][0] == pytest.approx(0.9, abs=1e-3)  # the wait is not left out
    late = [row[1] - row[0] for row in sent.rows[4:]]
    assert all(0 <= lateness < 100e-6 for lateness in late)


def test_the_alarm_never_rings_early_and_learns_how_long_waking_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, oversleep_s=120e-6)
    alarm = Alarm(Inattention())
    late = []
    for _ in range(60):
        due = clock.now + 0.01
        late.append(alarm.wait(due) - due)
    assert all(lateness >= 0 for lateness in late)
    assert late[0] == pytest.approx(70e-6, abs=5e-6)  # its first guess is 50 µs
    assert max(late[-10:]) < 5e-6


def test_what_is_due_soon_is_slept_away_and_not_burnt(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sent = Sent(clock)
    pour(clock, sent, rate=1e6, count=3000)
    assert b"".join(sent.chunks).count(b"\n") == 3000
    assert len(sent.chunks) < 150  # some 30 records to a sleep
    assert clock.looks < 15 * len(sent.chunks)


def test_a_source_that_is_behind_does_not_sleep_between_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sent = Sent(clock, held_s={0: 10.0})
    pour(clock, sent, rate=1e5, count=50_000)  # all of it has come due when the first write ends
    assert sum(chunk.count(b"\n") for chunk in sent.chunks) == 50_000
    assert len(sent.chunks) > 50  # in blocks of 4 KiB
    assert clock.sleeps <= 2


def test_a_source_waits_for_its_end_even_where_nothing_more_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sent = Sent(clock)
    pour(clock, sent, rate=0.1, count=20, until=115.0)
    assert [row[0] - sent.rows[0][0] for row in sent.rows] == pytest.approx([0.0, 10.0])
    assert clock.now == pytest.approx(115.0, abs=1e-3)


@pytest.mark.parametrize(
    ("spec", "scv"),
    [
        ({"arrivals": "poisson"}, 1.0),
        ({"arrivals": "bursty", "scv": 1.0}, 1.0),
        ({"arrivals": "bursty", "scv": 4.0}, 4.0),
        ({"arrivals": "bursty", "scv": 25.0}, 25.0),
    ],
)
def test_gaps_have_the_rate_and_the_scatter_asked_for(spec: dict[str, Any], scv: float) -> None:
    """Judged by batches: their means are independent, so five standard errors of them are the tolerance."""
    batches, size = 40, 5000
    due = Pace({"rate": 50.0, "seed": 9, **spec}).due([1] * (batches * size + 1))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    parts = [gaps[place : place + size] for place in range(0, len(gaps), size)]
    for values, expected in (
        ([statistics.fmean(part) * 50 for part in parts], 1.0),
        ([statistics.fmean([(gap * 50) ** 2 for gap in part]) for part in parts], 1.0 + scv),  # E[X²] = 1 + c²
    ):
        error = statistics.stdev(values) / batches**0.5
        assert abs(statistics.fmean(values) - expected) < 5 * error


def test_a_schedule_does_not_depend_on_the_blocks_that_records_come_in() -> None:
    for spec in ({}, {"arrivals": "poisson"}, {"arrivals": "bursty", "scv": 3}, {"unit": "bytes"}):
        sizes = [1 + number % 7 for number in range(100)]
        whole, parts = (Pace({"rate": 3.0, "seed": 2, **spec}) for _ in range(2))
        assert parts.due(sizes[:1]) + parts.due(sizes[1:60]) + parts.due(sizes[60:]) == whole.due(sizes)


def test_a_rate_in_bytes_gives_large_records_more_time() -> None:
    due = Pace({"rate": 100.0, "unit": "bytes"}).due([50, 10, 40, 1])
    assert due == pytest.approx([0.0, 0.5, 0.6, 1.0])


@pytest.mark.parametrize("line", ["x", "nan", "inf", "-1", "0.4", ""])
def test_a_trace_that_goes_back_or_is_none_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "times").write_text(f"0.1\n0.5\n{line}\n")
    pace = Pace({"arrivals": "trace", "times": str(tmp_path / "times")})
    assert pace.due([1, 1]) == [0.1, 0.5]
    with pytest.raises(RunError, match=f"line 3: '{line}' is no time of at least 0.5 s"):
        pace.due([1])


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_at_a_rate_in_bytes_a_long_line_flows_as_it_is(
    end: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"short\n" + b"x" * 30_000 + b"\n" + b"y" * 50_000 + end
    (tmp_path / "data").write_bytes(data)
    clock = Clock(monkeypatch)
    sent = Sent(clock)
    source: Any = create("file", {"paths": [str(tmp_path / "data")]})
    pace = Pace({"rate": 1000.0, "unit": "bytes"})
    pour_paced(source, pace, sent, sent, None, None, Inattention())  # type: ignore[arg-type]
    assert b"".join(sent.chunks) == data
    assert sum(row[-1] for row in sent.rows) == source.records_out == 3
    started, before = sent.rows[0][0], 0
    for chunk, (due, *_) in zip(sent.chunks, sent.rows, strict=True):
        assert len(chunk) <= 8192
        assert due - started == pytest.approx(before / 1000)
        before += len(chunk)
