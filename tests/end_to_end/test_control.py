"""Servers that run, looked into and steered: between chunks, while blocked, while silent, and at exact positions."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streamsim.real.control.client import Refusal
from tests.patience import PATIENCE_S
from tests.unit.controlled import Running, server

LINE = b"%07d\n"


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(LINE % number for number in range(start, start + count))


def feed(running: Running, data: bytes, *, close: bool = True) -> threading.Thread:
    """Write into the server from a thread."""

    def write() -> None:
        assert running.process.stdin is not None
        try:
            running.process.stdin.write(data)
            running.process.stdin.flush()
        except BrokenPipeError:
            return
        if close:
            running.process.stdin.close()

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def rest_of(running: Running) -> bytes:
    assert running.process.stdout is not None
    data = running.process.stdout.read()
    assert running.process.wait(PATIENCE_S) == 0
    return data


def test_a_server_answers_while_its_input_is_silent_and_while_its_output_is_full(tmp_path: Path) -> None:
    with server(tmp_path / "run", "filter", {"where": "len(record) > 1"}) as running, running.client() as client:
        assert client.call("metrics")["bytes_in"] == 0
        data = lines(100_000)
        writer = feed(running, data)

        def moved() -> tuple[int, ...]:
            found = client.call("metrics")
            return found["unwritten_bytes"], found["bytes_out"], found["records_in"]

        def blocked_now() -> bool:
            unwritten, written, _ = before = moved()
            return unwritten > 0 and written == 65536 and moved() == before  # what a pipe holds

        running.wait_for(blocked_now, "it never blocked")
        blocked = client.call("metrics")
        assert client.call("state")["counted"] == {"in": blocked["records_in"], "out": blocked["records_out"]}
        assert rest_of(running) == data
        writer.join()


def test_a_paused_server_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "run", "copy") as running, running.client() as client:
        assert client.call("pause") is True
        assert client.call("pause") is False
        writer = feed(running, lines(5000))
        for _ in range(20):
            assert client.call("metrics")["bytes_in"] == 0
        assert running.page().read()["state"] == 2
        assert client.call("resume") is True
        assert rest_of(running) == lines(5000)
        writer.join()


@pytest.mark.parametrize("place", [1, 7, 8192, 8193, 30_001])
def test_a_command_takes_effect_at_exactly_the_record_that_it_names(tmp_path: Path, place: int) -> None:
    with server(tmp_path / "run", "filter", {"where": "len(record) > 1"}) as running, running.client() as client:
        client.call("at", {"record": place, "method": "set", "parameters": {"where": "len(record) < 1"}})
        client.call("at", {"record": place + 5, "method": "set", "parameters": {"where": "len(record) > 2"}})
        writer = feed(running, lines(40_000))
        assert rest_of(running) == lines(place) + lines(40_000 - place - 5, place + 5)
        writer.join()


def test_several_commands_in_one_chunk_each_take_effect_at_their_own_record(tmp_path: Path) -> None:
    places = [100, 105, 110, 130, 2000]
    with server(tmp_path / "run", "filter", {"where": "len(record) > 1"}) as running, running.client() as client:
        for number, place in enumerate(places):
            where = "len(record) < 1" if number % 2 == 0 else "len(record) > 2"
            client.call("at", {"record": place, "method": "set", "parameters": {"where": where}})
        writer = feed(running, lines(4000))
        assert rest_of(running) == lines(100) + lines(5, 105) + lines(1870, 130)
        writer.join()


def test_a_command_takes_effect_at_exactly_the_byte_that_it_names(tmp_path: Path) -> None:
    with server(tmp_path / "run", "copy") as running, running.client() as client:
        client.call("at", {"byte": 100_001, "method": "pause"})
        writer = feed(running, lines(40_000))
        assert running.process.stdout is not None
        taken = os.read(running.process.stdout.fileno(), 1 << 20)
        while len(taken) < 100_001:
            taken += os.read(running.process.stdout.fileno(), 1 << 20)
        assert len(taken) == 100_001
        running.wait_for(lambda: client.call("metrics")["paused"], "it was never paused")
        assert client.call("drain") == 0
        with pytest.raises(Refusal, match="byte 5 has passed"):
            client.call("at", {"byte": 5, "method": "pause"})
        with pytest.raises(Refusal, match="byte: -5 is not 0 or more"):
            client.call("at", {"byte": -5, "method": "pause"})
        client.call("resume")
        assert taken + rest_of(running) == lines(40_000)
        writer.join()


def test_a_hundred_swaps_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    done, fed, got = threading.Event(), bytearray(), bytearray()
    with server(tmp_path / "run", "filter", {"where": "len(record) > 1"}) as running, running.client() as client:
        stdin, stdout = running.process.stdin, running.process.stdout
        assert stdin is not None
        assert stdout is not None

        def write() -> None:
            while not done.is_set():
                chunk = lines(1001, len(fed) // len(LINE % 0))[:-3]  # cut inside a record
                fed.extend(chunk)
                stdin.write(chunk)
                fed.extend(b"\n")
                stdin.write(b"\n")
            stdin.close()

        writer = threading.Thread(target=write)
        reader = threading.Thread(target=lambda: got.extend(stdout.read()))
        writer.start()
        reader.start()
        taken = 0
        for number in range(100):
            if number % 3 == 0:
                client.call("swap", {"operator": "map", "parameters": {"to": "record"}})
            elif number % 3 == 1:
                client.call("set", {"delimiter": ";"})
            else:
                client.call("swap", {"operator": "filter", "parameters": {"where": f"len(record) > {number % 3}"}})
            running.wait_for(lambda past=taken: client.call("metrics")["bytes_in"] > past, "it does not work meanwhile")
            taken = client.call("metrics")["bytes_in"]
        done.set()
        writer.join(PATIENCE_S)
        reader.join(PATIENCE_S)
        assert got == fed


def test_operators_of_bytes_and_of_records_change_places_between_two_records_only(tmp_path: Path) -> None:
    with server(tmp_path / "run", "copy") as running, running.client() as client:
        client.call(
            "at",
            {
                "record": 3000,
                "method": "swap",
                "parameters": {"operator": "filter", "parameters": {"where": "record != '0003001'"}},
            },
        )
        client.call("at", {"record": 6000, "method": "swap", "parameters": {"operator": "copy", "parameters": {}}})
        feed(running, lines(7000)[:-3], close=False).join()
        running.wait_for(lambda: client.call("metrics")["bytes_in"] == 7000 * 8 - 3, "it did not take all")
        with pytest.raises(Refusal, match="between two records"):
            client.call("swap", {"operator": "filter", "parameters": {"where": "len(record) > 1"}})
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert rest_of(running) == (lines(3001) + lines(3998, 3002))[:-3]


def test_the_counters_in_shared_memory_are_never_torn(tmp_path: Path) -> None:
    """`copy` gives what it takes, so between two chunks the bytes in and out agree."""
    with (
        open("/dev/zero", "rb") as zero,
        open("/dev/null", "wb") as null,
        server(tmp_path / "run", "copy", stdin=zero, stdout=null, visits=False) as running,
        running.client() as client,
    ):
        page = running.page()
        running.wait_for(lambda: page.read()["chunks"] > 10, "it never started")
        reads, updates, until = 0, set(), time.monotonic() + PATIENCE_S
        while reads < 10_000 or (len(updates) < 10 and time.monotonic() < until):
            found = page.read()
            assert found["bytes_in"] == found["bytes_out"]
            updates.add(found["chunks"])
            reads += 1
        assert len(updates) >= 10
        metrics = client.call("metrics")
        assert metrics["bytes_in"] == metrics["bytes_out"] + metrics["unwritten_bytes"]  # asked in a chunk


def test_a_snapshot_goes_on_in_another_server(tmp_path: Path) -> None:
    half, whole = lines(1000), lines(2000)
    with server(tmp_path / "one", "group", {"key": 1}) as one, one.client() as client:
        feed(one, half[:-3], close=False).join()
        one.wait_for(lambda: client.call("metrics")["bytes_in"] == len(half) - 3, "it did not take all")
        size = client.call("snapshot", {"file": str(tmp_path / "state")})
        assert (tmp_path / "state").stat().st_size == size
        with pytest.raises(Refusal, match="exists"):
            client.call("snapshot", {"file": str(tmp_path / "state")})
    with server(tmp_path / "two", "group", {"key": 1}) as two, two.client() as client:
        assert client.call("restore", {"file": str(tmp_path / "state")})["records_in"] == 999
        writer = feed(two, whole[len(half) - 3 :])
        assert rest_of(two) == b"".join(b"%07d,1\n" % number for number in range(2000))
        writer.join()


def test_only_a_snapshot_of_ones_own_and_of_the_same_operator_is_read(tmp_path: Path) -> None:
    evil = b"cos\nsystem\n(S'touch %s/ran'\ntR." % bytes(tmp_path)
    good = tmp_path / "good"
    with (
        server(tmp_path / "run", "group", {"key": 1}) as running,
        server(tmp_path / "second", "top", {"k": 3}) as other,
        running.client() as client,
        other.client() as top,
    ):
        client.call("snapshot", {"file": str(good)})
        head = good.read_bytes().partition(b"\n")[0] + b"\n"
        files = {
            "shared": head + evil,
            "plain": evil,
            "cut": good.read_bytes()[:-5],
            "other": head.replace(b'"key":1', b'"key":2'),
            "binary": b"\xff\x00" + good.read_bytes(),
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        (tmp_path / "shared").chmod(0o666)
        (tmp_path / "link").symlink_to(good)
        os.mkfifo(tmp_path / "pipe", 0o600)
        for name, says in [
            ("shared", "others can write it"),
            ("plain", "is no snapshot"),
            ("binary", "is no snapshot"),
            ("cut", "the snapshot of operator 'group' cannot be read"),
            ("other", "a snapshot with key = 2, and here it is 1"),
            ("link", "is a link, and none is followed"),
            ("pipe", "is no regular file"),
            ("", "is no regular file"),
            ("none", "No such file"),
            ("no\0ne", "can be no file"),
        ]:
            with pytest.raises(Refusal, match=says):
                client.call("restore", {"file": f"{tmp_path}/{name}"})
        with pytest.raises(Refusal, match="is a snapshot of operator 'group' on lines, not of 'top' on lines"):
            top.call("restore", {"file": str(good)})
        assert client.call("restore", {"file": str(good)})["records_in"] == 0
    assert not (tmp_path / "ran").exists()


def test_a_server_says_what_cannot_be_done_and_goes_on(tmp_path: Path) -> None:
    with server(tmp_path / "run", "group", {"key": 1}) as running, running.client() as client:
        wrong: list[tuple[str, Any, str]] = [
            ("set", {"key": 2}, "cannot be changed while it runs"),
            ("swap", {"operator": "copy", "parameters": {}}, "state = 'new'"),
            ("swap", {"operator": "grup", "parameters": {}}, "did you mean 'group'"),
            ("swap", {"operator": "generate", "parameters": {"count": 3}}, "cannot stand where"),
            ("at", {"method": "pause"}, "either record or byte"),
            ("at", {"method": "nope", "byte": 10}, "cannot be done at a position"),
            ("snapshot", {"file": "here"}, "not an absolute path"),
            ("restore", {"file": "/does/not/exist"}, "No such file"),
            ("staet", {}, "did you mean 'state'"),
        ]
        for method, parameters, message in wrong:
            with pytest.raises(Refusal, match=message):
                client.call(method, parameters)
        writer = feed(running, lines(3))
        assert rest_of(running) == b"0000000,1\n0000001,1\n0000002,1\n"
        writer.join()


def test_a_source_rests_and_goes_on(tmp_path: Path) -> None:
    count = 30_000  # more than a pipe holds, so that it cannot have ended
    pace = {"rate": 200_000, "arrivals": "even", "seed": 1}
    with server(tmp_path / "run", "generate", {"count": count}, pace=pace) as running, running.client() as client:
        client.call("pause")
        before = client.call("metrics")["bytes_out"]
        for _ in range(20):
            assert client.call("metrics")["bytes_out"] == before
        client.call("resume")
        assert rest_of(running) == b"".join(b"%d\n" % number for number in range(1, count + 1))
