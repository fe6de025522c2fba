"""Operators as Unix filters: ``streamsim op``."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command_line import Run, one_line, streamsim
from tests.patience import PATIENCE_S


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (["sample", "--every", "2"], "1\n2\n3\n4\n", "2\n4\n"),
        (["sample", "--every=2"], "1\n2\n3\n4\n", "2\n4\n"),
        (["filter", "--where", "len(record) > 1"], "a\nbb\n", "bb\n"),
        (["group", "--key", "1", "--on-error", "skip"], "a\nb\na\n", "a,2\nb,1\n"),
        (["sample", "--every", "2", "--format", "rows", "--format.width", "2"], "abcdef", "cd"),
        (["generate", "--count", "3"], "", "1\n2\n3\n"),
        (["merge", "--numeric", "-", "/dev/null"], "9\n10\n", "9\n10\n"),
        (["merge", "--numeric", "no", "-"], "10\n9\n", "10\n9\n"),
    ],
)
def test_an_operator_is_a_filter(words: list[str], given: str, expected: str) -> None:
    done = streamsim("op", *words, input=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_a_filter_shows_its_parameters(run: Run) -> None:
    ran = run("op", "window", "--help")
    assert ran.status == 0
    assert re.search(r"^  --size +how many records make a window: .* \(required\)$", ran.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["srot"], "unknown operator 'srot'"),
        (["filter"], "needs 'where'"),
        (["filter", "--where"], "--where needs a value"),
        (["filter", "--wher", "x"], "did you mean 'where'?"),
        (["filter", "where=x"], "parameters are written --name value"),
        (["sample", "--every", "x"], "'x' is not a whole number"),
        (["sample", "--every", "1", "--every", "2"], "given twice"),
        (["copy", "--on-error", "skip"], "no record that it could not work on"),
        (["copy", "/"], "'/' cannot be read: Is a directory"),
        (["count", "--format", "cvs"], "did you mean 'csv'?"),
        (["count", "--format", "rows", "--format.with", "2"], "did you mean 'width'?"),
    ],
)
def test_a_filter_refuses_what_it_does_not_know(words: list[str], said: str, run: Run) -> None:
    ran = run("op", *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in one_line(ran.err)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_tee_that_is_ended_midway_leaves_no_part(end: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"old\n")
    call = [sys.executable, "-m", "streamsim", "op", "tee", "--file", str(tmp_path / "copy")]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tee:
        assert tee.stdin is not None and tee.stdout is not None
        tee.stdin.write(b"one\n")
        tee.stdin.flush()
        assert tee.stdout.readline() == b"one\n"
        tee.send_signal(end)
        assert tee.wait(PATIENCE_S) == -end
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("copy", b"old\n")]


def test_a_tee_that_nobody_reads_any_more_leaves_no_part(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "streamsim", "op", "tee", "--file", str(tmp_path / "copy")]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tee:
        assert tee.stdin is not None and tee.stdout is not None
        tee.stdout.close()
        tee.stdin.write(b"one\n")
        tee.stdin.flush()
        assert tee.wait(PATIENCE_S) == -signal.SIGPIPE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "data", "said"),
    [
        ([], "b\na\n", "record 2: 'a' comes before what stands above it (sort it first: LC_ALL=C sort -s)"),
        (["--key", "2", "--numeric"], "x,9\nx,10\ny,8\n", "record 3: 'y,8' comes before what stands above it (sort it "
         "first: LC_ALL=C sort -s -n -t ',' -k 2,2)"),
    ],
)  # fmt: skip
def test_a_merge_of_a_single_input_that_is_not_sorted_says_so(words: list[str], data: str, said: str) -> None:
    done = streamsim("op", "merge", *words, input=data)
    assert (done.returncode, one_line(done.stderr)) == (1, f"streamsim: {said}")
