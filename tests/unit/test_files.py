"""Files that a run reads and writes: none is replaced that is no file, and none is whole that was cut."""

from __future__ import annotations

import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError, ScenarioError
from streamsim.files import write_whole
from streamsim.loading import load
from streamsim.operators import create
from streamsim.places import check_runnable


def test_a_named_pipe_is_written_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", "all of it")
    reader.join()
    assert got == [b"all of it"] and (tmp_path / "pipe").is_fifo()


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    assert write_whole(tmp_path / "link", "new") == tmp_path / "link"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"


def test_a_disk_that_is_full_is_said_with_the_name_of_the_file() -> None:
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        write_whole("/dev/full", "some")


def test_a_file_that_is_truncated_while_it_is_read_does_not_pass_for_whole(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"line\n" * 100_000)
    source: Any = create("file", {"paths": [str(tmp_path / "data")]})
    blocks = source.stream()
    first = len(next(blocks))
    os.truncate(tmp_path / "data", 10)
    with pytest.raises(RunError, match=rf"data: it had 500000 bytes when it was opened, .* when {first} had been read"):
        list(blocks)


def check(where: Path, **source: Any) -> None:
    scenario = load({"sources": {"a": source}, "stations": {"b": {"operator": "copy"}}}, file=str(where))
    check_runnable(scenario.circuit, standard_input=True, file=scenario.file)


def test_a_check_looks_for_the_member_of_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.txt", "1\n")
    (tmp_path / "a.txt").write_text("1\n")
    check(tmp_path / "s.toml", file="a.zip", member="one.txt")
    with pytest.raises(ScenarioError, match=r"sources\.a\.member: .* holds no 'ome.txt'; did you mean 'one.txt'"):
        check(tmp_path / "s.toml", file="a.zip", member="ome.txt")
    with pytest.raises(ScenarioError, match=r"sources\.a: .*a\.txt': File is not a zip file; member is for zip"):
        check(tmp_path / "s.toml", file="a.txt", member="one.txt")


def test_a_check_says_which_sink_cannot_be_written(tmp_path: Path) -> None:
    scenario = load({"stations": {"b": {"operator": "copy"}}, "sinks": {"o": {"file": str(tmp_path)}}})
    with pytest.raises(ScenarioError, match=r"sinks\.o\.file: .* cannot be written: Is a directory"):
        check_runnable(scenario.circuit, standard_input=True)
