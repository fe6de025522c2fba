"""An operator's process on real pipes: what it writes, what it notes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.real.worker import loop as worker_loop
from streamsim.real.worker import outputs as worker_outputs
from streamsim.real.worker import visits as worker_visits
from streamsim.real.worker.pacing import Pace
from streamsim.real.worker.spec import read_spec
from streamsim.trace import VISIT

WORKER = Path(worker_loop.__file__).with_name("main.py")
LINES = b"".join(b"%d,%s\n" % (number, b"JFK" if number % 3 else b"EWR") for number in range(60_000))


def start(
    spec: dict[str, Any], *descriptors: int, stdin: int | IO[bytes] = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-S", "-E", "-P", str(WORKER), json.dumps(spec)],
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=descriptors,
    )  # fmt: skip


def run(spec: dict[str, Any], data: bytes = b"") -> tuple[bytes, bytes, int]:
    with start(spec, stdin=subprocess.PIPE) as process:
        out, error = process.communicate(data)
    return out, error, process.returncode


def visits_of(path: Path) -> np.ndarray[Any, Any]:
    assert path.stat().st_size % VISIT.itemsize == 0
    return np.fromfile(path, dtype=VISIT)


OPERATORS = {
    "copy": ({}, 60_000, LINES),
    "filter": ({"where": "column(2) == 'JFK'"}, 40_000, None),
    "group": ({"key": 2}, 2, b"EWR,20000\nJFK,40000\n"),
    "dedup": ({"column": 2}, 2, b"0,EWR\n1,JFK\n"),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_the_bytes_and_records_of_the_visits_add_up(name: str, tmp_path: Path) -> None:
    parameters, records, expected = OPERATORS[name]
    spec = {"operator": name, "parameters": parameters, "visits": str(tmp_path / "visits"), "read_bytes": 10_000}
    out, error, status = run(spec, LINES)
    assert (status, error) == (0, b"")
    if expected is not None:
        assert out == expected
    visits = visits_of(tmp_path / "visits")
    assert visits["taken"].sum() == len(LINES)
    assert visits["given"].sum() == len(out)
    assert visits["records_in"].sum() == 60_000
    assert visits["records_out"].sum() == out.count(b"\n") == records
    assert visits["taken"].max() <= 10_000
    assert visits["taken"][-1] == 0  # the last visit is the end
    assert (visits["taken"][:-1] > 0).all()


def test_the_stamps_of_visits_never_go_back(tmp_path: Path) -> None:
    run({"operator": "copy", "visits": str(tmp_path / "visits")}, LINES)
    visits = visits_of(tmp_path / "visits")
    stamps = np.column_stack([visits[name] for name in ("asked", "got", "served", "sent")]).ravel()
    assert len(stamps) > 4
    assert (np.diff(stamps) >= 0).all()
    assert (visits["cpu"] >= 0).all()
    # one thread cannot use more CPU time than passes, from the first question to the last answer
    assert visits["cpu"][1:].sum() <= stamps[-1] - stamps[3] + 1e-3


def test_more_visits_than_the_buffer_holds_are_all_kept(tmp_path: Path) -> None:
    out, _, status = run({"operator": "copy", "read_bytes": 64, "visits": str(tmp_path / "visits")}, LINES[:100_000])
    assert status == 0
    assert visits_of(tmp_path / "visits")["given"].sum() == len(out) == 100_000
    assert len(visits_of(tmp_path / "visits")) > 65536 // VISIT.itemsize


def test_a_source_gives_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(LINES[:-1])
    spec = {"operator": "file", "parameters": {"paths": [str(tmp_path / "in")]}, "visits": str(tmp_path / "visits")}
    out, _, status = run(spec)
    assert (out, status) == (LINES[:-1], 0)
    visits = visits_of(tmp_path / "visits")
    assert visits["given"].sum() == len(out)
    assert visits["records_out"].sum() == 60_000
    assert visits["taken"].sum() == visits["records_in"].sum() == 0
    out, _, _ = run({**spec, "records": 1234})
    assert out == b"".join(LINES.splitlines(keepends=True)[:1234])
    assert visits_of(tmp_path / "visits")["records_out"].sum() == 1234


def test_a_worker_that_nobody_reads_dies_by_sigpipe_without_a_word(tmp_path: Path) -> None:
    with start({"operator": "generate", "visits": str(tmp_path / "visits")}) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(6) == b"1\n2\n3\n"
        process.stdout.close()
        assert process.wait() == -signal.SIGPIPE
        assert process.stderr.read() == b""
    visits = visits_of(tmp_path / "visits")
    assert visits["given"].sum() > 0
    assert visits["given"][-1] < visits["given"].max()  # the last write did not come through


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_quietly_and_the_visits_are_kept(number: int, tmp_path: Path) -> None:
    with start({"operator": "copy", "visits": str(tmp_path / "visits")}, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 100) == b"one\n"
        # It notes a visit after the bytes have gone: the second chunk comes out when the first has been noted.
        process.stdin.write(b"two\n")
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 100) == b"two\n"
        process.send_signal(number)
        out, error = process.communicate()
    assert process.returncode == -number
    assert (out, error) == (b"", b"")
    assert visits_of(tmp_path / "visits")["taken"][0] == 4


@pytest.mark.parametrize(
    ("spec", "data", "line"),
    [
        ({"operator": "group", "parameters": {"key": 3}}, b"1,2\n", "rank: record 1, byte 0: has 2 columns, not 3"),
        ({"operator": "sample", "parameters": {"evry": 3}}, b"", "rank: evry: operator 'sample' has no parameter"),
        ({"operator": "smple"}, b"", "rank: operator: unknown operator 'smple'; did you mean 'sample'?"),
        ({"operator": "file", "parameters": {"paths": ["/absent"]}}, b"", "rank: /absent: No such file or directory"),
        ({"operator": "count", "format": "frames"}, b"\0\0\0\1", "rank: record 1, byte 0: the stream ends 1 bytes"),
        ({"operator": "copy", "format": "frame"}, b"", "rank: format: unknown format 'frame'"),
        ({"operator": "copy", "visits": "/absent/visits"}, b"", "rank: FileNotFoundError"),
        ({"operator": "generate", "pace": {"rate": 1, "arrivals": "odd"}}, b"", "rank: arrivals 'odd'"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_1(spec: dict[str, Any], data: bytes, line: str) -> None:
    out, error, status = run({"name": "rank", **spec}, data)
    assert status == 1
    assert out == b""
    assert error.decode().startswith(line)
    assert error.count(b"\n") == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"operator": "copy"} and more', '{"operator"', "@/absent"])
def test_a_broken_specification_is_one_line_too(text: str) -> None:
    found = subprocess.run([sys.executable, "-S", "-E", "-P", WORKER, text], capture_output=True, check=False)
    assert found.returncode == 1
    assert found.stderr.startswith(b"worker: ")
    assert found.stderr.count(b"\n") == 1


def test_every_output_gets_the_same_bytes_and_one_without_a_reader_is_dropped(tmp_path: Path) -> None:
    pipes = [os.pipe() for _ in range(3)]
    outputs = [writer for _, writer in pipes]
    spec = {"operator": "copy", "outputs": outputs, "visits": str(tmp_path / "visits")}
    with start(spec, *outputs, stdin=subprocess.PIPE) as process:
        for writer in outputs:
            os.close(writer)
        readers = [reader for reader, _ in pipes]
        assert process.stdin is not None
        process.stdin.write(b"all\n")
        process.stdin.flush()
        assert [os.read(reader, 100) for reader in readers] == [b"all\n"] * 3
        os.close(readers.pop())
        process.stdin.write(b"two\n")
        process.stdin.flush()
        assert [os.read(reader, 100) for reader in readers] == [b"two\n"] * 2
        for reader in readers:
            os.close(reader)
        process.stdin.write(b"none\n")
        process.stdin.flush()
        assert process.wait() == -signal.SIGPIPE
    assert visits_of(tmp_path / "visits")["given"].tolist() == [4, 4, 0]


def test_several_inputs_are_read_as_they_come_and_no_record_is_torn() -> None:
    first, second = os.pipe(), os.pipe()
    with start({"operator": "interleave", "inputs": [first[0], second[0]]}, first[0], second[0]) as process:
        os.close(first[0])
        os.close(second[0])
        assert process.stdout is not None
        os.write(first[1], b"a1\na")
        assert os.read(process.stdout.fileno(), 100) == b"a1\n"
        os.write(second[1], b"b1\n")
        assert os.read(process.stdout.fileno(), 100) == b"b1\n"
        os.close(second[1])
        os.write(first[1], b"2\na3")
        assert os.read(process.stdout.fileno(), 100) == b"a2\n"
        os.close(first[1])
        assert process.stdout.read() == b"a3"
        assert process.wait() == 0


def released(visits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return how many records had been released before each visit."""
    return np.concatenate([[0], np.cumsum(visits["records_out"])[:-1]])


