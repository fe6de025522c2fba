"""What the tests of the command line share: a directory with a scenario, and one in which it was measured."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from streamsim.cli import outcome
from streamsim.real import halted
from tests.end_to_end.command_line import SCENARIO, Ran, Run, streamsim
from tests.end_to_end.processes import remember


@pytest.fixture(autouse=True)
def _what_others_left() -> None:
    """Let a test answer for its own processes only, in whatever order the tests run."""
    remember()


@pytest.fixture(autouse=True)
def _a_machine_that_may_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run of these tests say, or be done again, because this machine had no time for its runner."""
    monkeypatch.setattr(halted, "_GAP_S", inf)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def in_this_process(*words: str) -> Ran:
        capfd.readouterr()
        status = outcome(words)
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return in_this_process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parity.toml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A directory in which the scenario has been measured once, and what that printed."""
    directory = tmp_path_factory.mktemp("measured")
    (directory / "parity.toml").write_text(SCENARIO)
    done = streamsim("measure", "parity.toml", cwd=directory)
    return directory, Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def beside_a_measurement(measured: tuple[Path, Ran], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(measured[0])
    return measured[0]
