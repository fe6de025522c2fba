"""Sources, compression, parsing and copies to a file, against the tools and modules that they agree with."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import random
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard

from streamsim.errors import RunError, ScenarioError
from streamsim.operators import check, create
from streamsim.operators.base import Operator
from streamsim.operators.tail import Tail
from tests.patience import until

TEXT = b"".join(b"%d some words that repeat\n" % number for number in range(30_000))
READERS: dict[str, Any] = {
    "gzip": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(),
}
WRITERS: dict[str, Any] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.mark.parametrize("method", READERS)
def test_what_is_compressed_is_read_by_the_library_of_the_format(method: str) -> None:
    packed = create("compress", {"method": method, "block": "64 KiB"}).run(TEXT)
    assert len(packed) < len(TEXT) / 3
    assert READERS[method](packed) == TEXT
    assert create("decompress", {"method": method}).run(packed) == TEXT
    empty = create("compress", {"method": method}).run(b"")
    assert empty and READERS[method](empty) == create("decompress", {"method": method}).run(empty) == b""
    whole = create("compress", {"method": method, "block": 4096}).run(TEXT[:8192])
    assert READERS[method](whole) == TEXT[:8192] and empty not in whole


@pytest.mark.parametrize("method", WRITERS)
def test_what_others_compressed_is_read_wherever_it_is_cut(method: str) -> None:
    packed = WRITERS[method](TEXT[:1000]) + WRITERS[method](b"") + WRITERS[method](TEXT[1000:2000])
    for size in (1, 7, 10_000):
        operator = create("decompress", {"method": method})
        assert isinstance(operator, Operator)
        pieces = [operator.feed(packed[place : place + size]) for place in range(0, len(packed), size)]
        assert b"".join(pieces) + operator.finish() == TEXT[:2000]
        assert operator.records_out == TEXT[:2000].count(b"\n") + (not TEXT[:2000].endswith(b"\n"))


@pytest.mark.parametrize("method", WRITERS)
def test_damage_and_early_ends_are_found(method: str) -> None:
    packed = WRITERS[method](TEXT)
    with pytest.raises(RunError, match=rf"byte {len(packed) - 20}: the {method} stream ends too early"):
        create("decompress", {"method": method}).run(packed[:-20])
    with pytest.raises(RunError, match=rf"byte {len(packed)}: no {method} data"):
        create("decompress", {"method": method}).run(packed + b"this is no compressed data")


def test_a_level_that_a_method_lacks_is_refused() -> None:
    with pytest.raises(ScenarioError, match="gzip goes up to 9"):
        check("compress", {"method": "gzip", "level": 12})


def test_parsed_json_agrees_with_the_json_module() -> None:
    rng = random.Random(3)
    values = ["x,y", "é", None, 1.5, True, [1, {"z": 2}]]
    rows = [{"a": {"b": rng.choice(values)}, "n": rng.randrange(9)} for _ in range(50)]
    data = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    out = create("parse", {"from": "json", "fields": ["a.b", "n", "a.absent"]}, "csv").run(data)
    for row, found in zip(rows, csv.reader(io.StringIO(out.decode(), newline="")), strict=True):
        value = row["a"]["b"]  # type: ignore[index]
        text = value if isinstance(value, str) else "" if value is None else json.dumps(value, separators=(",", ":"))
        assert found == [text, str(row["n"]), ""]


def test_what_cannot_be_parsed_says_where() -> None:
    with pytest.raises(RunError, match="record 2, byte 9: Expecting value"):
        create("parse", {"from": "json", "fields": ["a"]}).run(b'{"a": 1}\nx\n')
    with pytest.raises(RunError, match="record 1, byte 0: no JSON object"):
        create("parse", {"from": "json", "fields": ["a"]}).run(b"[1]\n")
    with pytest.raises(RunError, match="record 1, byte 0: the pattern does not match"):
        create("parse", {"from": "pattern", "pattern": "([0-9])"}).run(b"x\n")
    skipped = create("parse", {"from": "pairs", "fields": ["a", "b"]}, on_error="skip")
    assert skipped.run(b'a=1 b="say \\"hi\\""\nnothing\nb=2\n') == b'1,say "hi"\n,2\n'
    for wrong, path in (
        ({"from": "json"}, "fields"),
        ({"from": "pattern"}, "pattern"),
        ({"from": "pattern", "pattern": "("}, "pattern"),
        ({"from": "pattern", "pattern": "a"}, "pattern"),
        ({"from": "json", "fields": ["a"], "pattern": "(a)"}, "pattern"),
    ):
        with pytest.raises(ScenarioError) as caught:
            check("parse", wrong)
        assert caught.value.path == path


def test_tee_gives_the_name_to_a_whole_file_only(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    tee: Any = create("tee", {"file": str(target)})
    assert tee.feed(b"one\n") == b"one\n"
    snapshot = tee.snapshot()
    assert tee.feed(b"lost\n") == b"lost\n"
    assert not target.exists()
    again: Any = create("tee", {"file": str(target)})
    again.restore(snapshot)
    again.feed(b"two\n")
    again.finish()
    assert target.read_bytes() == b"one\ntwo\n"
    assert os.listdir(tmp_path) == ["copy"]  # noqa: PTH208
    with pytest.raises(OSError, match="No such file"):
        create("tee", {"file": str(tmp_path / "absent" / "copy")}).run(b"x")


def test_tee_gives_its_file_the_name_when_another_takes_its_place(tmp_path: Path) -> None:
    tees: list[Any] = [create("tee", {"file": str(tmp_path / name)}) for name in ("a", "a", "b")]
    tees[0].feed(b"one\n")
    for old, fresh, there in ((tees[0], tees[1], {"a.part"}), (tees[1], tees[2], {"a", "b.part"})):
        fresh.succeed(old)
        old.give_way(fresh)
        fresh.feed(b"two\n")
        assert {path.name for path in tmp_path.iterdir()} == there
    tees[2].give_way(create("filter", {"where": "True"}))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"one\ntwo\n", "b": b"two\n"}


def test_tee_writes_devices_and_named_pipes_as_they_are_and_follows_links(tmp_path: Path) -> None:
    link, target, pipe = tmp_path / "link", tmp_path / "target", tmp_path / "pipe"
    target.write_bytes(b"old\n")
    target.chmod(0o640)
    link.symlink_to(target)
    assert create("tee", {"file": str(link)}).run(b"new\n") == b"new\n"
    assert link.is_symlink() and target.read_bytes() == b"new\n" and target.stat().st_mode & 0o777 == 0o640
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert create("tee", {"file": str(pipe)}).run(b"piped\n") == b"piped\n"
        assert pipe.is_fifo() and os.read(reader, 99) == b"piped\n"
    finally:
        os.close(reader)


def test_tee_fails_where_its_device_is_full(tmp_path: Path) -> None:
    full = tmp_path / "full"  # a copy: what goes wrong here must not harm the machine's own
    try:
        os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        os.close(os.open(full, os.O_WRONLY))
    except OSError as error:
        pytest.skip(f"a device cannot be made or opened here: {error}")
    with pytest.raises(OSError, match=r"No space left on device: '.*full'"):
        create("tee", {"file": str(full)}).run(b"x")
    assert full.is_char_device()


def test_exec_passes_on_what_a_command_writes_and_how_it_fails() -> None:
    assert create("exec", {"program": "seq 3"}).run() == b"1\n2\n3\n"
    assert create("exec", {"program": "printf '%s\n' 'a b' c"}).run() == b"a b\nc\n"
    with pytest.raises(RunError, match="exited with status 3: sh -c 'exit 3'"):
        create("exec", {"program": "sh -c 'exit 3'"}).run()
    with pytest.raises(RunError, match="'no-such-program' cannot be started: No such file"):
        create("exec", {"program": "no-such-program"}).run()
    for wrong, path in (("'", "program"), ("", "program"), ("a", "runs")):
        with pytest.raises(ScenarioError) as caught:
            check("exec", {"program": wrong, "runs": 2})
        assert caught.value.path == path


def test_a_command_that_nobody_reads_any_more_is_ended() -> None:
    endless: Any = create("exec", {"program": "yes"})
    assert b"".join(endless.records(3)) == b"y\ny\ny\n"
    del endless  # its generator is closed
    listed = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, check=False)
    assert b"yes" not in listed.stdout.split()


def test_tail_follows_a_file_through_growth_rotation_and_truncation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("streamsim.operators.tail.monotonic", lambda: now[0])
    log = tmp_path / "log"
    log.write_bytes(b"old\none\n")
    tail = create("tail", {"path": str(log), "last": 1, "idle": 1.0, "look": 0.001})
    got: list[bytes] = []
    stream = tail.stream()  # type: ignore[union-attr]

    def read() -> None:
        got.extend(stream)

    reader = threading.Thread(target=read)
    reader.start()

    def wait_for(text: bytes) -> None:
        assert until(lambda: text in b"".join(got))

    wait_for(b"one\n")
    with log.open("ab") as file:
        file.write(b"two\n")
    wait_for(b"two\n")
    log.rename(tmp_path / "log.1")
    with (tmp_path / "log.1").open("ab") as file:
        file.write(b"late\n")
    wait_for(b"late\n")
    log.write_bytes(b"three\n")
    wait_for(b"three\n")
    log.write_bytes(b"4\n")  # the same file, cut short
    wait_for(b"4\n")
    now[0] = 2.0
    reader.join()
    assert b"".join(got) == b"one\ntwo\nlate\nthree\n4\n"


def test_tail_reads_what_was_written_between_its_last_look_and_the_rotation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, tail = tmp_path / "log", create("tail", {"path": str(tmp_path / "log"), "idle": 0})
    log.write_bytes(b"one\n")
    following, late = Tail._following, [b"late\n"]

    def rotated(tail: Tail, handle: int) -> int:
        if late:
            with log.open("ab") as file:
                file.write(late.pop())
            log.rename(tmp_path / "log.1")
            log.write_bytes(b"new\n")
        return following(tail, handle)

    monkeypatch.setattr(Tail, "_following", rotated)
    assert b"".join(tail.stream()) == b"one\nlate\nnew\n"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "last"), [(b"a\nb\nc", 2), (b"a\nb\nc\n", 2), (b"a\n", 5), (b"", 1), (b"x\n" * 99_999, 40_000)]
)
def test_tail_begins_where_the_tool_does(content: bytes, last: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    theirs = subprocess.run(["tail", f"-n{last}", str(tmp_path / "f")], capture_output=True, check=True).stdout
    assert create("tail", {"path": str(tmp_path / "f"), "last": last, "idle": 0}).run() == theirs


def test_a_stream_of_another_compression_is_named() -> None:
    with pytest.raises(RunError, match=r"byte 0: no zstd data, but gzip \(method = 'gzip'\)"):
        create("decompress", {}).run(gzip.compress(b"one\n"))


def test_tail_follows_files_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path), str(tmp_path / "pipe"), "/dev/null"):
        with pytest.raises(OSError, match="is no regular file") as caught:
            create("tail", {"path": path, "idle": 0}).run()
        assert caught.value.filename == path