@pytest.mark.parametrize(
    "pace",
    [
        {"rate": 4000.0},
        {"rate": 4000.0, "arrivals": "poisson", "seed": 4},
        {"rate": 4000.0, "arrivals": "bursty", "scv": 9.0, "seed": 4},
        {"rate": 20_000.0, "unit": "bytes"},
    ],
)
def test_a_paced_source_releases_each_record_when_it_is_due_and_not_before(
    pace: dict[str, Any], tmp_path: Path
) -> None:
    spec = {"name": "source", "operator": "generate", "visits": str(tmp_path / "visits"), "records": 400, "pace": pace}
    out, _, status = run(spec)
    records = out.splitlines(keepends=True)
    assert status == 0
    assert records == [b"%d\n" % number for number in range(1, 401)]
    visits = visits_of(tmp_path / "visits")
    assert visits["records_out"].sum() == 400
    assert (visits["got"] >= visits["asked"]).all()
    # asked is when the first record of the chunk was due, on the schedule that its seed makes, however late it was
    due = np.array(Pace({**pace, "seed": f"{pace.get('seed')}/source"}).due([len(record) for record in records]))
    assert np.diff(visits["asked"]) == pytest.approx(np.diff(due[released(visits)]), abs=1e-6)


def test_a_trace_of_times_ends_its_source(tmp_path: Path) -> None:
    (tmp_path / "times").write_text("0.01\n0.02\n0.02\n0.05\n")
    pace = {"rate": 0.0, "arrivals": "trace", "times": str(tmp_path / "times")}
    spec = {"name": "source", "operator": "generate", "visits": str(tmp_path / "visits"), "pace": pace}
    out, _, status = run(spec)
    assert (out, status) == (b"1\n2\n3\n4\n", 0)
    visits = visits_of(tmp_path / "visits")
    due = np.array([0.01, 0.02, 0.02, 0.05])[released(visits)]
    assert visits["asked"] - visits["asked"][0] == pytest.approx(due - due[0], abs=1e-6)
    (tmp_path / "times").write_text("0.0\n1 h\n")
    out, error, status = run(spec)
    assert (out, status) == (b"", 1)
    assert f"source: {tmp_path}/times: line 2: '1 h' is no time" in error.decode()


