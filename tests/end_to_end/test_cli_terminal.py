"""What the command line shows on a terminal: progress, and tables that fit."""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest

from streamsim.cli.progress import ProgressLine
from tests.end_to_end.command_line import Run


@contextmanager
def terminal_as_stderr() -> Iterator[int]:
    """Make a terminal standard error, and give its other end; pytest's own capture is taken off meanwhile."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream, redirect_stderr(stream):
        yield master
    os.close(master)


def test_a_long_verb_shows_how_far_it_is_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamsim.cli.progress._PATIENCE_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    shown = ""
    with terminal_as_stderr() as terminal, ProgressLine() as progress:
        progress(1, 4, "measuring [b]")
        while " left" not in shown and select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 4096).decode()
    assert "measuring [b]" in shown
    assert re.search(r"0:00:\d\d.* left", shown)


def test_a_short_verb_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamsim.cli.progress._PATIENCE_S", 3600.0)  # whatever is short on this machine
    with terminal_as_stderr() as terminal:
        with ProgressLine() as progress:
            progress(1, 4, "measuring")
        assert select.select([terminal], [], [], 0)[0] == []


def test_progress_is_silent_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamsim.cli.progress._PATIENCE_S", 0.0)
    with ProgressLine() as progress:
        progress(1, 4, "measuring")
    assert capsys.readouterr() == ("", "")


def test_tables_fit_a_narrow_terminal(beside_a_measurement: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("simulate", "parity.toml").status == 0
    wide = run("simulate", "parity.toml").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", run("simulate", "parity.toml").out)
    head, narrow_rows = narrow.splitlines()[0], narrow.splitlines()[1:-3]
    assert head == wide.splitlines()[0]
    assert max(len(row) for row in narrow_rows) <= 80
    assert [word for word in ("utilisation", "starved", "blocked") if word not in narrow] == []
    assert wide.count("\nsort ") == 1
    assert narrow.count("\nsort ") == 2
