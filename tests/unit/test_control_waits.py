"""What a server that is asked tells while it works, and what it does first: the data."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from streamsim.operators.base import readable
from streamsim.real.control import attention as attentions
from streamsim.real.control import endpoint, piecemeal
from streamsim.real.control import page as pages
from streamsim.real.control.attention import Attention
from streamsim.real.control.page import FIELDS, Page, Reader
from streamsim.real.worker import loop
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.visits import Visits
from tests.patience import PATIENCE_S


def test_no_read_of_a_page_is_torn_while_its_writer_never_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_PAUSE_S", 100 * pages._PAUSE_S)  # its writer may have to wait for a core in an update
    page = Page(str(tmp_path / "page"))
    page.write(*[1] * len(FIELDS))
    writer = os.fork()
    if writer == 0:
        for number in range(2, 1 << 40):
            page.write(*[number] * len(FIELDS))
    try:
        reader = Reader(str(tmp_path / "page"))
        found = [set(reader.read().values()) for _ in range(200_000)]
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert {len(values) for values in found} == {1}
    numbers = [min(values) for values in found]
    assert numbers == sorted(numbers) and numbers[0] >= 1


def test_a_page_whose_writer_died_in_an_update_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_PAUSE_S", 0.0)
    page = Page(str(tmp_path / "page"))
    page.write(*[1] * len(FIELDS))
    reader = Reader(str(tmp_path / "page"))
    page._words[0] = 7
    with pytest.raises(OSError, match="in the middle of an update"):
        reader.read()


class _Slow:
    """Holds an operator whose state takes a while to tell."""

    class Operator:
        records_in = records_out = 0
        values: ClassVar[dict[str, Any]] = {}

        @staticmethod
        @readable
        def slow() -> int:
            return sum(range(50_000))

    operator = Operator


@contextmanager
def listening() -> Iterator[Attention]:
    """What a server listens with, in this process."""
    before = signal.getsignal(signal.SIGURG)
    with tempfile.TemporaryDirectory() as directory:  # the name of a socket is short
        control = {"page": f"{directory}/page", "socket": f"{directory}/socket", "libraries": []}
        attention = Attention({"operator": "copy", "control": control})
        try:
            attention.serve_for(_Slow)
            yield attention
        finally:
            attention.close()
            signal.signal(signal.SIGURG, before)


def test_a_server_that_ends_before_it_has_begun_says_so_in_its_page() -> None:
    before = signal.getsignal(signal.SIGURG)
    with tempfile.TemporaryDirectory() as directory:
        control = {"page": f"{directory}/page", "socket": f"{directory}/socket", "libraries": []}
        Attention({"operator": "copy", "control": control}).close()  # as when SIGTERM comes while it is being set up
        signal.signal(signal.SIGURG, before)
        page = Reader(f"{directory}/page").read()
    assert page["state"] == pages.ENDED and page["records_in"] == 0


def test_data_do_not_wait_for_all_that_one_client_asks_at_once() -> None:
    asked, line = 1500, b'{"jsonrpc":"2.0","id":1,"method":"state"}\n'
    source, end = os.pipe()
    with listening() as attention, socket.socket(socket.AF_UNIX) as one, os.fdopen(end, "wb", 0) as writer:
        attention.adopt([source], [])
        one.connect(attention.spec["control"]["socket"])

        def client() -> None:
            one.sendall(asked * line)
            assert one.recv(1)  # it is at it
            writer.write(b"data\n")
            while one.recv(1 << 16):
                pass

        thread = threading.Thread(target=client)
        thread.start()
        assert attention.read(source, 65536) == b"data\n"
        answered = attention.endpoint.requests
        one.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)
        os.close(source)
    assert answered < asked


class _Clock:
    """Time that passes where an operator works, and nowhere else."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class _Working:
    """An operator that takes 5 µs for each byte."""

    def __init__(self, clock: _Clock) -> None:
        self.records_in = self.records_out = 0
        self._clock = clock

    def feed(self, data: bytes, port: int = 0) -> bytes:
        self.records_in += data.count(b"\n")
        self._clock.now += 5e-6 * len(data)
        return b""


@pytest.mark.parametrize("chunk_bytes", [4100, 65536])
def test_a_long_chunk_in_pieces_leaves_the_page_right_and_is_left_alone_again(
    monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    clock = _Clock()
    for module in (attentions, endpoint, piecemeal, loop):
        monkeypatch.setattr(module, "monotonic", clock)
    with listening() as attention, socket.socket(socket.AF_UNIX) as one:
        operator: Any = _Working(clock)
        server = loop.Server(operator, Outputs((), attention), Visits(None), attention)
        attention.serve_for(server)
        one.connect(attention.spec["control"]["socket"])
        attention._rouse()
        for _ in range(4):
            server._take(b"\n" * chunk_bytes, 0, clock(), clock())
            attention.between()
            counts = Reader(attention.spec["control"]["page"]).read()
            assert counts["records_in"] == operator.records_in
        assert attention.alert and attention.endpoint.visited
        one.close()
        for _ in range(3):
            server._take(b"\n" * chunk_bytes, 0, clock(), clock())
            attention.between()
        assert not attention.alert


class _Interrupted:
    """The ends of an attention, and a signal that comes when they are to block again."""

    def __init__(self, attention: Attention) -> None:
        self.attention, self.blocking = attention, False

    def set_blocking(self, value: bool) -> None:
        if value:
            self.attention._rouse()
        self.blocking = value


def test_a_signal_while_it_relaxes_leaves_no_server_deaf() -> None:
    with listening() as attention:
        ends: Any = _Interrupted(attention)
        attention._ends = ends
        attention._relax()
        assert attention._roused is not ends.blocking
        attention._rouse()
        assert attention._roused and not ends.blocking