@pytest.mark.parametrize("pace", [None, {"rate": 1000.0}, {"rate": 0.001}])
def test_until_ends_a_source_between_two_records(pace: dict[str, Any] | None, tmp_path: Path) -> None:
    spec = {"operator": "generate", "until_s": 0.05, "pace": pace, "visits": str(tmp_path / "visits")}
    out, _, status = run(spec)
    records = out.splitlines(keepends=True)
    assert status == 0
    assert records == [b"%d\n" % number for number in range(1, len(records) + 1)]
    visits = visits_of(tmp_path / "visits")
    assert (visits["asked"][:-1] - visits["asked"][0] <= 0.05).all()
    if pace:
        assert 1 <= len(records) <= max(1, pace["rate"] * 0.05 + 1)


def test_a_source_that_reads_a_silent_pipe_ends_when_its_time_is_up(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"one\ntwo\nthr")
        with start({"operator": "file", "until_s": 1.0, "pace": {"rate": 1e6}}, stdin=reader) as process:
            out, error = process.communicate()
        assert (out, error, process.returncode) == (b"one\ntwo\n", b"", 0)  # and no half of a record
    finally:
        os.close(reader)
        os.close(writer)


def test_a_worker_runs_your_own_operator_with_other_libraries(tmp_path: Path) -> None:
    (tmp_path / "mirrors.py").write_text(
        "import msgspec\n"
        "from streamsim.operators.base import RecordOperator\n"
        "class Mirror(RecordOperator):\n"
        '    """Turn each record round, as JSON."""\n'
        "    def process(self, records):\n"
        "        return [msgspec.json.encode(record.decode()[::-1]) for record in records]\n"
    )
    spec = {"operator": "mirrors:Mirror", "path": [str(tmp_path)], "site": True}
    out, error, status = run(spec, "für\n".encode())
    assert (out.decode(), error, status) == ('"rüf"\n', b"", 0)
    _, error, status = run({**spec, "path": []}, b"abc\n")
    assert status == 1
    assert b"mirrors:Mirror: operator: operator 'mirrors:Mirror' cannot be imported" in error


@pytest.mark.parametrize(
    ("call", "data", "out"),
    [
        ("'filter', {'where': 'len(record) > 1'}", b"a\nbc\n", b"bc\n"),
        ("'generate', {'count': 2}", b"", b"1\n2\n"),
        ("'count', {}, 'frames'", b"\0\0\0\0", b"\0\0\0\x031 4"),
    ],
)
def test_an_operator_is_a_unix_filter_too(call: str, data: bytes, out: bytes) -> None:
    code = f"from streamsim.real.worker.main import run_filter; run_filter({call})"
    found = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=False)
    assert (found.stdout, found.stderr, found.returncode) == (out, b"", 0)


def test_a_filter_raises_what_is_wrong_and_leaves_the_talking_to_others() -> None:
    code = (
        "from streamsim.errors import RunError\nfrom streamsim.real.worker.main import run_filter\n"
        "try: run_filter('map', {'to': 'int(record)'})\nexcept RunError as error: print('caught', error)"
    )
    found = subprocess.run([sys.executable, "-c", code], input=b"1\nx\n", capture_output=True, check=False)
    assert found.stdout.startswith(b"caught record 2, byte 2: invalid literal")
    assert found.stderr == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    parameters=st.dictionaries(st.text(), JSON, max_size=4), ascii=st.booleans(), spaces=st.sampled_from(["", " \n"])
)
def test_a_specification_is_read_as_json_is(parameters: dict[str, Any], ascii: bool, spaces: str) -> None:
    spec = {"operator": "copy", "parameters": parameters}
    assert read_spec(json.dumps(spec, ensure_ascii=ascii, indent=1 if spaces else None) + spaces) == spec


def test_a_partial_write_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    written = bytearray()

    def write(descriptor: int, data: bytes) -> int:
        if len(written) >= 10:
            raise BrokenPipeError
        written.extend(data[:3])
        return min(3, len(data))

    monkeypatch.setattr(os, "write", write)
    outputs = worker_outputs.Outputs([1])
    outputs.send(b"abcdefg")
    assert (bytes(written), outputs.written) == (b"abcdefg", 7)
    with pytest.raises(BrokenPipeError):
        outputs.send(b"hijklmn")
    assert (bytes(written), outputs.written) == (b"abcdefghij", 3)


def test_visits_reach_their_file_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:50]))
    visits = worker_visits.Visits(str(tmp_path / "visits"))
    for number in range(3):
        visits.add(1.0, 2.0, 3.0, 4.0, number, 6, 7, 8)
    visits.flush()
    assert visits_of(tmp_path / "visits")["taken"].tolist() == [0, 1, 2]


def test_an_output_whose_reader_has_gone_is_closed_at_once() -> None:
    stays, goes = os.pipe(), os.pipe()
    outputs = worker_outputs.Outputs([stays[1], goes[1]])
    os.close(goes[0])
    outputs.send(b"abc")
    assert outputs.written == 3
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(goes[1])
    outputs.close()
    assert os.read(stays[0], 9) == b"abc"
    assert os.read(stays[0], 9) == b""
    os.close(stays[0])
